/**
 * What a term denotes: a truth, an integer without bounds, a string, an entity of one type, or a value with parts (a record, a set, an
 * address) where it stands as one, as an element of a set: `value:` and its type, see values.ts. To a solver all but the first two are
 * uninterpreted.
 */
export type Sort = 'bool' | 'int' | 'string' | `entity:${string}` | `value:${string}`

/**
 * An uninterpreted function: what a request and its entities are free to choose.
 *
 * - value: the attribute at `path` of an entity of type `owner` (one argument), or of the context (none).
 * - present: whether the optional attribute at `path` is there.
 * - member: whether the last argument is in the set at `path`.
 * - ip: the part `to` of the address at `path`: `v4`, `prefix`, or the number of a bit, the most significant one first.
 * - in: whether the first argument, of type `owner`, has the second, of type `to`, as a proper ancestor.
 * - matches: whether a string matches the pattern `to` (see pattern.ts).
 */
export type FunctionSymbol = {
  readonly kind: 'value' | 'present' | 'member' | 'ip' | 'in' | 'matches'
  /** An entity type; with `#tags` behind it, its tags (arguments: entity, key); a `value:` sort, its parts; or `''` for the context. */
  readonly owner: string
  readonly path: readonly string[]
  readonly to: string
  /** 1 in the second world of a question about two. */
  readonly copy: 0 | 1
  readonly result: Sort
}

/** A node of the graph: equal nodes of one `Terms` are the same object, so `===` is equality. */
export type Term = { readonly id: number; readonly sort: Sort } & (
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'int'; readonly value: bigint }
  /** A string, or the id of an entity: literals of one sort are distinct when their values are. */
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'var'; readonly name: string }
  /** What the nearest `exists` ranges over. */
  | { readonly kind: 'bound' }
  | { readonly kind: 'app'; readonly symbol: FunctionSymbol; readonly args: readonly Term[] }
  | { readonly kind: 'not' | 'neg'; readonly of: Term }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Term[] }
  | { readonly kind: 'ite'; readonly condition: Term; readonly then: Term; readonly else: Term }
  | { readonly kind: 'eq' | 'le' | 'add' | 'sub' | 'mul'; readonly left: Term; readonly right: Term }
  /** The quotient by a positive constant, rounded down. */
  | { readonly kind: 'div'; readonly left: Term; readonly right: Term & { readonly kind: 'int' } }
  /** Some element of sort `over` satisfies `body`. Bodies hold only of elements of some set of the world. Gone after grounding. */
  | { readonly kind: 'exists'; readonly over: Sort; readonly body: Term }
  /** A value put together from its fields; those that are not listed are absent. Gone after grounding. */
  | { readonly kind: 'record'; readonly fields: readonly RecordField[] }
  /** A value with these elements, each under its guard, and every element of sort `over` that satisfies `body`. Gone after grounding. */
  | { readonly kind: 'set'; readonly over: Sort; readonly items: readonly Item[]; readonly body: Term }
)

export type RecordField = { readonly symbol: FunctionSymbol; readonly present: Term; readonly value: Term }
export type Item = { readonly guard: Term; readonly element: Term }

type Shape<T> = T extends unknown ? Omit<T, 'id'> : never

export type Value = boolean | bigint | string

/**
 * A graph of terms under construction. Every constructor folds what it can (constants, idempotence, complements), exactly:
 * the result has the meaning of what was asked for. Without `folds` what is settled by constants and complements stands there as it was asked
 * for, to be settled by somebody else.
 */
export class Terms {
  readonly #nodes = new Map<string, Term>()
  readonly #negations = new Map<Term, Term>()
  /** Nodes of two parts, by their kind and the ids of the parts. */
  readonly #pairs = new Map<string, Map<number, Term>>()
  #size = 0
  /** For each id, the last junction that had it as a part. */
  #seen = new Uint32Array(1 << 8)
  #junctions = 0
  readonly #folds: boolean
  readonly true: Term
  readonly false: Term

  constructor({ folds = true }: { readonly folds?: boolean } = {}) {
    this.#folds = folds
    this.true = this.#make('true', { kind: 'bool', sort: 'bool', value: true })
    this.false = this.#make('false', { kind: 'bool', sort: 'bool', value: false })
  }

  /** How many there are. */
  get size(): number {
    return this.#size
  }

  bool(value: boolean): Term {
    return value ? this.true : this.false
  }

  int(value: bigint): Term {
    return this.#make(`i${value}`, { kind: 'int', sort: 'int', value })
  }

  literal(sort: Sort, value: string): Term {
    return this.#make(`l${sort}|${value}`, { kind: 'literal', sort, value })
  }

  variable(name: string, sort: Sort): Term {
    return this.#make(`v${sort}|${name}`, { kind: 'var', sort, name })
  }

  bound(sort: Sort): Term {
    return this.#make(`b${sort}`, { kind: 'bound', sort })
  }

  app(symbol: FunctionSymbol, args: readonly Term[]): Term {
    return this.#make(`f${symbolKey(symbol)}(${args.map(({ id }) => id).join()})`, { kind: 'app', sort: symbol.result, symbol, args })
  }

  /** Negation, moved down to where it cannot move further: what is demanded together stands side by side. */
  not(of: Term): Term {
    const known = this.#negations.get(of)
    if (known !== undefined) return known
    const made = this.#negate(of)
    this.#negations.set(of, made)
    this.#negations.set(made, of)
    return made
  }

  #negate(of: Term): Term {
    switch (of.kind) {
      case 'bool': return this.bool(!of.value)
      case 'and': return this.or(...of.parts.map((part) => this.not(part)))
      case 'or': return this.and(...of.parts.map((part) => this.not(part)))
      // Its only key is `#negations`.
      default: return this.#node({ kind: 'not', sort: 'bool', of })
    }
  }

  and(...parts: readonly Term[]): Term {
    return this.#junction('and', parts)
  }

  or(...parts: readonly Term[]): Term {
    return this.#junction('or', parts)
  }

  implies(left: Term, right: Term): Term {
    return this.or(this.not(left), right)
  }

  xor(left: Term, right: Term): Term {
    return this.not(this.eq(left, right))
  }

  ite(condition: Term, yes: Term, no: Term): Term {
    if (this.#folds && condition.kind === 'bool') return condition.value ? yes : no
    if (this.#folds && yes === no) return yes
    if (condition.kind === 'not') return this.ite(condition.of, no, yes)
    if (this.#folds && yes.sort === 'bool') {
      if (yes.kind === 'bool') return yes.value ? this.or(condition, no) : this.and(this.not(condition), no)
      if (no.kind === 'bool') return no.value ? this.or(this.not(condition), yes) : this.and(condition, yes)
    }
    return this.#make(`?${condition.id},${yes.id},${no.id}`, { kind: 'ite', sort: yes.sort, condition, then: yes, else: no })
  }

  eq(a: Term, b: Term): Term {
    if (this.#folds && a === b) return this.true
    if (this.#folds && isConstant(a) && isConstant(b)) return this.false
    if (this.#folds && a.sort === 'bool') {
      if (a.kind === 'bool') return a.value ? b : this.not(b)
      if (b.kind === 'bool') return b.value ? a : this.not(a)
      if (this.not(a) === b) return this.false
    }
    const [left, right] = a.id < b.id ? [a, b] : [b, a]
    return this.#pair({ kind: 'eq', sort: 'bool', left, right })
  }

  le(left: Term, right: Term): Term {
    if (this.#folds && left === right) return this.true
    if (this.#folds && left.kind === 'int' && right.kind === 'int') return this.bool(left.value <= right.value)
    return this.#pair({ kind: 'le', sort: 'bool', left, right })
  }

  lt(left: Term, right: Term): Term {
    return this.not(this.le(right, left))
  }

  add(left: Term, right: Term): Term {
    if (left.kind === 'int' && right.kind === 'int') return this.int(left.value + right.value)
    return this.#pair({ kind: 'add', sort: 'int', left, right })
  }

  sub(left: Term, right: Term): Term {
    if (left.kind === 'int' && right.kind === 'int') return this.int(left.value - right.value)
    return this.#pair({ kind: 'sub', sort: 'int', left, right })
  }

  mul(left: Term, right: Term): Term {
    if (left.kind === 'int' && right.kind === 'int') return this.int(left.value * right.value)
    return this.#pair({ kind: 'mul', sort: 'int', left, right })
  }

  /** @param divisor Positive. */
  div(left: Term, divisor: bigint): Term {
    const right = this.int(divisor)
    if (right.kind !== 'int' || divisor <= 0n) throw new Error('a divisor that is no positive constant')
    if (left.kind === 'int') return this.int(floorDiv(left.value, divisor))
    return this.#make(`/${left.id},${right.id}`, { kind: 'div', sort: 'int', left, right })
  }

  neg(of: Term): Term {
    if (of.kind === 'int') return this.int(-of.value)
    return this.#make(`~${of.id}`, { kind: 'neg', sort: 'int', of })
  }

  /** @param body Over `bound(over)`; implies that the element is in some set of the world. */
  exists(over: Sort, body: Term): Term {
    if (body === this.false) return body
    return this.#make(`E${over},${body.id}`, { kind: 'exists', sort: 'bool', over, body })
  }

  record(sort: Sort, fields: readonly RecordField[]): Term {
    const listed = fields.filter(({ present }) => present !== this.false)
    const key = listed.map(({ symbol, present, value }) => `${symbolKey(symbol)}=${present.id},${value.id}`).join(';')
    return this.#make(`R${sort}(${key})`, { kind: 'record', sort, fields: listed })
  }

  set(sort: Sort, over: Sort, items: readonly Item[], body: Term): Term {
    const listed = items.filter(({ guard }) => guard !== this.false)
    return this.#make(`S${sort}(${listed.map(({ guard, element }) => `${guard.id},${element.id}`).join(';')}|${body.id})`, { kind: 'set', sort, over, items: listed, body })
  }

  #junction(kind: 'and' | 'or', all: readonly Term[]): Term {
    const [neutral, absorbing] = kind === 'and' ? [this.true, this.false] : [this.false, this.true]
    if (this.#folds) for (const part of all) if (part === absorbing) return absorbing
    if (this.#seen.length < this.#size) {
      const larger = new Uint32Array(2 * this.#size)
      larger.set(this.#seen)
      this.#seen = larger
    }
    const [seen, mark] = [this.#seen, ++this.#junctions]
    const parts: Term[] = []
    const take = (part: Term): void => {
      if ((this.#folds && part === neutral) || seen[part.id] === mark) return
      seen[part.id] = mark
      parts.push(part)
    }
    for (const each of all) {
      if (each.kind !== kind) take(each)
      else for (const part of each.parts) take(part)
    }
    // Negations stand at atoms only: where a part and its negation meet, one of them is a `not`.
    if (this.#folds) for (const part of parts) if (part.kind === 'not' && seen[part.of.id] === mark) return absorbing
    const [first = neutral, second] = parts
    if (second === undefined) return first
    parts.sort((a, b) => a.id - b.id)
    if (parts.length === 2) return this.#pair({ kind, sort: 'bool', parts })
    return this.#make(`${kind === 'and' ? '&' : '|'}${parts.map(({ id }) => id).join()}`, { kind, sort: 'bool', parts })
  }

  #pair(shape: Shape<Term> & { readonly kind: 'and' | 'or' | 'eq' | 'le' | 'add' | 'sub' | 'mul' }): Term {
    const [left, right] = 'parts' in shape ? shape.parts : [shape.left, shape.right]
    const known = this.#pairs.get(shape.kind) ?? new Map<number, Term>()
    if (known.size === 0) this.#pairs.set(shape.kind, known)
    // Exact: no graph has 2²⁶ nodes.
    const key = (left as Term).id * 2 ** 26 + (right as Term).id
    const found = known.get(key)
    if (found !== undefined) return found
    const made = this.#node(shape)
    known.set(key, made)
    return made
  }

  #make(key: string, shape: Shape<Term>): Term {
    const found = this.#nodes.get(key)
    if (found !== undefined) return found
    const made = this.#node(shape)
    this.#nodes.set(key, made)
    return made
  }

  #node(shape: Shape<Term>): Term {
    return { id: this.#size++, ...shape } as Term
  }
}

export function symbolKey({ kind, owner, path, to, copy }: FunctionSymbol): string {
  return `${kind}|${owner}|${JSON.stringify(path)}|${to}|${copy}`
}

/** The direct parts of a term. */
export function partsOf(term: Term): readonly Term[] {
  switch (term.kind) {
    case 'bool': case 'int': case 'literal': case 'var': case 'bound': return []
    case 'app': return term.args
    case 'not': case 'neg': return [term.of]
    case 'and': case 'or': return term.parts
    case 'ite': return [term.condition, term.then, term.else]
    case 'eq': case 'le': case 'add': case 'sub': case 'mul': case 'div': return [term.left, term.right]
    case 'exists': return [term.body]
    case 'record': return term.fields.flatMap(({ present, value }) => [present, value])
    case 'set': return [...term.items.flatMap(({ guard, element }) => [guard, element]), term.body]
  }
}

/** The same term over other parts. */
export function rebuild(terms: Terms, term: Term, of: (part: Term) => Term): Term {
  switch (term.kind) {
    case 'bool': case 'int': case 'literal': case 'var': case 'bound': return term
    case 'app': return terms.app(term.symbol, term.args.map(of))
    case 'not': return terms.not(of(term.of))
    case 'neg': return terms.neg(of(term.of))
    case 'and': return terms.and(...term.parts.map(of))
    case 'or': return terms.or(...term.parts.map(of))
    case 'ite': return terms.ite(of(term.condition), of(term.then), of(term.else))
    case 'exists': return terms.exists(term.over, of(term.body))
    case 'div': return terms.div(of(term.left), term.right.value)
    case 'record': return terms.record(term.sort, term.fields.map(({ symbol, present, value }) => ({ symbol, present: of(present), value: of(value) })))
    case 'set': return terms.set(term.sort, term.over, term.items.map(({ guard, element }) => ({ guard: of(guard), element: of(element) })), of(term.body))
    default: return terms[term.kind](of(term.left), of(term.right))
  }
}

/** Every term below some roots, each once, parts first. */
export function postorder(roots: readonly Term[]): readonly Term[] {
  const seen = new Set<Term>()
  const visit = (term: Term): void => {
    if (seen.has(term)) return
    for (const part of partsOf(term)) visit(part)
    seen.add(term)
  }
  for (const root of roots) visit(root)
  return [...seen]
}

/** One way for everything to be: what the free parts of a term denote. */
export type World = {
  readonly variable: (name: string) => Value
  /** Total: where Cedar would fail to evaluate, any value of the sort; an error term says so beside it. */
  readonly apply: (symbol: FunctionSymbol, args: readonly Value[]) => Value
  /** Every element of this sort in any set of the world. */
  readonly elements: (sort: Sort) => Iterable<Value>
}

/** What a term denotes in a world: the definition that the solver's encoding is tested against. */
export function evaluate(term: Term, world: World): Value {
  const known = new Map<Term, Value>()
  const visit = (each: Term, bound: Bound): Value => {
    // What stands in an `exists` may depend on the element: only outside of it is a value known for good.
    const found = bound === null ? known.get(each) : undefined
    if (found !== undefined) return found
    const value = denote(each, bound)
    if (bound === null) known.set(each, value)
    return value
  }
  const denote = (each: Term, bound: Bound): Value => {
    switch (each.kind) {
      case 'bool': case 'int': case 'literal': return each.value
      case 'var': return world.variable(each.name)
      case 'bound': return elementOf(bound, each.sort)
      case 'app': return world.apply(each.symbol, each.args.map((arg) => visit(arg, bound)))
      case 'not': return !visit(each.of, bound)
      case 'neg': return -(visit(each.of, bound) as bigint)
      case 'and': return each.parts.every((part) => visit(part, bound))
      case 'or': return each.parts.some((part) => visit(part, bound))
      case 'ite': return visit(visit(each.condition, bound) ? each.then : each.else, bound)
      case 'eq': return visit(each.left, bound) === visit(each.right, bound)
      case 'le': return visit(each.left, bound) <= visit(each.right, bound)
      case 'add': return (visit(each.left, bound) as bigint) + (visit(each.right, bound) as bigint)
      case 'sub': return (visit(each.left, bound) as bigint) - (visit(each.right, bound) as bigint)
      case 'mul': return (visit(each.left, bound) as bigint) * (visit(each.right, bound) as bigint)
      case 'div': return floorDiv(visit(each.left, bound) as bigint, each.right.value)
      case 'exists': {
        for (const element of world.elements(each.over)) if (visit(each.body, { sort: each.over, element, outer: bound })) return true
        return false
      }
      case 'record': return recordValue(each.fields.filter(({ present }) => visit(present, bound)).map(({ symbol, value }) => [symbol, visit(value, bound)]))
      case 'set': {
        const items = each.items.filter(({ guard }) => visit(guard, bound)).map((item) => visit(item.element, bound))
        const others = [...world.elements(each.over)].filter((element) => visit(each.body, { sort: each.over, element, outer: bound }))
        return setValue([...items, ...others])
      }
    }
  }
  return visit(term, null)
}

/** What the quantifiers around a term range over at the moment, the nearest first. */
type Bound = { readonly sort: Sort; readonly element: Value; readonly outer: Bound } | null

function elementOf(bound: Bound, sort: Sort): Value {
  for (let each = bound; each !== null; each = each.outer) if (each.sort === sort) return each.element
  throw new Error('a bound variable outside of its quantifier')
}

/** The value of a record of a `value:` sort: one text for one record. Fields that are absent are not listed. */
export function recordValue(fields: readonly (readonly [Pick<FunctionSymbol, 'path' | 'to'>, Value])[]): string {
  const texts = fields.map(([{ path, to }, value]) => [[...path, to].join('/'), String(value)] as const)
  return JSON.stringify(Object.fromEntries(texts.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))))
}

/** The value of a set of a `value:` sort: one text for one set. */
export function setValue(elements: readonly Value[]): string {
  return JSON.stringify([...new Set(elements.map(String))].sort())
}

export function floorDiv(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  return dividend % divisor !== 0n && dividend < 0n !== divisor < 0n ? quotient - 1n : quotient
}

function isConstant(term: Term): boolean {
  return term.kind === 'bool' || term.kind === 'int' || term.kind === 'literal'
}
