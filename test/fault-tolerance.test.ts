import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FAULT_CLASSES } from '#core/injection/faults.ts'
import { seeded } from '#core/proof/random-world.ts'
import { STABILIZERS, TABLE_VERSION } from '#core/stabilizers/table.ts'
import { agreement } from '#core/syndrome/confidence.ts'
import { countOutcomes, readOutcomes } from '#core/syndrome/outcomes.ts'
import { correlation, WEIGHTS, type Lineage } from '#core/syndrome/weights.ts'
import { effectiveWitnesses } from '#core/syndrome/witnesses.ts'
import { temporaryFolder } from '#test/server.ts'
import { Ambiguous, Fresh } from '../bench/fault-tolerance/ambiguous.ts'
import { barChart } from '../bench/fault-tolerance/chart.ts'
import { faultsOf, togetherOf } from '../bench/fault-tolerance/collect.ts'
import { withContext } from '../bench/fault-tolerance/context.ts'
import { readNatural } from '../bench/fault-tolerance/natural.ts'
import { chartsOf, renderPage } from '../bench/fault-tolerance/page.ts'
import { applications, knownTexts, ROOT } from '../bench/fault-tolerance/policies.ts'
import { basisNow, partsOf, standingOf, toldOf, type Basis } from '../bench/fault-tolerance/basis.ts'
import type { ReadSentence } from '../bench/fault-tolerance/read-corpora.ts'
import type { FaultTolerance } from '../bench/fault-tolerance/run.ts'
import { measureSetting, SETTINGS } from '../bench/fault-tolerance/trials.ts'

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const measured = JSON.parse(read('bench/fault-tolerance/measured.json')) as FaultTolerance

test('docs/fault-tolerance.md and its charts are what the measured figures make', () => {
  assert.equal(read('docs/fault-tolerance.md'), renderPage(measured))
  for (const [name, svg] of Object.entries(chartsOf(measured))) assert.equal(read(`docs/fault-tolerance/${name}`), svg, name)
})

test('the figures are of the weights, the table and the constitution that are here', () => {
  const { wrong } = standingOf(partsOf(measured).map(({ basis }) => basis), basisNow())
  assert.deepEqual(wrong, [], toldOf({ wrong, doubtful: [] }) ?? '')
  // Parts from before digests were written down say at least which versions.
  assert.deepEqual([measured.versions['weights'], measured.versions['stabilizers']], [WEIGHTS.version, `${TABLE_VERSION} (${STABILIZERS.length})`])
})

test('the figures are of the sources and texts that are here', (t) => {
  const told = toldOf({ wrong: [], doubtful: standingOf(partsOf(measured).map(({ basis }) => basis), basisNow()).doubtful })
  if (told !== null) t.skip(told)
})

test('what can be chosen is said on --help, and a flag that is not known in one line', () => {
  const run = (...flags: readonly string[]) => spawnSync(process.execPath, [join(ROOT, 'bench/fault-tolerance/run.ts'), ...flags], { encoding: 'utf8' })
  const { status, stdout, stderr } = run('--help')
  assert.deepEqual([status, stderr], [0, ''])
  for (const flag of ['page', 'resume', 'part', 'instances', 'seed', 'help']) assert.match(stdout, new RegExp(`^  --${flag} `, 'm'))
  for (const { id } of SETTINGS) assert.ok(stdout.includes(` ${id}`), id)
  const wrong = run('--pages')
  assert.deepEqual([wrong.status, wrong.stdout, wrong.stderr], [2, '', 'fault-tolerance: unknown option `--pages`; see npm run fault-tolerance -- --help\n'])
})

test('figures of other weights are wrong, of other sources doubtful, and of what nobody wrote down doubtful too', () => {
  const now = basisNow()
  const other = (name: string): Basis => ({ ...now, [name]: 'another' })
  assert.deepEqual(standingOf([now, now], now), { wrong: [], doubtful: [] })
  for (const name of ['weights', 'stabilizers', 'constitution']) assert.deepEqual(standingOf([now, other(name)], now), { wrong: [name], doubtful: [] })
  for (const name of ['readers', 'prover', 'policies', 'checks', 'experiment', 'texts']) {
    assert.match(now[name] ?? '', /^[0-9a-f]{64}$/)
    assert.deepEqual(standingOf([other(name), now], now), { wrong: [], doubtful: [name] })
  }
  assert.deepEqual(standingOf([undefined], now), { wrong: [], doubtful: Object.keys(now) })
  assert.match(toldOf({ wrong: ['weights'], doubtful: ['prover'] }) ?? '', /are of other weights; .* prover \(src\/core\/proof, src\/adapters\/solver\)\. `npm run fault-tolerance/)
  assert.equal(toldOf({ wrong: [], doubtful: [] }), null)
})

test('a change of one source changes the digest of what it is part of, and no other; one of a test changes none', () => {
  const folder = temporaryFolder()
  try {
    for (const path of ['constitutions', 'src/core/proof', 'src/core/synthesis', 'packs']) cpSync(join(ROOT, path), join(folder, path), { recursive: true })
    const before = basisNow(folder)
    const changed = () => Object.keys(before).filter((name) => basisNow(folder)[name] !== before[name])
    appendFileSync(join(folder, 'src/core/proof/diff.test.ts'), '\n')
    assert.deepEqual(changed(), [])
    appendFileSync(join(folder, 'src/core/proof/encode/expression.ts'), '\n')
    assert.deepEqual(changed(), ['prover'])
    appendFileSync(join(folder, 'packs/ai-agents/schema.cedarschema'), '\n')
    assert.deepEqual(changed(), ['prover', 'texts'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('the page says for what was measured', () => {
  const now = basisNow()
  const pageOf = (basis: (i: number) => Basis) => renderPage({ ...measured, trials: Object.fromEntries(Object.entries(measured.trials).map(([id, part], i) => [id, { ...part, basis: basis(i) }])) })
  const short = (name: string) => now[name]?.slice(0, 12)
  assert.match(pageOf(() => now), new RegExp(`Of: weights \`${short('weights')}\`, stabilizers ${TABLE_VERSION}, constitution \`${short('constitution')}\``))
  assert.match(pageOf((i) => (i === 0 ? { ...now, prover: 'f'.repeat(64) } : now)), new RegExp(`prover \`f{12}\` or \`${short('prover')}\``))
})

test('the page says a miss where one was measured', () => {
  const made = renderPage(measured)
  const { '3-1': part, ...trials } = measured.trials
  assert.ok(part !== undefined)
  const { result } = part
  const spoilt = { ...result, all: { ...result.all, ours: { ...result.all.ours, detected: result.all.ours.detected - 1, false_accepts: result.all.ours.false_accepts + 1 } } }
  const missed = renderPage({ ...measured, trials: { ...trials, '3-1': { ...part, result: spoilt } } })
  const row = (page: string, about: string) => page.split('\n').find((line) => line.startsWith(`| ${about}`)) ?? ''
  for (const about of ['one faulty candidate among three', 'with independent faults in a minority']) assert.match(row(missed, about), /\| \*\*missed\*\*/)
  assert.match(row(made, 'one faulty candidate among three'), /\| met \|$/)
  // What is said of (3, 1) is of (3, 1), whatever else was measured with three candidates.
  assert.match(made, new RegExp(`Of each class with n = 3, k = 1 there were ${Object.values(result.by_class)[0]?.ours.trials} trials\\.`))
  assert.ok(made.includes(`| ${result.all.ours.trials} | 100.0 % of ${result.all.ours.trials} `))

  const { representations } = measured
  assert.ok(representations !== undefined)
  const unseen = representations.result.detected.map((each) => (each.where === 'document' ? { ...each, fired: 0 } : each))
  const blind = renderPage({ ...measured, representations: { ...representations, result: { ...representations.result, detected: unseen } } })
  assert.match(row(blind, 'faults in norms, decision table, document and examples'), /\| \*\*missed\*\*/)
  assert.match(blind, /Missed: .*document, words: another number/)
})

test('known-good policies come from the packs, and from applications only where they are', () => withContext(async ({ examiner }) => {
  const texts = await knownTexts(examiner)
  assert.ok(texts.length >= 15 && texts.every(({ examples, policy }) => examples.length > 0 && policy.rules.length > 0))
  assert.deepEqual(await applications(examiner, join(ROOT, 'nowhere')), [])
}))

test('a setting is measured class by class, and the same seed makes the same trials', () => withContext(async (context) => {
  const [first] = SETTINGS
  assert.ok(first !== undefined)
  const classes = FAULT_CLASSES.filter(({ id }) => ['wrong-effect', 'dropped-rule'].includes(id))
  const once = await measureSetting(first, { instances: 2, seed: 5 }, context, classes)
  assert.deepEqual(once, await measureSetting(first, { instances: 2, seed: 5 }, context, classes))
  assert.deepEqual(Object.values(once.by_class).map(({ ours: { trials, detected, corrected } }) => [trials, detected, corrected]), [[2, 2, 2], [2, 2, 2]])
  assert.ok(once.all.single.false_accepts > 0 || once.all.voting.false_accepts === 0)
}))

test('settings reach from (3, 1) to (7, 3), with enough trials for what is claimed', () => {
  const minority = SETTINGS.filter(({ isCorrelated, known, faulty }) => !isCorrelated && known === 'independent' && 'count' in faulty)
  assert.deepEqual([minority[0]?.id, minority.at(-1)?.id], ['3-1', '7-3'])
  assert.ok(minority.reduce((sum, { share }) => sum + Math.ceil(50 * share) * FAULT_CLASSES.length, 0) >= 2_000)
  assert.equal(minority[0]?.share, 1)
})

test('ambiguous requests and natural faults are data of the form that is read', () => {
  const { requests } = Ambiguous.parse(JSON.parse(read('bench/fault-tolerance/ambiguous.json')))
  assert.ok(requests.filter(({ settled_by_schema: settled }) => settled === undefined).length >= 40)
  const { requests: fresh, plain, common } = Fresh.parse(JSON.parse(read('bench/fault-tolerance/ambiguous-fresh.json')))
  const texts = [...requests, ...fresh, ...plain, ...common].map(({ text }) => text)
  assert.equal(new Set(texts).size, texts.length)
  const { faults, versions } = readNatural()
  assert.ok(faults.every((fault) => fault.versions.every((commit) => versions.some((version) => version.commit === commit))))
})

test('a sentence counts once for how readers err together: from the oldest version in which one was wrong, else from the newest', () => {
  const read = (text: string, ...said: readonly (readonly ['right' | 'wrong' | 'unread', string])[]): readonly ReadSentence[] => said.map(([outcome, cedar], i) => ({ corpus: 'some', text, method: ['a', 'b'][i] as string, outcome, cedar, wrong: outcome === 'wrong' ? 'because' : null }))
  const versions = [
    { commit: 'old', read: [...read('mended', ['wrong', '@id("N1")\npermit x;'], ['wrong', '@id("N2")\npermit x;']), ...read('never', ['unread', ''], ['right', 'permit y;'])] },
    { commit: 'mid', read: [...read('mended', ['wrong', 'permit x;'], ['right', 'permit z;']), ...read('never', ['unread', ''], ['right', 'permit y;'])] },
    { commit: 'new', read: [...read('mended', ['right', 'permit z;'], ['right', 'permit z;']), ...read('never', ['right', 'permit y;'], ['right', 'permit y;'])] },
  ]
  const [mended, never] = togetherOf(versions).outcomes.map(({ readings }) => readings)
  assert.match(mended?.['a'] ?? '', /^wrong /)
  assert.equal(mended?.['b'], mended?.['a'])
  assert.deepEqual(never, { a: 'right', b: 'right' })
  assert.deepEqual(faultsOf(versions).faults.map(({ method, versions: had, other }) => [method, had, other]), [['a', ['old'], 'alike'], ['b', ['old'], 'alike'], ['a', ['mid'], 'otherwise']])
})

test('the weights that ship count the recorded outcomes of earlier versions, for how readers err together and for nothing else', () => {
  const outcomes = readOutcomes(JSON.parse(read('bench/fault-tolerance/together.json')))
  assert.equal(outcomes.counts, 'together')
  assert.ok(WEIGHTS.readings.sources.some(({ id, counts }) => id === outcomes.source.id && counts === 'together'))
  const [counted] = countOutcomes({ ...WEIGHTS, readings: { sources: [], methods: [], pairs: [] } }, outcomes).readings.pairs
  const [shipped] = WEIGHTS.readings.pairs
  assert.ok(counted !== undefined && shipped !== undefined)
  const rest = { ...shipped, both_read: shipped.both_read - counted.both_read, alike: shipped.alike - counted.alike, apart: shipped.apart - counted.apart, only_first: shipped.only_first - counted.only_first, only_second: shipped.only_second - counted.only_second }
  const [one, other] = ['controlled-english', 'shallow-parse'].map((method) => ({ method, lineage: method })) as [Lineage, Lineage]
  assert.ok(correlation(one, other, WEIGHTS).isMeasured && effectiveWitnesses([one, other], WEIGHTS) < 1.1)
  // Two that agree are as sure as one, hardly surer, and far from as sure as two that err apart.
  const [alone, both, apart] = [agreement([one], WEIGHTS), agreement([one, other], WEIGHTS), agreement([one, other], { ...WEIGHTS, readings: { ...WEIGHTS.readings, pairs: [] } })]
  assert.ok(alone < both && both - alone < (apart - alone) / 10, `${alone} ${both} ${apart}`)
  // What is left is of sentences that the rates are about: no more were read, or read wrongly, by both than by each.
  for (const { read: all, wrong } of WEIGHTS.readings.methods) assert.ok(rest.both_read >= 0 && rest.both_read <= all && rest.alike + rest.apart <= wrong)
})

test('a chart has a bar and an interval for each share, and says nothing of what was not measured', () => {
  const random = seeded(1)
  const point = () => ({ share: random(), low: 0, high: 1 })
  const svg = barChart('A <title>', ['a', 'b'], [{ name: 'ours', points: [point(), null] }, { name: 'voting', points: [point(), point()] }])
  assert.equal(svg.match(/<rect /g)?.length, 3 + 2)
  assert.equal(svg.match(/<path class="line"/g)?.length, 3)
  assert.match(svg, /A &lt;title>|A &lt;title&gt;/)
  assert.match(svg, /prefers-color-scheme:dark/)
})
