import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { seeded } from '#core/proof/random-world.ts'
import { makeDivision } from '#services/division.ts'
import { freePorts, runAcgs } from '#test/product.ts'
import { needsRedis, startRedis } from '#test/redis.ts'
import { startTestServer } from '#test/server.ts'
import { APPLICATION } from './chaos/clients.ts'
import { noBalancer, startBalancer, type Front } from './rolling/balancer.ts'
import { secretsOf, startInstance, type Instance, type Ports } from './rolling/instance.ts'
import { activateNext, newTally, putApplication, type Activated, type Clients } from './rolling/load.ts'
import { present } from './rolling/versions.ts'

const REPLICAS = 3
/** Fewer than are asked for, and more than a third of them: three that count for themselves admit all. */
const PER_MINUTE = 12
const ASKED = 24
/** Who does not hear from Redis in time counts for itself: on a machine with much else to do, that is not to be looked at here. */
const PATIENT = { ACGS_REDIS_TIMEOUT_MS: '10000', ACGS_REDIS_CONNECT_TIMEOUT_MS: '10000' }

const needsBoth = { skip: needsRedis.skip !== false ? needsRedis.skip : process.env['CI'] === 'true' ? false : noBalancer() ?? false }

type Replicas = { readonly ports: readonly Ports[]; readonly clients: Clients; readonly db: Database } & AsyncDisposable

/** Three products, each of them all four processes, behind one balancer that asks them in turn. */
async function startReplicas(redisUrl: string | null): Promise<Replicas> {
  const server = await startTestServer()
  const folder = mkdtempSync(join(tmpdir(), 'acgs-scale-out-'))
  const free = await freePorts(4 * REPLICAS)
  const ports = Array.from({ length: REPLICAS }, (_, n) => ({ platform: free[4 * n], auth: free[4 * n + 1], synthesis: free[4 * n + 2], compliance: free[4 * n + 3] })) as Ports[]
  const balancer = await startBalancer({ a: ports, b: ports }, 'file')
  const running: Instance[] = []
  const end = async () => {
    for (const { kill } of running) await kill('SIGTERM')
    await balancer[Symbol.asyncDispose]()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const division = makeDivision(join(folder, 'division'), { database: server.url })
    const deployment = { databaseUrl: server.url, issuer: balancer.url.auth, drainSeconds: 0, secrets: secretsOf(division) }
    const settings = { ACGS_SECURITY_GENERATIONS_PER_MINUTE: String(PER_MINUTE), ...(redisUrl === null ? {} : { REDIS_URL: redisUrl, ...PATIENT }) }
    for (const [n, each] of ports.entries()) running.push(await startInstance(present(), { ports: each, deployment, dataFolder: join(folder, `data-${n}`), settings }))
    const token = async (role: string) => {
      const { status, stdout, stderr } = await runAcgs(['token', '--role', role, '--data', division.people], { AUTH_SERVICE_URL: balancer.url.auth })
      if (status !== 0) throw new Error(stderr)
      return stdout.trim()
    }
    const [author, council, service] = await Promise.all([token('author'), token('council'), token('service')])
    const db = connect(server.url, { name: 'test', connectionsMax: 2 })
    return {
      ports, db, clients: { url: balancer.url, tokens: { author, council, service }, random: seeded(1), signal: new AbortController().signal, keepsRequests: true },
      [Symbol.asyncDispose]: async () => {
        await db[Symbol.asyncDispose]()
        await end()
      },
    }
  } catch (error) {
    await end()
    throw error
  }
}

/** Asks for that many generations at once, to be made in the background. */
async function askForMany({ url, tokens }: Clients): Promise<{ readonly ids: readonly string[]; readonly refused: number }> {
  const replies = await Promise.all(Array.from({ length: ASKED }, async (_, n) => {
    const response = await fetch(`${url.platform}/api/v1/generate-policy`, {
      method: 'POST', headers: { authorization: `Bearer ${tokens.author}`, 'content-type': 'application/json', prefer: 'respond-async' },
      body: JSON.stringify({ title: `Limit ${n}`, description: `Agents may send payments if a human has approved and the amount is at most ${1_001 + n}. Every payment must be logged.`, context: { domain: 'ai-agents' } }),
    })
    const body = (await response.json()) as { generation_id: string }
    assert.ok(response.status === 202 || response.status === 429, JSON.stringify(body))
    return response.status === 202 ? [body.generation_id] : []
  }))
  const ids = replies.flat()
  return { ids, refused: ASKED - ids.length }
}

/** How many generations each replica has made, by its metrics. */
async function madeBy(ports: readonly Ports[]): Promise<readonly number[]> {
  return Promise.all(ports.map(async ({ platform }) => {
    const text = await (await fetch(`http://127.0.0.1:${platform}/metrics`)).text()
    return [...text.matchAll(/^acgs_pgp_v8_policy_generation_requests_total\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
  }))
}

test('three replicas of each process count callers together, make each generation once, and decide by the same revision', needsBoth, async (t) => {
  await using redis = await startRedis()
  await using replicas = await startReplicas(redis.url)
  const { clients, db, ports } = replicas
  const { ids, refused } = await askForMany(clients)

  await t.test('the rate limit is one for all of them', () => assert.deepEqual([ids.length, refused], [PER_MINUTE, ASKED - PER_MINUTE]))

  await t.test('background work is done once, and by more than one of them', async () => {
    const left = async () => (await db.query(`select from generation_requests where state = 'accepted'`)).rowCount ?? 0
    while ((await left()) > 0) await sleep(100)
    const { rows } = await db.query<{ state: string; attempt: number; entries: number }>(
      `select state, attempt, (select count(*)::int from ledger_entries e where e.subject = r.generation_id) as entries from generation_requests r where generation_id = any ($1)`, [ids])
    assert.deepEqual(rows, ids.map(() => ({ state: 'finished', attempt: 1, entries: 1 })))
    const made = await madeBy(ports)
    console.log(`generations made by each replica: ${made.join(', ')}`)
    assert.equal(made.reduce((sum, each) => sum + each, 0), ids.length)
    assert.ok(made.filter((each) => each > 0).length > 1, `made by ${made.join(', ')}`)
  })

  await t.test('what is activated through one decides at every one', async () => {
    await putApplication(clients)
    const { rows } = await db.query<{ id: string; title: string }>('select certificate_id as id, title from policy_generations where certificate_id is not null order by title limit 3')
    assert.ok(rows.length > 1)
    const certificates = rows.map(({ id, title }) => ({ id, limit: 1_001 + Number(title.replace('Limit ', '')) }))
    const activated: Activated = { limits: new Map(), newest: 0 }
    for (let n = 0; n < 3; n++) {
      const revision = await activateNext(clients, newTally(), activated, certificates)
      for (const { compliance } of ports) assert.equal(await revisionAt(compliance, clients, revision), revision)
    }
  })
})

test('sabotage twin: without Redis each counts for itself, and more are admitted than one would', needsBoth, async () => {
  await using replicas = await startReplicas(null)
  const { ids } = await askForMany(replicas.clients)
  assert.ok(ids.length > PER_MINUTE, `${ids.length} were admitted`)
})

/** By which revision a replica decides, once it has at least this one. */
async function revisionAt(port: number, { tokens }: Clients, least: number): Promise<number> {
  for (const deadline = Date.now() + 30_000; ; await sleep(50)) {
    const response = await fetch(`http://127.0.0.1:${port}/access/v1/evaluation`, {
      method: 'POST', headers: { authorization: `Bearer ${tokens.service}`, 'content-type': 'application/json', 'x-acgs-application': APPLICATION, 'x-acgs-min-revision': String(least) },
      body: JSON.stringify({ subject: { type: 'Agent', id: 'alpha' }, action: { name: 'sendPayment' }, resource: { type: 'Account', id: 'acme' }, context: { amount: 1_002, humanApproved: true } }),
    })
    const body = (await response.json()) as { context: { revision: number } }
    if (response.status === 200) return body.context.revision
    // Before its first turn it does not know the application.
    assert.ok((response.status === 409 || response.status === 404) && Date.now() < deadline, JSON.stringify(body))
  }
}
