import autocannon from 'autocannon'

/** What is sent, again and again, for so long: bodies by POST, every connection its own, or nothing by GET. */
export type Load = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly bodies: readonly string[] | null
  readonly seconds: number
  readonly connections?: number
}

/** What came of it; latencies in milliseconds. `failed`: no reply, or one that is not a 2xx; `why`: how many of which. */
export type Fired = { readonly perSecond: number; readonly sent: number; readonly failed: number; readonly why: string; readonly p50: number; readonly p95: number; readonly p99: number }

const CONNECTIONS = 50

async function fire({ url, headers, bodies, seconds, connections = CONNECTIONS }: Load): Promise<Fired> {
  let connection = 0
  const { requests, latency, duration, non2xx, errors, timeouts, statusCodeStats } = await autocannon({
    url, method: bodies === null ? 'GET' : 'POST', headers: { ...(bodies === null ? {} : { 'content-type': 'application/json' }), ...headers }, connections, duration: seconds,
    ...(bodies === null ? {} : {
      setupClient: (client) => {
        const own = connection++
        client.setRequests(bodies.filter((_, i) => i % connections === own).map((body) => ({ body })))
      },
    }),
  })
  // Its 97.5th percentile is what it has that is no better than the 95th.
  return { perSecond: requests.total / duration, sent: requests.total, failed: non2xx + errors, why: `${timeouts} timeouts, ${errors - timeouts} connections broken, replies ${JSON.stringify(statusCodeStats)}`, p50: latency.p50, p95: latency.p97_5, p99: latency.p99 }
}

// A process of its own, on a core of its own: its parent sends one load after the other.
if (process.send !== undefined && import.meta.main) {
  process.once('disconnect', () => process.exit(0))
  process.on('message', (load: Load) => void fire(load).then((fired) => process.send?.(fired)))
}
