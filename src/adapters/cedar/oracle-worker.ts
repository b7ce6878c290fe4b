import { parentPort } from 'node:worker_threads'
import { rawJSON } from '#core/json.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import type { Returned, Sent } from '../thread.ts'
import { authorize, type CedarDecision } from './cedar.ts'

/** One question: its request and entities as JSON text, its rules as Cedar text in a numbered place, null: those that are there. */
export type Ask = { readonly place: number; readonly policies: string | null; readonly question: string }
/** Rules by Cedar's own names: `policy0`, `policy1` … in the order of their text. */
export type Answer = { readonly decision: CedarDecision } | { readonly refused: string }

const port = parentPort
if (port === null) throw new Error('this module is the body of a worker thread')

const texts = new Map<number, string>()

port.on('message', ({ number, question: { place, policies, question } }: Sent<Ask>) => {
  if (policies !== null) texts.set(place, policies)
  port.postMessage({ number, answer: answer(texts.get(place) ?? '', question) } satisfies Returned<Answer>)
})

function answer(text: string, question: string): Answer {
  try {
    const { request, entities } = JSON.parse(question, exactly) as { request: CedarRequest; entities: readonly CedarEntity[] }
    return { decision: authorize({ policies: { text, rules: [] }, schema: null, request, entities }) }
  } catch (error) {
    return { refused: error instanceof Error ? error.message : String(error) }
  }
}

/** An integer beyond 2⁵³ goes to Cedar as the digits that stand there. */
function exactly(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' && !Number.isSafeInteger(value) && context?.source !== undefined ? rawJSON(context.source) : value
}
