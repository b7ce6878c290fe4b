import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { decideInProcess } from './decide-in-process.ts'
import { summarize, time, type Result } from './measure.ts'

const RUNS = 2_000
const AGENTS = 10_000
const BATCH = 100

/**
 * Decisions over HTTP, warm, one client, every question another agent and account of 12,000 entities: tokens judged, engine and slice inside.
 * Beside the same server's emptiest reply.
 */
export async function run(): Promise<readonly Result[]> {
  const results: Result[] = [...decideInProcess()]
  for (const rules of [10, 100]) {
    const server = fork(fileURLToPath(new URL('../test/support/serve-decisions.ts', import.meta.url)), [String(rules), String(AGENTS)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    try {
      const [{ port, token, megabytes }] = (await once(server, 'message')) as [{ port: number; token: string; megabytes: number }]
      const ask = async (path: string, init?: RequestInit) => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
        const text = await response.text()
        if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${text.slice(0, 300)}`)
      }
      const post = (path: string, body: unknown) => ask(path, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })
      const question = (i: number) => ({
        subject: { type: 'Agent', id: `agent${(i * 7) % AGENTS}` }, action: { name: 'sendPayment' }, resource: { type: 'Account', id: `account${(i * 13) % 1_000}` }, context: { amount: i % 600, humanApproved: i % 3 === 0 },
      })
      const livez = summarize(`${rules} rules, GET /livez`, 'ms', await time(RUNS, 200, () => ask('/livez')))
      const single = await time(RUNS, 200, (i) => post('/access/v1/evaluation', question(i)))
      const batch = await time(RUNS / BATCH, 2, (i) => post('/access/v1/evaluations', { evaluations: Array.from({ length: BATCH }, (_, k) => question(i * BATCH + k)) }))
      results.push(
        livez, summarize(`${rules} rules, POST /access/v1/evaluation`, 'ms', single, livez),
        summarize(`${rules} rules, POST /access/v1/evaluations, each of ${BATCH}`, 'ms', batch.map((ms) => ms / BATCH), livez),
        summarize(`${rules} rules, memory with ${AGENTS + 2_100} entities`, 'MB', [megabytes]),
      )
    } finally {
      server.disconnect()
      await once(server, 'exit')
    }
  }
  return results
}
