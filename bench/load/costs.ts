import { readFileSync, writeFileSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import packageJson from '../../package.json' with { type: 'json' }
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { startEmbedded } from '#adapters/postgres/embedded.ts'
import { append } from '#adapters/postgres/ledger.ts'
import { sha256 } from '#core/canonical.ts'
import { PROCESSES, startDivided } from '#test/divided.ts'
import { needsRedis, startRedis } from '#test/redis.ts'
import { temporaryFolder } from '#test/server.ts'
import { startAsked, startCannon } from '../child.ts'
import { summarize, time, type Result } from '../measure.ts'
import { renderCapacity } from './capacity-page.ts'
import type { Outcome, Work } from './client.ts'
import { carry, Costs, secondPlatform, type Hardware } from './model.ts'
import { spentBy, spentByServer, type Spent } from './processor.ts'
import { activateOne } from './revision.ts'
import { CLIENTS, progress, startSystem, WARM, well } from './system.ts'
import { countTraffic, statementsOf, type Traffic } from './wire.ts'

/** What is asked about in docs/operations/capacity.md. */
export const ASKED_ABOUT: Hardware = { replicas: 20, coresPerReplica: 2, databaseCores: 16 }
export const MEASURED = new URL('./measured.json', import.meta.url)
const PAGE = new URL('../../docs/operations/capacity.md', import.meta.url)

const IDLE_SECONDS = 5
const APPENDS = 200
const QUESTIONS = 10_000

/** What one generation and one decision cost, what a second platform adds on this machine, and what other hardware would carry by that. */
export async function costs(seconds: number, isWritten: boolean): Promise<readonly Result[]> {
  const busy = Math.round((loadavg()[0] as number) * 10) / 10
  const whole = await costsOfWhole(seconds)
  const [one, two] = [await apart(1, seconds), await apart(2, seconds)]
  const found = Costs.parse({
    at: new Date().toISOString().slice(0, 10), version: packageJson.version, busy,
    machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism() },
    generations: whole.generations + one.outcome.served.length + two.outcome.served.length,
    generation: { apart: one.spent, database: whole.database, appendMs: whole.appendMs, tipHeldMs: whole.tipHeldMs, clientMs: one.outcome.processorMs / one.outcome.served.length },
    decision: whole.decision,
    platforms: { one: one.outcome.served.length / one.outcome.seconds, two: two.outcome.served.length / two.outcome.seconds },
    connectionsPerPlatform: whole.connections,
  } satisfies Costs)
  if (isWritten) {
    writeFileSync(MEASURED, `${JSON.stringify(found, null, 2)}\n`)
    writeFileSync(PAGE, renderCapacity(found, ASKED_ABOUT))
    progress('written: bench/load/measured.json, docs/operations/capacity.md')
  }
  return shown(found)
}

export function readMeasured(): Costs {
  return Costs.parse(JSON.parse(readFileSync(MEASURED, 'utf8')))
}

/** The product as one process on a PostgreSQL that keeps everything on disk, with somebody in between who counts. */
async function costsOfWhole(seconds: number): Promise<{ readonly generations: number; readonly database: Costs['generation']['database']; readonly appendMs: number; readonly tipHeldMs: number; readonly decision: Costs['decision']; readonly connections: number }> {
  const folder = temporaryFolder()
  const server = await startEmbedded({ dataDir: folder, portPreferred: 0 })
  try {
    await using direct = connect(server.url, { name: 'bench', connectionsMax: 1 })
    await using counted = await countTraffic(server.url)
    const meter = await meterOf(direct, server.pid, counted.traffic)
    await using system = await startSystem({ DATABASE_URL: counted.url })
    await system.sendWell(WARM)
    // What it does when nobody asks anything is not the cost of a request.
    const idle = await meter.during(() => sleep(IDLE_SECONDS * 1_000))
    const { used, result, before, after, seconds: seen } = await meter.during(() => system.sendWell({ seconds, clients: CLIENTS }))
    const generations = result.served.length
    const each = (name: keyof typeof used) => Math.max(1e-6, (used[name] - (idle.used[name] * result.seconds) / idle.seconds) / generations)
    const statements = statementsOf(before, after, seen, idle)
    const { rows } = await direct.query<{ n: number }>(`select count(*)::int as n from pg_stat_activity where application_name like 'acgs-pgp-v8%' and application_name <> 'acgs-pgp-v8-bench'`)

    const appends = await time(APPENDS, 20, (n) => direct.transaction((tx) => append(tx, { kind: 'entities.changed', at: new Date().toISOString(), subject: { application: 'load', version: String(n + 1) }, digests: { change: sha256(String(n)) } })))

    const decisions = await activateOne(system.product, QUESTIONS)
    await using fire = startCannon(null)
    const load = { ...decisions, seconds: Math.max(1, Math.min(seconds, 5)), connections: 10 }
    await fire(load)
    const spent = spentBy(system.product.pid).allMs
    const traffic = counted.traffic()
    const fired = await fire(load)
    return {
      generations,
      database: { processorMs: each('processorMs'), statements: sum(statements) / generations, transactions: (statements.get('commit') ?? 0) / generations, waitedMs: each('waitedMs'), walKb: each('walBytes') / 1_024, storedKb: each('storedBytes') / 1_024 },
      appendMs: summarize('', 'ms', appends).p50,
      tipHeldMs: (after.lockedMs - before.lockedMs) / Math.max(1, after.locks - before.locks),
      decision: { processorMs: (spentBy(system.product.pid).allMs - spent) / fired.sent, statements: sum(statementsOf(traffic, counted.traffic(), load.seconds, idle)) / fired.sent },
      connections: rows[0]?.n ?? 0,
    }
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

type Used = { readonly waitedMs: number; readonly processorMs: number; readonly walBytes: number; readonly storedBytes: number }

async function meterOf(db: Database, postmaster: number, traffic: () => Traffic) {
  const read = async (): Promise<Used> => {
    const { rows } = await db.query<{ wal: string; stored: string }>(`select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as wal, pg_database_size(current_database()) as stored`)
    return { waitedMs: traffic().waitedMs, processorMs: spentByServer(postmaster), walBytes: Number(rows[0]?.wal), storedBytes: Number(rows[0]?.stored) }
  }
  return {
    during: async <T>(work: () => Promise<T>): Promise<{ readonly used: Used; readonly result: T; readonly before: Traffic; readonly after: Traffic; readonly seconds: number }> => {
      const [first, before, started] = [await read(), traffic(), performance.now()]
      const result = await work()
      const [seconds, after, last] = [(performance.now() - started) / 1_000, traffic(), await read()]
      return { result, before, after, seconds, used: Object.fromEntries(Object.entries(last).map(([name, value]) => [name, value - first[name as keyof Used]])) as Used }
    },
  }
}

function sum(statements: ReadonlyMap<string, number>): number {
  return [...statements.values()].reduce((all, each) => all + each, 0)
}

/** The four processes apart, with so many platforms: what each generation costs in each, and how many a second they do together. */
async function apart(platforms: 1 | 2, seconds: number): Promise<{ readonly outcome: Outcome; readonly spent: Costs['generation']['apart'] }> {
  await using redis = needsRedis.skip === false ? await startRedis() : null
  await using divided = await startDivided({
    platforms,
    env: {
      LOG_LEVEL: 'warn', ACGS_SECURITY_TOKEN_TTL_SECONDS: '86400', ACGS_SECURITY_ADDRESS_REQUESTS_PER_MINUTE: '0', ACGS_SECURITY_GENERATIONS_PER_MINUTE: '0',
      ...(redis === null ? {} : { REDIS_URL: redis.url }),
    },
  })
  await using client = startAsked<Work, Outcome>('./load/client.ts')
  const token = await divided.token('author')
  const send = async (work: Pick<Work, 'from' | 'seconds' | 'atMost'>) => well(await client({ urls: divided.platforms, token, seed: 100 + platforms, ...work, clients: CLIENTS * platforms }))
  const { sent } = await send({ from: 0, ...WARM, atMost: WARM.atMost * platforms })
  const pids = new Map([...divided.running].map(([name, { pid }]) => [name, pid] as const))
  const read = () => new Map([...pids].map(([name, pid]) => [name, spentBy(pid)] as const))
  const before = read()
  const outcome = await send({ from: sent, seconds })
  const after = read()
  const each = (name: (typeof PROCESSES)[number], key: keyof Spent) => Math.max(0, ((after.get(name) as Spent)[key] - (before.get(name) as Spent)[key]) / outcome.served.length)
  return { outcome, spent: Object.fromEntries(PROCESSES.map((name) => [name, { mainMs: each(name, 'mainMs'), allMs: each(name, 'allMs') }])) as Costs['generation']['apart'] }
}

function shown(costs: Costs): readonly Result[] {
  const { generation: { apart, database, appendMs, tipHeldMs, clientMs }, decision, platforms } = costs
  const figure = (name: string, unit: Result['unit'], value: number) => summarize(name, unit, [value])
  const carried = carry(costs, ASKED_ABOUT)
  const { measured, expected } = secondPlatform(costs)
  return [
    ...Object.entries(apart).map(([name, { allMs }]) => figure(`one generation: processor, ${name}`, 'ms', allMs)),
    figure('one generation: processor, database', 'ms', database.processorMs),
    figure('one generation: processor, client', 'ms', clientMs),
    figure('one generation: statements', '', database.statements),
    figure('one generation: transactions', '', database.transactions),
    figure('one generation: waiting for the database', 'ms', database.waitedMs),
    figure('one generation: written ahead', 'KB', database.walKb),
    figure('one append to the ledger, alone', 'ms', appendMs),
    figure('one generation: the tip of the ledger held', 'ms', tipHeldMs),
    figure('one decision: processor', 'ms', decision.processorMs),
    figure('one decision: statements', '', decision.statements),
    figure('one platform', '1/s', platforms.one),
    figure('two platforms', '1/s', platforms.two),
    figure('two platforms to one, measured', 'x', measured),
    figure('two platforms to one, by the costs', 'x', expected),
    figure(`model: ${ASKED_ABOUT.replicas} replicas, a database with ${ASKED_ABOUT.databaseCores} processors: generations (${carried.bounds[0].what})`, '1/s', carried.generations),
    figure('model: the same: decisions', '1/s', carried.decisions),
  ]
}
