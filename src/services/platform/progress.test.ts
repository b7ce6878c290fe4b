import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RequestProgress, StepRow } from '#adapters/postgres/generation-requests.ts'
import { createProgress } from './progress.ts'

const at = '2026-11-28T10:00:00.000Z'
const step = (attempt: number, name: StepRow['step']): StepRow => ({ attempt, step: name, at })

/** A request whose standing a test changes as it goes. */
function request(steps: StepRow[]) {
  const now = { state: 'accepted' as RequestProgress['state'], steps }
  const standing = (): RequestProgress => ({
    generation_id: 'gen_1', subject: 'ada', request_digest: '', state: now.state, accepted_at: new Date(at), ended_at: now.state === 'accepted' ? null : new Date(at), attempt: 1,
    steps: [...now.steps], outcome: null,
  })
  return { now, standing, requests: { progress: async () => standing(), isWorkedOnHere: () => true } }
}
const idsIn = (text: string) => [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id)
async function all(pieces: AsyncIterable<string> | null): Promise<string> {
  let text = ''
  for await (const piece of pieces ?? assert.fail('there is nothing to follow')) text += piece
  return text
}

test('steps come in order, until the end, and the end is the last', async () => {
  const { now, standing, requests } = request([step(1, 'propose')])
  const whole = all(createProgress({ requests, streamsMax: 1 }).follow(standing(), null, new AbortController().signal))
  await sleep(120)
  now.steps.push(step(1, 'measure'), step(2, 'propose'))
  await sleep(120)
  now.steps.push(step(2, 'append'))
  now.state = 'finished'
  const text = await whole
  assert.match(text, /^retry: 1000\n\n/)
  assert.deepEqual(idsIn(text), ['0.0', '1.1', '1.2', '2.1', '2.2', 'end'])
  assert.match(text, /id: end\nevent: finished\ndata: \{"generation_id":"gen_1",.*"location":"\/api\/v1\/generations\/gen_1"\}\n\n$/)
})

test('whoever comes back is sent what came after what it has seen, also of a later attempt', async () => {
  const { standing, requests, now } = request([step(1, 'propose'), step(1, 'measure'), step(1, 'prove'), step(2, 'propose')])
  now.state = 'failed'
  const from = async (last: string) => idsIn(await all(createProgress({ requests, streamsMax: 1 }).follow(standing(), last, new AbortController().signal)))
  assert.deepEqual(await from('1.2'), ['1.3', '2.1', 'end'])
  assert.deepEqual(await from('1.9'), ['2.1', 'end'], 'steps of an attempt that died with what it had not told yet')
  assert.deepEqual(await from('nonsense'), ['0.0', '1.1', '1.2', '1.3', '2.1', 'end'])
  assert.equal(createProgress({ requests, streamsMax: 1 }).follow(standing(), 'end', new AbortController().signal), null)
})

test('so many may follow; a place is free again when one goes away', async () => {
  const { standing, requests } = request([])
  const progress = createProgress({ requests, streamsMax: 1 })
  const gone = new AbortController()
  const first = all(progress.follow(standing(), null, gone.signal))
  assert.throws(() => progress.follow(standing(), null, new AbortController().signal), { code: 'OVERLOADED' })
  gone.abort()
  await first
  const second = progress.follow(standing(), null, new AbortController().signal)
  progress.end()
  await all(second)
})

test('a stream that nobody begins to read takes no place', () => {
  const { standing, requests } = request([])
  const progress = createProgress({ requests, streamsMax: 1 })
  for (let n = 0; n < 3; n++) assert.ok(progress.follow(standing(), null, new AbortController().signal))
})

test('a process that is about to stop ends every stream, and those that come then after what is known', async () => {
  const { standing, requests } = request([step(1, 'propose')])
  const progress = createProgress({ requests, streamsMax: 2 })
  const open = all(progress.follow(standing(), null, new AbortController().signal))
  await sleep(60)
  progress.end()
  assert.deepEqual(idsIn(await open), ['0.0', '1.1'])
  assert.deepEqual(idsIn(await all(progress.follow(standing(), null, new AbortController().signal))), ['0.0', '1.1'])
})
