import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startEmbedded } from '#adapters/postgres/embedded.ts'
import { backupFolder } from '#test/backups.ts'

const { backups, fill, dataFolder, remove } = backupFolder()
after(remove)

test('a backup that is interrupted ends the server that was started for it, and leaves no half of a file', async () => {
  const data = dataFolder('interrupted')
  const server = await startEmbedded({ dataDir: data, portPreferred: 0, isThrowaway: true })
  await fill(server.url)
  await server.stop()
  const pidFile = join(data, 'postgres', 'postmaster.pid')
  const child = spawn('./acgs', ['ops', 'backup', join(backups, 'interrupted.acgs'), '--data', data], { env: { ...process.env, DATABASE_URL: '' }, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = once(child, 'close')
  while (child.exitCode === null && !(existsSync(pidFile) && readFileSync(pidFile, 'utf8').includes('ready'))) await sleep(2)
  child.kill('SIGINT')
  assert.deepEqual([(await ended)[0], existsSync(pidFile), said], [130, false, 'interrupted: no half of it is left\n'])
  assert.deepEqual(existsSync(backups) ? readdirSync(backups).filter((name) => name.includes('partial')) : [], [])
})
