import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect } from '#adapters/postgres/connect.ts'
import { seeded } from '#core/proof/random-world.ts'
import { makeDivision } from '#services/division.ts'
import { freePorts, runAcgs } from '#test/product.ts'
import type { Sabotage } from '#test/sabotage.ts'
import { startTestServer } from '#test/server.ts'
import { audit, standing, underWay, untilEnded, WITHIN_MS } from '../chaos/audit.ts'
import { prepare } from '../chaos/clients.ts'
import { NO_TAKEOVER } from '../chaos/no-takeover.ts'
import { FRONTS, noBalancer, startBalancer, type Balancer, type Front, type Side } from './balancer.ts'
import { saysReady, secretsOf, startInstance, type Deployment, type Instance, type Ports } from './instance.ts'
import { acceptMany, activateNext, begin, newTally, putApplication, type Activated, type Clients, type Limit, type Tally } from './load.ts'
import { noHistory, present, previousCommits, unpack, type Version } from './versions.ts'

const HELP = `npm run rolling [-- OPTIONS]

Updates the product under load as the runbook says, behind nginx and on one PostgreSQL: from an earlier version to this one, back, and to this one again.
Prints for each direction how many requests there were, how many failed, what was lost of that which was accepted, and decisions by an older revision
than the caller asked for.

  --from COMMIT     the earlier version, more than once for several; without it the newest whose migrations end before these, and the newest
                    whose product is another over the same migrations
  --seconds N       how long each direction is under load at least (20)
  --port N          where the platforms listen, the second at the next port (8010); 0: wherever there is room
  --once            to this version only, not back
  --reload          switches by reloading nginx's configuration instead of by a file
  --by-health       nobody switches: the old one is told to end, and the balancer's checker sees that it is not ready any more
  --seed S          makes the same choices again
  --json            one document instead of text
  --without-drain, --without-min-revision, --without-takeover
                    breaks what is tested here, and must fail

A shallow clone is made whole from its origin first (git fetch --unshallow).

exit: 0 nothing failed and nothing was lost, or it cannot be tried here (skipped, and why) · 1 something was, or it could not be done · 2 usage
e.g.  npm run rolling -- --seconds 60 --from v8.0.0
`

/** What came of one direction. */
type Direction = {
  readonly from: string
  readonly to: string
  /** Up to which migration each of them knows the schema. */
  readonly schema: { readonly from: number; readonly to: number }
  readonly requests: number
  readonly failed: number
  readonly lost: number
  readonly older: number
  readonly asked: Tally['requests']
  readonly accepted: Tally['accepted']
  readonly revisions: number
  readonly waited: { readonly times: number; readonly longest_ms: number }
  readonly longest_ms: Tally['longestMs']
  readonly problems: readonly string[]
}

const DIRECTIONS = [['N-1', 'N', 'b'], ['N', 'N-1', 'a'], ['N-1', 'N', 'b']] as const
/** So often a checker looks at `/readyz`. */
const CHECK_MS = 250
const HOW_MANY = { generation: 3, decision: 6, status: 3 } as const
const NO_MIN_REVISION: Sabotage = { file: 'decision-routes.ts', from: 'if (current !== null && current >= Number(least)) return', to: 'if (current !== null) return' }

const options = readOptions()
const say = (text: string) => void (options.json || process.stdout.write(`${text}\n`))
const obstacle = noBalancer() ?? noHistory(true)
if (obstacle !== null) {
  process.stdout.write(options.json ? `${JSON.stringify({ skipped: obstacle })}\n` : `skipped: rolling: ${obstacle}\n`)
  process.exit(0)
}
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

const home = mkdtempSync(join(tmpdir(), 'acgs-rolling-'))
const random = seeded(options.seed)
const done: Direction[] = []
let broken: string | null = null
try {
  const commits = options.from.length > 0 ? options.from : previousCommits()
  if (commits.length === 0) throw new Error('no earlier version of the history runs with the libraries that are installed here: name one with --from')
  for (const [at, commit] of commits.entries()) await updates(unpack(commit, join(home, `version-${at}`)), present())
} catch (error) {
  broken = error instanceof Error ? error.message : String(error)
} finally {
  rmSync(home, { recursive: true, force: true })
}
const isWell = broken === null && done.every(({ failed, lost, older, problems }) => failed + lost + older + problems.length === 0)
if (options.json) process.stdout.write(`${JSON.stringify({ ok: isWell, directions: done, ...(broken === null ? {} : { error: broken }) })}\n`)
else {
  if (broken !== null) process.stderr.write(`rolling: ${broken}\n`)
  const sum = (of: (each: Direction) => number) => done.reduce((total, each) => total + of(each), 0)
  say(`seed ${options.seed}: ${done.length} directions, ${sum(({ requests }) => requests)} requests, ${sum(({ failed }) => failed)} failed, ${sum(({ lost }) => lost)} lost, ${sum(({ older }) => older)} decisions by an older revision`)
}
process.exit(isWell ? 0 : 1)

/** There, back and there again, on one database that begins with the earlier version's. */
async function updates(previous: Version, next: Version): Promise<void> {
  say(`\nN-1: ${previous.name}, migrations up to ${previous.schema}\nN:   ${next.name}, migrations up to ${next.schema}`)
  const server = await startTestServer()
  const running = new Map<Side, Instance>()
  const folder = mkdtempSync(join(home, 'deployment-'))
  try {
    const databaseUrl = server.url // The runbook's acgs_db, of acgs_user, who is no superuser.
    const ports = await portsOf(options.port)
    await using balancer = await startBalancer({ a: [ports.a], b: [ports.b] }, options.how)
    const division = makeDivision(join(folder, 'division'), { database: databaseUrl })
    const deployment: Deployment = {
      databaseUrl, issuer: balancer.url.auth, drainSeconds: options.isByHealth ? (CHECK_MS * 8) / 1_000 : 0,
      secrets: secretsOf(division),
    }
    let started = 0
    const start = async (version: Version, side: Side) => {
      // In production a volume of its own: what one version keeps there is not for two at once.
      const instance = await startInstance(version, { ports: ports[side], deployment, dataFolder: join(folder, `data-${started++}`), sabotage: version === next ? options.sabotage : null, signal: stopping.signal })
      running.set(side, instance)
      return instance
    }
    await start(previous, 'a')
    const token = async (role: string) => {
      const { status, stdout, stderr } = await runAcgs(['token', '--role', role, '--data', division.people], { AUTH_SERVICE_URL: balancer.url.auth })
      if (status !== 0) throw new Error(`no token for ${role}: ${stderr}`)
      return stdout.trim()
    }
    const [author, council, service] = await Promise.all([token('author'), token('council'), token('service')])
    const clients = { url: balancer.url, tokens: { author, council, service }, random, keepsRequests: previous.keepsRequests && next.keepsRequests }
    const ids = await prepare({ random, platforms: () => [balancer.url.platform], auth: balancer.url.auth, tokens: { author, council }, signal: stopping.signal, turn: async () => {} })
    await putApplication({ ...clients, signal: stopping.signal })
    const certificates = ids.map((id, at): Limit => ({ id, limit: 1_001 + at }))
    const activated: Activated = { limits: new Map(), newest: 0 }
    await activateNext({ ...clients, signal: stopping.signal }, newTally(), activated, certificates)

    await using db = connect(databaseUrl, { name: 'test', connectionsMax: 2 })
    for (const [from, to, side] of DIRECTIONS.slice(0, options.isOnce ? 1 : undefined)) {
      const ending = new AbortController()
      const tally = newTally()
      const load = begin({ ...clients, signal: AbortSignal.any([ending.signal, stopping.signal]) }, tally, activated, HOW_MANY)
      let problems: string[] = []
      try {
        problems = await update({ from, to, side, version: to === 'N' ? next : previous, start, pointTo: balancer.pointTo, activate: () => activateNext({ ...clients, signal: stopping.signal }, tally, activated, certificates), accept: () => acceptMany({ ...clients, signal: stopping.signal }, tally, 12), running })
      } finally {
        ending.abort()
        await load
      }
      stopping.signal.throwIfAborted()
      const left = await underWay(db)
      const inTime = await untilEnded(db, left, performance.now())
      const lost = [...(inTime === null ? [`accepted, and not ended within ${WITHIN_MS / 1000} s: ${await standing(db, left)}`] : []), ...(await audit(db, tally.records, 0))]
      report({ from, to, schema: to === 'N' ? { from: previous.schema, to: next.schema } : { from: next.schema, to: previous.schema }, tally, lost, problems })
    }
    const complaints = balancer.errors().split('\n').filter((line) => /\[(error|crit|alert|emerg)\]/.test(line))
    for (const line of complaints.slice(0, 5)) say(`  nginx: ${line}`)
  } finally {
    for (const { kill } of running.values()) await kill('SIGTERM')
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The runbook's procedure, with what the operator sees of it. @returns What was not as it must be, beside what clients saw. */
async function update({ from, to, side, version, start, pointTo, activate, accept, running }: {
  from: string
  to: string
  side: Side
  version: Version
  start: (version: Version, side: Side) => Promise<Instance>
  pointTo: Balancer['pointTo']
  activate: () => Promise<number>
  accept: () => Promise<{ readonly ended: Promise<unknown> }>
  running: Map<Side, Instance>
}): Promise<string[]> {
  const begun = performance.now()
  const step = (text: string) => say(`  ${((performance.now() - begun) / 1000).toFixed(1).padStart(5)} s  ${text}`)
  const other = side === 'a' ? 'b' : 'a'
  const old = running.get(other) as Instance
  const problems: string[] = []
  say(`${from} -> ${to}`)
  step(`acgs-pgp-v8 is ${from}, pid ${old.pid}, under load`)
  await sleep(options.seconds * 250, undefined, { signal: stopping.signal })
  const fresh = await start(version, side)
  step(`acgs-pgp-v8-new is ${to}, pid ${fresh.pid}, and ready; both work on one database`)
  await activate()
  await sleep(options.seconds * 100, undefined, { signal: stopping.signal })
  // The hardest moment: the new one may not have heard yet of what the old one has just activated.
  const revision = await activate()
  const { ended } = await accept()
  if (options.isByHealth) {
    step(`revision ${revision} was activated, and at once acgs-pgp-v8 is told to end`)
    const checker = moveWhenUnready(old.ports, (front) => pointTo(side, [front]))
    const status = await old.kill('SIGTERM')
    running.delete(other)
    const moved = checker.stop()
    step(`acgs-pgp-v8 has ended with ${status}; the checker had moved ${moved.join(', ')}`)
    if (status !== 0) problems.push(`${from} ended with ${status}: ${old.printed().trim().split('\n').at(-1) ?? ''}`)
    pointTo(side)
  } else if (options.withoutDrain) {
    pointTo(side)
    step(`revision ${revision} was activated, and at once the balancer points to acgs-pgp-v8-new`)
    await old.kill('SIGKILL')
    running.delete(other)
    step(`acgs-pgp-v8 was killed with what it had under way`)
  } else {
    pointTo(side)
    step(`revision ${revision} was activated, and at once the balancer points to acgs-pgp-v8-new`)
    await sleep(1_000)
    const status = await old.kill('SIGTERM')
    running.delete(other)
    step(`acgs-pgp-v8 has finished what it had under way and ended with ${status}`)
    if (status !== 0) problems.push(`${from} ended with ${status}: ${old.printed().trim().split('\n').at(-1) ?? ''}`)
  }
  step(`acgs-pgp-v8-new is acgs-pgp-v8 now`)
  await ended
  await activate()
  await sleep(Math.max(options.seconds * 250, options.seconds * 1_000 - (performance.now() - begun)), undefined, { signal: stopping.signal })
  return problems
}

/** What a balancer with health checks does: whoever says that it is not ready is asked no more. Each process for itself. */
function moveWhenUnready(ports: Ports, move: (front: Front) => void): { readonly stop: () => readonly Front[] } {
  const moved = new Set<Front>()
  const timer = setInterval(() => {
    for (const front of FRONTS) {
      if (moved.has(front)) continue
      void saysReady(ports[front]).then((isReady) => {
        if (isReady || moved.has(front)) return
        moved.add(front)
        move(front)
      })
    }
  }, CHECK_MS)
  return { stop: () => (clearInterval(timer), [...moved]) }
}

function report({ from, to, schema, tally, lost, problems }: { from: string; to: string; schema: Direction['schema']; tally: Tally; lost: readonly string[]; problems: readonly string[] }): void {
  const { requests: asked, accepted, waited } = tally
  const requests = Object.values(asked).reduce((sum, each) => sum + each, 0)
  const longest = Object.fromEntries(Object.entries(tally.longestMs).map(([kind, ms]) => [kind, Math.round(ms)])) as Tally['longestMs']
  done.push({
    from, to, schema, requests, failed: tally.failed.length, lost: lost.length, older: tally.older.length, asked, accepted, revisions: tally.records.activated.size,
    waited: { times: waited.times, longest_ms: Math.round(waited.longestMs) }, longest_ms: longest, problems: [...tally.failed, ...lost, ...tally.older, ...problems].slice(0, 20),
  })
  say(`  requests ${requests}: ${Object.entries(asked).map(([kind, count]) => `${count} ${kind} (longest ${longest[kind as keyof typeof longest]} ms)`).join(', ')}`)
  say(`  generations: ${accepted.sync} answered, ${accepted.async} accepted with 202 (${accepted.followed} followed by their events), ${accepted.replayed} sent again with their key; decisions that waited for their revision: ${waited.times}, ${Math.round(waited.longestMs)} ms at most`)
  say(`  ${from} -> ${to}: requests ${requests}, failed ${tally.failed.length}, lost ${lost.length}, decisions by an older revision ${tally.older.length}`)
  for (const [name, list] of Object.entries({ failed: tally.failed, lost, older: tally.older, problem: problems })) for (const each of list.slice(0, 10)) say(`    ${name}: ${each}`)
}

async function portsOf(first: number): Promise<Record<Side, Ports>> {
  const free = await freePorts(8)
  const [a, b] = [free.slice(0, 4), free.slice(4)].map(([platform, auth, synthesis, compliance]) => ({ platform, auth, synthesis, compliance })) as [Ports, Ports]
  return first === 0 ? { a, b } : { a: { ...a, platform: first }, b: { ...b, platform: first + 1 } }
}

function readOptions() {
  const refuse = (text: string): never => {
    process.stderr.write(`rolling: ${text}; see npm run rolling -- --help\n`)
    process.exit(2)
  }
  const parse = () => {
    try {
      return parseArgs({ options: {
        from: { type: 'string', multiple: true, default: [] }, seconds: { type: 'string', default: '20' }, port: { type: 'string', default: '8010' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        once: { type: 'boolean', default: false }, reload: { type: 'boolean', default: false }, 'by-health': { type: 'boolean', default: false }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false },
        'without-drain': { type: 'boolean', default: false }, 'without-min-revision': { type: 'boolean', default: false }, 'without-takeover': { type: 'boolean', default: false },
      } }).values
    } catch (error) {
      return refuse((error as Error).message)
    }
  }
  const values = parse()
  if (values.help) {
    process.stdout.write(HELP)
    process.exit(0)
  }
  if (values.reload && values['by-health']) refuse('--reload and --by-health exclude each other')
  const whole = (name: 'seconds' | 'port' | 'seed', min: number, max: number): number => {
    const number = Number(values[name])
    return /^\d+$/.test(values[name]) && number >= min && number <= max ? number : refuse(`--${name} must be a whole number from ${min} to ${max}; \`${values[name]}\` is not`)
  }
  return {
    from: values.from, seconds: whole('seconds', 1, 3_600), port: whole('port', 0, 65_534), seed: whole('seed', 0, 2 ** 31), how: values.reload ? 'reload' as const : 'file' as const, isByHealth: values['by-health'],
    json: values.json, isOnce: values.once, withoutDrain: values['without-drain'] || values['without-takeover'], sabotage: values['without-takeover'] ? NO_TAKEOVER : values['without-min-revision'] ? NO_MIN_REVISION : null,
  }
}
