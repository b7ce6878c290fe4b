import { childrenOf, type BinaryKind, type Expression, type Uid } from '#core/policy/expression.ts'
import { renamed, type Rule } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { pick, type Random } from '#core/proof/random-world.ts'

/** One way in which a candidate can be wrong: the rules with one such fault in them; null where there is nothing to break in this way. */
export type FaultClass = { readonly id: string; readonly what: string; readonly inject: (rules: readonly Rule[], schema: Schema, random: Random) => readonly Rule[] | null }

const FLIPPED: { readonly [kind in BinaryKind]?: BinaryKind } = { less: 'greater', greater: 'less', lessEq: 'greaterEq', greaterEq: 'lessEq', eq: 'neq', neq: 'eq' }
const NEAR: { readonly [kind in BinaryKind]?: BinaryKind } = { less: 'lessEq', lessEq: 'less', greater: 'greaterEq', greaterEq: 'greater' }

/** In the order in which they are reported. What one makes need not be valid, nor mean anything else: both is judged by whoever asked. */
export const FAULT_CLASSES: readonly FaultClass[] = [
  { id: 'wrong-effect', what: 'a permit is a forbid, or the other way round', inject: (rules, _, random) => changed(rules, random, (rule) => [{ ...rule, effect: rule.effect === 'permit' ? 'forbid' : 'permit' }]) },
  { id: 'dropped-condition', what: 'a condition is gone', inject: (rules, _, random) => changed(rules, random, droppedConditions) },
  { id: 'widened-scope', what: 'a principal, an action or a resource is not asked for any more', inject: (rules, _, random) => changed(rules, random, widened) },
  { id: 'flipped-comparison', what: 'less is greater, equal is unequal', inject: (rules, _, random) => changedExpression(rules, random, (node) => binary(node, FLIPPED)) },
  { id: 'off-by-one', what: 'a bound is one more or less, or itself in or out', inject: (rules, _, random) => changedExpression(rules, random, (node) => (node.kind === 'long' ? [{ ...node, value: String(BigInt(node.value) + 1n) }, { ...node, value: String(BigInt(node.value) - 1n) }] : binary(node, NEAR))) },
  { id: 'wrong-attribute', what: 'another attribute is read', inject: (rules, schema, random) => changedExpression(rules, random, (node) => (node.kind === 'get' ? attributesIn(schema).filter((name) => name !== node.attribute).map((attribute) => ({ ...node, attribute })) : [])) },
  { id: 'missing-negation', what: 'a not is gone, or an unless is a when', inject: (rules, _, random) => changedExpression(rules, random, (node) => (node.kind === 'not' ? [node.of] : node.kind === 'neq' ? [{ ...node, kind: 'eq' }] : [])) ?? changed(rules, random, ({ unless, ...rule }) => (unless.length === 0 ? [] : [{ ...rule, when: [...rule.when, ...unless], unless: [] }])) },
  { id: 'and-or', what: 'and is or, or the other way round', inject: (rules, _, random) => changedExpression(rules, random, (node) => binary(node, { and: 'or', or: 'and' })) },
  { id: 'extra-rule', what: 'a rule more: one of another action, or one without its conditions', inject: (rules, schema, random) => {
    const [rule, action] = [pick(random, rules), pick(random, [...schema.actions.values()])]
    return [...rules, random() < 0.5 ? { ...renamed(rule, fresh(rules)), action: { kind: 'eq', uid: action.uid } } : { ...renamed(rule, fresh(rules)), when: [], unless: [] }]
  } },
  { id: 'dropped-rule', what: 'a rule is gone', inject: (rules, _, random) => (rules.length < 2 ? null : without(rules, pick(random, rules))) },
  { id: 'swapped-entity', what: 'another entity is named', inject: (rules, schema, random) => {
    const inScopes = changed(rules, random, (rule) => renamedScopes(rule, rules, schema))
    const inConditions = changedExpression(rules, random, (node) => (node.kind === 'entity' ? othersOf(node.uid, rules, schema).map((uid) => ({ ...node, uid })) : []))
    return random() < 0.5 ? inScopes ?? inConditions : inConditions ?? inScopes
  } },
  { id: 'contradictory-pair', what: 'a rule stands beside its opposite', inject: (rules, _, random) => {
    const rule = pick(random, rules)
    return [...rules, { ...rule, id: fresh(rules), effect: rule.effect === 'permit' ? 'forbid' : 'permit', annotations: {} }]
  } },
  { id: 'silent-truncation', what: 'the rest of the rules is not there', inject: (rules, _, random) => (rules.length < 2 ? null : rules.slice(0, 1 + Math.floor(random() * (rules.length - 1)))) },
  { id: 'lost-obligation', what: 'what a permit demands is not said', inject: (rules, _, random) => changed(rules, random, ({ annotations: { obligation, ...annotations }, ...rule }) => (obligation === undefined ? [] : [{ ...rule, annotations }])) },
]

/** One rule is another one; null when no rule can be changed so. */
function changed(rules: readonly Rule[], random: Random, variants: (rule: Rule) => readonly Rule[]): readonly Rule[] | null {
  const possible = rules.flatMap((rule, i) => variants(rule).map((variant) => ({ i, variant })))
  if (possible.length === 0) return null
  const { i, variant } = pick(random, possible)
  return rules.with(i, variant)
}

/** One node of some condition is another one. */
function changedExpression(rules: readonly Rule[], random: Random, variants: (node: Expression) => readonly Expression[]): readonly Rule[] | null {
  const within = (list: readonly Expression[]): readonly (readonly Expression[])[] => list.flatMap((each, i) => replacements(each, variants).map((made) => list.with(i, made)))
  return changed(rules, random, (rule) => [...within(rule.when).map((when) => ({ ...rule, when })), ...within(rule.unless).map((unless) => ({ ...rule, unless }))])
}

/** The expression with one of its nodes replaced, in every way there is. */
function replacements(expression: Expression, variants: (node: Expression) => readonly Expression[]): readonly Expression[] {
  const inside = childrenOf(expression).flatMap((child, i) => replacements(child, variants).map((made) => withChild(expression, i, made)))
  return [...variants(expression), ...inside]
}

/** Children are numbered as {@link childrenOf} lists them. */
function withChild(expression: Expression, at: number, child: Expression): Expression {
  switch (expression.kind) {
    case 'bool': case 'long': case 'string': case 'entity': case 'var': return expression
    case 'get': case 'has': case 'not': case 'neg': case 'isEmpty': case 'like': return { ...expression, of: child }
    case 'is': return at === 0 ? { ...expression, of: child } : { ...expression, in: child }
    case 'if': return { ...expression, [(['condition', 'then', 'else'] as const)[at] as 'then']: child }
    case 'set': return { ...expression, items: expression.items.with(at, child) }
    case 'record': return { ...expression, fields: Object.fromEntries(Object.entries(expression.fields).map(([name, each], i) => [name, i === at ? child : each])) }
    case 'call': return { ...expression, args: expression.args.with(at, child) }
    default: return at === 0 ? { ...expression, left: child } : { ...expression, right: child }
  }
}

function binary(node: Expression, kinds: { readonly [kind in BinaryKind]?: BinaryKind }): readonly Expression[] {
  const kind = 'left' in node ? kinds[node.kind] : undefined
  return kind === undefined ? [] : [{ ...node, kind } as Expression]
}

function droppedConditions(rule: Rule): readonly Rule[] {
  const without = (list: readonly Expression[]): readonly (readonly Expression[])[] => list.flatMap((each, i) => [list.toSpliced(i, 1), ...(each.kind === 'and' ? [list.with(i, each.left), list.with(i, each.right)] : [])])
  return [...without(rule.when).map((when) => ({ ...rule, when })), ...without(rule.unless).map((unless) => ({ ...rule, unless }))]
}

function widened(rule: Rule): readonly Rule[] {
  const made: Rule[] = []
  for (const side of ['principal', 'resource'] as const) {
    const scope = rule[side]
    if (scope.kind === 'is' && scope.in !== null) made.push({ ...rule, [side]: { ...scope, in: null } })
    if (scope.kind !== 'any') made.push({ ...rule, [side]: { kind: 'any' } })
  }
  if (rule.action.kind !== 'any') made.push({ ...rule, action: { kind: 'any' } })
  return made
}

function renamedScopes(rule: Rule, rules: readonly Rule[], schema: Schema): readonly Rule[] {
  return (['principal', 'resource'] as const).flatMap((side): readonly Rule[] => {
    const scope = rule[side]
    if (scope.kind === 'any') return []
    if (scope.kind === 'is') return scope.in === null ? [] : othersOf(scope.in, rules, schema).map((uid) => ({ ...rule, [side]: { ...scope, in: uid } }))
    return othersOf(scope.uid, rules, schema).map((uid) => ({ ...rule, [side]: { ...scope, uid } }))
  })
}

/** Other entities of a type that the rules or the schema name; one that nobody names where there is none. */
function othersOf({ type, id }: Uid, rules: readonly Rule[], schema: Schema): readonly Uid[] {
  const named = new Set<string>(schema.entityTypes.get(type)?.ids ?? [])
  const look = (expression: Expression): void => {
    if (expression.kind === 'entity' && expression.uid.type === type) named.add(expression.uid.id)
    for (const child of childrenOf(expression)) look(child)
  }
  for (const { principal, resource, when, unless } of rules) {
    for (const scope of [principal, resource]) {
      const uid = scope.kind === 'any' ? null : scope.kind === 'is' ? scope.in : scope.uid
      if (uid?.type === type) named.add(uid.id)
    }
    for (const expression of [...when, ...unless]) look(expression)
  }
  named.delete(id)
  return named.size === 0 ? [{ type, id: `${id}x` }] : [...named].map((other) => ({ type, id: other }))
}

function attributesIn(schema: Schema): readonly string[] {
  const shapes = [...[...schema.entityTypes.values()].map(({ shape }) => shape), ...[...schema.actions.values()].map(({ context }) => context)]
  return [...new Set(shapes.flatMap(({ attributes }) => Object.keys(attributes)))]
}

function without(rules: readonly Rule[], gone: Rule): readonly Rule[] {
  return rules.filter((rule) => rule !== gone)
}

function fresh(rules: readonly Rule[]): string {
  const ids = new Set(rules.map(({ id }) => id))
  for (let i = rules.length; ; i++) if (!ids.has(`extra${i}`)) return `extra${i}`
}
