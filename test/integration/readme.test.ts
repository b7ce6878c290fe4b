import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { lasting, stepsOf } from '#test/console-blocks.ts'
import { runPage } from '#test/run-page.ts'

test('the README’s commands print what the README shows', async () => {
  const page = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const shown = stepsOf(page)
  assert.ok(shown.length >= 8)
  const printed = await runPage(page)
  for (const [i, { command, output, exit }] of shown.entries()) {
    assert.equal(lasting(printed[i]?.output ?? ''), lasting(output), command)
    assert.equal(printed[i]?.exit, exit, command)
  }
})

test('sabotage: a changed output would be noticed', () => {
  assert.notEqual(lasting('valid: signature'), lasting('not valid: signature'))
  assert.equal(lasting('in 12 ms, pid 1'), lasting('in 7 ms, pid 22'))
})
