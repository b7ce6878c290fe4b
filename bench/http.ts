import { startProduct } from '#test/product.ts'
import { summarize, time, type Result } from './measure.ts'

const RUNS = 500

/** What balancers and Prometheus ask all day, warm, one client; beside the same server's emptiest reply. */
export async function run(): Promise<readonly Result[]> {
  await using product = await startProduct({ env: { LOG_LEVEL: 'warn' } })
  const get = async (path: string) => {
    const response = await fetch(`${product.url.platform}${path}`)
    await response.text()
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}`)
  }
  const livez = summarize('GET /livez', 'ms', await time(RUNS, 50, () => get('/livez')))
  const health = await time(RUNS, 50, () => get('/health'))
  const metrics = await time(RUNS, 50, () => get('/metrics'))
  const status = await time(RUNS, 50, () => get('/api/v1/status'))
  return [livez, summarize('GET /health', 'ms', health, livez), summarize('GET /metrics', 'ms', metrics, livez), summarize('GET /api/v1/status', 'ms', status, livez)]
}
