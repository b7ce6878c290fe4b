import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { startProduct } from '#test/product.ts'
import { aimed, summarize, type Result } from '../measure.ts'
import { work, type Outcome } from './client.ts'
import { slope } from './slope.ts'
import { CLIENTS, progress, startSystem, WARM, type System } from './system.ts'

const AFTER_SECONDS = 4
/** Of the capacity: how busy a service is that is still quick. */
const SHARE = 0.6
const MANY_CLIENTS = 50
const CROWD = 300
const METRIC = /^acgs_pgp_v8_admission_waiting (\d+)$/m

const perSecondOf = ({ served, seconds }: Outcome) => served.length / seconds
const rate = (name: string, outcome: Outcome) => summarize(name, '1/s', [perSecondOf(outcome)])

/** How many generations a second one process does, every one another, persistence and certificate included. */
export async function capacity(seconds: number): Promise<readonly Result[]> {
  await using system = await startSystem()
  const outcome = await capacityOf(system, seconds)
  return [
    aimed(rate(`generate-policy, ${CLIENTS} clients for ${seconds} s: capacity`, outcome), 'at least', 20),
    summarize('the same: a reply', 'ms', outcome.served),
    summarize('the same: of two processors, busy with sending', '%', [outcome.processorMs / outcome.seconds / 10 / 2]),
  ]
}

async function capacityOf(system: System, seconds: number): Promise<Outcome> {
  await system.sendWell(WARM)
  return system.sendWell({ seconds, clients: CLIENTS })
}

/** How long a reply takes when requests come by chance, 60 % of the capacity, whether or not the ones before are answered. */
export async function latency(seconds: number): Promise<readonly Result[]> {
  await using system = await startSystem()
  const most = perSecondOf(await capacityOf(system, Math.min(seconds, 15)))
  const outcome = await system.sendWell({ seconds, perSecond: SHARE * most })
  return [
    aimed(summarize(`generate-policy, ${(SHARE * most).toFixed(1)} arrivals a second for ${seconds} s (${SHARE * 100} % of ${most.toFixed(1)}): a reply`, 'ms', outcome.served), 'at most', 500, 'p95'),
  ]
}

/** Fifty clients that wait for their replies, without an error. */
export async function clients(seconds: number): Promise<readonly Result[]> {
  await using system = await startSystem()
  await system.sendWell(WARM)
  const outcome = await system.send({ seconds, clients: MANY_CLIENTS })
  for (const said of outcome.said.slice(0, 5)) progress(said)
  return [
    aimed(summarize(`${MANY_CLIENTS} clients for ${seconds} s, ${outcome.sent} requests: errors and refusals`, '', [outcome.errors + outcome.refused.length]), 'at most', 0),
    summarize('the same: a reply', 'ms', outcome.served),
    rate('the same: served', outcome),
  ]
}

/** What is said when more come than can be served; and that it passes when they have gone. */
export async function overload(seconds: number): Promise<readonly Result[]> {
  await using system = await startSystem()
  const alone = await capacityOf(system, AFTER_SECONDS)
  const { served, refused, retryAfter, errors, said, sent } = await system.send({ seconds, clients: CROWD })
  for (const each of said.slice(0, 5)) progress(each)
  if (refused.length === 0) throw new Error(`${CROWD} clients were not refused anything: this is no overload`)
  const [after, waiting] = await recovered(system)
  return [
    aimed(summarize(`overload by ${CROWD} clients for ${seconds} s, ${sent} requests: neither served nor 503 with Retry-After`, '', [errors]), 'at most', 0),
    summarize('the same: served', '1/s', [served.length / seconds], rate('before', alone)),
    summarize('the same: a refusal', 'ms', refused),
    summarize('the same: Retry-After', 's', retryAfter),
    aimed(summarize('afterwards, without a restart: still waiting, refused or wrong', '', [waiting + after.errors + after.refused.length]), 'at most', 0),
    summarize('afterwards: served', '1/s', [perSecondOf(after)], rate('before', alone)),
    ...(await limited()),
  ]
}

async function recovered(system: System): Promise<readonly [Outcome, number]> {
  const waiting = async () => Number(METRIC.exec(await (await fetch(`${system.product.url.platform}/metrics`)).text())?.[1] ?? Number.NaN)
  for (let looked = 0; looked < 100 && (await waiting()) > 0; looked++) await sleep(100)
  return [await system.send({ seconds: AFTER_SECONDS, clients: CLIENTS }), await waiting()]
}

/** Somebody who asks too often is told so, and is served the rest. */
async function limited(): Promise<readonly Result[]> {
  const limit = 10
  await using product = await startProduct({ env: { LOG_LEVEL: 'warn', ACGS_SECURITY_GENERATIONS_PER_MINUTE: String(limit) } })
  const asked = await work({ urls: [product.url.platform], token: await product.token('author'), seed: 1, from: 0, seconds: 4, clients: 2 })
  return [
    aimed(summarize(`with ${limit} generations a minute, ${asked.sent} requests: neither served nor 429 with Retry-After`, '', [asked.errors + Math.abs(asked.served.length - limit)]), 'at most', 0),
    summarize('the same: Retry-After', 's', asked.retryAfter),
  ]
}

/** Whether memory stays flat under a steady load: the whole process, once a second, the first quarter not counted. */
export async function memory(seconds: number): Promise<readonly Result[]> {
  await using system = await startSystem()
  const most = perSecondOf(await capacityOf(system, AFTER_SECONDS))
  const samples: { readonly minutes: number; readonly megabytes: number }[] = []
  const started = performance.now()
  const sampling = setInterval(() => samples.push({ minutes: (performance.now() - started) / 60_000, megabytes: residentMegabytes(system.product.pid) }), 1_000)
  const outcome = await system.send({ seconds, perSecond: SHARE * most })
  clearInterval(sampling)
  for (const said of outcome.said.slice(0, 5)) progress(said)
  const kept = samples.slice(Math.floor(samples.length / 4))
  const held = summarize(`resident memory under ${(SHARE * most).toFixed(1)} generations a second for ${seconds} s`, 'MB', kept.map(({ megabytes }) => megabytes))
  const perMinute = slope(kept.map(({ minutes, megabytes }) => [minutes, megabytes] as const))
  const lasted = (kept.at(-1)?.minutes ?? 0) - (kept[0]?.minutes ?? 0)
  return [
    held,
    summarize('the same: slope', 'MB/min', [perMinute]),
    aimed(summarize('the same: growth while it was watched, by the slope', '%', [(100 * perMinute * lasted) / held.p50]), 'at most', 5),
    aimed(summarize(`the same, ${outcome.sent} requests: errors`, '', [outcome.errors]), 'at most', 0),
  ]
}

function residentMegabytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024
}
