import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Check, Outcome } from '#core/stabilizers/check.ts'
import { clocked } from './clocked.ts'

test('each check is clocked by its own outcome, also when several run at once; what was not run here is not measured', async () => {
  let at = 0
  const { run, durationMs } = clocked(() => at)
  const done: (() => void)[] = []
  const check = (outcome: Outcome) => ({ run: () => new Promise<Outcome>((resolve) => done.push(() => resolve(outcome))) }) as Check
  const [quick, slow, other]: Outcome[] = [{ value: 1 }, { value: 1 }, { value: 1 }]
  const both = [run(check(slow!)), run(check(quick!))]
  at = 3
  done[1]!()
  await both[1]
  at = 10
  done[0]!()
  await both[0]
  assert.deepEqual([quick, slow, other].map((each) => durationMs(each!)), [3, 10, null])
})
