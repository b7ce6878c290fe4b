import { readFileSync } from 'node:fs'
import { startProduct } from '#test/product.ts'
import { summarize, time, type Result } from './measure.ts'

const ENTITIES = 100_000
const LEVELS = 10

/**
 * 100,000 entities put over HTTP by one request, kept, and put again with nothing new in them; then one of them changed; and the memory
 * of the process that has done all this, as the kernel counts it.
 */
export async function run(): Promise<readonly Result[]> {
  await using product = await startProduct({ env: { LOG_LEVEL: 'warn' } })
  const author = await product.token('author')
  const operator = await product.token('operator')
  const url = `${product.url.platform}/api/v1/applications/bench`
  const send = async (path: string, method: string, body: string) => {
    const response = await fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${author}`, 'content-type': 'application/json' }, body })
    const reply = (await response.json()) as { upserted?: number; detail?: string }
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${reply.detail}`)
    return reply
  }
  await send('', 'PUT', JSON.stringify({ schema: SCHEMA }))
  const idle = residentMegabytes(product.pid)
  const body = JSON.stringify({ mode: 'replace', entities: Array.from({ length: ENTITIES }, (_, i) => user(i)) })

  const livez = summarize('GET /livez', 'ms', await time(50, 5, async () => (await fetch(`${product.url.platform}/livez`)).text()))
  const put = await time(1, 0, () => send('/entities', 'PUT', body))
  const after = residentMegabytes(product.pid)
  const again = await time(3, 0, () => send('/entities', 'PUT', body))
  const one = await time(50, 5, (i) => send('/entities', 'POST', JSON.stringify({ upsert: [user(i, i + 1)] })))
  const whole = await time(3, 0, async () => {
    let cursor: string | null = null
    do {
      const response: Response = await fetch(`${url}/entities?limit=10000${cursor === null ? '' : `&cursor=${cursor}`}`, { headers: { authorization: `Bearer ${operator}` } })
      if (!response.ok) throw new Error(`a page was answered with ${response.status}`)
      cursor = ((await response.json()) as { next_cursor: string | null }).next_cursor
    } while (cursor !== null)
  })
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  return [
    livez,
    summarize(`${ENTITIES} entities put by one request of ${Math.round(body.length / 1e6)} MB`, 's', put.map((ms) => ms / 1000)),
    summarize(`the same ${ENTITIES} put again, nothing new`, 's', again.map((ms) => ms / 1000)),
    summarize('one of them changed', 'ms', one, livez),
    summarize(`all ${ENTITIES} fetched in pages of 10000`, 's', whole.map((ms) => ms / 1000)),
    summarize('memory of the process before (RSS)', 'MB', [idle]),
    summarize(`memory right after the ${ENTITIES} (RSS)`, 'MB', [after]),
    summarize('memory at the end (RSS)', 'MB', [residentMegabytes(product.pid)]),
    summarize('memory at its highest (RSS)', 'MB', [residentMegabytes(product.pid, 'VmHWM')]),
  ]
}

const SCHEMA = `entity Team in [Team]; entity User in [Team] { name: String, level: Long, active: Bool, skills: Set<String>, manager?: User };
  action read appliesTo { principal: User, resource: Team };`

function user(i: number, level = i % LEVELS) {
  const id = (n: number) => `user-${String(n).padStart(6, '0')}`
  return {
    uid: { type: 'User', id: id(i) },
    attrs: { name: `Name ${i}`, level, active: i % 3 === 0, skills: ['read', 'write'], manager: { __entity: { type: 'User', id: id(Math.floor(i / 10)) } } },
    parents: [{ type: 'Team', id: `team-${i % 500}` }],
  }
}

/** Of the product's own process, which its database server is no part of. Linux. */
function residentMegabytes(pid: number, what = 'VmRSS'): number {
  return Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024
}
