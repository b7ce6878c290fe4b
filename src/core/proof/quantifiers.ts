import { postorder, rebuild, symbolKey, type Sort, type Term, type Terms } from './terms.ts'
import { compoundOf, depthOf, memberSymbol, partSymbols, sortOf } from './values.ts'

/**
 * A goal without quantifiers, sets and records put together, as assertions that are satisfiable together exactly when the goal holds in
 * some world.
 *
 * - `exists x: φ(x)` becomes a fresh truth b and a fresh witness w: b → φ(w), and ¬b → ¬φ(t) for every term t of the sort. Exact, as
 *   every set of a world can be restricted to the elements that terms name.
 * - A value put together becomes a fresh element with the parts that it has.
 * - Elements with equal parts are one: of two sets that are not, one has an element (a fresh witness) that the other lacks.
 *
 * Sorts are gone through from the outside in, as an element's parts are of sorts with fewer levels: this ends, and names every element.
 * Quadratic in the elements with parts.
 */
export function groundQuantifiers(terms: Terms, goal: Term): { readonly assertions: readonly Term[]; readonly differing: ReadonlySet<string> } {
  const { stripped, quantified, sets, records } = strip(terms, goal)
  const assertions = [
    stripped,
    ...quantified.map(({ truth, body, over, witness }) => terms.implies(truth, instantiate(terms, body, over, witness))),
    ...records.flatMap((record) => recordParts(terms, record)),
    ...sets.flatMap(({ element, items }) => items.map((item) => terms.implies(item.guard, terms.app(memberSymbol(element.sort), [element, item.element])))),
  ]
  // Instances name no new elements: their terms are the body's own and the witness.
  assertions.push(...extensionality(terms, assertions))
  const named = postorder(assertions)
  for (const { truth, body, over } of quantified) {
    for (const each of named) if (each.sort === over) assertions.push(terms.or(truth, terms.not(instantiate(terms, body, over, each))))
  }
  for (const { element, over, items, body } of sets) {
    for (const each of over === 'bool' ? [terms.true, terms.false] : named.filter(({ sort }) => sort === over)) {
      const isItem = items.map((item) => terms.and(item.guard, terms.eq(item.element, each)))
      assertions.push(terms.eq(terms.app(memberSymbol(element.sort), [element, each]), terms.or(...isItem, instantiate(terms, body, over, each))))
    }
  }
  const symbols = postorder(assertions).flatMap((each) => (each.kind === 'app' && each.symbol.copy === 1 ? [each.symbol] : []))
  return { assertions, differing: new Set(symbols.map((symbol) => symbolKey({ ...symbol, copy: 0 }))) }
}

type Quantified = { readonly truth: Term; readonly body: Term; readonly over: Sort; readonly witness: Term }
type Made<K> = Omit<Term & { readonly kind: K }, 'id'> & { readonly element: Term }

/** Fresh names for what stands for something, each with what that is. */
function strip(terms: Terms, goal: Term) {
  const quantified: Quantified[] = []
  const sets: Made<'set'>[] = []
  const records: Made<'record'>[] = []
  const known = new Map<Term, Term>()
  const visit = (term: Term): Term => {
    const found = known.get(term)
    if (found !== undefined) return found
    const over = rebuild(terms, term, visit)
    let made = over
    if (over.kind === 'exists') {
      const number = quantified.length
      made = terms.variable(`exists ${number}`, 'bool')
      quantified.push({ truth: made, body: over.body, over: over.over, witness: terms.variable(`witness ${number}`, over.over) })
    } else if (over.kind === 'set') {
      made = terms.variable(`set ${sets.length}`, over.sort)
      sets.push({ ...over, element: made })
    } else if (over.kind === 'record') {
      made = terms.variable(`record ${records.length}`, over.sort)
      records.push({ ...over, element: made })
    }
    known.set(term, made)
    return made
  }
  return { stripped: visit(goal), quantified, sets, records }
}

function recordParts(terms: Terms, { element, fields }: Made<'record'>): readonly Term[] {
  const listed = new Map(fields.map((field) => [symbolKey(field.symbol), field]))
  return partSymbols(element.sort).map(({ value, present }) => {
    const field = listed.get(symbolKey(value))
    const isThere = present === null ? terms.true : terms.eq(terms.app(present, [element]), field?.present ?? terms.false)
    const same = field === undefined ? terms.true : terms.implies(field.present, terms.eq(terms.app(value, [element]), field.value))
    return terms.and(isThere, same)
  })
}

/** Elements of one sort with the same parts are the same, for every pair that terms name. */
function extensionality(terms: Terms, assertions: readonly Term[]): readonly Term[] {
  const axioms: Term[] = []
  const deepest = (open: readonly Sort[]): Sort | undefined => [...open].sort((a, b) => depthOf(b) - depthOf(a) || (a < b ? -1 : 1))[0]
  const done = new Set<Sort>()
  for (;;) {
    const named = postorder([...assertions, ...axioms])
    const sort = deepest([...new Set(named.map((term) => term.sort))].filter((each) => compoundOf(each) !== null && !done.has(each)))
    if (sort === undefined) return axioms
    done.add(sort)
    const elements = named.filter((term) => term.sort === sort && term.kind !== 'bound')
    elements.forEach((a, i) => {
      for (const b of elements.slice(i + 1)) axioms.push(terms.or(terms.eq(a, b), different(terms, sort, a, b)))
    })
  }
}

function different(terms: Terms, sort: Sort, a: Term, b: Term): Term {
  const type = compoundOf(sort)
  if (type?.kind === 'set') {
    const over = sortOf(type.element)
    const differAt = (each: Term) => terms.xor(terms.app(memberSymbol(sort), [a, each]), terms.app(memberSymbol(sort), [b, each]))
    return over === 'bool' ? terms.or(differAt(terms.true), differAt(terms.false)) : differAt(terms.variable(`difference ${a.id} ${b.id}`, over))
  }
  return terms.or(...partSymbols(sort).map(({ value, present }) => {
    const differ = terms.not(terms.eq(terms.app(value, [a]), terms.app(value, [b])))
    if (present === null) return differ
    const [inA, inB] = [terms.app(present, [a]), terms.app(present, [b])]
    return terms.or(terms.xor(inA, inB), terms.and(inA, differ))
  }))
}

function instantiate(terms: Terms, body: Term, over: Sort, element: Term): Term {
  const known = new Map<Term, Term>()
  const visit = (term: Term): Term => {
    if (term.kind === 'bound' && term.sort === over) return element
    const found = known.get(term)
    if (found !== undefined) return found
    const made = rebuild(terms, term, visit)
    known.set(term, made)
    return made
  }
  return visit(body)
}
