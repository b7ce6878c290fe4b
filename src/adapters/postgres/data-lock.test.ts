import assert from 'node:assert/strict'
import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { temporaryFolder } from '#test/server.ts'
import { holderOf, lockDataFolder } from './data-lock.ts'
import { gone, lookUp } from './process.ts'

const HOLDER = new URL('../../../test/support/hold-data-folder.ts', import.meta.url)

test('a folder that is held is refused, naming the holder, and free again after release', () => {
  using folder = disposable()
  const lock = lockDataFolder(folder.path)
  assert.equal(holderOf(folder.path), process.pid)
  assert.throws(() => lockDataFolder(folder.path), { code: 'ALREADY_RUNNING', message: new RegExp(`process ${process.pid}`) })
  lock.release()
  lock.release()
  assert.equal(holderOf(folder.path), null)
  lockDataFolder(folder.path).release()
  assert.deepEqual(readdirSync(folder.path), ['lock.2'])
})

test('a process that was killed holds nothing', async () => {
  using folder = disposable()
  const child = fork(HOLDER, [folder.path])
  assert.deepEqual(await once(child, 'message'), ['held', undefined])
  assert.throws(() => lockDataFolder(folder.path), { code: 'ALREADY_RUNNING', message: new RegExp(`process ${child.pid}`) })
  child.kill('SIGKILL')
  await once(child, 'exit')
  lockDataFolder(folder.path).release()
})

test('a number that now belongs to another process is not believed', () => {
  using folder = disposable()
  writeFileSync(join(folder.path, 'lock.5'), `${process.pid} started at another time\n`)
  assert.equal(holderOf(folder.path), null)
  lockDataFolder(folder.path).release()
  assert.deepEqual(readdirSync(folder.path), ['lock.6'])
})

test('of many that start over a dead holder, one wins', async () => {
  using folder = disposable()
  writeFileSync(join(folder.path, 'lock.1'), '999999999 never\n')
  const children = Array.from({ length: 6 }, () => fork(HOLDER, [folder.path]))
  const answers = await Promise.all(children.map(async (child) => (await once(child, 'message'))[0] as string))
  await end(children)
  assert.deepEqual(answers.toSorted(), ['ALREADY_RUNNING', 'ALREADY_RUNNING', 'ALREADY_RUNNING', 'ALREADY_RUNNING', 'ALREADY_RUNNING', 'held'])
})

test('a process is told from its zombie', { skip: process.platform === 'linux' ? false : 'zombies are made visible through /proc' }, async () => {
  assert.notEqual(lookUp(process.pid), null)
  assert.equal(lookUp(999_999_999), null)
  assert.equal(lookUp(Number.NaN), null)
  // A shell that has replaced itself never waits for the child it had: that child stays a zombie.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 20'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  assert.equal(await gone(Number(line.toString()), 10_000), true)
  assert.doesNotThrow(() => process.kill(Number(line.toString()), 0), 'it is still in the process table')
  parent.kill('SIGKILL')
})

async function end(children: ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
    }),
  )
}

function disposable(): { path: string; [Symbol.dispose]: () => void } {
  const path = temporaryFolder()
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
