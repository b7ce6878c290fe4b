import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { seeded } from '#core/proof/random-world.ts'
import { startDivided, type Started } from '#test/divided.ts'
import { audit, standing, underWay, untilEnded, WITHIN_MS } from './audit.ts'
import { activateForever, generateForever, newRecords, prepare, type Asking } from './clients.ts'
import { NO_TAKEOVER } from './no-takeover.ts'

const HELP = `npm run chaos [-- OPTIONS]

Three platforms on one database under load, killed with -9 at random moments, one after the other; after each kill everything that must hold is looked
at. The last line counts.

  --kills N            how often (200)
  --clients N          how many ask meanwhile (6)
  --seed S             makes the same choices again
  --without-takeover   breaks what is tested here, and must fail

exit: 0 everything held · 1 something did not · 2 usage
e.g.  npm run chaos -- --kills 30
`
const values = readOptions()
const [kills, seed, clients] = [values.kills, values.seed, values.clients].map((text) => {
  const number = Number(text)
  return Number.isInteger(number) && number >= 0 ? number : refuse(`\`${text}\` is not a whole number`)
}) as [number, number, number]

const PLATFORMS = 3

const say = (text: string) => process.stdout.write(`${text}\n`)
const random = seeded(seed)
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
say(`seed ${seed}, ${kills} kills, ${PLATFORMS} platforms, ${clients} clients${values['without-takeover'] ? ', without takeover' : ''}`)

await using divided = await startDivided({
  platforms: PLATFORMS, env: { LOG_LEVEL: 'error', ACGS_SECURITY_TOKEN_TTL_SECONDS: '86400' }, ...(values['without-takeover'] ? { sabotage: NO_TAKEOVER } : {}),
})
const database = divided.databaseOf('platform')
const running = new Map<number, { readonly url: string; readonly process: Started }>()
const [author, council] = await Promise.all([divided.token('author'), divided.token('council')])
for (let n = 0; n < PLATFORMS; n++) running.set(n, { url: divided.platforms[n] as string, process: divided.platformOf(n) })

const records = newRecords()
/** What is under way goes on meanwhile. */
let looking: Promise<void> = Promise.resolve()
const asking: Asking = { random: seeded(seed + 1), platforms: () => [...running.values()].map(({ url }) => url), auth: divided.url.auth, tokens: { author, council }, signal: stopping.signal, turn: () => looking }
const certificates = await prepare(asking)
const load = [...Array.from({ length: clients }, () => generateForever(asking, records)), activateForever(asking, records, certificates)]

const took: number[] = []
const restarts = new Set<Promise<unknown>>()
let hits = 0
let problems: readonly string[] = []
let audited = 0
let done = 0
let notStarted: string | null = null
for (; done < kills && problems.length === 0 && !stopping.signal.aborted; done++) {
  await sleep(300 + random() * 1_200)
  while (running.size < 2 && restarts.size > 0) await Promise.race(restarts) // Somebody must be there to take over.
  if (notStarted !== null) break
  const victim = [...running.keys()][Math.floor(random() * running.size)] as number
  const { process: killed } = running.get(victim) as { process: Started }
  running.delete(victim)
  const killedAt = performance.now()
  await killed.kill('SIGKILL')
  const ids = await underWay(database)
  const restarted: Promise<unknown> = divided.startPlatform(victim).then((process) => {
    running.set(victim, { url: divided.platforms[victim] as string, process })
  }, (error: unknown) => {
    notStarted = `platform ${victim} did not start again: ${error instanceof Error ? error.message : String(error)}`
  }).finally(() => restarts.delete(restarted))
  restarts.add(restarted)
  const ended = await untilEnded(database, ids, killedAt)
  if (ended === null) problems = [`not finished within ${WITHIN_MS / 1000} s: ${await standing(database, ids)}`]
  else {
    took.push(ended)
    const { rowCount } = await database.query('select from generation_requests where generation_id = any ($1) and attempt > 1', [ids])
    if (rowCount !== null && rowCount > 0) hits++
    const until = records.told.length
    const { promise, resolve } = Promise.withResolvers<void>()
    looking = promise
    problems = await audit(database, records, audited).finally(resolve)
    audited = until
  }
  if ((done + 1) % 10 === 0) say(`${done + 1} kills: ${records.count.requests} requests, ${hits} of them left something to be taken over, slowest ${Math.round(Math.max(...took))} ms`)
}

// In the end nothing is under way any more, and everything is looked at once more.
stopping.abort()
await Promise.all([...load, ...restarts])
if (notStarted !== null) problems = [...problems, notStarted]
if (problems.length === 0) {
  const left = await untilEnded(database, await underWay(database), performance.now())
  problems = left === null ? ['what was accepted has not ended'] : await audit(database, records, 0)
}
const { rows: [stored] } = await database.query<{ generations: number; taken: number; activated: number }>(
  `select (select count(*)::int from policy_generations) as generations, (select count(*)::int from generation_requests where attempt > 1) as taken, (select count(*)::int from revisions where activated_at is not null) as activated`,
)
const sorted = took.toSorted((a, b) => a - b)
const { count } = records
say(`requests ${count.requests}: ${count.sync} without a key, ${count.keyed} with one, ${count.async} asynchronous (${count.followed} followed); connections that broke ${count.broken}, told 409 ${count.inFlight}`)
say(`stored ${stored?.generations} generations, ${stored?.taken} of them taken over; activated ${stored?.activated} revisions`)
say(`kills ${done}, of which ${hits} left requests to be taken over; everything had ended after ${Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)} ms at the median, ${Math.round(sorted.at(-1) ?? 0)} ms at most`)
for (const problem of problems.slice(0, 20)) say(`problem: ${problem}`)
say(`seed ${seed}: ${done} kills, ${problems.length} problems`)
process.exitCode = problems.length > 0 || done < kills ? 1 : 0

function refuse(text: string): never {
  process.stderr.write(`chaos: ${text}; see npm run chaos -- --help\n`)
  process.exit(2)
}

function readOptions() {
  const parse = () => {
    try {
      return parseArgs({ options: { kills: { type: 'string', default: '200' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) }, clients: { type: 'string', default: '6' }, 'without-takeover': { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } }).values
    } catch (error) {
      return refuse((error as Error).message)
    }
  }
  const values = parse()
  if (!values.help) return values
  process.stdout.write(HELP)
  process.exit(0)
}
