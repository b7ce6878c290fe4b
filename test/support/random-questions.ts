import type { Expression, Uid } from '#core/policy/expression.ts'
import type { ActionScope, Rule, Scope } from '#core/policy/policy.ts'
import { pick, type Random } from '#core/proof/random-world.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'

/**
 * Rules over the whole of Cedar's language, mostly but not always well typed, with entities and requests that know no schema: attributes may
 * be absent or of another type, entities missing, integers beyond 2⁵³ (as bigint).
 */
export type Questions = { readonly rules: readonly Rule[]; readonly entities: readonly CedarEntity[]; readonly requests: readonly RandomRequest[] }
export type RandomRequest = { readonly principal: Uid; readonly action: Uid; readonly resource: Uid; readonly context: { readonly [name: string]: unknown } }

type Kind = 'bool' | 'long' | 'string' | 'entity' | 'entities' | 'longs' | 'mixed' | 'record' | 'ip' | 'decimal' | 'datetime' | 'duration'
const KINDS: readonly Kind[] = ['bool', 'long', 'string', 'entity', 'entities', 'longs', 'mixed', 'record', 'ip', 'decimal', 'datetime', 'duration']

const LONGS = ['0', '1', '-1', '2', '3', '7', '-9', '9007199254740991', '9007199254740992', '9007199254740993', '-9007199254740993', '3037000500', '4611686018427387904', '9223372036854775807', '-9223372036854775808']
const STRINGS = ['', 'a', 'b', 'ab', 'aab', 'aba', 'a*b', '*', 'a😀b', '😀', 'é', 'e\u0301', 'abcabcabcabd', 'abcabcabcabcabd', 'a\nb\0']
const PIECES = ['a', 'b', 'ab', 'ba', '😀', '*', 'abcabcabcabd', 'é', '']
const IPS = ['127.0.0.1', '10.0.0.1', '10.0.0.0/8', '10.0.0.1/8', '10.1.2.3/32', '0.0.0.0/0', '126.0.0.0/7', '224.0.0.0/4', '239.1.2.3', '224.0.0.0/3', '::1', '::', '::/0', 'ff00::/8', 'ff02::1', '2001:db8::/32', '2001:DB8:0:0:0:0:0:1', '1:2:3:4:5:6:7::', '::1/127', '10.0.0.1/33', '010.0.0.1', '::ffff:1.2.3.4', '1::2::3']
const DECIMALS = ['0.0', '-0.0', '1.0', '1.00', '1.0000', '-1.5', '922337203685477.5807', '-922337203685477.5808', '922337203685477.5808', '1.', '.5', '1.00001', '+1.0', '00.1']
const DATETIMES = ['1970-01-01', '1969-12-31', '2024-02-29', '2023-02-29', '2024-01-01T23:59:59Z', '1969-12-31T23:59:59.999Z', '2024-01-01T00:00:00.001+0100', '2024-01-01T00:00:00-2359', '2024-01-01T24:00:00Z', '0000-01-01', '9999-12-31T23:59:59.999Z', '2024-1-1', '2024-01-01T00:00:00+2400']
const DURATIONS = ['0ms', '1ms', '-1ms', '1d', '-1d', '1d12h', '25h', '90s', '-90s', '1d2h3m4s5ms', '106751991167d', '106751991168d', '9223372036854775807ms', '-9223372036854775808ms', '1h1d', '', '-', '1m1ms', '1ms1s']

const IDS = ['a', 'b', 'c']
const TYPES = ['U', 'G', 'N::D']
const FIELDS: readonly (readonly [string, Kind])[] = [
  ['flag', 'bool'], ['count', 'long'], ['name', 'string'], ['owner', 'entity'], ['groups', 'entities'], ['numbers', 'longs'], ['mixed', 'mixed'], ['inner', 'record'],
  ['from', 'ip'], ['rate', 'decimal'], ['at', 'datetime'], ['span', 'duration'], ['odd one', 'string'],
]

export function randomQuestions(random: Random, requests: number): Questions {
  const entities = randomEntities(random)
  return { rules: randomRules(random), entities, requests: Array.from({ length: requests }, () => randomRequest(random)) }
}

function randomUid(random: Random): Uid {
  return { type: pick(random, TYPES), id: pick(random, IDS) }
}

function randomRequest(random: Random): RandomRequest {
  return {
    principal: random() < 0.95 ? randomUid(random) : { type: 'U', id: 'nobody' },
    action: { type: 'Action', id: pick(random, ['view', 'edit', 'all']) },
    resource: randomUid(random),
    context: randomFields(random, 2),
  }
}

function randomEntities(random: Random): readonly CedarEntity[] {
  const actions: CedarEntity[] = random() < 0.8 ? ['view', 'edit'].map((id) => ({ uid: { type: 'Action', id }, attrs: {}, parents: random() < 0.7 ? [{ type: 'Action', id: 'all' }] : [] })) : []
  const uids = TYPES.flatMap((type) => IDS.map((id) => ({ uid: { type, id }, rank: random() }))).sort((a, b) => a.rank - b.rank).map(({ uid }) => uid)
  const rest = uids.flatMap((uid, i): CedarEntity[] => {
    if (random() < 0.2) return []
    // Parents come later in this order, so that nothing is above itself; some of them are missing.
    const parents = uids.slice(i + 1).filter(() => random() < 0.25)
    const tags = random() < 0.5 ? {} : Object.fromEntries(STRINGS.filter(() => random() < 0.3).map((tag) => [tag, randomJson(random, pick(random, KINDS), 1)]))
    return [{ uid, attrs: randomFields(random, 2), parents, ...(Object.keys(tags).length === 0 ? {} : { tags }) }]
  })
  return [...actions, ...rest]
}

function randomFields(random: Random, depth: number): { readonly [name: string]: unknown } {
  const present = FIELDS.filter(() => random() < 0.85)
  return Object.fromEntries(present.map(([name, kind]) => [name, randomJson(random, random() < 0.05 ? pick(random, KINDS) : kind, depth)]))
}

function randomJson(random: Random, kind: Kind, depth: number): unknown {
  const list = (of: Kind) => Array.from({ length: Math.floor(random() * 4) }, () => randomJson(random, of, depth - 1))
  const extension = (fn: string, texts: readonly string[]) => ({ __extn: { fn, arg: pick(random, texts.filter((text) => IS_VALUE.has(`${fn} ${text}`))) } })
  switch (kind) {
    case 'bool': return random() < 0.5
    case 'long': {
      const digits = pick(random, LONGS)
      return Number.isSafeInteger(Number(digits)) ? Number(digits) : BigInt(digits)
    }
    case 'string': return pick(random, STRINGS)
    case 'entity': return { __entity: randomUid(random) }
    case 'entities': return list('entity')
    case 'longs': return list('long')
    case 'mixed': return list(pick(random, depth > 0 ? KINDS : ['string', 'bool']))
    case 'record': return depth <= 0 ? {} : Object.fromEntries(FIELDS.filter(() => random() < 0.3).map(([name, of]) => [name, randomJson(random, of, depth - 1)]))
    case 'ip': return extension('ip', IPS)
    case 'decimal': return extension('decimal', DECIMALS)
    case 'datetime': return random() < 0.2
      ? { __extn: { fn: 'offset', args: [extension('datetime', DATETIMES), { __extn: { fn: 'duration', arg: pick(random, ['1ms', '-400000d', '1d']) } }] } }
      : extension('datetime', DATETIMES)
    case 'duration': return extension('duration', DURATIONS)
  }
}

/** Of the texts above, those that say a value, which entities must have; as Cedar's documentation has it, not as our reader does. */
const IS_VALUE: ReadonlySet<string> = new Set([
  ...IPS.slice(0, -4).map((text) => `ip ${text}`),
  ...['0.0', '-0.0', '1.0', '1.00', '1.0000', '-1.5', '922337203685477.5807', '-922337203685477.5808', '00.1'].map((text) => `decimal ${text}`),
  ...['1970-01-01', '1969-12-31', '2024-02-29', '2024-01-01T23:59:59Z', '1969-12-31T23:59:59.999Z', '2024-01-01T00:00:00.001+0100', '2024-01-01T00:00:00-2359', '0000-01-01', '9999-12-31T23:59:59.999Z'].map((text) => `datetime ${text}`),
  ...DURATIONS.slice(0, 11).map((text) => `duration ${text}`), 'duration 9223372036854775807ms', 'duration -9223372036854775808ms',
])

function randomRules(random: Random): readonly Rule[] {
  const { bool } = writer(random)
  const uid = () => randomUid(random)
  const scope = (): Scope => {
    const roll = random()
    if (roll < 0.7) return { kind: 'any' }
    if (roll < 0.75) return { kind: 'eq', uid: uid() }
    if (roll < 0.85) return { kind: 'in', uid: uid() }
    return { kind: 'is', type: pick(random, TYPES), in: random() < 0.5 ? uid() : null }
  }
  const action = (id: string): Uid => ({ type: 'Action', id })
  const actionScope = (): ActionScope => {
    const roll = random()
    if (roll < 0.75) return { kind: 'any' }
    return roll < 0.85 ? { kind: 'eq', uid: action(pick(random, ['view', 'edit'])) } : { kind: 'in', uids: ['all', 'edit'].filter(() => random() < 0.7).map(action) }
  }
  const bodies = (odds: number, max: number) => (random() < odds ? Array.from({ length: 1 + Math.floor(random() * max) }, () => bool(2 + Math.floor(random() * 2))) : [])
  return Array.from({ length: 4 + Math.floor(random() * 9) }, (_, i): Rule => ({
    // A rule whose effect does not prevail says nothing of itself: most are permits.
    id: `rule${i}`, effect: random() < 0.9 ? 'permit' : 'forbid', annotations: {},
    principal: scope(), action: actionScope(), resource: scope(), when: bodies(0.95, 2), unless: bodies(0.3, 1),
  }))
}

/** Writes expressions of a type, now and then of another one than was asked for. */
function writer(random: Random): { readonly bool: (depth: number) => Expression } {
  const chance = (probability: number) => random() < probability
  const of = (wanted: Kind, depth: number): Expression => {
    const kind = chance(0.03) ? pick(random, KINDS) : wanted
    if (depth <= 0 || chance(0.15)) return leaf(kind)
    if (chance(0.06)) return { kind: 'if', condition: of('bool', depth - 1), then: of(kind, depth - 1), else: of(kind, depth - 1) }
    return made(kind, depth - 1) ?? leaf(kind)
  }
  const call = (name: string, ...args: readonly Expression[]): Expression => ({ kind: 'call', name, args })
  const text = (value: string): Expression => ({ kind: 'string', value })

  const owner = (depth: number): Expression => {
    const roll = random()
    if (roll < 0.3) return { kind: 'var', name: 'principal' }
    if (roll < 0.5) return { kind: 'var', name: 'resource' }
    if (roll < 0.75) return { kind: 'var', name: 'context' }
    if (roll < 0.8) return { kind: 'var', name: 'action' }
    return of(chance(0.5) ? 'entity' : 'record', depth - 1)
  }
  const leaf = (kind: Kind): Expression => {
    const names = FIELDS.filter(([, of]) => of === kind).map(([name]) => name)
    if (chance(0.55)) return { kind: 'get', of: { kind: 'var', name: pick(random, ['principal', 'resource', 'context']) }, attribute: chance(0.95) ? pick(random, names) : pick(random, FIELDS)[0] }
    return literal(kind)
  }
  const literal = (kind: Kind): Expression => {
    const set = (of: Kind): Expression => ({ kind: 'set', items: Array.from({ length: Math.floor(random() * 4) }, () => leaf(of)) })
    switch (kind) {
      case 'bool': return { kind: 'bool', value: chance(0.5) }
      case 'long': return { kind: 'long', value: pick(random, LONGS) }
      case 'string': return text(pick(random, STRINGS))
      case 'entity': return chance(0.5) ? { kind: 'var', name: pick(random, ['principal', 'action', 'resource']) } : { kind: 'entity', uid: randomUid(random) }
      case 'entities': return set('entity')
      case 'longs': return set('long')
      case 'mixed': return set(pick(random, ['bool', 'string', 'entities', 'longs', 'decimal', 'record']))
      case 'record': return chance(0.5) ? { kind: 'var', name: 'context' } : { kind: 'record', fields: Object.fromEntries(FIELDS.filter(() => chance(0.3)).map(([name, of]) => [name, literal(of)])) }
      case 'ip': return call('ip', text(pick(random, IPS)))
      case 'decimal': return call('decimal', text(pick(random, DECIMALS)))
      case 'datetime': return call('datetime', text(pick(random, DATETIMES)))
      case 'duration': return call('duration', text(pick(random, DURATIONS)))
    }
  }
  const made = (kind: Kind, depth: number): Expression | null => {
    switch (kind) {
      case 'bool': return truth(depth)
      case 'long': {
        if (chance(0.15)) return { kind: 'neg', of: of('long', depth) }
        if (chance(0.25)) return call(pick(random, ['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays']), of('duration', depth))
        return { kind: pick(random, ['add', 'sub', 'mul']), left: of('long', depth), right: of('long', depth) }
      }
      case 'datetime': return chance(0.5) ? call('offset', of('datetime', depth), of('duration', depth)) : call('toDate', of('datetime', depth))
      case 'duration': return chance(0.5) ? call('durationSince', of('datetime', depth), of('datetime', depth)) : call('toTime', of('datetime', depth))
      case 'ip':
      case 'decimal': return call(kind, of('string', 0))
      case 'entities': return { kind: 'set', items: Array.from({ length: Math.floor(random() * 3) }, () => of('entity', depth)) }
      case 'string': return { kind: 'getTag', left: of('entity', depth), right: of('string', 0) }
      default: {
        const names = FIELDS.filter(([, each]) => each === kind).map(([name]) => name)
        return { kind: 'get', of: owner(depth), attribute: pick(random, names) }
      }
    }
  }
  const truth = (depth: number): Expression => {
    const pair = (kind: Kind) => ({ left: of(kind, depth), right: of(kind, depth) })
    switch (pick(random, ['and', 'or', 'not', 'eq', 'eq', 'order', 'in', 'is', 'has', 'has', 'guard', 'guard', 'contains', 'sets', 'isEmpty', 'like', 'ip', 'decimal', 'tag'])) {
      case 'and': return { kind: 'and', ...pair('bool') }
      case 'or': return { kind: 'or', ...pair('bool') }
      case 'not': return { kind: 'not', of: of('bool', depth) }
      case 'eq': return { kind: pick(random, ['eq', 'neq']), ...pair(pick(random, KINDS)) }
      case 'order': return { kind: pick(random, ['less', 'lessEq', 'greater', 'greaterEq']), ...pair(pick(random, ['long', 'long', 'datetime', 'duration'])) }
      case 'in': return { kind: 'in', left: of('entity', depth), right: of(chance(0.4) ? 'entities' : 'entity', depth) }
      case 'is': return { kind: 'is', of: of('entity', depth), type: pick(random, TYPES), in: chance(0.5) ? of(chance(0.3) ? 'entities' : 'entity', depth) : null }
      case 'has': return { kind: 'has', of: owner(depth), attribute: pick(random, FIELDS)[0] }
      case 'guard': {
        const [subject, [attribute, kind]] = [owner(depth), pick(random, FIELDS)]
        const got: Expression = { kind: 'get', of: subject, attribute }
        return { kind: 'and', left: { kind: 'has', of: subject, attribute }, right: kind === 'bool' ? got : { kind: 'eq', left: got, right: of(kind, depth) } }
      }
      case 'contains': {
        const [whole, part] = pick(random, [['entities', 'entity'], ['longs', 'long'], ['mixed', pick(random, KINDS)]] as const)
        return { kind: 'contains', left: of(whole, depth), right: of(part, depth) }
      }
      case 'sets': return { kind: pick(random, ['containsAll', 'containsAny']), ...pair(pick(random, ['entities', 'longs', 'mixed'])) }
      case 'isEmpty': return { kind: 'isEmpty', of: of(pick(random, ['entities', 'longs', 'mixed']), depth) }
      case 'like': return { kind: 'like', of: of('string', depth), pattern: Array.from({ length: Math.floor(random() * 6) }, () => (chance(0.45) ? null : pick(random, PIECES))).filter((part) => part !== '') }
      case 'ip': return chance(0.5) ? call('isInRange', of('ip', depth), of('ip', depth)) : call(pick(random, ['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast']), of('ip', depth))
      case 'decimal': return call(pick(random, ['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual']), of('decimal', depth), of('decimal', depth))
      default: return { kind: 'hasTag', left: of('entity', depth), right: of('string', 0) }
    }
  }
  return { bool: (depth) => of('bool', depth) }
}
