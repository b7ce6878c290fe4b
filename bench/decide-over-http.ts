import assert from 'node:assert/strict'
import { cerbosQuestionOf, payment, questionOf, questionWithAttributes, type Payment } from '#test/payment-rules.ts'
import { pinned, SERVER_CORE, startCannon, startNode } from './child.ts'
import type { Load } from './load/cannon.ts'
import { summarize, type Result } from './measure.ts'
import { startCerbos } from './peers/cerbos.ts'

const AGENTS = 10_000
const QUESTIONS = 10_000
const BATCH = 50
const ROUNDS = 3
const SECONDS = Number(process.env['ACGS_BENCH_SECONDS'] ?? 4)

/**
 * Requests a second over loopback, the server on one core and the load generator on another: decisions with tokens verified (and remembered),
 * 10,000 different bodies, 50 connections. In the same rounds the same framework without anything of ours, which answers with a constant,
 * and Cerbos with the same rules.
 */
export async function decideOverHttp(): Promise<readonly Result[]> {
  const rules = Number(process.env['ACGS_BENCH_RULES'] ?? 100)
  const payments = Array.from({ length: QUESTIONS }, (_, i) => payment(i, AGENTS))
  // Cerbos takes one principal for a whole batch.
  const batches = Array.from({ length: QUESTIONS / BATCH }, (_, i) => Array.from({ length: BATCH }, (_, k) => ({ ...payment(i * BATCH + k, AGENTS), agent: (i * 7) % AGENTS })))

  await using ours = await startNode('../test/support/serve-decisions.ts', [String(rules), String(AGENTS)])
  const headers = { authorization: `Bearer ${String(ours.said['token'])}` }
  const single = `http://127.0.0.1:${String(ours.said['port'])}/access/v1/evaluation`
  const sample = await ask(single, headers, questionOf(payments[0] as Payment))
  await using constant = await startNode('./constant.ts', [JSON.stringify(sample)])
  await using load = startCannon()
  const cerbos = await startCerbos(rules, (command) => pinned(SERVER_CORE, command))
  try {
    if (cerbos !== null) await compare(single, headers, `${cerbos.url}/api/check/resources`, payments)
    const bodies = payments.map((each) => JSON.stringify(questionOf(each)))
    const named = {
      constant: { url: `http://127.0.0.1:${String(constant.said['port'])}/access/v1/evaluation`, headers, bodies },
      single: { url: single, headers, bodies },
      attributes: { url: single, headers, bodies: payments.map((each) => JSON.stringify(questionWithAttributes(each))) },
      batches: { url: `${single}s`, headers, bodies: batches.map((batch) => JSON.stringify({ evaluations: batch.map(questionOf) })) },
      ...(cerbos === null ? {} : {
        cerbos: { url: `${cerbos.url}/api/check/resources`, headers: {}, bodies: payments.map((each) => JSON.stringify(cerbosQuestionOf([each]))) },
        cerbosBatches: { url: `${cerbos.url}/api/check/resources`, headers: {}, bodies: batches.map((batch) => JSON.stringify(cerbosQuestionOf(batch))) },
      }),
    }
    const rates = new Map<string, number[]>(Object.keys(named).map((name) => [name, []]))
    // The first round is for the compilers only.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [name, each] of Object.entries(named)) {
        const { perSecond: rate } = await load({ ...each, seconds: round === 0 ? 2 : SECONDS })
        if (round > 0) rates.get(name)?.push(/batches/i.test(name) ? rate * BATCH : rate)
      }
    }
    const row = (name: string, what: string, baseline?: Result) => {
      const samples = rates.get(name)
      return samples === undefined ? [] : [summarize(`${rules} rules over HTTP, ${what}`, '1/s', samples, baseline)]
    }
    const [bare] = row('constant', 'fastify with a constant reply')
    const [peer] = row('cerbos', `${cerbos?.name} with attributes`)
    const [peerBatches] = row('cerbosBatches', `${cerbos?.name}, decisions in batches of ${BATCH}`)
    return [
      ...[bare, peer, peerBatches].filter((each) => each !== undefined),
      ...row('single', 'single evaluations', bare), ...row('single', 'single evaluations', peer),
      ...row('attributes', 'with attributes', peer),
      ...row('batches', `decisions in batches of ${BATCH}`, peerBatches),
      summarize(`${rules} rules over HTTP, memory with ${AGENTS + 2_100} entities`, 'MB', [Number(ours.said['megabytes'])]),
    ]
  } finally {
    await cerbos?.[Symbol.asyncDispose]()
  }
}

/** What is compared decides alike, or the figures mean nothing. */
async function compare(ours: string, headers: Load['headers'], theirs: string, payments: readonly Payment[]): Promise<void> {
  const counts = { allowed: 0, denied: 0 }
  for (const each of payments.filter((_, i) => i % 25 === 0)) {
    const [a, b, c] = [await ask(ours, headers, questionOf(each)), await ask(ours, headers, questionWithAttributes(each)), await ask(theirs, {}, cerbosQuestionOf([each]))]
    const effect = c.results[0].actions.sendPayment === 'EFFECT_ALLOW'
    assert.deepEqual([a.decision, b.decision], [effect, effect], JSON.stringify(each))
    counts[effect ? 'allowed' : 'denied']++
  }
  assert.ok(Math.min(counts.allowed, counts.denied) > 50, JSON.stringify(counts))
}

async function ask(url: string, headers: Load['headers'], body: unknown): Promise<{ readonly decision: boolean; readonly results: readonly [{ readonly actions: Readonly<Record<string, string>> }] }> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${text.slice(0, 300)}`)
  return JSON.parse(text) as Awaited<ReturnType<typeof ask>>
}
