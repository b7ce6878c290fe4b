import type { Expression } from '#core/policy/expression.ts'
import { uidText, type Rule } from '#core/policy/policy.ts'
import type { Environment, RecordType, Schema, Type } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import type { Counterexample } from './proof.ts'
import type { FunctionSymbol, Term, Value } from './terms.ts'
import { symbolKey } from './terms.ts'
import type { Attributes, Scene } from './world.ts'

type Uid = { readonly type: string; readonly id: string }

/** A solver's model as a request with its entities; two of them when the question is about two worlds. */
export type Picture = { readonly first: Scene; readonly second: Scene | null }

/**
 * A concrete request with its entities from a model: readable ids, every attribute that the schema demands, every entity that a rule
 * names. What the model leaves open gets the plainest value, the same in both worlds.
 *
 * @param model What each free term denotes, elements of uninterpreted sorts by the solver's names.
 * @param literals Entities that rules or articles name: they exist, and no invented entity takes their id.
 */
export function concretize(question: {
  readonly schema: Schema
  readonly environment: Environment
  readonly model: ReadonlyMap<Term, Value>
  readonly literals: readonly Uid[]
  readonly hasTwoWorlds: boolean
}): Picture {
  const { schema, environment, model, literals, hasTwoWorlds } = question
  const names = namesOf(schema, model, literals)
  const known = tabulate(model, names)
  const entities = new Map<string, Uid>()
  const meet = (uid: Uid): Uid => {
    entities.set(uidText(uid), uid)
    return uid
  }
  const root = (name: 'principal' | 'resource'): string => {
    const type = environment[name]
    const chosen = known.variables.get(name)
    return meet({ type, id: chosen === undefined ? names.plainest(type) : String(chosen) }).id
  }

  for (const uid of literals) meet(uid)
  const [principal, resource] = [root('principal'), root('resource')]
  for (const uid of known.named) meet(uid)

  const build = (type: RecordType, owner: string, id: string, path: readonly string[], copy: 0 | 1): Attributes => {
    const built: [string, unknown][] = []
    for (const [name, attribute] of Object.entries(type.attributes)) {
      const at = [...path, name]
      if (!attribute.required && known.fact('present', owner, id, at, copy) !== true) continue
      built.push([name, value(attribute.type, owner, id, at, copy)])
    }
    return Object.fromEntries(built)
  }
  const value = (type: Type, owner: string, id: string, path: readonly string[], copy: 0 | 1): unknown => {
    if (type.kind === 'record') return build(type, owner, id, path, copy)
    if (type.kind === 'set') return known.members(owner, id, path, copy).map((each) => toJson(each, type.element, meet))
    const found = known.fact('value', owner, id, path, copy)
    return found === undefined ? plain(type) : toJson(found, type, meet)
  }
  const plain = (type: Type): unknown => {
    switch (type.kind) {
      case 'bool': return false
      case 'long': return 0
      case 'string': return 'any'
      case 'entity': return reference(meet({ type: type.name, id: names.plainest(type.name) }))
      case 'extension': return PLAIN_EXTENSION[type.name] ?? ''
      case 'set': case 'record': return []
    }
  }
  const scene = (copy: 0 | 1): Scene => {
    const context = build(schema.actions.get(environment.action)?.context ?? { kind: 'record', attributes: {} }, '', '', [], copy)
    const made: CedarEntity[] = []
    const done = new Set<string>()
    // Attributes may refer to entities that nothing named so far.
    for (let open = [...entities.values()]; open.length > 0; open = [...entities.values()].filter((uid) => !done.has(uidText(uid)))) {
      for (const uid of open) {
        done.add(uidText(uid))
        const type = schema.entityTypes.get(uid.type)
        if (type === undefined || type.ids !== null) continue
        const parents = known.parents(uid, copy).map(meet)
        made.push({ uid, attrs: build(type.shape, uid.type, uid.id, [], copy), parents: [...parents].sort(byText) })
      }
    }
    return { principal, resource, context, entities: made.sort((a, b) => byText(a.uid, b.uid)) }
  }
  scene(0)
  const second = hasTwoWorlds ? scene(1) : null
  return { first: scene(0), second: second === null ? null : scene(1) }
}

/** A picture as the counterexample that is shown and replayed. */
export function toCounterexample(environment: Environment, { first, second }: Picture): Counterexample {
  return second === null ? toRequest(environment, first) : { ...toRequest(environment, first), other: toRequest(environment, second) }
}

function toRequest(environment: Environment, scene: Scene): CedarRequest & { readonly entities: readonly CedarEntity[] } {
  return {
    principal: uidText({ type: environment.principal, id: scene.principal }),
    action: environment.action,
    resource: uidText({ type: environment.resource, id: scene.resource }),
    context: scene.context,
    entities: scene.entities,
  }
}

/** The entities that rules name, in scopes or conditions; actions are the schema's own. */
export function literalsOf(rules: readonly Rule[], expressions: readonly Expression[], schema: Schema): readonly Uid[] {
  const found = new Map<string, Uid>()
  const meet = (uid: Uid | null): void => {
    const type = uid === null ? undefined : schema.entityTypes.get(uid.type)
    if (uid !== null && type !== undefined) found.set(uidText(uid), { type: uid.type, id: uid.id })
  }
  const visit = (expression: Expression): void => {
    if (expression.kind === 'entity') meet(expression.uid)
    for (const child of Object.values(expression)) {
      for (const each of Array.isArray(child) ? child : [child]) {
        if (typeof each !== 'object' || each === null) continue
        if ('kind' in each) visit(each as Expression)
        else if (expression.kind === 'record') Object.values(each as { [name: string]: Expression }).forEach(visit)
      }
    }
  }
  for (const { principal, resource, when, unless } of rules) {
    for (const scope of [principal, resource]) meet(scope.kind === 'any' ? null : scope.kind === 'is' ? scope.in : scope.uid)
    for (const body of [...when, ...unless]) visit(body)
  }
  expressions.forEach(visit)
  return [...found.values()].sort(byText)
}

const PLAIN_EXTENSION: { readonly [name: string]: unknown } = {
  ipaddr: { __extn: { fn: 'ip', arg: '10.0.0.1' } },
  decimal: { __extn: { fn: 'decimal', arg: '0.0' } },
  datetime: { __extn: { fn: 'datetime', arg: '2024-01-01' } },
  duration: { __extn: { fn: 'duration', arg: '0ms' } },
}

// ---- Names ----

type Names = {
  /** What an element of a sort is called in the counterexample. */
  readonly of: (sort: Term['sort'], element: Value) => Value
  /** An entity of a type for where any will do: one that is there already, before a new one. */
  readonly plainest: (type: string) => string
}

function namesOf(schema: Schema, model: ReadonlyMap<Term, Value>, literals: readonly Uid[]): Names {
  const given = new Map<string, string>()
  const taken = new Set(literals.map(({ type, id }) => `entity:${type}|${id}`))
  const first = new Map<string, string>(literals.map(({ type, id }) => [type, id] as const).reverse())
  for (const [term, element] of model) {
    if (term.kind !== 'literal') continue
    given.set(`${term.sort}|${String(element)}`, term.value)
    taken.add(`${term.sort}|${term.value}`)
  }
  const invent = (sort: string): string => {
    const type = sort.startsWith('entity:') ? sort.slice('entity:'.length) : null
    const stem = type === null ? 'text' : lowerFirst(type.split('::').at(-1) ?? type)
    for (let number = 1; ; number++) {
      const id = `${stem}${number}`
      if (taken.has(`${sort}|${id}`)) continue
      taken.add(`${sort}|${id}`)
      return id
    }
  }
  return {
    of: (sort, element) => {
      if (sort === 'bool' || sort === 'int') return element
      const at = `${sort}|${String(element)}`
      const known = given.get(at)
      if (known !== undefined) return known
      const id = invent(sort)
      given.set(at, id)
      if (sort.startsWith('entity:') && !first.has(sort.slice('entity:'.length))) first.set(sort.slice('entity:'.length), id)
      return id
    },
    plainest: (type) => {
      const known = schema.entityTypes.get(type)?.ids?.[0] ?? first.get(type)
      if (known !== undefined) return known
      const id = invent(`entity:${type}`)
      first.set(type, id)
      return id
    },
  }
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}

// ---- Facts of a model ----

type Known = {
  readonly variables: ReadonlyMap<string, Value>
  readonly named: readonly Uid[]
  readonly fact: (kind: 'present' | 'value', owner: string, id: string, path: readonly string[], copy: 0 | 1) => Value | undefined
  readonly members: (owner: string, id: string, path: readonly string[], copy: 0 | 1) => readonly Value[]
  readonly parents: (uid: Uid, copy: 0 | 1) => readonly Uid[]
}

function tabulate(model: ReadonlyMap<Term, Value>, names: Names): Known {
  const variables = new Map<string, Value>()
  const named = new Map<string, Uid>()
  const table = new Map<string, Value>()
  const members = new Map<string, Set<Value>>()
  const parents = new Map<string, Map<string, Map<string, Uid>>>()
  const nameOf = (term: Term): Value => {
    const name = names.of(term.sort, denoted(term, model))
    if (term.sort.startsWith('entity:')) named.set(`${term.sort}|${String(name)}`, { type: term.sort.slice('entity:'.length), id: String(name) })
    return name
  }
  // Principal and resource come first, so that theirs are the plainest names.
  for (const term of model.keys()) if (term.kind === 'var' && (term.name === 'principal' || term.name === 'resource')) variables.set(term.name, nameOf(term))
  for (const [term, value] of model) {
    if (term.kind !== 'app') {
      nameOf(term)
      continue
    }
    const { symbol } = term
    const args = term.args.map(nameOf)
    const subject = symbol.owner === '' ? '' : String(args[0])
    const at = factKey(symbol, subject)
    switch (symbol.kind) {
      case 'value': case 'present':
        table.set(at, symbol.kind === 'value' ? nameOf(term) : value)
        break
      case 'member': {
        const element = args.at(-1) as Value
        const set = members.get(at) ?? new Set()
        members.set(at, value === true ? set.add(element) : set)
        break
      }
      case 'in': {
        const from = JSON.stringify([symbol.owner, subject, symbol.copy])
        const above = parents.get(from) ?? new Map<string, Map<string, Uid>>()
        const uids = above.get(symbol.to) ?? new Map<string, Uid>()
        const uid = { type: symbol.to, id: String(args[1]) }
        if (value === true) uids.set(uidText(uid), uid)
        parents.set(from, above.set(symbol.to, uids))
      }
    }
  }
  // What only the first world was asked about is the same in the second.
  const inCopies = <T>(copy: 0 | 1, find: (copy: 0 | 1) => T | undefined): T | undefined => (copy === 1 ? find(1) : undefined) ?? find(0)
  return {
    variables,
    named: [...named.values()],
    fact: (kind, owner, id, path, copy) => inCopies(copy, (each) => table.get(factKey({ kind, owner, path, to: '', copy: each }, id))),
    members: (owner, id, path, copy) => [...(inCopies(copy, (each) => members.get(factKey({ kind: 'member', owner, path, to: '', copy: each }, id))) ?? [])],
    parents: ({ type, id }, copy) => {
      const inCopy = (each: 0 | 1) => parents.get(JSON.stringify([type, id, each]))
      const targets = new Set([...(inCopy(0)?.keys() ?? []), ...(copy === 1 ? inCopy(1)?.keys() ?? [] : [])])
      return [...targets].flatMap((to) => [...(inCopies(copy, (each) => inCopy(each)?.get(to))?.values() ?? [])])
    },
  }
}

function denoted(term: Term, model: ReadonlyMap<Term, Value>): Value {
  const value = term.kind === 'int' || term.kind === 'bool' ? term.value : model.get(term)
  if (value === undefined) throw new Error('a model without a value for an argument')
  return value
}

function factKey(symbol: Pick<FunctionSymbol, 'kind' | 'owner' | 'path' | 'to' | 'copy'>, subject: string): string {
  return `${symbolKey({ ...symbol, result: 'bool' })}|${subject}`
}

function toJson(value: Value, type: Type, meet: (uid: Uid) => Uid): unknown {
  if (type.kind === 'entity') return reference(meet({ type: type.name, id: String(value) }))
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

function reference(uid: Uid): unknown {
  return { __entity: { type: uid.type, id: uid.id } }
}

function byText(a: Uid, b: Uid): number {
  const [left, right] = [uidText(a), uidText(b)]
  return left < right ? -1 : left > right ? 1 : 0
}
