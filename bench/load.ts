import autocannon from 'autocannon'
import { once } from 'node:events'

/** What is sent, again and again, for so long. Every connection has bodies of its own. */
export type Load = { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly bodies: readonly string[]; readonly seconds: number }

const CONNECTIONS = 50

// A process of its own, on a core of its own: its parent sends one load after the other, and it answers how many requests a second were served.
process.once('disconnect', () => process.exit(0))
for (;;) {
  const [{ url, headers, bodies, seconds }] = (await once(process, 'message')) as [Load]
  let connection = 0
  const { requests, duration, non2xx, errors } = await autocannon({
    url, method: 'POST', headers: { 'content-type': 'application/json', ...headers }, connections: CONNECTIONS, duration: seconds,
    setupClient: (client) => {
      const own = connection++
      client.setRequests(bodies.filter((_, i) => i % CONNECTIONS === own).map((body) => ({ body })))
    },
  })
  process.send?.({ perSecond: requests.total / duration, failed: non2xx + errors })
}
