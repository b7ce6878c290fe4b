import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { holderOf } from '#adapters/postgres/data-lock.ts'
import { gone } from '#adapters/postgres/process.ts'
import { freePorts } from '#test/product.ts'
import { temporaryFolder } from '#test/server.ts'

/**
 * What a newcomer does: a clone of what is committed here, `npm ci` by the machine's own npm and Node, `npm start`. The tests follow
 * each other: each uses what the one before has made.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
const home = temporaryFolder()
const clone = join(home, 'clone')
const ANSWER_MS = 15_000

/** The environment of someone who has just logged in: nothing of npm's and nothing of ours. */
const env: NodeJS.ProcessEnv = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|ACGS_|NODE|DATABASE_URL|PORT$|INIT_CWD)/i.test(name)))
env['PATH'] = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules')).join(delimiter)
// The checkout may belong to another user than the one who tests it.
env['GIT_CONFIG_GLOBAL'] = join(home, 'gitconfig')

let installedAt = 0
let product: { pid: number; output: () => string; hasExited: () => boolean; exited: Promise<unknown> } | undefined
const [PLATFORM = 0, AUTH = 0, SYNTHESIS = 0, COMPLIANCE = 0] = await freePorts(4)
const ports = { PLATFORM, AUTH, SYNTHESIS, COMPLIANCE }

before(async () => {
  fs.writeFileSync(join(home, 'gitconfig'), '[safe]\n\tdirectory = *\n')
  execFileSync('git', ['clone', '--quiet', `file://${root}`, clone], { env })
})
after(async () => {
  if (product !== undefined) await end(product)
  fs.rmSync(home, { recursive: true, force: true })
})

test('before the install, the launcher says what to do', () => {
  const { status, stderr } = spawnSync('./acgs', ['--version'], { cwd: clone, env, encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, /npm ci/)
})

test('npm ci installs what the lockfile says, without a word that would worry a newcomer', () => {
  const { status, stdout, stderr } = spawnSync('npm', ['ci'], { cwd: clone, env, encoding: 'utf8' })
  installedAt = performance.now()
  assert.equal(status, 0, stderr)
  assert.equal(stderr, '')
  assert.doesNotMatch(stdout, /warn|deprecat|vulnerab|EBADENGINE|script/i)
  assert.equal(spawnSync('git', ['status', '--porcelain'], { cwd: clone, env, encoding: 'utf8' }).stdout, '')
})

test('npm start answers on four ports within 15 seconds of the install', async () => {
  product = start()
  await answers(installedAt + ANSWER_MS)
  console.log(`four ports answered ${Math.round(performance.now() - installedAt)} ms after the install`)
})

test('./acgs tells its version and nothing else', () => {
  const { version } = JSON.parse(fs.readFileSync(join(clone, 'package.json'), 'utf8')) as { version: string }
  const { status, stdout, stderr } = spawnSync('./acgs', ['--version'], { cwd: clone, env, encoding: 'utf8' })
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: `${version}\n`, stderr: '' })
})

test('a second start names the process that is running, and touches nothing', () => {
  const { status, stdout, stderr } = spawnSync('npm', ['start'], { cwd: clone, env: withPorts(), encoding: 'utf8', timeout: ANSWER_MS })
  assert.notEqual(status, 0)
  assert.match(stdout + stderr, new RegExp(String(holderOf(join(clone, 'data')))))
})

test('after kill -9 the next start answers again, on the database that stayed', async () => {
  const before = databasePid()
  const holder = holderOf(join(clone, 'data'))
  assert(holder !== null && product !== undefined)
  process.kill(holder, 'SIGKILL')
  await product.exited
  const from = performance.now()
  product = start()
  await answers(from + ANSWER_MS)
  console.log(`four ports answered ${Math.round(performance.now() - from)} ms after a start over kill -9`)
  assert.equal(databasePid(), before)
})

test('asked to end, it ends, and its database with it; git sees nothing that it left', async () => {
  assert(product !== undefined)
  const database = databasePid()
  const ended = product
  product = undefined
  await end(ended)
  assert.ok(await gone(database, 10_000))
  assert.equal(spawnSync('git', ['status', '--porcelain'], { cwd: clone, env, encoding: 'utf8' }).stdout, '')
})

function withPorts(): NodeJS.ProcessEnv {
  return { ...env, ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [`ACGS_SERVICES_${name}_PORT`, String(port)])) }
}

function start(): NonNullable<typeof product> {
  const child = spawn('npm', ['start'], { cwd: clone, env: withPorts(), detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (output += piece.toString()))
  assert(child.pid !== undefined)
  return { pid: child.pid, output: () => output, hasExited: () => child.exitCode !== null || child.signalCode !== null, exited: once(child, 'exit') }
}

/** SIGTERM to the product itself, as an operator or a supervisor would send it. */
async function end(running: NonNullable<typeof product>): Promise<void> {
  if (running.hasExited()) return
  process.kill(holderOf(join(clone, 'data')) ?? -running.pid, 'SIGTERM')
  await Promise.race([running.exited, sleep(30_000, undefined, { ref: false }).then(() => assert.fail(`it did not end:\n${running.output()}`))])
}

async function answers(deadline: number): Promise<void> {
  const missing = new Map<string, number>(Object.entries(ports))
  while (missing.size > 0) {
    for (const [name, port] of missing) {
      const reply = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null)
      await reply?.arrayBuffer()
      if (reply?.status === 200) missing.delete(name)
    }
    if (performance.now() > deadline || product?.hasExited() !== false) assert.fail(`${[...missing.keys()].join(', ')} did not answer in time:\n${product?.output()}`)
    await sleep(20)
  }
}

function databasePid(): number {
  return Number(fs.readFileSync(join(clone, 'data', 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0])
}
