import { partsOf, postorder, symbolKey, type Term, type Value } from '../terms.ts'
import { Clauses, FALSE, Inapplicable, TRUE, type Cnf, type Law } from './cnf.ts'
import { Equalities } from './equality.ts'
import { Orders, representatives } from './order.ts'

/** Assertions as clauses, which are satisfiable exactly when the assertions are. */
export type Reduction = {
  readonly cnf: Cnf
  /** Why each clause is there. */
  readonly laws: readonly Law[]
  /** What each free term, each literal and each argument denotes where the clauses hold, as `readValues` gives it. */
  readonly values: (model: Uint8Array) => ReadonlyMap<Term, Value>
}

/**
 * Reduces quantifier-free assertions to SAT, exactly: truths as they are, equality by its graph, integers by their order, functions by
 * congruence between those applications that may be equal.
 *
 * @param clausesMax So many clauses at most.
 * @throws {Inapplicable} where integers are added or multiplied, at a construct that is not known here, and when it grows too large.
 * @see Ackermann, "Solvable Cases of the Decision Problem" (1954); Plaisted and Greenbaum (1986) for clauses of one direction
 */
export function reduce(assertions: readonly Term[], clausesMax: number, choose = representatives): Reduction {
  const all = postorder(assertions)
  for (const term of all) requireKnown(term)
  const clauses = new Clauses(clausesMax)
  const reducer = new Reducer(clauses, new Equalities(clauses), new Orders(clauses, choose))
  for (const assertion of assertions) reducer.assert(assertion)
  reducer.close(all)
  return { cnf: clauses.cnf, laws: clauses.laws, values: (model) => reducer.values(all, model) }
}

function requireKnown({ kind, sort }: Term): void {
  if (!['bool', 'int', 'string'].includes(sort) && !sort.startsWith('entity:') && !sort.startsWith('value:')) throw new Inapplicable(`a term of sort ${sort}`)
  switch (kind) {
    case 'bool': case 'int': case 'literal': case 'var': case 'app': case 'not': case 'and': case 'or': case 'ite': case 'eq': case 'le': return
    case 'bound': case 'exists': case 'record': case 'set': throw new Error(`a ${kind} reached the solver: ground it first`)
    case 'add': case 'sub': case 'mul': case 'neg': case 'div': throw new Inapplicable(`arithmetic (${kind})`)
    default: throw new Inapplicable(`a term of kind ${String(kind satisfies never)}`)
  }
}

/** Directions in which a variable is tied to what it stands for: where it holds, that does; where it does not, that does not. */
const POSITIVE = 1
const NEGATIVE = 2
const BOTH = 3
type Directions = 0 | 1 | 2 | 3

class Reducer {
  readonly #clauses: Clauses
  readonly #equalities: Equalities
  readonly #orders: Orders
  readonly #variables = new Map<Term, number>()
  /** Comparisons that are no single variable of a graph or an order. */
  readonly #comparisons = new Map<string, number>()
  readonly #written: Directions[] = []

  constructor(clauses: Clauses, equalities: Equalities, orders: Orders) {
    this.#clauses = clauses
    this.#equalities = equalities
    this.#orders = orders
  }

  assert(term: Term): void {
    if (term.kind === 'and') for (const part of term.parts) this.assert(part)
    else if (term.kind === 'or') this.#clauses.add('formula', term.parts.map((part) => this.#literal(part, POSITIVE)))
    else this.#clauses.add('formula', [this.#literal(term, POSITIVE)])
  }

  /** Adds the laws of functions, equality and order for everything that was asserted. */
  close(all: readonly Term[]): void {
    for (const applications of bySymbol(all)) for (const [a, b] of perhapsEqual(applications)) this.#congruence(a, b)
    this.#equalities.close()
    this.#orders.close()
  }

  values(all: readonly Term[], model: Uint8Array): ReadonlyMap<Term, Value> {
    const holds = (literal: number): boolean => Math.abs(literal) === TRUE ? literal === TRUE : (model[Math.abs(literal)] === 1) === literal > 0
    const classes = this.#equalities.classes(holds)
    const names = new Map<Term, string>()
    const denoted = new Map<Term, Value>()
    const of = (term: Term): Value => denoted.get(term) as Value
    const denote = (term: Term): Value => {
      switch (term.kind) {
        case 'bool': case 'int': return term.value
        case 'not': return !of(term.of)
        case 'and': return term.parts.every(of)
        case 'or': return term.parts.some(of)
        case 'ite': return of(of(term.condition) ? term.then : term.else)
        case 'eq': return of(term.left) === of(term.right)
        case 'le': return of(term.left) <= of(term.right)
      }
      if (term.sort === 'bool') return holds(this.#variables.get(term) ?? FALSE)
      if (term.sort === 'int') return this.#orders.value(term, holds)
      const first = classes.get(term) ?? term
      const known = names.get(first) ?? `element ${names.size}`
      names.set(first, known)
      return known
    }
    for (const term of all) denoted.set(term, denote(term))
    const asked = new Set(all.flatMap(partsOfApplication).filter(({ kind }) => kind !== 'bool' && kind !== 'int'))
    return new Map(all.filter((term) => isFree(term) || term.kind === 'literal' || asked.has(term)).map((term) => [term, of(term)]))
  }

  #literal(term: Term, directions: Directions): number {
    switch (term.kind) {
      case 'bool': return term.value ? TRUE : FALSE
      case 'not': return -this.#literal(term.of, turned(directions))
      case 'eq': return term.left.sort === 'bool' ? this.#same(term, directions) : this.#equal(term.left, term.right, directions)
      case 'le': return this.#atMost(term.left, term.right, directions)
      case 'var': case 'app': return this.#variable(term)
      case 'and': case 'or': return this.#junction(term, directions)
      case 'ite': {
        const variable = this.#variable(term)
        return this.#choice(variable, term.condition, directions, (open) => [this.#literal(term.then, open), this.#literal(term.else, open)])
      }
    }
    throw new Error(`a ${term.kind} is no truth`)
  }

  #variable(term: Term): number {
    const known = this.#variables.get(term)
    if (known !== undefined) return known
    const made = this.#clauses.variable()
    this.#variables.set(term, made)
    return made
  }

  /** The directions that are still to be written for a variable; they count as written from now on. */
  #open(variable: number, directions: Directions): Directions {
    const written = this.#written[variable] ?? 0
    this.#written[variable] = (written | directions) as Directions
    return (directions & ~written) as Directions
  }

  #junction(term: Term & { readonly kind: 'and' | 'or' }, directions: Directions): number {
    const variable = this.#variable(term)
    const open = this.#open(variable, directions)
    if (open === 0) return variable
    // A disjunction is the negation of the conjunction of the negations.
    const sign = term.kind === 'and' ? 1 : -1
    const [each, all] = term.kind === 'and' ? [POSITIVE, NEGATIVE] : [NEGATIVE, POSITIVE]
    const parts = term.parts.map((part) => sign * this.#literal(part, open))
    if ((open & each) !== 0) for (const part of parts) this.#clauses.add('formula', [-sign * variable, part])
    if ((open & all) !== 0) this.#clauses.add('formula', [sign * variable, ...parts.map((part) => -part)])
    return variable
  }

  #choice(variable: number, condition: Term, directions: Directions, branches: (open: Directions) => readonly [number, number]): number {
    const open = this.#open(variable, directions)
    if (open === 0) return variable
    const holds = this.#literal(condition, BOTH)
    const [yes, no] = branches(open)
    if ((open & POSITIVE) !== 0) {
      this.#clauses.add('formula', [-variable, -holds, yes])
      this.#clauses.add('formula', [-variable, holds, no])
    }
    if ((open & NEGATIVE) !== 0) {
      this.#clauses.add('formula', [variable, -holds, -yes])
      this.#clauses.add('formula', [variable, holds, -no])
    }
    return variable
  }

  /** Whether two truths are the same. */
  #same(term: Term & { readonly left: Term; readonly right: Term }, directions: Directions): number {
    return this.#choice(this.#variable(term), term.left, directions, () => {
      const right = this.#literal(term.right, BOTH)
      return [right, -right]
    })
  }

  /** Whether two values are equal; choices are made before comparing. */
  #equal(a: Term, b: Term, directions: Directions): number {
    if (a === b) return TRUE
    if (a.sort !== 'int') return this.#compare('=', a, b, directions, () => this.#equalities.literal(a, b))
    if (a.kind === 'int' && b.kind === 'int') return FALSE
    return this.#compare('=', a, b, directions, () => {
      const variable = this.#comparison(`==${a.id},${b.id}`)
      const open = this.#open(variable, directions)
      const [up, down] = [this.#orders.atMost(a, b), this.#orders.atMost(b, a)]
      if ((open & POSITIVE) !== 0) for (const each of [up, down]) this.#clauses.add('formula', [-variable, each])
      if ((open & NEGATIVE) !== 0) this.#clauses.add('formula', [variable, -up, -down])
      return variable
    })
  }

  #atMost(a: Term, b: Term, directions: Directions): number {
    return this.#compare('<', a, b, directions, () => this.#orders.atMost(a, b))
  }

  #compare(sign: '=' | '<', a: Term, b: Term, directions: Directions, plainly: () => number): number {
    const again = (left: Term, right: Term, open: Directions) => (sign === '=' ? this.#equal(left, right, open) : this.#atMost(left, right, open))
    if (a.kind !== 'ite' && b.kind !== 'ite') return plainly()
    const variable = this.#comparison(`${sign}${a.id},${b.id}`)
    if (a.kind === 'ite') return this.#choice(variable, a.condition, directions, (open) => [again(a.then, b, open), again(a.else, b, open)])
    if (b.kind === 'ite') return this.#choice(variable, b.condition, directions, (open) => [again(a, b.then, open), again(a, b.else, open)])
    throw new Error('neither is a choice')
  }

  #comparison(key: string): number {
    const known = this.#comparisons.get(key)
    if (known !== undefined) return known
    const made = this.#clauses.variable()
    this.#comparisons.set(key, made)
    return made
  }

  /** Equal arguments give equal results. */
  #congruence(a: Application, b: Application): void {
    const differ = a.args.map((argument, i) => -this.#argumentsEqual(argument, b.args[i] as Term))
    if (differ.includes(TRUE)) return
    if (a.sort !== 'bool') return this.#clauses.add('congruence', [...differ, this.#equal(a, b, POSITIVE)])
    const [one, other] = [this.#variable(a), this.#variable(b)]
    this.#clauses.add('congruence', [...differ, -one, other])
    this.#clauses.add('congruence', [...differ, one, -other])
  }

  #argumentsEqual(a: Term, b: Term): number {
    if (a.sort !== 'bool') return this.#equal(a, b, NEGATIVE)
    const [one, other] = [this.#literal(a, BOTH), this.#literal(b, BOTH)]
    if (one === other) return TRUE
    if (one === -other) return FALSE
    const key = `<>${a.id},${b.id}`
    const isNew = !this.#comparisons.has(key)
    const variable = this.#comparison(key)
    if (isNew) {
      this.#clauses.add('congruence', [variable, one, other])
      this.#clauses.add('congruence', [variable, -one, -other])
    }
    return variable
  }
}

type Application = Term & { readonly kind: 'app' }

function turned(directions: Directions): Directions {
  return (((directions & POSITIVE) << 1) | ((directions & NEGATIVE) >> 1)) as Directions
}

function isFree(term: Term): boolean {
  return term.kind === 'app' || term.kind === 'var'
}

function partsOfApplication(term: Term): readonly Term[] {
  return term.kind === 'app' ? partsOf(term) : []
}

/** Applications of one function, those that have arguments. */
function bySymbol(all: readonly Term[]): Iterable<readonly Application[]> {
  const groups = new Map<string, Application[]>()
  for (const term of all) {
    if (term.kind !== 'app' || term.args.length === 0) continue
    const key = symbolKey(term.symbol)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [term])
    else group.push(term)
  }
  return groups.values()
}

/** Pairs of applications of which no argument is a constant in one and another constant in the other. */
function* perhapsEqual(applications: readonly Application[]): Iterable<readonly [Application, Application]> {
  const positions = applications[0]?.args.map((_, i) => i) ?? []
  const constants = (position: number) => applications.filter(({ args }) => isConstant(args[position] as Term)).length
  const [telling = 0] = positions.toSorted((a, b) => constants(b) - constants(a))
  const byConstant = new Map<Term, Application[]>()
  const others: Application[] = []
  for (const each of applications) {
    const argument = each.args[telling] as Term
    const group = isConstant(argument) ? byConstant.get(argument) ?? [] : others
    if (group !== others) byConstant.set(argument, group)
    for (const other of others) yield [other, each]
    if (group === others) for (const known of byConstant.values()) for (const other of known) yield [other, each]
    else for (const other of group) yield [other, each]
    group.push(each)
  }
}

function isConstant({ kind }: Term): boolean {
  return kind === 'bool' || kind === 'int' || kind === 'literal'
}
