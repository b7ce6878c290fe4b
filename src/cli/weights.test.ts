import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runAcgs } from '#test/product.ts'

const folder = mkdtempSync(join(tmpdir(), 'acgs-weights-'))
after(() => rmSync(folder, { recursive: true }))
const SHIPPED = fileURLToPath(new URL('../core/syndrome/weights.json', import.meta.url))
const [weights, outcomes] = [join(folder, 'weights.json'), join(folder, 'outcomes.json')]
copyFileSync(SHIPPED, weights)
const record = (id: string) => writeFileSync(outcomes, JSON.stringify({ source: { id, what: 'for a test' }, outcomes: Array.from({ length: 60 }, (_, i) => ({ readings: { 'model:a': i < 6 ? 'wrong 1' : 'right', 'model:b': 'right' } })), graded: [{ confidence: 0.9, right: true }] }))

test('show says what was counted where, and what is only assumed', async () => {
  const { status, stdout } = await runAcgs(['weights', 'show', '--json'])
  const { methods, sources, assumed } = JSON.parse(stdout)
  assert.equal(status, 0)
  assert.deepEqual((methods as { method: string }[]).map(({ method }) => method), ['controlled-english', 'shallow-parse'])
  assert.ok(sources.length > 0 && assumed.example.because.length > 0)
})

test('show says who are two witnesses, and that whoever was never counted together with another is none of its own', async () => {
  const file = join(folder, 'together.json')
  const shipped = JSON.parse(readFileSync(SHIPPED, 'utf8'))
  const pair = (first: string, second: string, both_read: number) => ({ methods: [first, second], both_read, only_first: 0, only_second: 0, apart: 0, alike: 0 })
  writeFileSync(file, JSON.stringify({ ...shipped, readings: { ...shipped.readings, pairs: [...shipped.readings.pairs, pair('controlled-english', 'model:a', 49), pair('controlled-english', 'model:b', 50)] } }))
  const { pairs, not_compared } = JSON.parse((await runAcgs(['weights', 'show', '--weights', file, '--json'])).stdout)
  assert.deepEqual((pairs as { methods: string[]; are_two_witnesses: boolean }[]).map(({ methods, are_two_witnesses }) => [methods[1], are_two_witnesses]), [['shallow-parse', true], ['model:a', false], ['model:b', true]])
  assert.deepEqual(not_compared, [['model:a', 'model:b'], ['model:a', 'shallow-parse'], ['model:b', 'shallow-parse']])
  const { stdout } = await runAcgs(['weights', 'show', '--weights', file])
  assert.match(stdout, /controlled-english and shallow-parse .* · 1\.02 · two witnesses$/m)
  assert.match(stdout, /controlled-english and model:a .* · one witness: 49 of 50 sentences counted$/m)
  assert.match(stdout, /model:a and model:b .* one witness$/m)
  assert.match(stdout, /not named here[^]*until `\.\/acgs weights update` has counted it/)
})

test('a dry run says what would change and writes nothing; an update writes it, once', async () => {
  record('first')
  const before = readFileSync(weights, 'utf8')
  const dry = await runAcgs(['weights', 'update', '--from', outcomes, '--weights', weights, '--dry-run'])
  assert.deepEqual([dry.status, readFileSync(weights, 'utf8')], [0, before])
  assert.match(dry.stdout, /model:a .*assumed.*→ .*counted on 60[\s\S]*nothing was written/)
  const update = await runAcgs(['weights', 'update', '--from', outcomes, '--weights', weights, '--json'])
  assert.deepEqual([update.status, JSON.parse(update.stdout).weights], [0, JSON.parse(readFileSync(weights, 'utf8'))])
  const again = await runAcgs(['weights', 'update', '--from', outcomes, '--weights', weights])
  assert.equal(again.status, 1)
  assert.match(again.stderr, /`first` are counted already/)
})

test('outcomes that count for how methods err together change what pairs count as, which an update says, and no rate', async () => {
  writeFileSync(outcomes, JSON.stringify({ source: { id: 'earlier', what: 'for a test' }, counts: 'together', outcomes: Array.from({ length: 60 }, (_, i) => ({ readings: i < 12 ? { 'model:c': 'wrong 1', 'model:d': 'wrong 1' } : { 'model:c': 'right', 'model:d': 'right' } })) }))
  const { status, stdout } = await runAcgs(['weights', 'update', '--from', outcomes, '--weights', weights])
  assert.equal(status, 0)
  assert.match(stdout, /model:c and model:d\n.*correlation .*0\.300, assumed +→ +1\.00 .*counted on 60\n.*wrong alike .*0\.100, assumed +→ .*counted on 12\n.*effective witnesses .*1\.54 +→ +1\.00\n.*are two witnesses +no +→ +yes$/m)
  assert.doesNotMatch(stdout, /^model:c +\d/m)
  const shown = await runAcgs(['weights', 'show', '--weights', weights])
  assert.match(shown.stdout, /counted for how methods err together: earlier, 60 sentences/)
})

test('what is no outcome, no JSON or not there is refused with the place', async () => {
  writeFileSync(outcomes, '{"source":{"id":"x","what":"y"},"outcomes":[{"readings":{"model:a":"maybe"}}]}')
  const malformed = await runAcgs(['weights', 'update', '--from', outcomes, '--weights', weights])
  assert.deepEqual([malformed.status, /outcomes\.0\.readings\.model:a/.test(malformed.stderr)], [2, true])
  writeFileSync(outcomes, '{')
  for (const file of [outcomes, join(folder, 'absent.json')]) assert.equal((await runAcgs(['weights', 'update', '--from', file, '--weights', weights])).status, 2)
})

test('measure records what the readers made of sentences of known meaning, in the form that update takes', async () => {
  const { status, stdout, stderr } = await runAcgs(['weights', 'measure', '--schema', 'packs/ai-agents/schema.cedarschema', '--sentences', '12', '--seed', '3', '--out', outcomes, '--json'])
  assert.equal(status, 0, stderr)
  const { recorded, sentences } = JSON.parse(stdout)
  assert.deepEqual([sentences, recorded.outcomes.length, JSON.parse(readFileSync(outcomes, 'utf8'))], [12, 6, recorded])
  assert.equal((await runAcgs(['weights', 'update', '--from', outcomes, '--weights', weights, '--dry-run'])).status, 0)
})

test('more sentences than a schema can make are refused', async () => {
  const file = join(folder, 'small.cedarschema')
  writeFileSync(file, 'entity User; entity Doc; action view appliesTo { principal: User, resource: Doc };')
  const { status, stderr } = await runAcgs(['weights', 'measure', '--schema', file, '--sentences', '50'])
  assert.equal(status, 2)
  assert.match(stderr, /only 1 different sentences can be made/)
})

test('a file that is not JSON is named with the line and the column', async () => {
  const half = join(folder, 'half.json')
  writeFileSync(half, '{"source":\n {')
  const { status, stderr } = await runAcgs(['weights', 'update', '--from', half])
  assert.equal(status, 2)
  assert.match(stderr, /half\.json, line 2, column 3: is not JSON/)
})
