import assert from 'node:assert/strict'
import test from 'node:test'
import { Failure } from '#core/failure.ts'
import { commonCauseWeight } from './mechanisms.ts'
import { countOutcomes, readOutcomes, type Outcomes } from './outcomes.ts'
import { alikeRate, areTwoWitnesses, correlation, lineagesOf, misreadRate, readWeights, WEIGHTS, witnessesAmong, type Weights } from './weights.ts'
import { effectiveWitnesses, witnessWeights } from './witnesses.ts'

const EMPTY: Weights = { ...WEIGHTS, readings: { sources: [], methods: [], pairs: [] }, calibration: null }
const lineage = (method: string, of: string = method) => ({ method, lineage: of })
const [A, B, C] = [lineage('a'), lineage('b'), lineage('c')]
const times = (count: number, readings: { readonly [method: string]: string }) => Array.from({ length: count }, () => ({ readings }))
const file = (outcomes: Outcomes['outcomes'], graded: Outcomes['graded'] = [], id = 'some', counts: Outcomes['counts'] = 'all'): Outcomes => ({ source: { id, what: 'for a test' }, counts, outcomes, graded })

test('what ships is usable, and says of each thing that is assumed why', () => {
  assert.ok(Object.values(WEIGHTS.assumed).every(({ because }) => because.length > 20))
  assert.ok(WEIGHTS.readings.sources.every(({ what }) => what.length > 20))
})

test('outcomes are counted by method and by pair; what was not read counts for nobody', () => {
  const { readings } = countOutcomes(EMPTY, file([...times(80, { a: 'right', b: 'right' }), ...times(6, { a: 'wrong 1', b: 'wrong 1' }), ...times(4, { b: 'wrong 1', a: 'wrong 2' }), ...times(7, { a: 'wrong x', b: 'right' }), ...times(3, { a: 'right', b: 'wrong x' }), ...times(9, { a: 'right', b: 'unread' })]))
  assert.deepEqual(readings.methods, [{ method: 'a', read: 109, wrong: 17 }, { method: 'b', read: 100, wrong: 13 }])
  assert.deepEqual(readings.pairs, [{ methods: ['a', 'b'], both_read: 100, only_first: 7, only_second: 3, apart: 4, alike: 6 }])
})

test('outcomes that count for how methods err together change no rate of a method, and the source says so', () => {
  const outcomes = [...times(40, { a: 'right', b: 'right' }), ...times(20, { a: 'wrong 1', b: 'wrong 1' })]
  const rated = countOutcomes(EMPTY, file(times(100, { a: 'right', b: 'right' })))
  const [alone, both] = [countOutcomes(rated, file(outcomes, [], 'earlier', 'together')), countOutcomes(rated, file(outcomes, [], 'earlier'))]
  assert.deepEqual(alone.readings.methods, rated.readings.methods)
  assert.deepEqual(alone.readings.pairs, both.readings.pairs)
  assert.deepEqual(alone.readings.pairs, [{ methods: ['a', 'b'], both_read: 160, only_first: 0, only_second: 0, apart: 0, alike: 20 }])
  assert.deepEqual(alone.readings.sources.map(({ id, counts }) => [id, counts]), [['some', 'all'], ['earlier', 'together']])
  assert.equal(both.readings.methods[0]?.wrong, 20)
})

test('what outcomes count for is all, where nothing is said, and nothing else than all or together', () => {
  const given = { source: { id: 'x', what: 'y' }, outcomes: times(1, { a: 'right' }) }
  assert.equal(readOutcomes(given).counts, 'all')
  assert.throws(() => readOutcomes({ ...given, counts: 'rates' }), /counts/)
})

test('rates, and correlation with its interval, follow from the counts', () => {
  const weights = countOutcomes(EMPTY, file([...times(80, { a: 'right', b: 'right' }), ...times(10, { a: 'wrong 1', b: 'wrong 1' }), ...times(10, { a: 'wrong 1', b: 'right' })]))
  assert.equal(misreadRate('a', weights).value, 20.5 / 101)
  assert.equal(alikeRate(A, B, weights).value, 10.5 / 21)
  assert.equal(alikeRate(B, A, weights).value, 10.5 / 11)
  const { value, low, high, isMeasured } = correlation(A, B, weights)
  assert.ok(isMeasured && Math.abs(value - (10 * 80) / Math.sqrt(20 * 10 * 80 * 90)) < 1e-12)
  assert.ok(low !== null && high !== null && low < value && value < high && low > 0.5 && high < 0.8)
})

test('witnesses are weighed by the upper end of what was measured', () => {
  const weights = countOutcomes(EMPTY, file([...times(80, { a: 'right', b: 'right' }), ...times(10, { a: 'wrong 1', b: 'wrong 1' }), ...times(10, { a: 'wrong 1', b: 'right' })]))
  const { value, high } = correlation(A, B, weights)
  assert.ok(high !== null && high > value)
  assert.deepEqual(witnessWeights([A, B], weights), [1 / (1 + high), 1 / (1 + high)])
})

test('few counts say nothing: then the assumption holds, and is said to be one', () => {
  const weights = countOutcomes(EMPTY, file([...times(49, { a: 'right', b: 'right' })]))
  assert.deepEqual(misreadRate('a', weights), { value: EMPTY.assumed.misread.value, low: null, high: null, of: 49, isMeasured: false })
  assert.equal(correlation(A, B, countOutcomes(EMPTY, file([...times(30, { a: 'right', b: 'right' }), ...times(15, { a: 'wrong 1', b: 'wrong 1' })]))).isMeasured, false)
  assert.equal(correlation(A, B, countOutcomes(EMPTY, file(times(4_000, { a: 'right', b: 'right' })))).isMeasured, false)
})

test('of never wrong in many a rate above never is made', () => {
  const { value, low, high } = misreadRate('a', countOutcomes(EMPTY, file(times(999, { a: 'right' }))))
  assert.ok(value === 0.5 / 1_000 && low === 0 && high !== null && high > 0.003 && high < 0.004)
})

test('a source is counted once', () => {
  const once = countOutcomes(EMPTY, file(times(3, { a: 'right' })))
  assert.throws(() => countOutcomes(once, file(times(3, { a: 'right' }))), (error: Failure) => error.code === 'CONFLICT' && /another source id/.test(error.message))
  assert.equal(countOutcomes(once, file(times(3, { a: 'right' }), [], 'other')).readings.methods[0]?.read, 6)
})

test('calibration is of the graded answers of the last update, and goes where there are few or none', () => {
  const calibrated = countOutcomes(EMPTY, file(times(1, { a: 'right' }), [...Array.from({ length: 45 }, () => ({ confidence: 0.9, right: true })), ...Array.from({ length: 5 }, () => ({ confidence: 0.9, right: false }))]))
  assert.deepEqual([calibrated.calibration?.answers, calibrated.calibration?.right, calibrated.calibration?.brier.toFixed(4)], [50, 45, '0.0900'])
  assert.equal(countOutcomes(calibrated, file(times(1, { a: 'right' }), [], 'other')).calibration, null)
  assert.equal(countOutcomes(calibrated, file(times(1, { a: 'right' }), Array.from({ length: 49 }, () => ({ confidence: 0.9, right: true })), 'few')).calibration, null)
})

test('what is no outcome, and counts that cannot be, are refused with their place', () => {
  assert.throws(() => readOutcomes({ source: { id: 'x', what: 'y' }, outcomes: [{ readings: { a: 'perhaps' } }] }), /outcomes\.0\.readings\.a/)
  assert.throws(() => readOutcomes({ source: { id: 'x', what: 'y' }, outcomes: [] }), Failure)
  const methods = [{ method: 'a', read: 1, wrong: 2 }]
  assert.throws(() => readWeights({ ...EMPTY, readings: { ...EMPTY.readings, methods } }), /a got 2 sentences wrong and has read 1/)
  assert.throws(() => readWeights({ ...EMPTY, readings: { ...EMPTY.readings, pairs: [{ methods: ['b', 'a'], both_read: 1, only_first: 0, only_second: 0, apart: 0, alike: 0 }] } }), /alphabetical/)
})

test('n witnesses of equal correlation count as n / (1 + (n − 1) ρ); of one lineage hardly more than one', () => {
  const assume = (value: number): Weights => ({ ...EMPTY, assumed: { ...EMPTY.assumed, correlation: { ...EMPTY.assumed.correlation, value } } })
  for (const rho of [0.1, 0.5, 0.9]) assert.ok(Math.abs(effectiveWitnesses([A, B, C], assume(rho)) - 3 / (1 + 2 * rho)) < 1e-12)
  assert.ok(Math.abs(effectiveWitnesses([A, lineage('b', 'a')], EMPTY) - 2 / 1.9) < 1e-12)
  assert.equal(effectiveWitnesses([], EMPTY), 0)
  const [alone = 0, ...twins] = witnessWeights([A, lineage('b', 'one'), lineage('c', 'one')], EMPTY)
  assert.ok(twins.every((each) => each < alone))
})

const compared = (...pairs: readonly (readonly [string, string])[]): Weights => ({ ...EMPTY, readings: { ...EMPTY.readings, pairs: pairs.map(([one, other]) => ({ methods: [one, other], both_read: 50, only_first: 0, only_second: 0, apart: 0, alike: 0 })) } })

test('two are two witnesses once enough sentences were read by both, and never with method or lineage in common', () => {
  const weights = compared(['a', 'b'])
  assert.ok(areTwoWitnesses(A, B, weights) && areTwoWitnesses(B, A, weights))
  assert.ok(!areTwoWitnesses(A, C, weights) && !areTwoWitnesses(A, lineage('b', 'a'), weights))
  const few = weights.readings.pairs.map((pair) => ({ ...pair, both_read: 49 }))
  assert.ok(!areTwoWitnesses(A, B, { ...weights, readings: { ...weights.readings, pairs: few } }))
})

test('witnesses are counted through what they have in common, and those that nobody has compared are one', () => {
  const all = compared(['a', 'b'], ['a', 'c'], ['b', 'c'])
  const joined = [lineage('a', '1'), lineage('b', '2'), lineage('a', '3'), lineage('c', '3')]
  assert.deepEqual([lineagesOf(joined), witnessesAmong(joined, all)], [2, 2])
  assert.deepEqual([[], [A], [A, B, C]].map((some) => witnessesAmong(some, all)), [0, 1, 3])
  assert.deepEqual([lineagesOf([A, B, C]), witnessesAmong([A, B, C], EMPTY)], [3, 1])
  // One that nobody has compared adds nothing, and takes nothing from the others.
  assert.equal(witnessesAmong([A, B, C], compared(['a', 'b'])), 2)
  assert.equal(witnessesAmong([C, A, lineage('d'), B], compared(['a', 'b'], ['c', 'd'], ['a', 'd'])), 2)
  // A chain is not compared end to end.
  assert.equal(witnessesAmong([A, B, C], compared(['a', 'b'], ['b', 'c'])), 2)
  // What is joined stays joined, and one of it that was compared is enough, from either side.
  assert.equal(lineagesOf([lineage('a', '1'), lineage('a', '3'), lineage('c', '1')]), 1)
  for (const some of [[lineage('a', '1'), lineage('d', '1'), B], [B, lineage('a', '1'), lineage('d', '1')]]) assert.equal(witnessesAmong(some, compared(['a', 'b'])), 2)
})

test('to be wrong alike by a common cause is more likely than by chance, and less than to be wrong alone', () => {
  const [one, two, twins] = [commonCauseWeight([A], EMPTY), commonCauseWeight([A, B], EMPTY), commonCauseWeight([A, lineage('b', 'a')], EMPTY)]
  assert.ok(one < twins && twins < two && two < 2 * one)
})
