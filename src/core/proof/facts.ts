import type { Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { exampleOf } from './pattern.ts'
import { symbolKey, type FunctionSymbol, type Sort, type Term, type Value } from './terms.ts'
import { idsOf } from './values.ts'

/** Whose fact it is, and where: an entity type and an id; with `#tags`, an id and a key; a `value:` sort and an element; the context. */
export type Where = { readonly owner: string; readonly of: readonly Value[]; readonly path: readonly string[] }

/** What a solver's model says, by names that people can read. What it leaves open is not there. */
export type Facts = {
  readonly variables: ReadonlyMap<string, Value>
  /** Every entity that is named. */
  readonly named: readonly Uid[]
  readonly fact: (kind: 'present' | 'value', where: Where, copy: 0 | 1) => Value | undefined
  /** The parts of an address that are known, by name. */
  readonly ip: (where: Where, copy: 0 | 1) => ReadonlyMap<string, Value>
  readonly members: (where: Where, copy: 0 | 1) => readonly Value[]
  /** In one world or the other. */
  readonly tagKeys: (uid: Uid) => readonly string[]
  readonly parents: (uid: Uid, copy: 0 | 1) => readonly Uid[]
}

export function tabulate(model: ReadonlyMap<Term, Value>, names: Names): Facts {
  const variables = new Map<string, Value>()
  const named = new Map<string, Uid>()
  const table = new Map<string, Value>()
  const addresses = new Map<string, Map<string, Value>>()
  const members = new Map<string, Set<Value>>()
  const tagKeys = new Map<string, Set<string>>()
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
    switch (symbol.kind) {
      case 'ip': {
        const at = factKey({ ...symbol, to: '' }, args)
        addresses.set(at, (addresses.get(at) ?? new Map<string, Value>()).set(symbol.to, value))
        break
      }
      case 'value': case 'present':
        table.set(factKey(symbol, args), symbol.kind === 'value' ? nameOf(term) : value)
        if (symbol.kind === 'present' && symbol.path.length === 0 && value === true) {
          const at = uidText({ type: symbol.owner, id: String(args[0]) })
          tagKeys.set(at, (tagKeys.get(at) ?? new Set()).add(String(args[1])))
        }
        break
      case 'member': {
        const at = factKey(symbol, args.slice(0, -1))
        const set = members.get(at) ?? new Set()
        members.set(at, value === true ? set.add(args.at(-1) as Value) : set)
        break
      }
      case 'in': {
        const from = JSON.stringify([symbol.owner, args[0], symbol.copy])
        const above = parents.get(from) ?? new Map<string, Map<string, Uid>>()
        const uids = above.get(symbol.to) ?? new Map<string, Uid>()
        const uid = { type: symbol.to, id: String(args[1]) }
        if (value === true) uids.set(uidText(uid), uid)
        parents.set(from, above.set(symbol.to, uids))
        break
      }
      case 'matches': // Names of strings are such that this is so.
    }
  }
  // What only the first world was asked about is the same in the second.
  const inCopies = <T>(copy: 0 | 1, find: (copy: 0 | 1) => T | undefined): T | undefined => (copy === 1 ? find(1) : undefined) ?? find(0)
  return {
    variables,
    named: [...named.values()],
    fact: (kind, { owner, of, path }, copy) => inCopies(copy, (each) => table.get(factKey({ kind, owner, path, to: '', copy: each }, of))),
    // Of a part that only one world was asked about, the other has the same.
    ip: ({ owner, of, path }, copy) => {
      const inCopy = (each: 0 | 1) => addresses.get(factKey({ kind: 'ip', owner, path, to: '', copy: each }, of)) ?? []
      return new Map([...inCopy(0), ...(copy === 1 ? inCopy(1) : [])])
    },
    members: ({ owner, of, path }, copy) => [...(inCopies(copy, (each) => members.get(factKey({ kind: 'member', owner, path, to: '', copy: each }, of))) ?? [])],
    tagKeys: ({ type, id }) => [...(tagKeys.get(uidText({ type: `${type}#tags`, id })) ?? [])].sort(),
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

function factKey(symbol: Pick<FunctionSymbol, 'kind' | 'owner' | 'path' | 'to' | 'copy'>, of: readonly Value[]): string {
  return `${symbolKey({ ...symbol, result: 'bool' })}|${JSON.stringify(of.map(String))}`
}

// ---- Names ----

export type Names = {
  /** What an element of a sort is called in the counterexample. */
  readonly of: (sort: Sort, element: Value) => Value
  /** An entity of a type for where any will do: one that is there already, before a new one. */
  readonly plainest: (type: string) => string
}

/** @param literals Entities that rules name: no invented entity takes their id. */
export function namesOf(schema: Schema, model: ReadonlyMap<Term, Value>, literals: readonly Uid[]): Names {
  const given = new Map<string, string>()
  const taken = new Set(literals.map(({ type, id }) => `entity:${type}|${id}`))
  const first = new Map<string, string>(literals.map(({ type, id }) => [type, id] as const).reverse())
  for (const [term, element] of model) {
    if (term.kind !== 'literal') continue
    given.set(`${term.sort}|${String(element)}`, term.value)
    taken.add(`${term.sort}|${term.value}`)
  }
  const matched = matchedBy(model)
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
  const inventText = (element: Value): string => {
    const holds = matched.get(element)
    if (holds === undefined) return invent('string')
    const patterns = [...holds.keys()].sort()
    const text = exampleOf(patterns, patterns.map((pattern) => holds.get(pattern) === true), (each) => taken.has(`string|${each}`))
    taken.add(`string|${text}`)
    return text
  }
  return {
    of: (sort, element) => {
      // Elements with parts are known by these, and have no names.
      if (sort === 'bool' || sort === 'int' || sort.startsWith('value:')) return element
      const at = `${sort}|${String(element)}`
      const known = given.get(at)
      if (known !== undefined) return known
      const id = sort === 'string' ? inventText(element) : invent(sort)
      given.set(at, id)
      if (sort.startsWith('entity:') && !first.has(sort.slice('entity:'.length))) first.set(sort.slice('entity:'.length), id)
      return id
    },
    plainest: (type) => {
      const known = idsOf(schema, type)?.[0] ?? first.get(type)
      if (known !== undefined) return known
      const id = invent(`entity:${type}`)
      first.set(type, id)
      return id
    },
  }
}

/** Which patterns the strings of a model match, by the solver's own name for them. */
function matchedBy(model: ReadonlyMap<Term, Value>): ReadonlyMap<Value, ReadonlyMap<string, boolean>> {
  const found = new Map<Value, Map<string, boolean>>()
  for (const [term, value] of model) {
    if (term.kind !== 'app' || term.symbol.kind !== 'matches') continue
    const element = denoted(term.args[0] as Term, model)
    found.set(element, (found.get(element) ?? new Map<string, boolean>()).set(term.symbol.to, value === true))
  }
  return found
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
