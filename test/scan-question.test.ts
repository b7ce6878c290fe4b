import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import type { ReadQuestion } from '#core/decision/question.ts'
import { readForEvaluator } from '#core/decision/read-question.ts'
import { QuestionScanner } from '#core/decision/scan-question.ts'
import type { Value } from '#core/decision/value.ts'
import { Failure } from '#core/failure.ts'
import { parseJson } from '#core/json.ts'
import type { Schema } from '#core/policy/schema.ts'
import { pick, randomScene, seeded, type Random } from '#core/proof/random-world.ts'
import { readQuestionBody } from '#services/compliance/decision-contract.ts'
import { randomSchemaText } from './support/random-policy.ts'
import { importTwin, type Sabotage } from './support/twin.ts'

// Differential: whatever is scanned means what the reader that names flaws makes of the same bytes; what that one refuses is never scanned.

const BODIES = Number(process.env['ACGS_TRUTH'] ?? 20_000)
const SEED = Number(process.env['ACGS_SEED'] ?? 20_261_130)
const NOW = new Date('2026-11-30T10:00:00Z')

type Scanner = Pick<QuestionScanner, 'one' | 'batch'>
type Scanners = { readonly QuestionScanner: new (schema: Schema) => Scanner }
type Json = { [name: string]: unknown }

const CLOCKED = `type Window = { opens: Long, closes?: Long };
  entity Team; entity User in [Team] { age: Long, name: String, window: Window, tags?: Set<String> }; entity Kind enum ["a", "b"];
  action "read file", write appliesTo { principal: [User], resource: [Team, Kind, User], context: { @concept("now") at: Long, @concept("now") when: datetime, ip?: ipaddr, n: Long, window?: Window, who?: User, kind?: Kind, ok?: Bool } };`

/** What came of so many bodies; `differs` is the first that was read differently. */
function compare({ QuestionScanner: Made }: Scanners, bodies: number, seed: number) {
  const random = seeded(seed)
  const counts = { scanned: 0, plain: 0, left: 0, refused: 0 }
  let schema: Schema | null = null
  let scanner: Scanner | null = null
  for (let i = 0; i < bodies; i++) {
    if (schema === null || scanner === null || i % 200 === 0) {
      schema = parseSchema(random() < 0.4 ? CLOCKED : randomSchemaText(random))
      scanner = new Made(schema)
    }
    const question = questionOver(schema, random)
    const isPlain = random() < 0.3
    const text = written(isPlain ? question : bent(question, schema, random), random, isPlain)
    const bytes = isPlain || random() < 0.7 ? Buffer.from(text) : damaged(Buffer.from(text), random)
    const expected = closely(bytes, schema)
    const scanned = scanner.one(bytes, { now: () => NOW })
    if (expected === null) counts.refused++
    else if (scanned === null) counts.left++
    else counts.scanned++
    if (isPlain && scanned !== null) counts.plain++
    if (scanned !== null && (expected === null || !isDeepStrictEqual(named(scanned), named(expected)))) return { counts, differs: bytes.toString() }
  }
  return { counts, differs: null }
}

/** As requests were always read; null when that refuses them. */
function closely(bytes: Buffer, schema: Schema): ReadQuestion<Value> | null {
  try {
    return readForEvaluator(readQuestionBody(parseJson(bytes, 'body', 64, 'bigint'), 'body'), schema, NOW, 'body')
  } catch (error) {
    if (error instanceof Failure && error.code === 'REQUEST_MALFORMED') return null
    throw error
  }
}

/** All that a question says, in a form that no class is in: a twin has classes of its own. */
function named({ principal, resource, action, context, described, ignored }: ReadQuestion<Value>): unknown {
  return [[principal.type, principal.id], action.text, [resource.type, resource.id], flat(context), described.map(({ uid, properties, none }) => [uid.type, uid.id, flat(properties), [...none]]), ignored]
}

function flat(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : value
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, each]) => [name, flat(each)]).sort(([a], [b]) => (a < b ? -1 : 1)))
  if (Array.isArray(value)) return value.map(flat)
  return [value.constructor.name, Object.entries(value).map(([name, each]) => [name, flat(each)])]
}

function questionOver(schema: Schema, random: Random): Json {
  const environment = pick(random, schema.environments)
  const { principal, resource, context, entities } = randomScene(schema, environment, random)
  const { type: _, id } = schema.actions.get(environment.action)?.uid ?? { type: '', id: '' }
  const properties = (type: string, id: string): Json => {
    const found = entities.find(({ uid }) => uid.type === type && uid.id === id)
    return found === undefined || random() < 0.6 ? {} : { properties: plain(found.attrs) }
  }
  const said = Object.entries(plain(context) as Json).filter(([name]) => name !== 'at' && name !== 'when')
  const parts: Json = {
    subject: { type: environment.principal, id: principal, ...properties(environment.principal, principal) },
    action: { name: random() < 0.8 ? id : environment.action },
    resource: { type: environment.resource, id: resource, ...properties(environment.resource, resource) },
    ...(said.length === 0 && random() < 0.5 ? {} : { context: Object.fromEntries(said) }),
  }
  return parts
}

/** Entities and extension values as questions say them. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if ('__entity' in value) return value.__entity
  if ('__extn' in value) return (value.__extn as { readonly arg?: string }).arg ?? '2024-01-01'
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]))
}

const ODD: readonly unknown[] = [null, true, 0, -0, 1.5, 12345678901234567890n, 9007199254740993n, -7, '9007199254740993', '', 'x', 'é', 'a\\b', 'line\nbreak', [], [1, 1], {}, { type: 'User', id: 'ana' }, { type: 'Kind', id: 'z' }, { a: {} }, 'x'.repeat(10_001)]

/** Somewhere in it one thing is another, missing, more, or in another place. */
function bent(question: Json, schema: Schema, random: Random): Json {
  const copy = structuredClone(question)
  const objects: Json[] = []
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    if (!Array.isArray(value)) objects.push(value as Json)
    for (const each of Object.values(value)) collect(each)
  }
  collect(copy)
  const chosen = pick(random, objects)
  const names = Object.keys(chosen)
  const name = names.length === 0 ? 'n' : pick(random, names)
  switch (pick(random, ['value', 'drop', 'add', 'shuffle', 'type', 'clock', 'none'] as const)) {
    case 'value': chosen[name] = pick(random, ODD); break
    case 'drop': delete chosen[name]; break
    case 'add': chosen[pick(random, ['extra', 'at', 'when', 'properties', 'context', 'n', 'name', 'id', 'type', 'f0'])] = pick(random, ODD); break
    case 'shuffle': {
      const shuffled = Object.entries(chosen).map((entry) => ({ entry, rank: random() })).sort((a, b) => a.rank - b.rank)
      for (const each of names) delete chosen[each]
      for (const { entry: [key, value] } of shuffled) chosen[key] = value
      break
    }
    case 'type': {
      const entity = copy[pick(random, ['subject', 'resource'])] as Json
      entity['type'] = pick(random, [...schema.entityTypes.keys()])
      break
    }
    case 'clock': copy['context'] = { ...(copy['context'] as Json | undefined), [pick(random, ['at', 'when'])]: pick(random, [5, '2024-01-01']) }; break
    case 'none': break
  }
  return copy
}

/** As JSON, by hand: with blanks, with one member given twice, with an escape where it is not needed. */
function written(value: unknown, random: Random, isPlain: boolean): string {
  const blank = () => (isPlain || random() < 0.98 ? '' : pick(random, [' ', '\n', '\t ', '\r\n']))
  const write = (each: unknown): string => {
    if (Array.isArray(each)) return `[${blank()}${each.map(write).join(`${blank()},${blank()}`)}]`
    if (typeof each === 'bigint') return String(each)
    if (typeof each === 'number' && !isPlain && random() < 0.02) return String(each).replace(/\d/, '0$&')
    if (Object.is(each, -0)) return '-0'
    if (typeof each === 'string' && !isPlain && random() < 0.01 && each !== '') return `"\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}${JSON.stringify(each.slice(1)).slice(1)}`
    if (typeof each !== 'object' || each === null) return JSON.stringify(each)
    const members = Object.entries(each).map(([name, member]) => `${blank()}${JSON.stringify(name)}${blank()}:${blank()}${write(member)}${blank()}`)
    if (!isPlain && members.length > 0 && random() < 0.03) members.push(pick(random, members))
    return `{${members.join(',')}}`
  }
  return `${blank()}${write(value)}${blank()}`
}

const ALPHABET = Buffer.from('{}[]",:\\ 0123456789.eE-+tfn\u0000\u007f\n')

function damaged(bytes: Buffer, random: Random): Buffer {
  const at = random() < 0.1 ? bytes.length : Math.floor(random() * bytes.length)
  const code = random() < 0.1 ? 128 + Math.floor(random() * 128) : ALPHABET[Math.floor(random() * ALPHABET.length)] as number
  const kind = random()
  return Buffer.concat([bytes.subarray(0, at), kind < 0.3 ? Buffer.alloc(0) : Buffer.from([code]), bytes.subarray(kind < 0.6 ? at + 1 : at)])
}

test('what is scanned means what the same bytes mean when they are looked at closely', (t) => {
  const { counts, differs } = compare({ QuestionScanner }, BODIES, SEED)
  t.diagnostic(`seed ${SEED}: ${JSON.stringify(counts)}`)
  assert.equal(differs, null)
  assert.ok(counts.scanned > BODIES / 5 && counts.refused > BODIES / 5 && counts.left > BODIES / 5 && counts.plain > BODIES / 8, JSON.stringify(counts))
})

const FILE = 'scan-question.ts'
const TWINS: { readonly [name: string]: Sabotage } = {
  'an attribute given twice is read': { file: FILE, from: ' || fields.has(name)) return null', to: ') return null' },
  'an action given twice is read': { file: FILE, from: 'if (action !== null || (action', to: 'if ((action' },
  'a clock is believed': { file: FILE, from: '(isClock && isOfContext) || ', to: '' },
  'long integers are rounded': { file: FILE, from: 'digits > DIGITS_MAX || ', to: '' },
  'integers begin with a zero': { file: FILE, from: ' || (digits > 1 && bytes[from] === ZERO)', to: '' },
  'bytes beyond ASCII are characters': { file: FILE, from: 'code > 0x7e || ', to: '' },
  'escapes are characters': { file: FILE, from: ' || code === BACKSLASH', to: '' },
  'what follows the question is passed over': { file: FILE, from: 'const isOver = this.#at === this.#bytes.length', to: 'const isOver = true' },
  'an id that is none of its type’s is read': { file: FILE, from: 'type.ids === null || unknownId(this.#schema, uid) === null', to: 'type.ids === null || true' },
  'a type that does not fit the action is read': { file: FILE, from: ' || !fitting.includes(type.name)', to: '' },
  'one entity described twice is two': { file: FILE, from: 'if (described.length === 2 && principal.equals(target)) return null', to: '' },
  'a minus is passed over': { file: FILE, from: 'isNegative && value !== 0 ? -value : value', to: 'value' },
  'a promised attribute of a record may be absent': { file: FILE, from: ' || !shape.promised.every((name) => fields.has(name))', to: '' },
  'a long string is read': { file: FILE, from: 'at - from > CHARACTERS_MAX ? null : hash', to: 'hash' },
  'a text is that of another': { file: 'texts.ts', from: 'if (bytes[i] !== known[k]) return false', to: 'if (bytes[i] !== known[k] && i < to - 1) return false' },
}

test('a twin with nothing broken is not caught', async () => {
  const twin = await importTwin<Scanners>('src/core/decision/', ['scan-question.ts'], { file: FILE, from: 'const LEVELS_MAX = 20', to: 'const LEVELS_MAX = 21' }, 'none')
  assert.equal(compare(twin, 5_000, SEED).differs, null)
})

for (const [name, sabotage] of Object.entries(TWINS)) {
  test(`the sabotage twin is caught: ${name}`, async () => {
    const twin = await importTwin<Scanners>('src/core/decision/', ['scan-question.ts'], sabotage, name)
    assert.notEqual(compare(twin, 40_000, SEED).differs, null)
  })
}

test('a batch is read question by question, each with its bytes; what is more than questions is not', () => {
  const scanner = new QuestionScanner(parseSchema(CLOCKED))
  const one = { subject: { type: 'User', id: 'ana' }, action: { name: 'write' }, resource: { type: 'Team', id: 't' }, context: { n: 1 } }
  const batch = (text: string, most = 3) => scanner.batch(Buffer.from(text), most, { now: () => NOW })
  const text = `{"evaluations": [ ${JSON.stringify(one)}, ${JSON.stringify({ ...one, context: { n: 2 } })}]}`
  const read = batch(text)
  assert.deepEqual(read?.map(({ from, to }) => (JSON.parse(text.slice(from, to)) as typeof one).context.n), [1, 2])
  assert.deepEqual(read?.map(({ question }) => question.context.get('n')), [1, 2])
  const others = [`{"evaluations":[]}`, `{"evaluations":[${JSON.stringify(one)}],"options":{}}`, `{"context":{},"evaluations":[${JSON.stringify(one)}]}`, `{"evaluations":[${JSON.stringify(one)},]}`, `{"evaluations":[${JSON.stringify(one)}]`, `{"evaluations":[${JSON.stringify(one)}]} x`]
  for (const other of others) assert.equal(batch(other), null, other)
  assert.equal(batch(text, 1), null)
})

test('an entity that says more than which it is, however deep, is left to be looked at closely', () => {
  const scanner = new QuestionScanner(parseSchema('entity User { manager?: User }; action read appliesTo { principal: [User], resource: [User] };'))
  const [levels, user] = [20_000, '{"type":"User","id":"a"}']
  const nested = [
    `${'{"type":"User","id":"a","properties":{"manager":'.repeat(levels)}${user}${'}}'.repeat(levels)}`,
    `${'{"properties":{"manager":'.repeat(levels)}${user}${'},"type":"User","id":"a"}'.repeat(levels)}`,
  ]
  for (const subject of nested) assert.equal(scanner.one(Buffer.from(`{"subject":${subject},"action":{"name":"read"},"resource":${user}}`), { now: () => NOW }), null)
})

test('attributes that JSON writes with an escape are left to be looked at closely: without it the same bytes mean others', () => {
  const scanner = new QuestionScanner(parseSchema(String.raw`entity User; action read appliesTo { principal: [User], resource: [User], context: { "a\":1,\"b"?: Long, "x\\ty"?: Long, n?: Long } };`))
  for (const context of [String.raw`{"a":1,"b":2}`, String.raw`{"x\ty":1}`, String.raw`{"n":1,"x\ty":1}`]) {
    const text = `{"subject":{"type":"User","id":"a"},"action":{"name":"read"},"resource":{"type":"User","id":"b"},"context":${context}}`
    assert.equal(scanner.one(Buffer.from(text), { now: () => NOW }), null, context)
  }
})
