import { answer, refusal, worded, type Answer, type Decides, type Ground, type Question, type Reply } from '#core/decision/answer.ts'
import { answerInTurn, refuseTooMuch, withDefaults } from '#core/decision/batch.ts'
import { Failure } from '#core/failure.ts'
import { parseInput } from '#core/parse.ts'
import type { ActiveRevision } from '#core/revision/active.ts'
import { route, type DirectRoute, type Route } from '#http/contract.ts'
import { getAuthzenConfiguration, postEvaluation, postEvaluations, readQuestionBody } from './decision-contract.ts'
import type { DecisionPoint } from './decision-point.ts'
import type { Oracle } from './oracle.ts'

export type Use = {
  readonly point: Pick<DecisionPoint, 'applications' | 'activeOf' | 'entitiesOf' | 'decidesFor'>
  /** What decides by a revision instead of its rules, compiled. */
  readonly decidesFor?: (active: ActiveRevision) => Decides
  /** Repeats some answers afterwards, and gives them itself for a revision on the slow path. */
  readonly oracle?: Pick<Oracle, 'answersFor' | 'note'>
  /** Called for every answer, with what it took. */
  readonly decided: (verdict: Reply['context']['verdict'], seconds: number) => void
  /** Under which others reach this service, without a slash at the end. */
  readonly url: string
  readonly now: () => Date
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** What is asked for every call that somebody makes. */
export function directRoutes(use: Use): DirectRoute[] {
  const groundFor = (headers: Headers): Ground => {
    const application = applicationFor(headers, use.point.applications())
    const active = use.point.activeOf(application)
    refuseOlder(headers, application, active?.revision ?? null)
    return { application, active, entities: use.point.entitiesOf(application), now: use.now() }
  }
  const decidesBy = ({ active }: Ground): Decides | null => (active === null ? null : (use.decidesFor ?? use.point.decidesFor)(active))
  const answered = (question: Question, ground: Ground, place: string, decides: Decides | null): Answer => {
    const started = performance.now()
    const slowly = ground.active === null ? null : use.oracle?.answersFor(ground.active) ?? null
    const answered = slowly === null ? answer(question, ground, place, decides) : slowly(question, ground, place)
    if (slowly === null) use.oracle?.note(question, ground, place, answered.reply)
    use.decided(answered.reply.context.verdict, (performance.now() - started) / 1000)
    return answered
  }

  return [
    { endpoint: postEvaluation, answer: (body, headers) => {
      const question = readQuestionBody(body, 'body')
      const ground = groundFor(headers)
      return answered(question, ground, 'body', decidesBy(ground)).text
    } },

    { endpoint: postEvaluations, answer: (given, headers) => {
      const body = parseInput(postEvaluations.body, given, 'body')
      const ground = groundFor(headers)
      const decides = decidesBy(ground)
      const { evaluations: items = [], options } = body
      if (items.length === 0) return answered(readQuestionBody(body, 'body'), ground, 'body', decides).text
      refuseTooMuch(items, body)
      const answers = answerInTurn(items, options?.evaluations_semantic ?? 'execute_all', (item, index) => {
        const started = performance.now()
        const place = `body.evaluations[${index}]`
        try {
          return answered(readQuestionBody(withDefaults(item, body), place), ground, place, decides)
        } catch (error) {
          if (!(error instanceof Failure) || error.code !== 'REQUEST_MALFORMED') throw error
          use.decided('error', (performance.now() - started) / 1000)
          return worded(refusal(error, ground.active))
        }
      })
      return `{"evaluations":[${answers.map(({ text }) => text).join()}]}`
    } },
  ]
}

export function routes(use: Pick<Use, 'url'>): Route[] {
  return [
    route(getAuthzenConfiguration, () => ({
      policy_decision_point: use.url,
      access_evaluation_endpoint: `${use.url}${postEvaluation.path}`,
      access_evaluations_endpoint: `${use.url}${postEvaluations.path}`,
    })),
  ]
}

function applicationFor(headers: Headers, known: readonly string[]): string {
  const named = headers['x-acgs-application']
  const [only] = known
  if (named === undefined) {
    if (only !== undefined && known.length === 1) return only
    const there = known.length === 0 ? 'there is none yet: put one' : `there are ${known.map((name) => `\`${name}\``).join(', ')}`
    throw new Failure('REQUEST_MALFORMED', `the header X-ACGS-Application must name the application: ${there}`, { problems: [{ place: 'headers.x-acgs-application', message: 'is missing' }], details: { known } })
  }
  if (typeof named === 'string' && known.includes(named)) return named
  throw new Failure('NOT_FOUND', `there is no application \`${String(named).slice(0, 100)}\`${known.length === 0 ? '' : `: there are ${known.map((name) => `\`${name}\``).join(', ')}`}`, { details: { known } })
}

function refuseOlder(headers: Headers, application: string, current: number | null): void {
  const least = headers['x-acgs-min-revision']
  if (least === undefined) return
  if (typeof least !== 'string' || !/^\d{1,15}$/.test(least)) {
    throw new Failure('REQUEST_MALFORMED', 'the header X-ACGS-Min-Revision is not a revision’s number', { problems: [{ place: 'headers.x-acgs-min-revision', message: 'is not a number' }] })
  }
  if (current !== null && current >= Number(least)) return
  const now = current === null ? 'nothing is active' : `revision ${current} decides`
  throw new Failure('CONFLICT', `\`${application}\` must be at revision ${Number(least)} at least, and ${now} here: ask again`, { details: { reason: 'older_revision', current_revision: current } })
}
