import assert from 'node:assert/strict'
import test from 'node:test'
import { recurring } from './recurring.ts'

test('a trouble is said when it begins, for another reason, once a minute and when it is over, whatever often it is met', async () => {
  const said: string[] = []
  let now = 0
  const note = (level: string) => (facts: { times: number; err?: Error }, text: string) => void said.push(`${level} ${text} ${facts.err?.message ?? ''} ${facts.times}`)
  const met = recurring({ warn: note('warn'), info: note('info') } as never, 'not reached', () => now)
  const fail = (because: string) => met(Promise.reject(new Error(because)))
  await met(Promise.resolve())
  for (; now < 30_000; now += 1_000) await fail('refused')
  await fail('timeout')
  for (; now < 100_000; now += 1_000) await fail('timeout')
  await met(Promise.resolve())
  await met(Promise.resolve())
  assert.deepEqual(said, ['warn not reached refused 1', 'warn not reached timeout 31', 'warn not reached timeout 92', 'info over: not reached  101'])
})
