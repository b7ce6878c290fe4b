import type { Uid } from '#core/policy/expression.ts'
import type { Schema } from '#core/policy/schema.ts'
import { readQuestion, type NamedAction, type Question, type ReadQuestion } from './question.ts'
import type { Request } from './situation.ts'
import { QuestionScanner } from './scan-question.ts'
import { CEDAR_JSON } from './typed-json.ts'
import { EntityValue, equals, type Value } from './value.ts'
import { recordOf, VALUES } from './value-build.ts'

/** A question as the evaluator reads it. @throws {Failure} as {@link readQuestion}. */
export function readForEvaluator(question: Question, schema: Schema, now: Date, place: string): ReadQuestion<Value> {
  return readQuestion(question, schema, now.getTime(), place, VALUES, equals)
}

/** What reads questions for the evaluator straight from their bytes, where they are plain. */
export function scannerOf(schema: Schema): QuestionScanner {
  const known = scanners.get(schema)
  if (known !== undefined) return known
  const made = new QuestionScanner(schema)
  scanners.set(schema, made)
  return made
}
const scanners = new WeakMap<Schema, QuestionScanner>()

/** The same question as Cedar's engine reads it. @throws {Failure} as {@link readQuestion}. */
export function readForCedar(question: Question, schema: Schema, now: Date, place: string): ReadQuestion<unknown> {
  return readQuestion<unknown>(question, schema, now.getTime(), place, CEDAR_JSON, (a, b) => JSON.stringify(a) === JSON.stringify(b))
}

export function requestOf({ principal, action, resource, context }: ReadQuestion<Value>): Request {
  return { principal: entityOf(principal), action: actionValue(action), resource: entityOf(resource), context: recordOf(context, action.action.context, 'context') }
}

function entityOf(uid: Uid): EntityValue {
  return uid instanceof EntityValue ? uid : new EntityValue(uid.type, uid.id)
}

const actionValues = new WeakMap<NamedAction, EntityValue>()
function actionValue(action: NamedAction): EntityValue {
  const known = actionValues.get(action)
  if (known !== undefined) return known
  const { type, id } = action.action.uid
  const made = new EntityValue(type, id)
  actionValues.set(action, made)
  return made
}
