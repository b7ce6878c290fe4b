import type { Expression, Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import type { Counterexample } from '#core/proof/proof.ts'
import type { Norm } from '#core/unit/norm.ts'
import { choicesOf, combinations, optionsAtMost, type Choice } from './choices.ts'
import { ABSENT, isMadeOfParts, keyOf, literalOf, NoClasses, placeOf, textOf, type Chosen, type Place, type Value } from './place.ts'
import { sceneOf, type Scene } from './scene.ts'

/**
 * What norms decide, tabulated over the attributes that they mention: a row for each combination of classes of values that they can tell apart,
 * with a request of that class. Worked out from the norms themselves, without rules, without Cedar and without the prover.
 */
export type DecisionTable = {
  readonly rows: readonly Row[]
  /** Kinds of request that are not tabulated, each with the reason: the norms mention too much there, or what has no classes. */
  readonly leftOut: readonly { readonly environment: Environment; readonly because: string }[]
}

export type Row = {
  /** What distinguishes the row, e.g. `context.amount: 501`; what is absent is null. */
  readonly values: { readonly [place: string]: unknown }
  /** A request of this class, with its entities. What the norms do not mention has the plainest value of its type. */
  readonly request: Counterexample
  readonly decision: 'allow' | 'deny'
  /** For an allow, sorted. */
  readonly obligations: readonly string[]
  /** Ids of the norms that speak of this request. */
  readonly norms: readonly string[]
}

/** So many rows for one kind of request, and for all together: what is larger nobody can read, and checking it is no longer cheap. */
export const ROWS_MAX = { perEnvironment: 256, all: 768 }

/** Tabulates norms. Cost: microseconds a row; nothing for the same norms a moment later. */
export function tabulate(norms: readonly Norm[], schema: Schema): DecisionTable {
  const key = `${schema.digest} ${JSON.stringify(norms)}`
  const known = tables.get(key)
  if (known !== undefined) return known
  if (tables.size >= TABLES_MAX) tables.delete(tables.keys().next().value as string)
  const made = tabulateAll(norms, schema)
  tables.set(key, made)
  return made
}

/** One generation asks for the same table to measure, to show its norms, and to have it certified. */
const tables = new Map<string, DecisionTable>()
const TABLES_MAX = 16

function tabulateAll(norms: readonly Norm[], schema: Schema): DecisionTable {
  const rows: Row[] = []
  const leftOut: { environment: Environment; because: string }[] = []
  for (const environment of schema.environments) {
    const concerned = norms.filter((norm) => concerns(norm, environment, schema))
    const made = tabulateOne(concerned, environment, schema)
    if (typeof made === 'string') leftOut.push({ environment, because: made })
    else if (rows.length + made.length > ROWS_MAX.all) leftOut.push({ environment, because: `the table would have more than ${ROWS_MAX.all} rows` })
    else rows.push(...made)
  }
  return { rows, leftOut }
}

/** Whether a norm can speak of requests of this kind. */
export function concerns({ principals, actions, resources }: Norm, { principal, action, resource }: Environment, schema: Schema): boolean {
  const groups = schema.actions.get(action)?.ancestors ?? []
  return (
    (principals.length === 0 || principals.includes(principal)) &&
    (resources.length === 0 || resources.includes(resource)) &&
    (actions.length === 0 || actions.some((uid) => uidText(uid) === action || groups.includes(uidText(uid))))
  )
}

function tabulateOne(norms: readonly Norm[], environment: Environment, schema: Schema): readonly Row[] | string {
  try {
    const choices = choicesOf(norms, environment, schema)
    const size = choices.reduce((product, choice) => product * optionsAtMost(choice, schema), 1)
    if (size > ROWS_MAX.perEnvironment) return `the norms can tell ${size} classes of requests apart there, and at most ${ROWS_MAX.perEnvironment} are tabulated`
    const rows: Row[] = []
    for (const chosen of combinations(choices, schema)) {
      const scene = sceneOf(choices, chosen, environment, schema)
      if (scene !== null) rows.push(rowOf(norms, choices, chosen, scene))
    }
    return rows
  } catch (error) {
    if (error instanceof NoClasses) return error.message
    throw error
  }
}

function rowOf(norms: readonly Norm[], choices: readonly Choice[], chosen: readonly Chosen[], scene: Scene): Row {
  const speaking = norms.filter(({ when, unless }) => (when === null || holds(when, scene)) && (unless === null || !holds(unless, scene)))
  const has = (modality: Norm['modality']) => speaking.some((norm) => norm.modality === modality)
  const isAllowed = has('permit') && !has('forbid')
  const values = choices.map((choice, i): [string, unknown] | null => {
    const value = chosen[i] as Chosen
    const said = value === ABSENT ? null : typeof value === 'object' || typeof value === 'bigint' ? textOf(value) : value
    return choice.kind !== 'place' ? [choice.kind === 'in' ? `${keyOf(choice.low)} in ${keyOf(choice.high)}` : `${choice.set.key} contains ${keyOf(choice.element)}`, said]
      : isMadeOfParts(choice.type) && value !== ABSENT ? null : [choice.place.key, said]
  })
  return {
    values: Object.fromEntries(values.filter((each) => each !== null)),
    request: scene.request,
    decision: isAllowed ? 'allow' : 'deny',
    obligations: isAllowed ? [...new Set(speaking.flatMap(({ modality, obligation }) => (modality === 'oblige' && obligation !== null ? [obligation] : [])))].sort() : [],
    norms: speaking.map(({ id }) => id),
  }
}

/** @throws {NoClasses} for what the norms do not guard: where an attribute that is absent is read, nothing is meant. */
function holds(expression: Expression, scene: Scene): boolean {
  const value = (of: Expression): Value => {
    const place = placeOf(of)
    const found = place === null ? literalOf(of) : scene.read(place)
    if (found === ABSENT) throw new NoClasses(`\`${keyOf(of)}\` is read there where it can be absent`)
    return found
  }
  const isEqual = (left: Expression, right: Expression) => textOf(value(left)) === textOf(value(right))
  const isIn = (low: Expression, high: Expression): boolean => (high.kind === 'set' ? high.items.some((item) => isIn(low, item)) : scene.isIn(value(low) as Uid, value(high) as Uid))
  const order = (left: Expression, right: Expression) => (value(left) as bigint) - (value(right) as bigint)
  switch (expression.kind) {
    case 'bool': return expression.value
    case 'and': return holds(expression.left, scene) && holds(expression.right, scene)
    case 'or': return holds(expression.left, scene) || holds(expression.right, scene)
    case 'not': return !holds(expression.of, scene)
    case 'if': return holds(expression.condition, scene) ? holds(expression.then, scene) : holds(expression.else, scene)
    case 'get': return value(expression) === true
    case 'has': return scene.read(placeOf({ kind: 'get', of: expression.of, attribute: expression.attribute }) as Place) !== ABSENT
    case 'eq': return isEqual(expression.left, expression.right)
    case 'neq': return !isEqual(expression.left, expression.right)
    case 'less': return order(expression.left, expression.right) < 0n
    case 'lessEq': return order(expression.left, expression.right) <= 0n
    case 'greater': return order(expression.left, expression.right) > 0n
    case 'greaterEq': return order(expression.left, expression.right) >= 0n
    case 'in': return isIn(expression.left, expression.right)
    case 'is': {
      const { type } = value(expression.of) as Uid
      return type === expression.type && (expression.in === null || isIn(expression.of, expression.in))
    }
    case 'contains': {
      const wanted = textOf(value(expression.right))
      const items = expression.left.kind === 'set' ? expression.left.items.map(value) : value(expression.left) as readonly Value[]
      return items.some((item) => textOf(item) === wanted)
    }
    default: throw new NoClasses(`the norms say something there that has no classes of values (\`${expression.kind}\`)`)
  }
}
