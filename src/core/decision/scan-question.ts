import assert from 'node:assert/strict'
import type { EntityType, RecordType, Schema, Type } from '#core/policy/schema.ts'
import { CONSTRUCTORS, flawOfExtension } from '#core/revision/extension-value.ts'
import { actionNames, CHARACTERS_MAX, type Described, type NamedAction, type ReadQuestion } from './question.ts'
import { isSame, MULTIPLIER, Texts } from './texts.ts'
import { clocksOf, fillClocks, MEMBERS_MAX, unknownId } from './typed-json.ts'
import { EntityValue, RecordValue, type Value } from './value.ts'
import { promisedBy, VALUES } from './value-build.ts'

/** The moment of a request, looked at only where the schema marks something with `@concept("now")`. */
type Clock = { readonly now: () => Date }

/** One question of a batch, and where in the batch's bytes it stands. */
export type Scanned = { readonly question: ReadQuestion<Value>; readonly from: number; readonly to: number }

/**
 * Reads the questions of one schema straight from the bytes of a request, in less time than it takes to parse them first.
 *
 * It reads plain questions only, or nothing: in ASCII without escapes, every member known, wanted and given once, integers within 2⁵³. Whatever
 * else it meets, be it a flaw or merely unusual, is left to {@link readQuestion}, which says what it is. What it does read, both read alike.
 */
export class QuestionScanner {
  readonly #schema: Schema
  readonly #actions: ReadonlyMap<string, NamedAction>
  readonly #words: Texts
  readonly #texts = new Texts(TEXTS_KEPT)
  readonly #shapes = new Map<RecordType, Shape>()
  #bytes: Uint8Array = NO_BYTES
  #at = 0
  #clock: Clock = NO_CLOCK

  constructor(schema: Schema) {
    this.#schema = schema
    this.#actions = actionNames(schema).named
    this.#words = new Texts(WORDS_KEPT, [...schema.entityTypes.keys(), ...this.#actions.keys()])
  }

  /** The question that a body is; null: not one that is read here. */
  one(bytes: Uint8Array, clock: Clock): ReadQuestion<Value> | null {
    this.#begin(bytes, clock)
    const question = this.#question()
    return this.#isOver() ? question : null
  }

  /**
   * The questions of a batch that is nothing else: no defaults and no options.
   *
   * @param most A batch of more is not read here.
   */
  batch(bytes: Uint8Array, most: number, clock: Clock): readonly Scanned[] | null {
    this.#begin(bytes, clock)
    const read: Scanned[] = []
    if (!this.#takes(OPEN) || this.#member(EVALUATIONS, 0) !== 0 || !this.#takes(OPEN_LIST)) return null
    do {
      this.#skip()
      const from = this.#at
      const question = this.#question()
      if (question === null || read.push({ question, from, to: this.#at }) > most) return null
    } while (this.#takes(COMMA))
    return this.#takes(CLOSE_LIST) && this.#takes(CLOSE) && this.#isOver() ? read : null
  }

  #begin(bytes: Uint8Array, clock: Clock): void {
    this.#bytes = bytes
    this.#at = 0
    this.#clock = clock
  }

  #isOver(): boolean {
    this.#skip()
    const isOver = this.#at === this.#bytes.length
    this.#bytes = NO_BYTES
    this.#clock = NO_CLOCK
    return isOver
  }

  #question(): ReadQuestion<Value> | null {
    if (!this.#takes(OPEN)) return null
    const subject = new Named()
    const resource = new Named()
    let action: NamedAction | null = null
    let context: ReadonlyMap<string, Value> | null = null
    let contextAt = -1
    let next = 0
    do {
      const member = this.#member(QUESTION, next)
      if (member === 0) {
        if (!this.#named(subject, NAMED)) return null
      } else if (member === 1) {
        if (action !== null || (action = this.#action()) === null) return null
      } else if (member === 2) {
        if (!this.#named(resource, NAMED)) return null
      } else if (member === 3) {
        if (context !== null || contextAt >= 0) return null
        // What it may hold depends on the action, which may come later.
        if (action === null) {
          contextAt = this.#at
          if (!this.#pass()) return null
        } else if ((context = this.#context(action)) === null) return null
      } else return null
      next = member + 1
    } while (this.#takes(COMMA))
    if (!this.#takes(CLOSE) || action === null || subject.type === null || resource.type === null) return null
    if (contextAt >= 0 && (context = this.#later(contextAt, this.#shapeOf(action.action.context), true)) !== null) this.#fill(context as Map<string, Value>, action)
    if (contextAt >= 0 && context === null) return null
    return this.#asked(subject, action, resource, context)
  }

  /** What both entities, the action and the context come to, where they fit. */
  #asked(subject: Named, action: NamedAction, resource: Named, context: ReadonlyMap<string, Value> | null): ReadQuestion<Value> | null {
    const { principals, resources } = action.action
    const principal = this.#uid(subject, principals)
    const target = this.#uid(resource, resources)
    if (principal === null || target === null) return null
    let described: readonly Described<Value>[] = NOTHING_DESCRIBED
    if (subject.fields !== null || resource.fields !== null) {
      described = [...describedBy(subject, principal), ...describedBy(resource, target)]
      if (described.length === 2 && principal.equals(target)) return null
    }
    return { principal, action, resource: target, context: context ?? this.#fill(new Map(), action), described, ignored: NOTHING_IGNORED }
  }

  #uid({ type, id }: Named, fitting: readonly string[]): EntityValue | null {
    if (type === null || id === null || !fitting.includes(type.name)) return null
    const uid = new EntityValue(type.name, id)
    return type.ids === null || unknownId(this.#schema, uid) === null ? uid : null
  }

  /** @param members What it may say: only subject and resource have more than type and id. */
  #named(named: Named, members: readonly Member[]): boolean {
    if (named.type !== null || !this.#takes(OPEN)) return false
    let fieldsAt = -1
    let next = 0
    do {
      const member = this.#member(members, next)
      if (member === 0) {
        const type = this.#word()
        if (named.type !== null || type === null || type.length > TYPE_CHARACTERS_MAX || (named.type = this.#schema.entityTypes.get(type) ?? null) === null) return false
      } else if (member === 1) {
        if (named.id !== null || (named.id = this.#text()) === null) return false
      } else if (member === 2) {
        if (named.fields !== null || fieldsAt >= 0) return false
        // Which there are depends on the type, which may come later.
        if (named.type === null) {
          fieldsAt = this.#at
          if (!this.#pass()) return false
        } else if ((named.fields = this.#fields(this.#shapeOf(named.type.shape), 0, false)) === null) return false
      } else return false
      next = member + 1
    } while (this.#takes(COMMA))
    if (!this.#takes(CLOSE) || named.type === null || named.id === null) return false
    return fieldsAt < 0 || (named.fields = this.#later(fieldsAt, this.#shapeOf(named.type.shape), false)) !== null
  }

  #action(): NamedAction | null {
    if (!this.#takes(OPEN) || this.#member(ACTION, 0) !== 0) return null
    const name = this.#word()
    return name !== null && this.#takes(CLOSE) ? this.#actions.get(name) ?? null : null
  }

  #context(action: NamedAction): ReadonlyMap<string, Value> | null {
    const fields = this.#fields(this.#shapeOf(action.action.context), 0, true)
    return fields === null ? null : this.#fill(fields, action)
  }

  #fill(fields: Map<string, Value>, { action: { context } }: NamedAction): Map<string, Value> {
    if (this.#shapeOf(context).hasClocks) fillClocks(fields, context, this.#clock.now().getTime(), VALUES)
    return fields
  }

  /** What was passed at some place before. */
  #later(at: number, shape: Shape, isOfContext: boolean): Map<string, Value> | null {
    const end = this.#at
    this.#at = at
    const fields = this.#fields(shape, 0, isOfContext)
    this.#at = end
    return fields
  }

  /** A record of attributes that its type has; what it promises may be absent. */
  #fields(shape: Shape, level: number, isOfContext: boolean): Map<string, Value> | null {
    const fields = new Map<string, Value>()
    if (level > LEVELS_MAX || !shape.isPlain || !this.#takes(OPEN)) return null
    if (this.#takes(CLOSE)) return fields
    const { attributes, members, after } = shape
    let last = 0
    do {
      const found = this.#member(members, after[last] as number)
      if (found < 0) return null
      after[last] = found
      last = found + 1
      const { name, type, isClock } = attributes[found] as Shape['attributes'][number]
      if ((isClock && isOfContext) || fields.has(name)) return null
      const value = this.#value(type, level + 1, isOfContext)
      if (value === null) return null
      fields.set(name, value)
    } while (this.#takes(COMMA))
    return this.#takes(CLOSE) && fields.size <= MEMBERS_MAX ? fields : null
  }

  #value(type: Type, level: number, isOfContext: boolean): Value | null {
    switch (type.kind) {
      case 'bool': return this.#bool()
      case 'long': return this.#long()
      case 'string': return this.#text()
      case 'entity': {
        const named = new Named()
        return this.#named(named, UID) && named.type?.name === type.name ? this.#uid(named, [type.name]) : null
      }
      case 'set': return this.#set(type.element, level, isOfContext)
      case 'record': {
        const shape = this.#shapeOf(type)
        const fields = this.#fields(shape, level, isOfContext)
        // Whoever misses something in it wants to know where it was, and a clock in it must be set.
        return fields === null || (isOfContext && shape.hasClocks) || !shape.promised.every((name) => fields.has(name)) ? null : new RecordValue(fields)
      }
      case 'extension': {
        const text = this.#text()
        return text !== null && flawOfExtension(type.name, text) === null ? VALUES.extension(CONSTRUCTORS[type.name] ?? type.name, text) : null
      }
    }
  }

  #set(element: Type, level: number, isOfContext: boolean): Value | null {
    if (level > LEVELS_MAX || !this.#takes(OPEN_LIST)) return null
    const items: Value[] = []
    if (this.#takes(CLOSE_LIST)) return VALUES.set(items)
    do {
      const item = this.#value(element, level + 1, isOfContext)
      if (item === null) return null
      items.push(item)
    } while (this.#takes(COMMA))
    return this.#takes(CLOSE_LIST) ? VALUES.set(items) : null
  }

  #bool(): boolean | null {
    this.#skip()
    if (this.#follows(TRUE)) return true
    return this.#follows(FALSE) ? false : null
  }

  #long(): number | null {
    this.#skip()
    const bytes = this.#bytes
    const isNegative = bytes[this.#at] === MINUS
    const from = isNegative ? this.#at + 1 : this.#at
    let at = from
    let value = 0
    while (at < bytes.length) {
      const digit = (bytes[at] as number) - ZERO
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      at++
    }
    const digits = at - from
    if (digits === 0 || digits > DIGITS_MAX || (digits > 1 && bytes[from] === ZERO)) return null
    // A fraction or an exponent goes on with something that no value is followed by.
    this.#at = at
    return isNegative && value !== 0 ? -value : value
  }

  /** Which member is next, with its colon; −1: none of them. It is the fastest to find when it is the one that is expected. */
  #member(members: readonly Member[], expected: number): number {
    const first = members[expected]
    if (first !== undefined && this.#follows(first.bytes)) return expected
    const hash = this.#string()
    if (hash === null || !this.#takes(COLON)) return -1
    const to = this.#from + this.#length
    return members.findIndex(({ bytes }) => bytes.length === this.#length + 3 && isSame(bytes, 1, this.#bytes, this.#from, to))
  }

  #follows(word: Uint8Array): boolean {
    const at = this.#at
    const { length } = word
    if (at + length > this.#bytes.length || !isSame(word, 0, this.#bytes, at, at + length)) return false
    this.#at = at + length
    return true
  }

  /** A string: one of the words that the schema knows, most likely. */
  #word(): string | null {
    const hash = this.#string()
    return hash === null ? null : this.#words.textOf(this.#bytes, this.#from, this.#from + this.#length, hash)
  }

  #text(): string | null {
    const hash = this.#string()
    return hash === null ? null : this.#texts.textOf(this.#bytes, this.#from, this.#from + this.#length, hash)
  }

  /** Where the string that was passed last begins, behind its quotation mark, and how long it is. */
  #from = 0
  #length = 0

  /** Passes a string; its hash, or null when it is not a plain one. */
  #string(): number | null {
    if (!this.#takes(QUOTE)) return null
    const bytes = this.#bytes
    const from = this.#at
    const { length } = bytes
    let hash = 0
    for (let at = from; at < length; at++) {
      const code = bytes[at] as number
      if (code === QUOTE) {
        this.#from = from
        this.#length = at - from
        this.#at = at + 1
        return at - from > CHARACTERS_MAX ? null : hash
      }
      if (code < 0x20 || code > 0x7e || code === BACKSLASH) return null
      hash = Math.imul(hash ^ code, MULTIPLIER)
    }
    return null
  }

  /** Passes an object that is looked at later. */
  #pass(): boolean {
    this.#skip()
    if (this.#bytes[this.#at] !== OPEN) return false
    for (let depth = 0; this.#at < this.#bytes.length;) {
      const code = this.#bytes[this.#at]
      if (code === QUOTE) {
        if (this.#string() === null) return false
        continue
      }
      this.#at++
      if (code === OPEN) depth++
      else if (code === CLOSE && --depth === 0) return true
    }
    return false
  }

  #takes(code: number): boolean {
    if (this.#bytes[this.#at] !== code) {
      this.#skip()
      if (this.#bytes[this.#at] !== code) return false
    }
    this.#at++
    return true
  }

  #skip(): void {
    const bytes = this.#bytes
    let at = this.#at
    while (at < bytes.length && (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09)) at++
    this.#at = at
  }

  #shapeOf(type: RecordType): Shape {
    const known = this.#shapes.get(type)
    if (known !== undefined) return known
    const made = new Shape(type)
    this.#shapes.set(type, made)
    return made
  }
}

class Named {
  type: EntityType | null = null
  id: string | null = null
  fields: ReadonlyMap<string, Value> | null = null
}

function describedBy({ type, fields }: Named, uid: EntityValue): Described<Value>[] {
  return type === null || fields === null || fields.size === 0 ? [] : [{ uid, type, properties: fields, none: NONE }]
}

/** A name as JSON writes it, quotation marks and colon included. */
type Member = { readonly bytes: Uint8Array }

function memberOf(name: string): Member {
  return { bytes: Buffer.from(`"${name}":`) }
}

/** A record's type, as it is read by. */
class Shape {
  readonly attributes: readonly { readonly name: string; readonly type: Type; readonly isClock: boolean }[]
  readonly members: readonly Member[]
  /** No attribute's name is one that JSON writes with an escape: the bytes of such a name can mean other members. */
  readonly isPlain: boolean
  /** By an attribute's index, 1 added: which one was read after it most recently; first, which was read first. */
  readonly after: number[]
  readonly hasClocks: boolean
  readonly promised: readonly string[]

  constructor(type: RecordType) {
    const clocks = clocksOf(type)
    this.attributes = Object.entries(type.attributes).filter(([name]) => name !== '__proto__').map(([name, { type }]) => ({ name, type, isClock: clocks.has(name) }))
    this.members = this.attributes.map(({ name }) => memberOf(name))
    this.isPlain = this.attributes.every(({ name }) => JSON.stringify(name) === `"${name}"`)
    this.after = [0, ...this.attributes.map((_, i) => i + 1)]
    this.hasClocks = clocks.size > 0
    this.promised = promisedBy(type)
  }
}

const WORDS_KEPT = 2 ** 9
const TEXTS_KEPT = 2 ** 15
const LEVELS_MAX = 20
const TYPE_CHARACTERS_MAX = 1_000
/** So many digits are exact as a number, whichever they are. */
const DIGITS_MAX = 15
const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, COLON, COMMA, QUOTE, BACKSLASH, MINUS, ZERO] = [0x7b, 0x7d, 0x5b, 0x5d, 0x3a, 0x2c, 0x22, 0x5c, 0x2d, 0x30] as const
const [QUESTION, NAMED, UID, ACTION, EVALUATIONS] = [['subject', 'action', 'resource', 'context'].map(memberOf), ['type', 'id', 'properties'].map(memberOf), ['type', 'id'].map(memberOf), [memberOf('name')], [memberOf('evaluations')]] as const
const [TRUE, FALSE] = [Buffer.from('true'), Buffer.from('false')]
const NO_CLOCK: Clock = { now: () => assert.fail('it is asked for outside of a question') }
const NO_BYTES = Buffer.alloc(0)
const NONE: ReadonlySet<string> = new Set()
const NOTHING_DESCRIBED: readonly Described<Value>[] = Object.freeze([])
const NOTHING_IGNORED: readonly string[] = Object.freeze([])
