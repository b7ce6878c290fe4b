import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Sabotage } from '#test/sabotage.ts'

/** A place of the prover, broken as it could be by a slip, and the tests that must tell. */
type Case = Sabotage & { readonly what: string; readonly caughtBy: readonly [file: string, tests: string] }

const CASES: readonly Case[] = [
  {
    what: 'the error semantics: a rule that fails no longer denies',
    file: 'proof/encode.ts', from: "semantics === 'cedar' ? terms.true : terms.not(err)", to: 'terms.true',
    caughtBy: ['questions.test.ts', 'open door'],
  },
  {
    what: 'the error semantics: a rule that fails is satisfied all the same',
    file: 'proof/encode.ts', from: 'terms.and(scope, value, terms.not(err))', to: 'terms.and(scope, value)',
    caughtBy: ['encode.test.ts', 'each construct'],
  },
  {
    what: 'the transitivity of the hierarchy',
    file: 'proof/ground.ts', from: 'axioms.push(terms.or(terms.not(within(a, b)), terms.not(within(b, x)), within(a, x)))', to: 'axioms.push(terms.true)',
    caughtBy: ['constructs.test.ts', 'what cannot be'],
  },
  {
    what: 'the presence of optional attributes',
    file: 'encode/typed.ts', from: "const present = required ? place.terms.true : fact(place, 'present', where, 'bool')", to: 'const present = place.terms.true',
    caughtBy: ['encode.test.ts', 'each construct'],
  },
  {
    what: 'the overflow of integers',
    file: 'encode/place.ts', from: 'return terms.not(terms.and(terms.le(terms.int(LONG_MIN), exact), terms.le(exact, terms.int(LONG_MAX))))', to: 'return exact === terms.true ? exact : terms.false',
    caughtBy: ['encode.test.ts', 'each construct'],
  },
  {
    what: 'that a part of a value fits where its evaluation fails',
    file: 'encode/compare.ts', from: 'term: fitting(terms, value.term)', to: 'term: value.term',
    caughtBy: ['constructs.test.ts', 'parts of values: the solver'],
  },
  {
    what: 'one bit of an address’s mask',
    file: 'encode/extension.ts', from: 'Array.from({ length: bits }', to: 'Array.from({ length: bits - 1 }',
    caughtBy: ['constructs.test.ts', 'ipaddr: terms mean'],
  },
  {
    what: 'the length of the mask of a variable range',
    file: 'encode/extension.ts', from: 'terms.le(prefix, terms.int(BigInt(bit)))', to: 'terms.lt(prefix, terms.int(BigInt(bit)))',
    caughtBy: ['constructs.test.ts', 'ipaddr: terms mean'],
  },
  {
    what: 'that a quotient is rounded towards zero',
    file: 'encode/extension.ts', from: 'return terms.ite(terms.le(terms.int(0n), value), terms.div(value, divisor), terms.neg(terms.div(terms.neg(value), divisor)))', to: 'return terms.div(value, divisor)',
    caughtBy: ['constructs.test.ts', 'duration: terms mean'],
  },
  {
    what: 'that elements with equal parts are one',
    file: 'proof/quantifiers.ts', from: 'assertions.push(...extensionality(terms, assertions, limit))', to: 'void extensionality',
    caughtBy: ['constructs.test.ts', 'what cannot be'],
  },
  {
    what: 'what patterns leave open to a string',
    file: 'proof/strings.ts', from: 'return [...promises, ...known]', to: 'return known',
    caughtBy: ['constructs.test.ts', 'what cannot be'],
  },
  {
    what: 'which patterns a literal matches',
    file: 'proof/strings.ts', from: 'return [...promises, ...known]', to: 'return promises',
    caughtBy: ['constructs.test.ts', 'what cannot be'],
  },
  {
    what: 'the ids of an enumeration',
    file: 'proof/ground.ts', from: 'if (ids !== null) promises.push(', to: 'if (ids === undefined) promises.push(',
    caughtBy: ['constructs.test.ts', 'what cannot be'],
  },
]

for (const each of CASES) {
  test(`sabotage is caught: ${each.what}`, { concurrency: availableParallelism() }, async () => {
    const { code, output } = await run(each)
    assert.match(output, new RegExp(`sabotaged ${each.file.replace('.', '\\.')}`), output)
    assert.match(output, /^ℹ fail [1-9]/m, `no test failed:\n${output}`)
    assert.equal(code, 1, output)
  })
}

function run({ file, from, to, caughtBy: [tests, pattern] }: Case): Promise<{ readonly code: number | null; readonly output: string }> {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
  const hook = new URL('../../../test/support/sabotage.ts', import.meta.url).href
  const child = spawn(process.execPath, ['--import', hook, '--test', '--test-isolation=none', '--test-reporter=spec', '--test-name-pattern', pattern, path(tests)], {
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ACGS_SABOTAGE: JSON.stringify({ file, from, to }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return new Promise((resolve, reject) => {
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text })
    child.on('error', reject).on('close', (code) => resolve({ code, output }))
  })
}
