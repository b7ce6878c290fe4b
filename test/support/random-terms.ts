import { pick, type Random } from '#core/proof/random-world.ts'
import { symbolKey, Terms, type FunctionSymbol, type Sort, type Term, type Value, type World } from '#core/proof/terms.ts'

const E: Sort = 'entity:E'
const F: Sort = 'entity:F'

function symbol(kind: FunctionSymbol['kind'], owner: string, name: string, result: Sort, to = ''): FunctionSymbol {
  return { kind, owner, path: [name], to, copy: 0, result }
}

const PRESENT = symbol('present', 'E', 'age', 'bool')
const SIZE = symbol('member', '', 'sizes', 'bool')

/** Functions of every shape that questions have: arguments of every sort, results of every sort, one beneath another. */
const FUNCTIONS: readonly { readonly symbol: FunctionSymbol; readonly args: readonly Sort[] }[] = [
  { symbol: symbol('value', 'E', 'next', E), args: [E] },
  { symbol: symbol('value', 'E', 'home', F), args: [E] },
  { symbol: symbol('value', 'F', 'head', E), args: [F] },
  { symbol: symbol('value', 'E', 'name', 'string'), args: [E] },
  { symbol: symbol('value', 'E', 'age', 'int'), args: [E] },
  { symbol: PRESENT, args: [E] },
  { symbol: symbol('member', 'E', 'tags', 'bool'), args: [E, 'string'] },
  { symbol: symbol('member', 'E', 'sizes', 'bool'), args: [E, 'int'] },
  { symbol: symbol('member', '', 'flags', 'bool'), args: ['bool'] },
  { symbol: symbol('in', 'E', '', 'bool', 'F'), args: [E, F] },
  { symbol: SIZE, args: ['int'] },
  { symbol: symbol('value', '', 'kind', 'string'), args: [] },
]

/**
 * Assertions without quantifiers over every construct of the term language.
 *
 * @param calculates How often an integer is calculated.
 * @param names How many variables and how many literals of each sort there are.
 * @param dense Only about this sort, in short assertions, so that comparisons meet each other.
 */
export function randomAssertions(random: Random, options: { readonly depth: number; readonly count: number; readonly names: number; readonly calculates?: number; readonly dense?: 'entity:E' | 'int' | null }): { readonly terms: Terms; readonly assertions: readonly Term[] } {
  const terms = new Terms()
  const { names, calculates = 0, dense = null } = options
  const chance = (probability: number) => random() < probability
  const index = () => Math.floor(random() * names)
  const ints = ['-3', '0', '1', '2', '3', '9223372036854775807'].slice(0, names + 2)

  const leaf = (sort: Sort): Term => {
    if (chance(dense === null ? 0.45 : 0.3)) {
      if (sort === 'bool') return terms.bool(chance(0.5))
      return sort === 'int' ? terms.int(BigInt(pick(random, ints))) : terms.literal(sort, 'abcdefghijkl'.charAt(index()))
    }
    return terms.variable(`${sort} ${index()}`, sort)
  }
  const value = (sort: Sort, depth: number): Term => {
    const functions = FUNCTIONS.filter(({ symbol: { result }, args: [first] }) => result === sort && (dense === null || first === sort))
    if (depth <= 0 || functions.length === 0 || chance(0.35)) return leaf(sort)
    if (chance(0.15)) return terms.ite(truth(depth - 1), value(sort, depth - 1), value(sort, depth - 1))
    if (sort === 'int' && chance(calculates)) return terms[pick(random, ['add', 'sub'] as const)](value('int', depth - 1), value('int', depth - 1))
    const { symbol: chosen, args } = pick(random, functions)
    return terms.app(chosen, args.map((arg) => (arg === 'bool' ? truth(depth - 2) : value(arg, depth - 1))))
  }
  const atom = (depth: number): Term => {
    if (dense !== null) {
      const [left, right] = [value(dense, 1), value(dense, 1)]
      const term = chance(0.2) ? terms.app(dense === 'int' ? SIZE : PRESENT, [left]) : dense === 'int' && chance(0.7) ? terms.le(left, right) : terms.eq(left, right)
      return chance(0.4) ? terms.not(term) : term
    }
    const roll = random()
    if (roll < 0.25) return value('bool', depth)
    if (roll < 0.5) return terms.le(value('int', depth), value('int', depth))
    const sort = pick(random, ['int', 'string', E, E, F, 'bool'] as const)
    return terms.eq(value(sort, depth), value(sort, depth))
  }
  const truth = (depth: number): Term => {
    if (depth <= 0 || chance(0.3)) return atom(Math.max(depth, 0))
    if (dense !== null) return terms.or(atom(0), atom(0))
    switch (pick(random, ['and', 'or', 'or', 'not', 'ite', 'xor'])) {
      case 'and': return terms.and(truth(depth - 1), truth(depth - 1))
      case 'or': return terms.or(truth(depth - 1), truth(depth - 1), truth(depth - 1))
      case 'not': return terms.not(truth(depth - 1))
      case 'ite': return terms.ite(truth(depth - 1), truth(depth - 1), truth(depth - 1))
      default: return terms.xor(truth(depth - 1), truth(depth - 1))
    }
  }
  return { terms, assertions: Array.from({ length: options.count }, () => truth(options.depth)) }
}

/** The world that a solver's model describes. @throws where it is asked for what the model does not say, or the model contradicts itself. */
export function worldOfModel(values: ReadonlyMap<Term, Value>): World {
  const named = new Map<string, Value>()
  for (const [term, element] of values) {
    if (term.kind !== 'literal') continue
    const at = `${term.sort}|${String(element)}`
    if (named.has(at)) throw new Error(`the model takes two literals for one: ${String(named.get(at))} and ${term.value}`)
    named.set(at, term.value)
  }
  const valueOf = (term: Term): Value => {
    const value = term.kind === 'bool' || term.kind === 'int' ? term.value : values.get(term)
    if (value === undefined) throw new Error(`the model says nothing of a ${term.kind}`)
    return named.get(`${term.sort}|${String(value)}`) ?? value
  }
  const facts = new Map<string, Value>()
  for (const term of values.keys()) {
    if (term.kind !== 'app' && term.kind !== 'var') continue
    const at = term.kind === 'var' ? `variable ${term.name}` : factKey(term.symbol, term.args.map(valueOf))
    const value = valueOf(term)
    if ((facts.get(at) ?? value) !== value) throw new Error(`the model gives ${at} two values`)
    facts.set(at, value)
  }
  const fact = (at: string): Value => {
    const value = facts.get(at)
    if (value === undefined) throw new Error(`the model says nothing of ${at}`)
    return value
  }
  return {
    variable: (name) => fact(`variable ${name}`),
    apply: (applied, args) => fact(factKey(applied, args)),
    elements: () => [],
  }
}

function factKey(applied: FunctionSymbol, args: readonly Value[]): string {
  return `${symbolKey(applied)} ${args.map((value) => `${typeof value} ${String(value)}`).join('|')}`
}
