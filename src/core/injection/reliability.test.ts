import assert from 'node:assert/strict'
import test from 'node:test'
import { reliabilityOf, type Graded } from './reliability.ts'

const graded = (confidence: number, right: number, wrong: number): Graded[] => [...Array.from({ length: right }, () => ({ confidence, isRight: true })), ...Array.from({ length: wrong }, () => ({ confidence, isRight: false }))]

test('answers at 0.9 of which nine in ten are right are calibrated', () => {
  const { bins, brier, expected_calibration_error: error, answers } = reliabilityOf(graded(0.9, 9, 1))
  assert.deepEqual(bins[9], { from: 0.9, to: 1, answers: 10, mean_confidence: bins[9]?.mean_confidence ?? null, share_right: 0.9 })
  assert.ok(answers === 10 && Math.abs((brier ?? 1) - (9 * 0.01 + 0.81) / 10) < 1e-12 && (error ?? 1) < 1e-12)
})

test('who is sure and always wrong has the worst score there is', () => {
  const { brier, expected_calibration_error: error } = reliabilityOf(graded(1, 0, 4))
  assert.deepEqual([brier, error], [1, 1])
})

test('the error is the mean over the bins, by their answers', () => {
  const { bins, expected_calibration_error: error } = reliabilityOf([...graded(0.25, 1, 1), ...graded(0.75, 6, 0)])
  assert.deepEqual(bins.map(({ answers }) => answers), [0, 0, 2, 0, 0, 0, 0, 6, 0, 0])
  assert.equal(error, (2 * 0.25 + 6 * 0.25) / 8)
})

test('a confidence of 1 stands in the last bin; without answers there is no figure', () => {
  assert.equal(reliabilityOf(graded(1, 1, 0)).bins[9]?.answers, 1)
  const { answers, brier, expected_calibration_error: error, bins } = reliabilityOf([])
  assert.deepEqual([answers, brier, error, bins.every(({ share_right: right }) => right === null)], [0, null, null, true])
})
