import { uidText } from '#core/policy/policy.ts'
import type { ActiveRevision } from '#core/revision/active.ts'
import type { Uid } from '#core/policy/expression.ts'
import { evaluatorOf, type Ground, type Question, type Reply } from './answer.ts'
import { conclude, type Authorize, type Decision } from './decide.ts'
import { sliceOf, type Slice } from './decide-by-cedar.ts'
import { DescribedEntities } from './described-entities.ts'
import type { Evaluation } from './evaluator.ts'
import { readForCedar, readForEvaluator, requestOf } from './read-question.ts'

/** A question that was answered, decided once more by our evaluator, and what Cedar's engine needs in order to decide it too. */
export type Repetition = {
  /** Under Cedar's semantics. */
  readonly evaluation: Evaluation
  /** As the decision point must decide. */
  readonly decision: Decision
  readonly slice: Slice
  /** Principal and resource, as far as nothing is known of them. */
  readonly absent: readonly string[]
}

type CedarAnswer = ReturnType<Authorize>

/**
 * Decides an answered question again, on the entities as they are now: only as long as they are what they were does it say anything about the
 * answer.
 */
export function repeat(question: Question, { active, entities, now }: Ground & { readonly active: ActiveRevision }, place: string): Repetition {
  const { policies, schema } = active
  const read = readForEvaluator(question, schema, now(), place)
  const { principal, resource, described } = read
  const request = requestOf(read)
  const found = new DescribedEntities(entities.readBy(schema), described)
  const evaluator = evaluatorOf(policies)
  const inJson = readForCedar(question, schema, now(), place)
  // Asked of what is stored itself, not of how the evaluator reads it.
  const isKnown = (uid: Uid) => entities.get(uid) !== null || described.some((each) => uidText(each.uid) === uidText(uid)) || (schema.entityTypes.get(uid.type)?.ids ?? null) !== null
  return {
    evaluation: evaluator.evaluate(request, found), decision: evaluator.decide(request, found), slice: sliceOf(inJson, { policies, schema, stored: entities }),
    absent: [principal, resource].filter((uid) => !isKnown(uid)).map(uidText),
  }
}

/**
 * In what an answer and Cedar's own disagree, in words; empty: in nothing.
 *
 * Two things must hold. Under Cedar's semantics our evaluator says what Cedar says: the decision, what determined it, which rules failed. And what
 * was answered follows from that by the fail-closed rule, so that Cedar may allow what is denied here, and never the other way round. Where
 * something is missing, the evaluator denies when it reads it; it may not have had to, which {@link Slice} cannot know.
 */
export function differences({ decision: isAllowed, context: answered }: Reply, { evaluation, decision, slice, absent }: Repetition, cedar: CedarAnswer, { policies }: Pick<ActiveRevision, 'policies'>): readonly string[] {
  const found: string[] = []
  const compare = (what: string, ours: string, theirs: string) => { if (ours !== theirs) found.push(`${what}: ${ours || 'nothing'} here, ${theirs || 'nothing'} by Cedar`) }
  compare('the decision under Cedar’s semantics', evaluation.decision, cedar.decision)
  compare('the determining rules under Cedar’s semantics', listed(evaluation.determining), listed(cedar.determining))
  compare('the rules that fail', listed(evaluation.errors.map(({ rule }) => rule)), listed(cedar.errors.map(({ rule }) => rule)))

  const given = said({ ...answered, determining: answered.determining.map(({ rule }) => rule) })
  const follows = said(conclude(policies, cedar, []))
  const mayBeInDoubt = slice.missing.length + slice.unusable.length > 0
  if (given !== follows && !(answered.verdict === 'error' && mayBeInDoubt)) found.push(`answered was ${given}, and ${follows} follows from what Cedar says`)
  if (given !== said(decision)) found.push(`answered was ${given}, and the evaluator says ${said(decision)}`)
  if (answered.verdict !== 'error' && absent.length > 0) found.push(`answered was ${given}, though nothing is known of ${absent.join(' and ')}`)
  if (isAllowed !== (answered.verdict === 'permitted')) found.push(`answered was ${isAllowed ? 'yes' : 'no'} together with ${given}`)
  return found
}

function said({ verdict, determining, obligations }: Pick<Decision, 'verdict' | 'determining' | 'obligations'>): string {
  return `${verdict}${determining.length === 0 ? '' : ` by ${listed(determining)}`}${obligations.length === 0 ? '' : ` with ${listed(obligations)}`}`
}

function listed(names: readonly string[]): string {
  return names.toSorted().join(', ')
}
