import { startProduct } from '#test/product.ts'
import { summarize, time, type Result } from './measure.ts'

const RUNS = 200

/** generate-policy, warm, one client, five sentences, every text different, persistence included; beside the same server's emptiest reply. */
export async function run(): Promise<readonly Result[]> {
  await using product = await startProduct({ env: { LOG_LEVEL: 'warn' } })
  const token = await product.token('author')
  const livez = summarize('GET /livez', 'ms', await time(RUNS, 20, async () => (await fetch(`${product.url.platform}/livez`)).text()))
  const samples = await time(RUNS, 20, async (i) => {
    const response = await fetch(`${product.url.platform}/api/v1/generate-policy`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ title: `Bench request ${i}`, description: text(i), context: { domain: 'ai-agents' } }),
    })
    const body = await response.text()
    if (response.status !== 200) throw new Error(`request ${i} answered ${response.status}: ${body.slice(0, 500)}`)
  })
  return [livez, summarize('POST /api/v1/generate-policy, 5 sentences, texts all different', 'ms', samples, livez)]
}

/** Five sentences; the amounts make every text, and every policy, a different one. */
function text(i: number): string {
  return [
    `Agents may send payments if the amount is at most their spending limit and the amount is at most ${100 + i}.`,
    `Users may send payments if the amount does not exceed ${5_000 + i}.`,
    'Agents may delete files only if a human has approved.',
    `Cleared agents may read files unless the file is confidential and the size of the file is over ${1_000 + i}.`,
    'Every deletion must be logged.',
  ].join(' ')
}
