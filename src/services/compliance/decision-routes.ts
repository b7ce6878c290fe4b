import { setImmediate as othersFirst } from 'node:timers/promises'
import { answer, answerRead, refusal, worded, type Answer, type Decides, type Ground, type Question, type Reply } from '#core/decision/answer.ts'
import { answerInTurn, refuseTooMuch, withDefaults } from '#core/decision/batch.ts'
import type { ReadQuestion } from '#core/decision/question.ts'
import { scannerOf } from '#core/decision/read-question.ts'
import type { Value } from '#core/decision/value.ts'
import { Failure } from '#core/failure.ts'
import { parseInput } from '#core/parse.ts'
import type { ActiveRevision } from '#core/revision/active.ts'
import { route, type DirectRoute, type Route } from '#http/contract.ts'
import { EVALUATIONS_MAX, getAuthzenConfiguration, postEvaluation, postEvaluations, readQuestionBody } from './decision-contract.ts'
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
  return [
    { endpoint: postEvaluation, answer: ({ bytes, read }, headers) => {
      const desk = openDesk(use, headers)
      const scanned = bytes === null ? null : desk.scanner?.one(bytes, desk.ground) ?? null
      if (scanned !== null) return desk.answer(() => readQuestionBody(read(), 'body'), 'body', scanned).text
      const question = readQuestionBody(read(), 'body')
      return desk.answer(() => question, 'body').text
    } },

    { endpoint: postEvaluations, answer: async ({ bytes, read }, headers) => {
      const desk = openDesk(use, headers)
      const scanned = bytes === null || bytes.length > SCANNED_BYTES_MAX ? null : desk.scanner?.batch(bytes, EVALUATIONS_MAX, desk.ground) ?? null
      if (scanned !== null) {
        return batchText(await answerInTurn(scanned, 'execute_all', ({ question, from, to }, index) => {
          const place = placeIn(index)
          return desk.answer(() => readQuestionBody(read({ from, to }), place), place, question)
        }, desk.pause))
      }
      const body = parseInput(postEvaluations.body, read(), 'body')
      const { evaluations: items = [], options } = body
      if (items.length === 0) {
        const question = readQuestionBody(body, 'body')
        return desk.answer(() => question, 'body').text
      }
      refuseTooMuch(items, body)
      return batchText(await answerInTurn(items, options?.evaluations_semantic ?? 'execute_all', (item, index) => {
        const place = placeIn(index)
        try {
          const question = readQuestionBody(withDefaults(item, body), place)
          return desk.answer(() => question, place)
        } catch (error) {
          if (!(error instanceof Failure) || error.code !== 'REQUEST_MALFORMED') throw error
          return desk.refuse(error)
        }
      }, desk.pause))
    } },
  ]
}

function placeIn(index: number): string {
  return `body.evaluations[${index}]`
}

function batchText(answers: readonly Answer[]): string {
  return `{"evaluations":[${answers.map(({ text }) => text).join()}]}`
}

/** What a scan is good for: so few bytes cannot bring more values than {@link refuseTooMuch} lets in. */
const SCANNED_BYTES_MAX = 200_000

/** Others are let in whenever a batch has held the process for so long; entities may change then, and by which revision is decided does not. */
const TURN_MS = 10

/** Where the questions of one request are answered, all by the same revision, each of them told with what it took. */
function openDesk(use: Use, headers: Headers) {
  let began = performance.now()
  let turned = began
  const lap = (): number => {
    const ended = performance.now()
    const seconds = (ended - began) / 1000
    began = ended
    return seconds
  }
  const application = applicationFor(headers, use.point.applications())
  const active = use.point.activeOf(application)
  refuseOlder(headers, application, active?.revision ?? null)
  const entities = use.point.entitiesOf(application)
  let at: Date | null = null
  const ground: Ground = { application, active, entities, now: () => at ??= use.now() }
  const decides = active === null ? null : (use.decidesFor ?? use.point.decidesFor)(active)
  return {
    ground,
    /** Null: nothing is active. */
    scanner: active === null ? null : scannerOf(active.schema),

    /**
     * @param ask The question as it was sent.
     * @param read The same, read by the schema, where that was done already.
     */
    answer: (ask: () => Question, place: string, read: ReadQuestion<Value> | null = null): Answer => {
      const slowly = active === null ? null : use.oracle?.answersFor(active) ?? null
      const answered = slowly !== null ? slowly(ask(), ground, place)
        : read === null || active === null ? answer(ask(), ground, place, decides) : answerRead(read, active, entities, decides)
      if (slowly === null) use.oracle?.note(ask, ground, place, answered.reply)
      use.decided(answered.reply.context.verdict, lap())
      return answered
    },

    /** A question that cannot be read, within a batch. */
    refuse: (failure: Failure): Answer => {
      use.decided('error', lap())
      return worded(refusal(failure, active))
    },

    pause: (): Promise<unknown> | null => {
      if (began - turned < TURN_MS) return null
      return othersFirst().then(() => { turned = began = performance.now() })
    },
  }
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
