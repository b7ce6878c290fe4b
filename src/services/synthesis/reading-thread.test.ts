import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '#config'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import { loadPacks } from '#adapters/packs.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { toUnit } from '#core/unit/to-unit.ts'
import { readHere } from './propose.ts'
import { startReading } from './reading-thread.ts'

const packs = loadPacks(join(ROOT, 'packs'))
const constitution = parseConstitution(readFileSync(join(ROOT, 'constitutions/acgs.yaml'), 'utf8'))
const units = packs.flatMap(({ requests }) => requests).map(({ body }, i) => toUnit(`u${i}`, GenerateBody.parse(body), { packs, constitution, parseSchema, threshold: 0.8 }))
const [unit] = units as [(typeof units)[number]]

test('what the thread reads is what is read here, of every pack’s requests at once', async () => {
  await using reading = startReading({ onLost: assert.fail })
  const all = await Promise.all(units.map((each) => reading.read(each)))
  assert.ok(units.length > 3)
  for (const [i, each] of units.entries()) assert.deepEqual(all[i], await readHere(each))
  assert.ok(all.flat(2).some(({ kind }) => kind === 'norms'))
})

test('a text that takes long to read does not hold up the event loop', async () => {
  await using reading = startReading({ onLost: assert.fail })
  await reading.read(unit)
  const long = { ...unit, sentences: Array.from({ length: 40 }, (_, i) => ({ ...(unit.sentences[0] as (typeof unit.sentences)[number]), number: i + 1, text: `Agents may read files if ${'the file is confidential or '.repeat(10)}the size of the file is over ${i}.` })) }
  const turnsDuring = async (read: typeof readHere) => {
    let turns = 0
    const turning = setInterval(() => turns++, 1)
    await read(long)
    clearInterval(turning)
    return turns
  }
  // Read here, others have a turn between every four sentences and no more.
  const here = await turnsDuring(readHere)
  assert.ok((await turnsDuring(reading.read)) > 4 * here, `${here} turns when it is read here`)
})

test('a thread that dies is replaced, and the text is read here meanwhile', async () => {
  const dies = new URL("data:text/javascript,import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(3))")
  const lost: string[] = []
  await using reading = startReading({ onLost: (because) => lost.push(because), body: dies })
  for (let i = 0; i < 2; i++) assert.deepEqual(await reading.read(unit), await readHere(unit))
  assert.deepEqual(lost, ['the thread that reads ended', 'the thread that reads ended'])
})

test('a text that takes longer than its time is refused, not read here; those beside it are read all the same', async () => {
  const hangs = new URL("data:text/javascript,import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => { for (;;); })")
  await using reading = startReading({ onLost: () => {}, timeoutMs: 300, body: hangs })
  const [first, second] = await Promise.allSettled([reading.read(unit), new Promise((resolve) => setTimeout(resolve, 150)).then(() => reading.read(unit))])
  assert.match(first.status === 'rejected' ? String(first.reason) : '', /not read within 300 ms: send it again later/)
  assert.deepEqual(second.status === 'fulfilled' ? second.value : null, await readHere(unit))
})
