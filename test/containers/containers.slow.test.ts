import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { isUnchanged } from './inputs.ts'
import { ROOT } from './shell.ts'

test('the image is built and goes through the runbook’s deployment, whenever what it depends on has changed', async (context) => {
  if (isUnchanged()) {
    context.diagnostic('nothing that the containers depend on has changed since every line passed (test/containers/passed.json)')
    return
  }
  const run = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'test/containers/run.ts'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  run.stdout.on('data', (piece: Buffer) => {
    output += piece.toString()
    process.stdout.write(piece)
  })
  const status = await new Promise((resolve) => run.once('close', resolve))
  const skipped = /^skipped: containers: (.*)$/m.exec(output)?.[1]
  if (skipped !== undefined) return context.skip(skipped)
  assert.match(output, /^[1-9]\d* passed, 0 failed(, \d+ skipped)?$/m)
  assert.equal(status, 0)
})
