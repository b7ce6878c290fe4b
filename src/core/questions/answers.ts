import { z } from 'zod'
import { Failure, type Problem } from '#core/failure.ts'
import { malformed } from '#core/json.ts'
import { parseInput } from '#core/parse.ts'
import { answerName } from '#core/unit/example.ts'
import { EntityBody, EXAMPLES_MAX, GenerateBody, QuestionBody } from '#core/unit/request.ts'
import type { Question } from './question.ts'

/** What an author says to one question. */
export const AnswerBody = z.strictObject({
  question: z.string().max(100).describe('Its `id`'),
  decision: z.enum(['allow', 'deny']),
  obligations: z.array(z.string().min(1).max(200)).max(20).optional().describe('Where the question names obligations and the answer is allow: those of them that must be done'),
})
export type AnswerBody = z.infer<typeof AnswerBody>

const StoredQuestion = z.object({
  id: z.string(), words: z.string(), request: QuestionBody.omit({ entities: true }), entities: z.array(EntityBody), obligations: z.array(z.string()),
})
/** Of a stored generation, as much as asks something; of an older one there is nothing. */
const Stored = z.object({
  inquiry: z.object({ kind: z.string(), question: StoredQuestion.optional(), atMost: z.int().optional() }).nullish(),
  normExamples: z.array(z.object({ kind: z.string(), norm: z.string(), question: StoredQuestion.optional() })).optional(),
})

/** A question of a generation, and what it is about: one norm (by its id) that it would confirm, or the meaning of the text, with how many questions can still come. */
export type Asked = { readonly about: { readonly atMost: number | null } | { readonly norm: string }; readonly question: Question }

/** What a stored generation asks its author: first what would settle its meaning. */
export function questionsIn(evidence: unknown): readonly Asked[] {
  const { inquiry, normExamples = [] } = Stored.parse(evidence)
  return [
    ...(inquiry?.question === undefined ? [] : [{ about: { atMost: inquiry.atMost ?? null }, question: inquiry.question }]),
    ...normExamples.flatMap(({ norm, question }) => (question === undefined ? [] : [{ about: { norm }, question }])),
  ]
}

/**
 * The request of a generation once its author has answered: the answers are examples of it from then on, and it says which generation it revises.
 *
 * @throws {Failure} `NOT_FOUND` for what is not asked; `CONFLICT` (answered) for what was answered before; `EXAMPLES_CONTRADICT` for two answers to
 *   one question; `REQUEST_MALFORMED` when obligations are missing or were not asked for.
 */
export function withAnswers(generation: { readonly id: string; readonly request: unknown; readonly evidence: unknown }, answers: readonly AnswerBody[]): GenerateBody {
  const asked = questionsIn(generation.evidence).map(({ question }) => question)
  const before = parseInput(GenerateBody, generation.request, 'request')
  const problems: Problem[] = []
  const examples = answers.flatMap((answer, i) => {
    const place = `body.answers[${i}]`
    const name = answerName(answer.question)
    const earlier = answers.slice(0, i).find(({ question }) => question === answer.question)
    if (earlier !== undefined && !isSame(earlier, answer)) throw new Failure('EXAMPLES_CONTRADICT', `question \`${answer.question}\` is answered twice, and differently: send one answer to it`, { problems: [{ place, message: 'contradicts another answer' }] })
    const known = before.context.examples.find((example) => example.name === name)
    if (known !== undefined) throw new Failure('CONFLICT', `question \`${answer.question}\` was answered with ${known.decision}, which generation \`${generation.id}\` has as an example: to take that back, answer the generation that asked it`, { details: { reason: 'answered', generation_id: generation.id } })
    const question = asked.find(({ id }) => id === answer.question)
    if (question === undefined) throw new Failure('NOT_FOUND', `generation \`${generation.id}\` does not ask \`${answer.question}\`: ${asked.length === 0 ? 'it asks nothing' : `it asks ${asked.map(({ id }) => id).join(', ')}`}`, { details: { known: asked.map(({ id }) => id) } })
    if (earlier !== undefined) return []
    problems.push(...obligationProblems(question, answer, place))
    const obligations = answer.decision === 'allow' && question.obligations.length > 0 ? { obligations: Object.fromEntries(question.obligations.map((each) => [each, answer.obligations?.includes(each) === true])) } : {}
    return [{ name, request: question.request, entities: question.entities, decision: answer.decision, ...obligations }]
  })
  if (problems.length > 0) throw malformed(problems)
  const known = before.context.examples.length
  if (known + examples.length > EXAMPLES_MAX) throw malformed([{ place: 'body.answers', message: `an answer is an example from then on: the request has ${known} of at most ${EXAMPLES_MAX}, so that some must be left out of it first, in a request of its own` }])
  return parseInput(GenerateBody, { ...before, context: { ...before.context, examples: [...before.context.examples, ...examples], revises: generation.id } }, 'request')
}

function isSame(a: AnswerBody, b: AnswerBody): boolean {
  return a.decision === b.decision && [...(a.obligations ?? [])].sort().join() === [...(b.obligations ?? [])].sort().join()
}

function obligationProblems({ obligations }: Question, answer: AnswerBody, place: string): readonly Problem[] {
  const at = `${place}.obligations`
  if (answer.obligations === undefined) {
    return obligations.length > 0 && answer.decision === 'allow' ? [{ place: at, message: `is missing: say which of ${obligations.join(', ')} must be done, [] for none` }] : []
  }
  if (answer.decision === 'deny' && answer.obligations.length > 0) return [{ place: at, message: 'what is denied demands nothing: leave it out' }]
  const foreign = answer.obligations.filter((each) => !obligations.includes(each))
  return foreign.length === 0 ? [] : [{ place: at, message: `\`${foreign.join('`, `')}\` is not asked about: ${obligations.length === 0 ? 'leave it out' : `it asks about ${obligations.join(', ')}`}` }]
}
