import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

async function chaos(...args: readonly string[]): Promise<{ status: number; printed: string }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('chaos/chaos.ts', import.meta.url)), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status: status ?? -1, printed }
}

test('platforms killed at thirty random moments lose nothing, do nothing twice, and told nobody what is not so', async () => {
  const { status, printed } = await chaos('--kills', '30')
  console.log(printed)
  assert.equal(status, 0, printed)
  assert.match(printed, /: 30 kills, 0 problems\n$/)
  assert.ok(Number(/(\d+) of them taken over/.exec(printed)?.[1]) > 0, 'no kill hit anything')
})

test('sabotage twin: with nobody taking over, the same audit finds what was lost', async () => {
  const { status, printed } = await chaos('--kills', '10', '--without-takeover')
  assert.equal(status, 1, printed)
  assert.match(printed, /problem: not finished within 15 s/)
})

test('an option that there is not is told, with where the others are', async () => {
  const { status, printed } = await chaos('--kill', '3')
  assert.equal(status, 2)
  assert.match(printed, /^chaos: Unknown option '--kill'; see npm run chaos -- --help\n$/)
})
