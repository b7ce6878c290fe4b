import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { passedUnchanged, toldUnchanged } from './containers/inputs.ts'

test('the image builds, runs and is updated by the runbook’s lines, or nothing changed since it last was', async (t) => {
  const passed = passedUnchanged()
  if (passed !== null) {
    console.log(toldUnchanged(passed))
    return
  }
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL('containers/run.ts', import.meta.url))], { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      process.stdout.write(chunk)
    })
  }
  const [status] = (await once(child, 'close')) as [number | null]
  const cannot = /^skipped: containers: (.*)$/m.exec(printed)
  if (cannot !== null) t.skip(`they changed and cannot be run here: ${cannot[1]}`)
  else assert.equal(status, 0, printed.slice(-3_000))
})
