import { matches, minterms, patternOf, type Minterm } from './pattern.ts'
import { postorder, type FunctionSymbol, type Term, type Terms } from './terms.ts'

/**
 * What strings promise, which are of no sort that a solver knows: which patterns each satisfies is one of the ways in which strings can at
 * all, and where only single strings do, it is one of these. Of a literal it is known.
 *
 * Linear in the nodes of the decision over all ways for each string that patterns are asked about: a few for each pattern where one
 * excludes or implies the other.
 *
 * @throws {Failure} `UNSUPPORTED_CONSTRUCT` where patterns combine in too many ways.
 */
export function strings(terms: Terms, assertions: readonly Term[]): readonly Term[] {
  const subjects = new Set<Term>()
  const symbols = new Map<string, FunctionSymbol>()
  const literals = new Set<Term>()
  for (const term of postorder(assertions)) {
    if (term.kind === 'literal' && term.sort === 'string') literals.add(term)
    if (term.kind !== 'app' || term.symbol.kind !== 'matches') continue
    symbols.set(term.symbol.to, term.symbol)
    subjects.add(term.args[0] as Term)
  }
  const keys = [...symbols.keys()].sort()
  if (keys.length === 0) return []
  const kinds = minterms(keys)
  const asked = keys.map((key) => (subject: Term) => terms.app(symbols.get(key) as FunctionSymbol, [subject]))
  const decision = decide(kinds)
  const promises = [...subjects].flatMap((subject) => isOneOf(terms, subject, asked, decision))
  for (const { words } of kinds) for (const word of words ?? []) literals.add(terms.literal('string', word))
  const patterns = keys.map(patternOf)
  const known = [...literals].flatMap((literal) =>
    asked.map((ask, i) => (literal.kind === 'literal' && matches(patterns[i] ?? [], literal.value) ? ask(literal) : terms.not(ask(literal)))),
  )
  return [...promises, ...known]
}

/** What is left of a decision: nothing is possible, one of these words is, every string of the kind is, or the next pattern decides. */
type Node =
  | { readonly kind: 'none' | 'any' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'asks'; readonly id: number; readonly pattern: number; readonly yes: Node; readonly no: Node }

const NONE: Node = { kind: 'none' }
const ANY: Node = { kind: 'any' }

/** The ways in which strings satisfy patterns, pattern by pattern: ways that go on alike share what follows. */
function decide(kinds: readonly Minterm[]): Node {
  const patterns = kinds[0]?.holds.length ?? 0
  const made = new Map<string, Node>()
  const names = new Map<Node, string>([[NONE, 'none'], [ANY, 'any']])
  const nameOf = (node: Node): string => {
    const known = names.get(node) ?? `${names.size}`
    names.set(node, known)
    return known
  }
  const share = (key: string, make: () => Node): Node => {
    const known = made.get(key) ?? make()
    made.set(key, known)
    return known
  }
  const visit = (left: readonly Minterm[], pattern: number): Node => {
    const [first] = left
    if (first === undefined) return NONE
    if (pattern === patterns) {
      const { words } = first
      return words === null ? ANY : share(`words ${JSON.stringify(words)}`, () => ({ kind: 'words', words }))
    }
    const [yes, no] = [visit(left.filter(({ holds }) => holds[pattern]), pattern + 1), visit(left.filter(({ holds }) => !holds[pattern]), pattern + 1)]
    return share(`${pattern} ${nameOf(yes)} ${nameOf(no)}`, () => ({ kind: 'asks', id: made.size, pattern, yes, no }))
  }
  return visit(kinds, 0)
}

/** A fresh truth for each node: where it is so, what follows from the answer of its pattern is so. */
function isOneOf(terms: Terms, subject: Term, asked: readonly ((subject: Term) => Term)[], root: Node): readonly Term[] {
  const promises: Term[] = []
  const seen = new Set<Node>()
  const truthOf = (node: Node): Term => {
    switch (node.kind) {
      case 'none': return terms.false
      case 'any': return terms.true
      case 'words': return terms.or(...node.words.map((word) => terms.eq(subject, terms.literal('string', word))))
      case 'asks': {
        const here = terms.variable(`strings ${subject.id} ${node.id}`, 'bool')
        if (seen.has(node)) return here
        seen.add(node)
        const ask = asked[node.pattern]?.(subject) as Term
        promises.push(terms.or(terms.not(here), terms.not(ask), truthOf(node.yes)), terms.or(terms.not(here), ask, truthOf(node.no)))
        return here
      }
    }
  }
  promises.push(truthOf(root))
  return promises
}
