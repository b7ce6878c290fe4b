import { createHash } from 'node:crypto'
import { canonical } from '#core/canonical.ts'
import { Failure, type Problem } from '#core/failure.ts'
import { step } from '#core/json.ts'
import type { Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { EntityType, RecordType, Schema, Type } from '#core/policy/schema.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { CONSTRUCTORS, flawOfExtension, isLong } from './extension-value.ts'
import { findCycles } from './hierarchy.ts'

/** So many problems are named; of the others their number. */
export const PROBLEMS_MAX = 100
/** Type and id are the key of an index, and PostgreSQL takes no longer ones. */
const UID_BYTES_MAX = 2_000

/** Everything that was found wrong: each one counted, the first ones named. */
export class Findings {
  readonly problems: Problem[] = []
  count = 0

  add(place: string, message: string): void {
    if (this.count++ < PROBLEMS_MAX) this.problems.push({ place, message })
  }

  /** @throws {Failure} `ENTITIES_INVALID` when anything was found; `what` begins the sentence, e.g. `the entities do not fit the schema`. */
  refuse(what: string): void {
    const [first] = this.problems
    if (first === undefined) return
    const more = this.count - this.problems.length
    const others = this.count === 1 ? '' : ` (and ${this.count - 1} other problem${this.count === 2 ? '' : 's'}${more > 0 ? `, of which ${this.problems.length - 1} are named` : ''})`
    throw new Failure('ENTITIES_INVALID', `${what}: ${first.place}: ${first.message}${others}`, {
      problems: this.problems, details: { problems_total: this.count, problems_more: more },
    })
  }
}

/**
 * A reader of the entities of one change, given in one or several parts: every one in the form in which it is kept, and what is wrong with
 * the rest.
 *
 * Kept: uids as `{type, id}`, references as `{__entity}`, extension values as `{__extn: {fn, arg}}`, a Long as a number or, beyond 2⁵³, as
 * a string of digits (which is also accepted). References and parents may point to entities that are nowhere.
 *
 * Whatever is accepted is accepted by Cedar. Refused although Cedar would take it: an entity given twice, actions (they are the
 * schema's), members that nobody knows, and extension values that are made by more than one call.
 *
 * @param place How the list is called in problems, for entities whose uid cannot be read.
 */
export function entityReader(schema: Schema, place: string, findings: Findings): (values: readonly unknown[]) => CedarEntity[] {
  const actionTypes = new Set([...schema.actions.values()].map(({ uid }) => uid.type))
  const seen = new Map<string, Set<string>>()
  let count = 0

  const readOne = (value: unknown, at: () => string): CedarEntity | null => {
    if (!isObject(value)) {
      findings.add(at(), 'is not an entity: an object with `uid`, `attrs` and `parents`')
      return null
    }
    const uid = uidOf(value['uid'])
    if (uid === null) {
      findings.add(`${at()}.uid`, 'is not a uid: write it as { "type": "User", "id": "ana" }')
      return null
    }
    const ids = seen.get(uid.type) ?? new Set()
    if (ids.has(uid.id)) findings.add(uidText(uid), `is given twice, again at ${at()}`)
    seen.set(uid.type, ids.add(uid.id))
    const type = schema.entityTypes.get(uid.type)
    if (type !== undefined) return new Reader(uid, schema, findings).entity(type, value)
    if (actionTypes.has(uid.type)) findings.add(uidText(uid), 'is an action: actions and their groups are the schema’s, leave it out')
    else findings.add(uidText(uid), `is of the type \`${uid.type}\`, which the schema does not have: it has ${listed([...schema.entityTypes.keys()])}`)
    return null
  }
  return (values) => values.flatMap((value) => {
    const index = count++
    return readOne(value, () => step(place, index)) ?? []
  })
}

/** An entity as it is stored: its canonical text, a fraction of the memory that the object takes. */
export type KeptEntity = { readonly uid: Uid; readonly text: string }

export function keep(entity: CedarEntity): KeptEntity {
  const text = canonical(entity)
  text.charCodeAt(0) // V8 joins the pieces that a text was put together from when it is looked into; until then they take several times its memory.
  return { uid: entity.uid, text }
}

/** Reads one entity; knows where it is only when something is wrong. */
class Reader {
  readonly #uid: Uid
  readonly #schema: Schema
  readonly #findings: Findings
  readonly #path: (string | number)[] = []

  constructor(uid: Uid, schema: Schema, findings: Findings) {
    this.#uid = uid
    this.#schema = schema
    this.#findings = findings
  }

  entity(type: EntityType, json: Json): CedarEntity {
    if (Buffer.byteLength(this.#uid.type) + Buffer.byteLength(this.#uid.id) > UID_BYTES_MAX) this.#add(`has a longer id than ${UID_BYTES_MAX} bytes`)
    if (type.ids !== null && !type.ids.includes(this.#uid.id)) this.#add(`is none of the ids of its enumerated type: ${listed(type.ids)}`)
    for (const member of Object.keys(json)) if (!MEMBERS.has(member)) this.#at(member, () => this.#add('is not a member of an entity: it has `uid`, `attrs`, `parents` and `tags`'))
    const attrs = this.#at('attrs', () => this.#record(type.shape, json['attrs'] === undefined ? {} : json['attrs']))
    const parents = this.#at('parents', () => this.#parents(type, json['parents'] === undefined ? [] : json['parents']))
    const tags = this.#at('tags', () => this.#tags(type, json['tags'] === undefined ? {} : json['tags']))
    return { uid: this.#uid, attrs, parents, ...(Object.keys(tags).length === 0 ? {} : { tags }) }
  }

  #parents({ name, ancestors }: EntityType, json: unknown): Uid[] {
    if (!Array.isArray(json)) return this.#add('is not a list of uids') ?? []
    const parents = new Map<string, Uid>()
    for (const [i, value] of json.entries()) {
      this.#at(i, () => {
        const uid = uidOf(value)
        if (uid === null) this.#add('is not a uid: write it as { "type": "Team", "id": "blue" }')
        else if (!ancestors.includes(uid.type)) {
          this.#add(`is \`${uidText(uid)}\`, and the schema lets a ${name} be in ${ancestors.length === 0 ? 'nothing' : listed(ancestors)} only`)
        } else if (this.#isOneOfItsIds(uid)) parents.set(`${uid.type}\0${uid.id}`, uid)
      })
    }
    return [...parents.values()]
  }

  #tags({ name, tags: type }: EntityType, json: unknown): Json {
    if (!isObject(json)) return this.#add('is not an object of tags') ?? {}
    const names = Object.keys(json)
    if (type === null) {
      if (names.length > 0) this.#add(`are given, and the schema gives a ${name} none`)
      return {}
    }
    return Object.fromEntries(names.map((tag) => [tag, this.#at(tag, () => this.#value(type, json[tag]))]))
  }

  #record(type: RecordType, json: unknown): Json {
    if (!isObject(json)) return this.#add('is not an object') ?? {}
    const values: { [name: string]: unknown } = {}
    for (const name of Object.keys(json)) {
      const attribute = Object.hasOwn(type.attributes, name) ? type.attributes[name] : undefined
      this.#path.push(name)
      if (attribute === undefined) this.#add('is an attribute that the schema does not have')
      else values[name] = this.#value(attribute.type, json[name])
      this.#path.pop()
    }
    for (const name of Object.keys(type.attributes)) {
      if (type.attributes[name]?.required === true && !Object.hasOwn(json, name)) this.#at(name, () => this.#add('is missing'))
    }
    return values
  }

  #value(type: Type, json: unknown): unknown {
    switch (type.kind) {
      case 'bool': return typeof json === 'boolean' ? json : this.#add('is not true or false')
      case 'string': return typeof json === 'string' ? json : this.#add('is not a string')
      case 'long': return this.#long(json)
      case 'entity': {
        const uid = uidOf(json)
        if (uid === null) return this.#add(`is not a reference to an entity: write it as { "__entity": { "type": "${type.name}", "id": "…" } }`)
        if (uid.type !== type.name) return this.#add(`is \`${uidText(uid)}\`, not a ${type.name}`)
        return this.#isOneOfItsIds(uid) ? { __entity: uid } : undefined
      }
      case 'set': return Array.isArray(json) ? this.#set(type.element, json) : this.#add('is not a list')
      case 'record': return this.#record(type, json)
      case 'extension': return this.#extension(type.name, json)
    }
  }

  /** Without what is wrong: entities are kept as text before they are refused, and a list with holes has none. */
  #set(element: Type, json: readonly unknown[]): readonly unknown[] {
    return json.map((each, i) => this.#at(i, () => this.#value(element, each))).filter((each) => each !== undefined)
  }

  #long(json: unknown): unknown {
    const isDigits = typeof json === 'bigint' || (typeof json === 'string' && /^-?\d{1,19}$/.test(json)) || (typeof json === 'number' && Number.isSafeInteger(json))
    if (!isDigits) return this.#add(typeof json === 'number' && Number.isInteger(json) ? 'is an integer that a number does not hold exactly: write it as a string of digits' : 'is not an integer')
    const integer = BigInt(json as bigint | string | number)
    if (!isLong(integer)) return this.#add('is not an integer of 64 bits')
    const number = Number(integer)
    return Number.isSafeInteger(number) ? number : String(integer)
  }

  #extension(name: string, json: unknown): unknown {
    const fn = CONSTRUCTORS[name] ?? name
    const call = isObject(json) && Object.hasOwn(json, '__extn') && Object.keys(json).length === 1 ? json['__extn'] : json
    const isCall = isObject(call) && call['fn'] === fn && Object.keys(call).length === 2
    const arg = typeof json === 'string' ? json : isCall ? call['arg'] : undefined
    if (typeof arg !== 'string') return this.#add(`is not a value of the type ${name}: write it as { "__extn": { "fn": "${fn}", "arg": "…" } }`)
    const flaw = flawOfExtension(name, arg)
    return flaw === null ? { __extn: { fn, arg } } : this.#add(flaw)
  }

  #isOneOfItsIds(uid: Uid): boolean {
    const ids = this.#schema.entityTypes.get(uid.type)?.ids ?? null
    if (ids === null || ids.includes(uid.id)) return true
    this.#add(`is \`${uidText(uid)}\`, and the ids of that enumerated type are ${listed(ids)}`)
    return false
  }

  #at<T>(key: string | number, read: () => T): T {
    this.#path.push(key)
    const value = read()
    this.#path.pop()
    return value
  }

  #add(message: string): undefined {
    const path = this.#path.reduce<string>((text, key) => step(text, key), '').replace(/^\./, '')
    this.#findings.add(path === '' ? uidText(this.#uid) : `${uidText(this.#uid)} ${path}`, message)
  }
}

/** Types whose entities can be above themselves: only among these can there be a cycle. */
export function recursiveTypes(schema: Schema): ReadonlySet<string> {
  return new Set([...schema.entityTypes.values()].filter(({ name, ancestors }) => ancestors.includes(name)).map(({ name }) => name))
}

/** Adds every cycle in the hierarchy of the entities given, on the whole way around which they lie. */
export function findCyclesAmong(entities: Iterable<Pick<CedarEntity, 'uid' | 'parents'>>, findings: Findings): void {
  const parents = new Map<string, readonly string[]>()
  for (const { uid, parents: above } of entities) parents.set(uidText(uid), above.map(uidText))
  for (const cycle of findCycles(parents, PROBLEMS_MAX)) {
    const [first = ''] = cycle
    findings.add(first, `is above itself in the hierarchy: ${[...cycle.slice(0, 10), ...(cycle.length > 10 ? ['…'] : []), first].map((node) => `\`${node}\``).join(' in ')}`)
  }
}

/** What the ledger says of a change: the digest of `{deleted, upserted}`, made without holding its text in memory. */
export function changeDigest({ upserted, deleted }: { readonly upserted: readonly KeptEntity[]; readonly deleted: readonly Uid[] }): string {
  const hash = createHash('sha256').update('{"deleted":[')
  for (const [i, uid] of deleted.entries()) hash.update(`${i === 0 ? '' : ','}${canonical(uid)}`)
  hash.update('],"upserted":[')
  for (const [i, { text }] of upserted.entries()) hash.update(i === 0 ? text : `,${text}`)
  return hash.update(']}').digest('hex')
}

type Json = { readonly [name: string]: unknown }

const MEMBERS = new Set(['uid', 'attrs', 'parents', 'tags'])

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A uid as Cedar's JSON writes it, `{type, id}` or `{__entity: {type, id}}`, and nothing else in it. */
export function uidOf(value: unknown): Uid | null {
  if (!isObject(value)) return null
  const keys = Object.keys(value)
  if (keys.length === 1 && keys[0] === '__entity') {
    const inner = value['__entity']
    return isObject(inner) && !Object.hasOwn(inner, '__entity') ? uidOf(inner) : null
  }
  const { type, id } = value
  return keys.length === 2 && typeof type === 'string' && typeof id === 'string' ? { type, id } : null
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : `${names.slice(0, 20).join(', ')}${names.length > 20 ? ` and ${names.length - 20} more` : ''}`
}
