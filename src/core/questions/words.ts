import { list, spaced, verb } from '#core/policy/english.ts'
import { childrenOf, type Expression } from '#core/policy/expression.ts'
import { uidText, type Rule } from '#core/policy/policy.ts'
import type { RecordType, Schema } from '#core/policy/schema.ts'
import type { Counterexample } from '#core/proof/proof.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'

/** What rules look at: the names of attributes and tags, and whether what an entity is in matters. */
export type Regard = { readonly attributes: ReadonlySet<string>; readonly hierarchy: boolean }

/** What the rules look at that can apply to a request like this one. */
export function regardOf(rules: readonly Rule[], request: Pick<Counterexample, 'principal' | 'action' | 'resource'>, schema: Schema): Regard {
  return regardOfAll(rules.filter((rule) => canApply(rule, request, schema)))
}

function canApply({ principal, action, resource }: Rule, request: Pick<Counterexample, 'principal' | 'action' | 'resource'>, schema: Schema): boolean {
  const isOf = (scope: Rule['principal'], uid: string) => scope.kind !== 'is' || scope.type === uidOf(uid).type
  const named = action.kind === 'any' ? [] : action.kind === 'eq' ? [action.uid] : action.uids
  const meant = [request.action, ...(schema.actions.get(request.action)?.ancestors ?? [])]
  return isOf(principal, request.principal) && isOf(resource, request.resource) && (action.kind === 'any' || named.some((uid) => meant.includes(uidText(uid))))
}

function regardOfAll(rules: readonly Rule[]): Regard {
  const attributes = new Set<string>()
  let hierarchy = false
  const visit = (expression: Expression): void => {
    if (expression.kind === 'get' || expression.kind === 'has') attributes.add(expression.attribute)
    if ((expression.kind === 'getTag' || expression.kind === 'hasTag') && expression.right.kind === 'string') attributes.add(expression.right.value)
    if (expression.kind === 'in' || (expression.kind === 'is' && expression.in !== null)) hierarchy = true
    childrenOf(expression).forEach(visit)
  }
  for (const { principal, resource, when, unless } of rules) {
    if ([principal, resource].some((scope) => scope.kind === 'in' || (scope.kind === 'is' && scope.in !== null))) hierarchy = true
    for (const body of [...when, ...unless]) visit(body)
  }
  return { attributes, hierarchy }
}

/** What is given of each thing in a request, as far as rules look at it: `chart “chart1” (sealed: yes)`. */
export function factsOf({ principal, resource, action, context, entities }: Counterexample, schema: Schema, regard: Regard): readonly string[] {
  const rank = ({ uid }: CedarEntity) => (uidText(uid) === principal ? 0 : uidText(uid) === resource ? 1 : 2)
  const things = [...entities].sort((a, b) => rank(a) - rank(b) || (uidText(a.uid) < uidText(b.uid) ? -1 : 1))
  const ofThings = things.flatMap(({ uid, attrs, parents, tags }) => {
    const shape = schema.entityTypes.get(uid.type)?.shape
    const said = [
      ...(shape === undefined ? [] : attributeFacts(attrs, shape, regard)),
      ...Object.entries(tags ?? {}).filter(([key]) => regard.attributes.has(key)).map(([key, value]) => `${key}: ${valueIn(value)}`),
      ...(regard.hierarchy && parents.length > 0 ? [`in ${list(parents.map(thing), 'and')}`] : []),
    ]
    return said.length === 0 ? [] : [`${thing(uid)} (${said.join(', ')})`]
  })
  const shape = schema.actions.get(action)?.context
  const ofRequest = shape === undefined ? [] : attributeFacts(context, shape, regard)
  return [...ofThings, ...(ofRequest.length === 0 ? [] : [`the request (${ofRequest.join(', ')})`])]
}

/** A request as a yes-or-no question: `Given chart “chart1” (sealed: yes): may doctor “doctor1” view chart “chart1”?` */
export function askInWords(request: Counterexample, facts: readonly string[], schema: Schema): string {
  const { principal, action, resource } = request
  const [who, what] = [uidOf(principal), uidOf(resource)]
  const does = verb(spaced(schema.actions.get(action)?.uid.id ?? action), [what.type])
  const question = `may ${thing(who)} ${does} ${principal === resource ? 'itself' : thing(what)}?`
  return facts.length === 0 ? `${question.charAt(0).toUpperCase()}${question.slice(1)}` : `Given ${list(facts, 'and')}: ${question}`
}

function attributeFacts(values: { readonly [name: string]: unknown }, shape: RecordType, regard: Regard): readonly string[] {
  return Object.entries(shape.attributes).flatMap(([name, { type }]) => {
    const isThere = Object.hasOwn(values, name)
    const inside = type.kind === 'record' && isThere ? attributeFacts(values[name] as { readonly [name: string]: unknown }, type, regard) : []
    if (inside.length > 0) return [`${spaced(name)}: ${inside.join(', ')}`]
    if (!regard.attributes.has(name)) return []
    return [isThere ? `${spaced(name)}: ${valueIn(values[name])}` : `no ${spaced(name)}`]
  })
}

function valueIn(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'string') return `“${value}”`
  if (Array.isArray(value)) return value.length === 0 ? 'none' : list(value.map(valueIn), 'and')
  if (typeof value !== 'object' || value === null) return String(value)
  const { __entity: entity, __extn: extension } = value as { __entity?: CedarEntity['uid']; __extn?: { arg: string } }
  if (entity !== undefined) return thing(entity)
  if (extension !== undefined) return extension.arg
  return list(Object.entries(value).map(([name, each]) => `${spaced(name)} ${valueIn(each)}`), 'and')
}

function thing({ type, id }: { readonly type: string; readonly id: string }): string {
  return `${spaced(type)} “${id}”`
}

/** Of our own counterexamples, whose ids are quoted as JSON quotes them but for what does not print. */
function uidOf(text: string): { readonly type: string; readonly id: string } {
  const at = text.indexOf('::"')
  return { type: text.slice(0, at), id: text.slice(at + 3, -1).replace(/\\(u\{([0-9a-f]+)\}|.)/g, (_, char: string, code?: string) => (code === undefined ? char : String.fromCodePoint(Number.parseInt(code, 16)))) }
}
