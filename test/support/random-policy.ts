import { parsePolicies } from '#adapters/cedar/cedar.ts'
import { Failure } from '#core/failure.ts'
import { all, any, not, type Expression } from '#core/policy/expression.ts'
import type { ActionScope, PolicySet, Rule, Scope } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Environment, RecordType, Schema, Type } from '#core/policy/schema.ts'
import { pick, POOL, type Random } from '#core/proof/random-world.ts'
import { idsOf, sortOf } from '#core/proof/values.ts'

/** A schema's text: a few entity types in a hierarchy, an enumerated one, attributes of every type the prover knows, two actions in a group. */
export function randomSchemaText(random: Random): string {
  const types = ['T0', 'T1', 'T2', 'T3'].slice(0, 2 + Math.floor(random() * 3))
  const flat = (): string => pick(random, ['Bool', 'Long', 'String', 'String', 'Kind', ...EXTENSIONS, ...types])
  const type = (depth: number): string => {
    const roll = random()
    if (roll < 0.15) return `Set<${flat()}>`
    if (roll < 0.25 && depth > 0) return `Set<${pick(random, [`Set<${flat()}>`, record(depth - 1), '{ a: Long, b?: String }', '{ a: Long, b: datetime }', 'Long', 'duration'])}>`
    return roll < 0.4 && depth > 0 ? record(depth - 1) : flat()
  }
  const record = (depth: number): string => {
    const fields = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, i) => `f${i}${random() < 0.35 ? '?' : ''}: ${type(depth)}`)
    return `{ ${fields.join(', ')} }`
  }
  const entities = types.map((name, i) => {
    const above = types.filter((_, j) => (j > i && random() < 0.5) || (j === i && random() < 0.2))
    return `entity ${name}${above.length === 0 ? '' : ` in [${above.join(', ')}]`} ${record(2)}${random() < 0.5 ? ` tags ${type(1)}` : ''};`
  })
  const some = () => { const chosen = types.filter(() => random() < 0.5); return chosen.length === 0 ? [pick(random, types)] : chosen }
  const action = (name: string) => `action ${name} in [group] appliesTo { principal: [${some().join(', ')}], resource: [${some().join(', ')}], context: ${record(1)} };`
  return ['entity Kind enum ["a", "k"];', ...entities, 'action group;', action('act'), action('do')].join('\n')
}

const PATTERNS: readonly (readonly (string | null)[])[] = [['x', null], [null, 'x'], [null, 'y', null], ['x', null, 'x'], ['y*x'], [null, '*', null], [null], ['😀', null], [null, 'x', null, 'x', null]]
const EXTENSIONS = ['decimal', 'datetime', 'duration', 'ipaddr']

/** What can be read in an environment: an expression, its type, and what must be asked first because it is optional. */
type Access = { readonly expression: Expression; readonly type: Type; readonly guards: readonly Expression[] }

/** Writes expressions that have a type in one environment. @param carelessness How often an optional attribute is read without asking. */
export function writer(schema: Schema, environment: Environment, random: Random, carelessness: number) {
  const accesses = readable(schema, environment)
  const same = (a: Type, b: Type): boolean => sortOf(a) === sortOf(b) && a.kind === b.kind && (a.kind !== 'extension' || a.name === (b as { name: string }).name)
  const entityTypes = [...schema.entityTypes.values()]
  const chance = (probability: number) => random() < probability
  const call = (name: string, ...args: readonly Expression[]): Expression => ({ kind: 'call', name, args })

  const literal = (type: Type): Expression => {
    switch (type.kind) {
      case 'bool': return { kind: 'bool', value: chance(0.5) }
      case 'long': return { kind: 'long', value: pick(random, POOL.longs) }
      case 'string': return { kind: 'string', value: pick(random, POOL.strings) }
      case 'entity': return { kind: 'entity', uid: { type: type.name, id: pick(random, idsOf(schema, type.name) ?? POOL.idsOf(type.name)) } }
      case 'set': return { kind: 'set', items: Array.from({ length: 1 + Math.floor(random() * 2) }, () => literal(type.element)) }
      case 'record': return { kind: 'record', fields: Object.fromEntries(Object.entries(type.attributes).map(([name, attribute]) => [name, literal(attribute.type)])) }
      case 'extension': return call(type.name === 'ipaddr' ? 'ip' : type.name, { kind: 'string', value: pick(random, POOL.extensions[type.name] ?? []) })
    }
  }
  /** Whether a literal of the type is of exactly this type: one of a record with an optional attribute is not. */
  const isWritable = (type: Type): boolean =>
    type.kind === 'set' ? isWritable(type.element) : type.kind !== 'record' || Object.values(type.attributes).every(({ type: own, required }) => required && isWritable(own))
  const extension = (name: string): Type => ({ kind: 'extension', name })
  /** Expressions of a type that methods make of others. */
  const computed = (type: Type, depth: number, guards: Expression[]): Expression | null => {
    const of = (name: string) => value(extension(name), depth - 1, guards)
    if (type.kind === 'long') return call(pick(random, ['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays']), of('duration'))
    if (type.kind !== 'extension') return null
    if (type.name === 'datetime') return chance(0.5) ? call('toDate', of('datetime')) : call('offset', of('datetime'), of('duration'))
    if (type.name === 'duration') return chance(0.5) ? call('toTime', of('datetime')) : call('durationSince', of('datetime'), of('datetime'))
    return null
  }
  const value = (type: Type, depth: number, guards: Expression[]): Expression => {
    const found = accesses.filter((each) => same(each.type, type))
    if (depth > 0 && chance(0.12)) return { kind: 'if', condition: bool(depth - 1), then: value(type, depth - 1, guards), else: value(type, depth - 1, guards) }
    if (depth > 0 && chance(0.3)) {
      const made = computed(type, depth, guards)
      if (made !== null && (type.kind !== 'long' || chance(0.4))) return made
    }
    if (type.kind === 'long' && depth > 0 && chance(0.5)) {
      if (chance(0.2)) return { kind: 'neg', of: value(type, depth - 1, guards) }
      const kind = pick(random, ['add', 'sub', 'mul'] as const)
      // Products of two attributes are left to a test of their own: the solver may not decide them.
      return { kind, left: value(type, depth - 1, guards), right: kind === 'mul' ? { kind: 'long', value: pick(random, ['2', '-3', '4611686018427387904']) } : value(type, depth - 1, guards) }
    }
    if (type.kind === 'record' && depth > 0 && isWritable(type) && chance(0.5)) {
      return { kind: 'record', fields: Object.fromEntries(Object.entries(type.attributes).map(([name, attribute]) => [name, value(attribute.type, depth - 1, guards)])) }
    }
    if (type.kind === 'set' && isWritable(type) && chance(0.25)) return { kind: 'set', items: [value(type.element, depth - 1, guards), literal(type.element)] }
    if (found.length === 0 || (isWritable(type) && chance(0.2))) return literal(type)
    const access = pick(random, found)
    guards.push(...access.guards)
    return access.expression
  }
  const guarded = (make: (guards: Expression[]) => Expression): Expression => {
    const guards: Expression[] = []
    const expression = make(guards)
    return chance(carelessness) ? expression : all([...guards, expression])
  }
  const flat = (): Type => pick(random, [{ kind: 'bool' }, { kind: 'long' }, { kind: 'string' }, ...EXTENSIONS.map(extension), ...entityTypes.map(({ name }) => ({ kind: 'entity', name }) as const)])
  const ofKind = (kind: Type['kind']) => accesses.filter(({ type }) => type.kind === kind)

  const atom = (depth: number): Expression => {
    switch (pick(random, ['bool', 'eq', 'order', 'in', 'has', 'set', 'set', 'in', 'order', 'is', 'record', 'order', 'order', 'like', 'like', 'extension', 'extension', 'tag'])) {
      case 'eq': {
        const type = chance(0.15) && ofKind('set').length > 0 ? pick(random, ofKind('set')).type : flat()
        return guarded((guards) => ({ kind: pick(random, ['eq', 'neq'] as const), left: value(type, depth, guards), right: value(type, depth, guards) }))
      }
      case 'record': {
        const records = ofKind('record').filter(({ type }) => Object.keys((type as RecordType).attributes).length > 0)
        if (records.length === 0) return literal({ kind: 'bool' })
        const [a, b] = [pick(random, records), pick(random, records)]
        // Records of one shape only: comparing others is refused by Cedar's strict validation.
        return guarded((guards) => { guards.push(...a.guards, ...b.guards); return { kind: 'eq', left: a.expression, right: JSON.stringify(a.type) === JSON.stringify(b.type) ? b.expression : a.expression } })
      }
      case 'order': return guarded((guards) => {
        const type: Type = chance(0.7) ? { kind: 'long' } : extension(pick(random, ['datetime', 'duration']))
        return { kind: pick(random, ['less', 'lessEq', 'greater', 'greaterEq'] as const), left: value(type, depth, guards), right: value(type, depth, guards) }
      })
      case 'like': return guarded((guards) => ({ kind: 'like', of: value({ kind: 'string' }, depth, guards), pattern: pick(random, PATTERNS) }))
      case 'extension': return guarded((guards) => {
        const of = (name: string) => value(extension(name), depth, guards)
        if (chance(0.3)) return call(pick(random, ['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual']), of('decimal'), of('decimal'))
        return chance(0.5) ? call('isInRange', of('ipaddr'), of('ipaddr')) : call(pick(random, ['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast']), of('ipaddr'))
      })
      case 'tag': {
        const tagged = accesses.filter(({ type }) => type.kind === 'entity' && (schema.entityTypes.get(type.name)?.tags ?? null) !== null)
        if (tagged.length === 0) return literal({ kind: 'bool' })
        const { expression, guards: before } = pick(random, tagged)
        return guarded((guards) => { guards.push(...before); return { kind: 'hasTag', left: expression, right: value({ kind: 'string' }, depth, guards) } })
      }
      case 'in': return guarded((guards) => {
        const from = pick(random, ofKind('entity'))
        guards.push(...from.guards)
        const above = schema.entityTypes.get((from.type as { name: string }).name)?.ancestors ?? []
        const to: Type = { kind: 'entity', name: above.length > 0 && chance(0.85) ? pick(random, above) : (from.type as { name: string }).name }
        return { kind: 'in', left: from.expression, right: chance(0.35) ? value({ kind: 'set', element: to }, depth, guards) : value(to, depth, guards) }
      })
      case 'is': {
        const of = pick(random, ofKind('entity'))
        const type = pick(random, entityTypes).name
        const above = schema.entityTypes.get(type)?.ancestors ?? []
        return guarded((guards) => { guards.push(...of.guards); return { kind: 'is', of: of.expression, type, in: above.length > 0 && chance(0.5) ? literal({ kind: 'entity', name: pick(random, above) }) : null } })
      }
      case 'has': {
        const optional = accesses.filter(({ expression }) => expression.kind === 'get')
        if (optional.length === 0) return literal({ kind: 'bool' })
        const access = pick(random, optional)
        const { of, attribute } = access.expression as Expression & { kind: 'get' }
        // Its own guard is this very question; the ones before it belong to what it is asked of.
        return guarded((guards) => { guards.push(...access.guards.filter((guard) => JSON.stringify(guard) !== JSON.stringify({ kind: 'has', of, attribute }))); return { kind: 'has', of, attribute } })
      }
      case 'set': {
        const type: Type = chance(0.8) && ofKind('set').length > 0 ? pick(random, ofKind('set')).type : { kind: 'set', element: flat() }
        return guarded((guards) => {
          const left = value(type, depth, guards)
          switch (pick(random, ['contains', 'containsAll', 'containsAny', 'isEmpty', 'eq'] as const)) {
            case 'contains': return { kind: 'contains', left, right: value((type as { element: Type }).element, depth, guards) }
            case 'containsAll': return { kind: 'containsAll', left, right: value(type, depth, guards) }
            case 'containsAny': return { kind: 'containsAny', left, right: value(type, depth, guards) }
            case 'isEmpty': return { kind: 'isEmpty', of: left }
            case 'eq': return { kind: 'eq', left, right: value(type, depth, guards) }
          }
        })
      }
      default: return guarded((guards) => value({ kind: 'bool' }, depth, guards))
    }
  }
  const bool = (depth: number): Expression => {
    if (depth <= 0 || chance(0.3)) return atom(Math.max(depth, 0))
    switch (pick(random, ['and', 'or', 'not', 'if', 'atom'])) {
      case 'and': return { kind: 'and', left: bool(depth - 1), right: bool(depth - 1) }
      case 'or': return { kind: 'or', left: bool(depth - 1), right: bool(depth - 1) }
      case 'not': return not(bool(depth - 1))
      case 'if': return { kind: 'if', condition: bool(depth - 1), then: bool(depth - 1), else: bool(depth - 1) }
      default: return atom(depth)
    }
  }
  return { bool, literal }
}

function readable(schema: Schema, { principal, action, resource }: Environment): readonly Access[] {
  const found: Access[] = []
  const visit = (access: Access, depth: number): void => {
    found.push(access)
    const { expression, type, guards } = access
    if (depth === 0) return
    const record = type.kind === 'record' ? type : type.kind === 'entity' ? schema.entityTypes.get(type.name)?.shape : undefined
    for (const [attribute, { type: own, required }] of Object.entries(record?.attributes ?? {})) {
      const guard: Expression = { kind: 'has', of: expression, attribute }
      visit({ expression: { kind: 'get', of: expression, attribute }, type: own, guards: required ? guards : [...guards, guard] }, depth - 1)
    }
    const tags = type.kind === 'entity' ? schema.entityTypes.get(type.name)?.tags ?? null : null
    for (const key of tags === null ? [] : ['x', 'yes']) {
      const [left, right] = [expression, { kind: 'string', value: key } as const]
      visit({ expression: { kind: 'getTag', left, right }, type: tags as Type, guards: [...guards, { kind: 'hasTag', left, right }] }, depth - 1)
    }
  }
  visit({ expression: { kind: 'var', name: 'principal' }, type: { kind: 'entity', name: principal }, guards: [] }, 3)
  visit({ expression: { kind: 'var', name: 'resource' }, type: { kind: 'entity', name: resource }, guards: [] }, 3)
  visit({ expression: { kind: 'var', name: 'context' }, type: schema.actions.get(action)?.context ?? { kind: 'record', attributes: {} }, guards: [] }, 3)
  return found
}

/** Rules for one environment, mostly confined to it by their scopes, and permits more often than prohibitions. */
export function randomRules(schema: Schema, environment: Environment, random: Random, options: { readonly count: number; readonly depth?: number; readonly carelessness?: number }): readonly Rule[] {
  const { bool, literal } = writer(schema, environment, random, options.carelessness ?? 0)
  const scope = (type: string): Scope => {
    const above = schema.entityTypes.get(type)?.ancestors ?? []
    const group = above.length > 0 ? (literal({ kind: 'entity', name: pick(random, above) }) as Expression & { kind: 'entity' }).uid : null
    const roll = random()
    if (roll < 0.15) return { kind: 'eq', uid: (literal({ kind: 'entity', name: type }) as Expression & { kind: 'entity' }).uid }
    if (roll < 0.3 && group !== null) return { kind: 'is', type, in: group }
    return { kind: 'is', type, in: null }
  }
  const uid = schema.actions.get(environment.action)?.uid ?? { type: 'Action', id: '' }
  const actionScope = (): ActionScope => (random() < 0.7 ? { kind: 'eq', uid } : { kind: 'in', uids: [uid] })
  return Array.from({ length: options.count }, (_, i): Rule => ({
    id: `rule${i}`,
    effect: random() < 0.65 ? 'permit' : 'forbid',
    annotations: random() < 0.3 ? { obligation: pick(random, ['log', 'notify', 'log, notify']) } : {},
    principal: scope(environment.principal),
    action: actionScope(),
    resource: scope(environment.resource),
    when: random() < 0.9 ? [bool(options.depth ?? 2)] : [],
    unless: random() < 0.25 ? [bool(1)] : [],
  }))
}

/** What Cedar's parser reads from the text of random rules; null when strict validation refuses them. */
export function validated(rules: readonly Rule[], schema: Schema): PolicySet | null {
  try {
    return parsePolicies(renderRules(rules), schema)
  } catch (error) {
    if (error instanceof Failure && error.code === 'POLICY_INVALID') return null
    throw error
  }
}
