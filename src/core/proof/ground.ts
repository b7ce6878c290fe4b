import { Failure } from '#core/failure.ts'
import type { Schema } from '#core/policy/schema.ts'
import { LONG_MAX, LONG_MIN } from './encode/place.ts'
import { groundQuantifiers } from './quantifiers.ts'
import { strings } from './strings.ts'
import { postorder, rebuild, symbolKey, type FunctionSymbol, type Term, type Terms } from './terms.ts'
import { idsOf } from './values.ts'

/**
 * Replaces, in a conjunction, what the conjuncts themselves settle: where `a` is demanded, `a` elsewhere is true. Exact, and
 * most questions end here: what remains `false` needs no solver.
 */
export function simplify(terms: Terms, goal: Term): Term {
  for (let current = goal; ; ) {
    const conjuncts = current.kind === 'and' ? current.parts : [current]
    const facts = new Map<Term, Term>(conjuncts.flatMap((fact) => [[fact, terms.true], [terms.not(fact), terms.false]]))
    const settled = literalEqualities(conjuncts)
    const known = new Map<Term, Term>()
    const rewrite = (term: Term): Term => {
      const fact = facts.get(term) ?? excluded(terms, settled, term)
      if (fact !== null) return fact
      const found = known.get(term)
      if (found !== undefined) return found
      const made = rebuild(terms, term, rewrite)
      known.set(term, made)
      return made
    }
    // INVARIANT: a fact never settles itself. Only what is larger than a fact can contain it, so no two settle each other either.
    const next = terms.and(...conjuncts.map((conjunct) => (conjunct.kind === 'or' ? rebuild(terms, conjunct, rewrite) : conjunct)))
    if (next === current) return current
    current = next
  }
}

/** Terms that a conjunct equates with a literal. */
function literalEqualities(conjuncts: readonly Term[]): ReadonlyMap<Term, Term> {
  const settled = new Map<Term, Term>()
  for (const conjunct of conjuncts) {
    if (conjunct.kind !== 'eq') continue
    if (conjunct.left.kind === 'literal') settled.set(conjunct.right, conjunct.left)
    if (conjunct.right.kind === 'literal') settled.set(conjunct.left, conjunct.right)
  }
  return settled
}

/** An equality with one literal is false where a fact gives the term another. */
function excluded(terms: Terms, settled: ReadonlyMap<Term, Term>, term: Term): Term | null {
  if (settled.size === 0 || term.kind !== 'eq') return null
  const [left, right] = [settled.get(term.left) ?? term.left, settled.get(term.right) ?? term.right]
  return left.kind === 'literal' && right.kind === 'literal' ? terms.bool(left === right) : null
}

/**
 * The goal without quantifiers, hierarchy, patterns and bounds, as assertions that are satisfiable together exactly when the goal holds
 * in some world: every set restricted to elements that terms name, every ancestor relation to the terms that are asked about, every
 * string to what patterns can tell of it.
 *
 * @throws {Failure} `UNSUPPORTED_CONSTRUCT` where patterns combine in too many ways, or there is too much to be said of elements and ancestors.
 */
export function ground(terms: Terms, schema: Schema, goal: Term): readonly Term[] {
  const limit = growthOf(terms)
  const { assertions, differing } = groundQuantifiers(terms, goal, limit)
  const related = [...assertions, ...hierarchy(terms, schema, assertions, differing, limit), ...strings(terms, assertions)]
  return [...related, ...typing(terms, schema, related)]
}

/** So many terms may be added to what a question says itself; cubic in entities on the left of `in`, quadratic in sets and records. */
const ADDED_MAX = 200_000

/** Told now and then while terms are added. @throws {Failure} `UNSUPPORTED_CONSTRUCT` once there are too many. */
function growthOf(terms: Terms): () => void {
  const most = terms.size + ADDED_MAX
  return () => {
    if (terms.size > most) throw new Failure('UNSUPPORTED_CONSTRUCT', `the question names so many entities, sets or records that more than ${ADDED_MAX} terms are needed to say what they have to do with each other, which the prover does not decide`)
  }
}

/**
 * Proper ancestry among the terms that are asked about is irreflexive and transitive. Only what stands on the left of some question
 * needs it: every other entity can be given no ancestors.
 */
function hierarchy(terms: Terms, schema: Schema, assertions: readonly Term[], differing: ReadonlySet<string>, limit: () => void): readonly Term[] {
  const lefts = new Set<Term>()
  const rights = new Set<Term>()
  for (const term of postorder(assertions)) {
    if (term.kind !== 'app' || term.symbol.kind !== 'in') continue
    lefts.add(term.args[0] as Term)
    rights.add(term.args[1] as Term)
  }
  if (lefts.size === 0) return []
  const all = new Set([...lefts, ...rights])
  const axioms: Term[] = []
  for (const copy of differing.size === 0 ? [0] as const : [0, 1] as const) {
    const within = (a: Term, b: Term): Term => {
      const [owner, to] = [typeOf(a), typeOf(b)]
      if (!(schema.entityTypes.get(owner)?.ancestors.includes(to) ?? false)) return terms.false
      const symbol: FunctionSymbol = { kind: 'in', owner, path: [], to, copy: 0, result: 'bool' }
      return terms.app(copy === 1 && differing.has(symbolKey(symbol)) ? { ...symbol, copy } : symbol, [a, b])
    }
    for (const a of lefts) {
      axioms.push(terms.not(within(a, a)))
      for (const b of lefts) {
        limit()
        for (const x of all) axioms.push(terms.or(terms.not(within(a, b)), terms.not(within(b, x)), within(a, x)))
      }
    }
  }
  return [...new Set(axioms)].filter((axiom) => axiom !== terms.true)
}

function typeOf({ sort }: Term): string {
  return sort.slice('entity:'.length)
}

/** What the schema promises of free terms: integers have 64 bits, enumerated types no other ids, addresses the bits of their family. */
function typing(terms: Terms, schema: Schema, assertions: readonly Term[]): readonly Term[] {
  const promises: Term[] = []
  const between = (low: bigint, term: Term, high: bigint) => [terms.le(terms.int(low), term), terms.le(term, terms.int(high))]
  for (const term of postorder(assertions)) {
    if (term.kind !== 'app' && term.kind !== 'var') continue
    if (term.kind === 'app' && term.symbol.kind === 'ip') {
      const isV4 = terms.app({ ...term.symbol, to: 'v4', result: 'bool' }, term.args)
      if (term.symbol.to === 'prefix') promises.push(...between(0n, term, 128n), terms.or(terms.not(isV4), terms.le(term, terms.int(32n))))
      else if (Number(term.symbol.to) >= 32) promises.push(terms.or(terms.not(isV4), terms.not(term)))
    } else if (term.sort === 'int') promises.push(...between(LONG_MIN, term, LONG_MAX))
    const ids = term.sort.startsWith('entity:') ? idsOf(schema, typeOf(term)) : null
    if (ids !== null) promises.push(terms.or(...ids.map((id) => terms.eq(term, terms.literal(term.sort, id)))))
  }
  return promises
}
