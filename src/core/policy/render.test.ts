import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import type { Expression } from './expression.ts'
import type { Rule } from './policy.ts'
import { renderRules } from './render.ts'

const schema = parseSchema(`
  entity Group;
  entity User in [Group] = { age: Long, name: String, "odd key": Bool, tags: Set<String>, boss?: User };
  action view appliesTo { principal: [User], resource: [User], context: { n: Long } };
`)

const bool: fc.Arbitrary<Expression> = fc.letrec<{ bool: Expression; long: Expression; user: Expression; string: Expression }>((tie) => ({
  user: fc.constantFrom<Expression>({ kind: 'var', name: 'principal' }, { kind: 'var', name: 'resource' }, { kind: 'entity', uid: { type: 'User', id: 'a"\\\n*é' } }),
  string: fc.oneof(
    fc.string({ unit: 'grapheme' }).map((value): Expression => ({ kind: 'string', value })),
    tie('user').map((of): Expression => ({ kind: 'get', of, attribute: 'name' })),
  ),
  long: fc.oneof(
    { maxDepth: 3 },
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): Expression => ({ kind: 'long', value: String(value) })),
    tie('user').map((of): Expression => ({ kind: 'get', of, attribute: 'age' })),
    fc.tuple(fc.constantFrom('add', 'sub', 'mul'), tie('long'), tie('long')).map(([kind, left, right]): Expression => ({ kind, left, right }) as Expression),
    tie('long').map((of): Expression => ({ kind: 'neg', of })),
  ),
  bool: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Expression>({ kind: 'bool', value: true }, { kind: 'bool', value: false }),
    tie('user').map((of): Expression => ({ kind: 'get', of, attribute: 'odd key' })),
    tie('user').map((of): Expression => ({ kind: 'has', of, attribute: 'boss' })),
    tie('bool').map((of): Expression => ({ kind: 'not', of })),
    fc.tuple(fc.constantFrom('and', 'or', 'eq'), tie('bool'), tie('bool')).map(([kind, left, right]): Expression => ({ kind, left, right }) as Expression),
    fc.tuple(fc.constantFrom('less', 'lessEq', 'greater', 'greaterEq', 'neq'), tie('long'), tie('long')).map(([kind, left, right]): Expression => ({ kind, left, right }) as Expression),
    fc.tuple(fc.constantFrom('eq', 'in'), tie('user'), tie('user')).map(([kind, left, right]): Expression => ({ kind, left, right }) as Expression),
    fc.tuple(tie('string'), fc.array(fc.option(fc.string({ minLength: 1 })))).map(([of, pattern]): Expression => ({ kind: 'like', of, pattern: joined(pattern) })),
    fc.tuple(tie('user'), tie('string')).map(([of, right]): Expression => ({ kind: 'contains', left: { kind: 'get', of, attribute: 'tags' }, right })),
    fc.tuple(tie('bool'), tie('bool'), tie('bool')).map(([condition, then, other]): Expression => ({ kind: 'if', condition, then, else: other })),
    tie('user').map((of): Expression => ({ kind: 'is', of, type: 'User', in: { kind: 'entity', uid: { type: 'Group', id: 'g' } } })),
  ),
})).bool

test('what is rendered parses to the same rule', () => {
  fc.assert(
    fc.property(bool, bool, (when, unless) => {
      const rule: Rule = {
        id: 'r', effect: 'permit', annotations: { id: 'r', note: 'a "quoted"\n thing' },
        principal: { kind: 'is', type: 'User', in: { type: 'Group', id: 'g' } },
        action: { kind: 'in', uids: [{ type: 'Action', id: 'view' }] },
        resource: { kind: 'any' }, when: [when], unless: [unless],
      }
      assert.deepEqual(normal(parsePolicies(renderRules([rule]), schema).rules), normal([rule]))
    }),
    { numRuns: Number(process.env['ACGS_SLOW'] ? 20_000 : 300), seed: 7 },
  )
})

/** Cedar's parser folds a minus sign before digits into the literal, and gives a pattern's characters one by one. */
function normal(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_key, member: unknown) => {
    if (typeof member === 'object' && member !== null && 'kind' in member) {
      const node = member as Expression
      if (node.kind === 'neg' && node.of.kind === 'long') return { kind: 'long', value: String(-BigInt(node.of.value)) }
      if (node.kind === 'like') return { ...node, pattern: joined(node.pattern) }
    }
    return member
  })
}

function joined(parts: readonly (string | null)[]): (string | null)[] {
  return parts.reduce<(string | null)[]>((before, part) => {
    const last = before.at(-1)
    return part !== null && typeof last === 'string' ? [...before.slice(0, -1), last + part] : [...before, part]
  }, [])
}
