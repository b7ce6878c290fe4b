import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { parseInput } from './parse.ts'

function refused(schema: z.ZodType, value: unknown): readonly string[] {
  try {
    parseInput(schema, value, 'body')
  } catch (error) {
    assert.ok(error instanceof Failure && error.code === 'REQUEST_MALFORMED')
    return error.problems.map(({ place, message }) => `${place}: ${message}`)
  }
  return []
}

test('what is empty, too small or too big says what it has and what is wanted', () => {
  assert.deepEqual(refused(GenerateBody, { title: '   ', description: 'Nurses may.' }).toSorted(), ['body.description: too small (11 characters): give at least 20 characters', 'body.title: is empty: give at least 5 characters'])
  assert.deepEqual(refused(z.object({ name: z.string().min(1) }), { name: '' }), ['body.name: is empty: give at least 1 character'])
  assert.deepEqual(refused(z.object({ name: z.string().max(2) }), { name: 'abc' }), ['body.name: too big (3 characters): give at most 2 characters'])
  assert.deepEqual(refused(z.object({ all: z.array(z.string()).min(1) }), { all: [] }), ['body.all: is empty: give at least 1 element'])
  assert.deepEqual(refused(z.object({ all: z.array(z.string()).max(1) }), { all: ['a', 'b'] }), ['body.all: too big (2 elements): give at most 1 element'])
  assert.deepEqual(refused(z.object({ n: z.number().min(1).max(3) }), { n: 0 }), ['body.n: too small: give at least 1'])
  assert.deepEqual(refused(z.object({ n: z.number().max(3) }), { n: 4 }), ['body.n: too big: give at most 3'])
  assert.deepEqual(refused(z.object({ n: z.number().gt(0).lt(1) }), { n: 1 }), ['body.n: too big: give less than 1'])
})

test('what is missing, unknown or of another type says so, each in its place', () => {
  const schema = z.strictObject({ a: z.string(), b: z.array(z.strictObject({ c: z.number() })) })
  assert.deepEqual(refused(schema, { b: [{ c: 'x' }, { c: 1, d: 2 }] }).toSorted(), ['body.a: is missing (string)', 'body.b[0].c: expected number, received string', 'body.b[1].d: is not a member that is known here'])
})
