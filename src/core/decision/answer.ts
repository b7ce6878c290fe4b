import type { Failure, Problem } from '#core/failure.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { ActiveRevision } from '#core/revision/active.ts'
import type { Authorize, Decision } from './decide.ts'
import { decideByCedar } from './decide-by-cedar.ts'
import { DescribedEntities } from './described-entities.ts'
import type { EntityStore } from './entity-store.ts'
import { Evaluator } from './evaluator.ts'
import type { Question, ReadQuestion } from './question.ts'
import { readForCedar, readForEvaluator, requestOf } from './read-question.ts'
import type { Value } from './value.ts'

export type { Question } from './question.ts'

/** What the decision point replies; the context is the same for every kind of yes and no. */
export type Reply = {
  readonly decision: boolean
  readonly context: {
    /** The number of the revision that decided; null when nothing is active. */
    readonly revision: number | null
    readonly verdict: Decision['verdict']
    readonly determining: readonly { readonly rule: string; readonly sentence: string | null }[]
    /** By language. */
    readonly reason_admin: { readonly en: string }
    readonly reason_user: { readonly en: string }
    readonly obligations: readonly string[]
    /** What a rule reads and nobody supplied. */
    readonly missing: readonly string[]
    /** Places in the question that the schema does not know: no rule can read them. */
    readonly ignored: readonly string[]
  }
}

/** By what a question is decided: what is active (null: nothing, and everything is denied), the entities, the time. */
export type Ground = {
  readonly application: string
  readonly active: ActiveRevision | null
  readonly entities: EntityStore
  /** The same whenever it is asked. */
  readonly now: () => Date
}

/** What decides: the rules of a revision, compiled. */
export type Decides = Pick<Evaluator, 'decide'>

const FOR_USERS: { readonly [verdict in Decision['verdict']]: string } = {
  permitted: 'This is allowed.',
  forbidden: 'A rule forbids this.',
  not_permitted: 'No rule allows this.',
  error: 'It could not be decided whether this is allowed, so it is not.',
}

/**
 * Answers a question from what is active, the entities and what the question itself brings along, failing closed.
 *
 * Properties are attributes of that entity for this question only, and go before what is stored; null says that it has none. An action's properties are attributes of
 * the context, as Cedar's actions have none. What `@concept("now")` marks is filled in here.
 *
 * @param place How the question is called in problems, e.g. `body`.
 * @param decides Null: the rules of what is active, compiled.
 * @throws {Failure} REQUEST_MALFORMED with every place, when the schema does not know the type or the action, or a value is not of its type.
 */
export function answer(question: Question, { application, active, entities, now }: Ground, place: string, decides: Decides | null = null): Answer {
  if (active === null) return worded(nothingActive(application))
  return answerRead(readForEvaluator(question, active.schema, now(), place), active, entities, decides)
}

/** The same for a question that was read already. */
export function answerRead(read: ReadQuestion<Value>, active: ActiveRevision, entities: EntityStore, decides: Decides | null = null): Answer {
  const stored = entities.readBy(active.schema)
  const decision = (decides ?? evaluatorOf(active.policies)).decide(requestOf(read), read.described.length === 0 ? stored : new DescribedEntities(stored, read.described))
  return answerOf(decision, active, read.ignored)
}

/** The same, by Cedar's engine: see {@link decideByCedar}. */
export function answerByCedar(question: Question, { application, active, entities, now }: Ground, authorize: Authorize, place: string): Answer {
  if (active === null) return worded(nothingActive(application))
  const { policies, schema } = active
  const read = readForCedar(question, schema, now(), place)
  return worded(replyOf(decideByCedar(read, { policies, schema, stored: entities }, authorize), active, read.ignored))
}

/** A reply, and the same as the JSON text that goes out. */
export type Answer = { readonly reply: Reply; readonly text: string }

export function worded(reply: Reply): Answer {
  return { reply, text: JSON.stringify(reply) }
}

/** Most decisions are among few, which whoever decides shares between questions: what is replied to those is put into words once. */
function answerOf(decision: Decision, active: ActiveRevision, ignored: readonly string[]): Answer {
  if (ignored.length > 0 || !Object.isFrozen(decision)) return worded(replyOf(decision, active, ignored))
  const known = answers.get(decision)
  if (known?.active === active) return known.answer
  const made = { active, answer: worded(replyOf(decision, active, ignored)) }
  answers.set(decision, made)
  return made.answer
}
const answers = new WeakMap<Decision, { readonly active: ActiveRevision; readonly answer: Answer }>()

/** The rules of a policy set, compiled once. */
export function evaluatorOf(policies: PolicySet): Evaluator {
  const known = compiled.get(policies)
  if (known !== undefined) return known
  const made = new Evaluator(policies.rules)
  compiled.set(policies, made)
  return made
}
const compiled = new WeakMap<PolicySet, Evaluator>()

function nothingActive(application: string): Reply {
  return {
    decision: false,
    context: {
      revision: null, verdict: 'not_permitted', determining: [], obligations: [], missing: [], ignored: [],
      reason_admin: { en: `nothing is active for the application \`${application}\`, so everything is denied: activate a revision` },
      reason_user: { en: FOR_USERS.not_permitted },
    },
  }
}

/** The reply to a question within a batch that cannot be answered: a deny that says why. */
export function refusal(failure: Failure, active: ActiveRevision | null): Reply & { readonly context: { readonly error: { readonly status: 400; readonly message: string; readonly problems: readonly Problem[] } } } {
  return {
    decision: false,
    context: {
      revision: active?.revision ?? null, verdict: 'error', determining: [], obligations: [], missing: [], ignored: [],
      reason_admin: { en: failure.message }, reason_user: { en: FOR_USERS.error },
      error: { status: 400, message: failure.message, problems: failure.problems },
    },
  }
}

function replyOf({ decision, verdict, determining, obligations, errors, missing }: Decision, { revision, sentenceOf, withdrawn }: ActiveRevision, ignored: readonly string[]): Reply {
  const rules = determining.toSorted().map((rule) => ({ rule, sentence: sentenceOf.get(rule) ?? null }))
  const said = rules.map(({ rule, sentence }) => (sentence === null ? rule : `${rule} (“${sentence}”)`)).join(', ')
  const reason = {
    permitted: `permitted by ${said}`,
    forbidden: `forbidden by ${said}`,
    not_permitted: withdrawn.length === 0 ? 'no rule permits it' : `no rule permits it; what rests on the revoked ${withdrawn.map((id) => `certificate ${id}`).join(', ')} permits no more`,
    // A rule that fails over what is missing says nothing new.
    error: missing.length > 0 ? `missing: ${missing.join(', ')}; store it, or send it with the question`
      : errors.map(({ rule, message }) => (rule === '' ? message : `${rule} could not be evaluated: ${message}`)).join('; '),
  }[verdict]
  return {
    decision: decision === 'allow',
    context: { revision, verdict, determining: rules, reason_admin: { en: reason }, reason_user: { en: FOR_USERS[verdict] }, obligations, missing, ignored },
  }
}
