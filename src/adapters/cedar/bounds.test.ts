import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { parsePolicies, parseSchema } from './cedar.ts'
import { probeCedar } from './engine.ts'

const schema = parseSchema('entity User { a: Bool, n: Long, next?: User }; action read appliesTo { principal: User, resource: User };')
const rule = (condition: string) => `permit(principal, action, resource) when { ${condition} };`
const refusal = (read: () => unknown): Failure => {
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof Failure, String(error))
    return error
  }
  return assert.fail('nothing was refused')
}

/** By how much of it there is: what exhausts the engine's stack, were it let through. */
const DEEP: { readonly [what: string]: (n: number) => string } = {
  parentheses: (n) => rule(`${'('.repeat(n)}true${')'.repeat(n)}`),
  sets: (n) => rule(`${'['.repeat(n)}1${']'.repeat(n)} == [1]`),
  records: (n) => rule(`${'{a:'.repeat(n)}1${'}'.repeat(n)} == {}`),
  choices: (n) => rule(`${'if principal.a then '.repeat(n)}true${' else false'.repeat(n)}`),
  conjunctions: (n) => rule(Array.from({ length: 30 * n }, () => 'principal.a').join(' && ')),
  sums: (n) => rule(`${Array.from({ length: 30 * n }, () => 'principal.n').join(' + ')} == 0`),
  paths: (n) => rule(`principal${'.next'.repeat(n)}.a`),
  indices: (n) => rule(`principal${'["next"]'.repeat(n)}.a`),
  negations: (n) => rule(`${'!'.repeat(n)}principal.a`),
}

test('a policy that would exhaust the engine is refused with its line, and the engine goes on', () => {
  for (const [what, text] of Object.entries(DEEP)) {
    const { code, message } = refusal(() => parsePolicies(`// (((\n${text(2_000)}`, schema))
    assert.deepEqual([code, /policies line 2/.test(message)], ['POLICY_INVALID', true], `${what}: ${message}`)
    assert.equal(probeCedar().status, 'healthy', what)
  }
})

test('what stays within the bounds is Cedar’s to judge, and it survives it', () => {
  for (const [what, text] of Object.entries(DEEP)) {
    try {
      parsePolicies(text(30), schema)
    } catch (error) {
      assert.ok(error instanceof Failure && !/nested more|operators in one rule/.test(error.message), `${what}: ${String(error)}`)
    }
    assert.equal(probeCedar().status, 'healthy', what)
  }
  // Many rules, comparisons, strings and comments are no depth.
  parsePolicies(`${rule('principal.n < 1 && "((((".like("*((*")').replace('"((((".like("*((*")', '"((((" like "*((*"')} // ((\n`.repeat(300), schema)
})

const doubled = (n: number, width = 2) => `${Array.from({ length: n }, (_, i) => `type T${i} = { ${Array.from({ length: width }, (_, k) => `a${k}: ${i === 0 ? 'Long' : `T${i - 1}`}`).join(', ')} };`).join('\n')}
  entity User { a: T${n - 1} }; action read appliesTo { principal: User, resource: User };`

test('a schema that comes to too much is refused before anybody reads it', () => {
  assert.match(refusal(() => parseSchema(doubled(24))).message, /comes to more than 20000 types/)
  assert.match(refusal(() => parseSchema(doubled(3_000, 1))).message, /more than 1000 common types/)
  assert.match(refusal(() => parseSchema(doubled(900, 1))).message, /nests its types too deep/)
  assert.match(refusal(() => parseSchema(`entity User { a: ${'Set<'.repeat(1_000)}Long${'>'.repeat(1_000)} };`)).message, /schema line 1.*nested more than 64/)
  assert.match(refusal(() => parseSchema(`namespace A { ${doubled(24).replace('entity', '} entity')}`)).message, /comes to more than/)
  assert.match(refusal(() => parseSchema(doubled(24).replace('entity User { a: T23 }', 'entity User').replace('resource: User', 'resource: User, context: T23'))).message, /comes to more than/)
  // An attribute that is called as a type is none.
  assert.equal(parseSchema(`type Name = { first: String, second: String }; entity User { ${Array.from({ length: 50 }, (_, i) => `a${i}: { Name: Name }`).join(', ')} }; action read appliesTo { principal: User, resource: User };`).entityTypes.size, 1)
  assert.equal(parseSchema(doubled(8)).entityTypes.size, 1)
  assert.equal(probeCedar().status, 'healthy')
})
