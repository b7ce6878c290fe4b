import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Failure } from '#core/failure.ts'
import { parseJson } from './json.ts'

const bytes = (text: string) => Buffer.from(text)
function problemsOf(text: string): string {
  try {
    parseJson(bytes(text))
  } catch (error) {
    assert(error instanceof Failure && error.code === 'REQUEST_MALFORMED')
    return error.message
  }
  assert.fail(`accepted: ${text}`)
}

test('whatever JSON.stringify writes is read back as it was, laid out in any way', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 6, noUnicodeString: false } as never), fc.constantFrom(undefined, 2, '\t'), (text, indent) => {
    const value = JSON.parse(text) as unknown
    const laidOut = JSON.stringify(value, null, indent)
    try {
      assert.deepEqual(parseJson(bytes(laidOut)), value)
    } catch (error) {
      // Only for the reasons that are meant.
      assert(error instanceof Failure && /2\^53|too large|surrogate|U\+0000|__proto__|nested/.test(error.message), String(error))
    }
  }), { numRuns: 500 })
})

test('both readers agree on what is JSON, for texts that were damaged anywhere', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 4 }), fc.nat(), fc.constantFrom('', ',', '"', '}', ']', ':', '1', '\\', ' ', 'e', '-'), (text, at, insert) => {
    const i = at % (text.length + 1)
    const damaged = text.slice(0, i) + insert + text.slice(i + 1)
    let isJson = true
    try {
      JSON.parse(damaged)
    } catch {
      isJson = false
    }
    try {
      parseJson(bytes(damaged))
      assert.ok(isJson)
    } catch (error) {
      assert(error instanceof Failure, String(error)) // The assertion that the readers agree would not be a Failure.
      if (!isJson) assert.match(error.message, /is not JSON|is empty/)
    }
  }), { numRuns: 1_000 })
})

test('a break is located by line and column', () => {
  assert.match(problemsOf('{\n  "a": 1,\n  oops }'), /line 3, column 3: is not JSON/)
  assert.match(problemsOf('{"a": 1'), /line 1, column 8/)
  assert.match(problemsOf('{"a": 01}'), /line 1, column 8/)
  assert.match(problemsOf('[1 2]'), /line 1, column 4/)
  assert.match(problemsOf('[1,]'), /line 1, column 4/)
  assert.match(problemsOf('{} x'), /line 1, column 4/)
  assert.match(problemsOf('["a\nb"]'), /line 1, column 2/)
  assert.match(problemsOf("{'a': 1}"), /line 1, column 2/)
})

test('integers are exact up to 2^53 − 1 and refused beyond, in whatever spelling', () => {
  assert.deepEqual(parseJson(bytes('[9007199254740991, -9007199254740991, 1.5, 1e3, 0.1]')), [9007199254740991, -9007199254740991, 1.5, 1000, 0.1])
  for (const text of ['9007199254740993', '-9007199254740993', '9007199254740992', '1e17', '9007199254740993.0', '9223372036854775807']) {
    assert.match(problemsOf(`{"a":{"b":[0,${text}]}}`), /body\.a\.b\[1\]: is an integer beyond/, text)
  }
})

test('sabotage: JSON.parse alone changes what these tests refuse', () => {
  assert.equal(JSON.stringify(JSON.parse('9007199254740993')), '9007199254740992')
  assert.deepEqual(JSON.parse('{"a":1,"\\u0061":2}'), { a: 2 })
})

test('a text of brackets alone neither overflows nor takes long', () => {
  const begun = performance.now()
  assert.match(problemsOf('['.repeat(500_000)), /is not JSON|nested/)
  assert.match(problemsOf('['.repeat(200_000) + ']'.repeat(200_000)), /nested more than 64/)
  assert.ok(performance.now() - begun < 20_000)
})

test('a very long text, plain or all escapes, is read whole and fast', () => {
  for (const unit of ['a', '\\n', '\\u0041', 'é']) {
    const begun = performance.now()
    assert.equal(typeof parseJson(bytes(`["${unit.repeat(1_000_000)}"]`)), 'object')
    assert.ok(performance.now() - begun < 20_000)
  }
})

test('names that are not plain words are quoted in places', () => {
  assert.match(problemsOf('{"a b":{"a":1,"a":2}}'), /body\["a b"\]\.a: is given twice/)
})

test('where bigint is wanted, integers beyond 2^53 come back exactly and everything else as before', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  assert.deepEqual(parseJson(bytes('{"a":9007199254740993,"b":[1,-9223372036854775808],"c":"9007199254740993"}'), 'body', undefined, 'bigint'), {
    a: 9007199254740993n, b: [1, -9223372036854775808n], c: '9007199254740993',
  })
  assert.throws(() => parseJson(bytes('{"a":9007199254740993}')), /body\.a: is an integer beyond/)
  assert.throws(() => parseJson(bytes('{"a":[1e30]}'), 'body', undefined, 'bigint'), /body\.a\[0\]: is an integer beyond/)
})

test('a list that is read element by element has the elements that the whole has, and what is wrong is refused as ever', () => {
  const spaces = fc.constantFrom(undefined, 1, '\t')
  fc.assert(fc.property(fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 6 }), fc.jsonValue({ maxDepth: 2 }), spaces, (list, other, indent) => {
    const text = bytes(JSON.stringify({ other, list, again: { list }, more: [list], other2: other }, null, indent).replaceAll('-0', '0'))
    fc.pre(isAccepted(text)) // Numbers beyond 2^53 and the like are refused elsewhere.
    const whole = parseJson(text) as { list: unknown[] }
    const { list: read, ...rest } = parseJson(text, 'body', undefined, 'refused', ['list', 'absent']) as { list: Iterable<unknown> & { length: number } }
    assert.deepEqual([[...read], read.length], [whole.list, whole.list.length])
    assert.deepEqual([...read], [...read])
    const { list: _, ...others } = whole
    assert.deepEqual(rest, others)
  }))
  const wrong = ['{"list":[1,2', '{"list":[1,,2]}', '{"list":[1,2]]}', '{"list":[1 2]}', '{"list":[', '{"list":[1e400]}', '{"list":[{"a":1,"a":2}]}', '{"list":[1],"list":[2]}', '{"list":["\\ud800"]}', `{"list":[${'['.repeat(80)}${']'.repeat(80)}]}`, '[1,2']
  for (const text of wrong) assert.equal(messageOf(() => parseJson(bytes(text), 'body', undefined, 'refused', ['list'])), messageOf(() => parseJson(bytes(text))), text)
  const { list } = parseJson(bytes('{"list":[9007199254740993,{"n":-9007199254740993}]}'), 'body', undefined, 'bigint', ['list']) as { list: Iterable<unknown> }
  assert.deepEqual([...list], [9007199254740993n, { n: -9007199254740993n }])
  // What is no array at that place stays what it is.
  assert.deepEqual(parseJson(bytes('{"list":{"list":[1]}}'), 'body', undefined, 'refused', ['list']), { list: { list: [1] } })
})

function isAccepted(text: Uint8Array): boolean {
  try {
    parseJson(text)
    return true
  } catch {
    return false
  }
}

function messageOf(parse: () => unknown): string {
  try {
    parse()
  } catch (error) {
    assert.ok(error instanceof Failure)
    return error.message
  }
  return assert.fail('nothing was refused')
}

test('what a glance lets through is what walking the text finds', () => {
  const closely = (text: string) => parseJson(bytes(text), 'body', 8, 'bigint', ['is no member of these'])
  const glanced = (text: string) => parseJson(bytes(text), 'body', 8, 'bigint')
  const outcome = (read: (text: string) => unknown, text: string) => {
    try {
      return { value: read(text) }
    } catch (error) {
      assert(error instanceof Failure)
      return { problems: error.problems }
    }
  }
  const token = fc.constantFrom('{', '}', '[', ']', ',', ':', '"a"', '"b:{"', '"a"', '1', '-0', '9007199254740993', '9007199254740993.0', '1e400', '0.1', 'null', '"__proto__"', '"\\u0061"', '"\\ud800"', '"\\u0000"', ' ')
  const grown = fc.array(token, { maxLength: 12 }).map((tokens) => tokens.join(''))
  const members = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c:', '__proto__', 'é'), fc.oneof(fc.json({ maxDepth: 3 }), token)), { maxLength: 4 }).map((all) => `{${all.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`)
  const nested = fc.integer({ min: 1, max: 12 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth))
  fc.assert(fc.property(fc.oneof(grown, members, nested), (text) => { assert.deepEqual(outcome(glanced, text), outcome(closely, text)) }), { numRuns: 5_000 })
})

test('a fraction does not become an integer, and an integer may be written with a point or an exponent', () => {
  for (const text of ['0.99999999999999999999', '9007199254740991.4', '4.9999999999999999999', '1e-400', '-0.00000000000000000000000000000000001e-320', '1.00000000000000000001', '12345.6789012345678901234e4']) {
    const isInteger = Number.isInteger(Number(text))
    if (isInteger) assert.match(messageOf(() => parseJson(bytes(`{"a":${text}}`), 'body')), /is a fraction that would become the integer/, text)
    else assert.equal(typeof (parseJson(bytes(`{"a":${text}}`), 'body') as { a: unknown }).a, 'number')
  }
  for (const [text, value] of [['1.0', 1], ['1.50e1', 15], ['15e-1', 1.5], ['100e-2', 1], ['0.0', 0], ['0e-5', 0], ['0.1', 0.1], ['2E3', 2000]] as const) assert.deepEqual(parseJson(bytes(`[${text}]`), 'body'), [value], text)
})
