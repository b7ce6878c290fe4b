import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePorts, startProduct } from '#test/product.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'acgs-serve-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** `serve all` on free ports, with what it prints. */
async function serve(folder: string, env: { readonly [name: string]: string } = {}) {
  const free = await freePorts(4)
  const ports = Object.fromEntries(['PLATFORM', 'AUTH', 'SYNTHESIS', 'COMPLIANCE'].map((name, i) => [`ACGS_SERVICES_${name}_PORT`, String(free[i])]))
  const child = spawn(join(ROOT, 'acgs'), ['serve', 'all', '--data', folder], { cwd: ROOT, env: { ...process.env, DATABASE_URL: '', ...ports, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  return { child, printed: () => printed, ended: once(child, 'close').then(([code]) => code as number | null) }
}

async function until(isTrue: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; !isTrue(); await new Promise((resolve) => setTimeout(resolve, 5))) assert.ok(Date.now() < deadline, 'it takes too long')
}

test('a port in use is refused before anything is created, whichever of the four it is', async () => {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo
  try {
    for (const name of ['AUTH', 'PLATFORM']) {
      const folder = join(scratch, `refused-${name}`)
      const { ended, printed } = await serve(folder, { [`ACGS_SERVICES_${name}_PORT`]: String(port) })
      assert.equal(await ended, 1, printed())
      assert.match(printed(), new RegExp(`port ${port} of ${name.toLowerCase()} is in use.*ACGS_SERVICES_${name}_PORT`))
      assert.equal(existsSync(folder), false)
    }
  } finally {
    holder.close()
  }
})

test('a signal during the start ends it without a word of being ready, and leaves no database server behind', async () => {
  const folder = join(scratch, 'given-up')
  const { child, ended, printed } = await serve(folder)
  await until(() => existsSync(folder))
  child.kill('SIGINT')
  assert.equal(await ended, 0, printed())
  assert.match(printed(), /stopped on SIGINT before it was ready/)
  assert.doesNotMatch(printed(), /ready in|"msg":"ready"/)
  assert.equal(existsSync(join(folder, 'postgres', 'postmaster.pid')), false)
})

test('SIGHUP during the start is remembered: the configuration is read again once it is ready', async () => {
  const folder = join(scratch, 'hung-up')
  const { child, ended, printed } = await serve(folder)
  await until(() => existsSync(folder))
  child.kill('SIGHUP')
  await until(() => printed().includes('configuration read again'))
  assert.ok(printed().indexOf('ready in') < printed().indexOf('configuration read again'))
  child.kill('SIGTERM')
  assert.equal(await ended, 0, printed())
})

test('it greets first and says in the log afterwards that it is ready; a second start names the process that has the folder', async () => {
  await using product = await startProduct({ dataFolder: join(scratch, 'ready') })
  await until(() => product.printed().includes('"msg":"ready"'))
  const greeting = product.printed().indexOf('ready in')
  assert.ok(greeting >= 0 && greeting < product.printed().indexOf('"msg":"ready"'), product.printed())
  const second = await serve(product.dataFolder)
  assert.equal(await second.ended, 1)
  assert.match(second.printed(), new RegExp(`in use by process ${product.pid}\\b`))
})
