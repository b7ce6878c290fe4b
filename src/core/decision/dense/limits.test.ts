import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { pick, seeded } from '#core/proof/random-world.ts'
import { importTwin, type Sabotage } from '#test/twin.ts'
import { EntityStore } from '../entity-store.ts'
import { Evaluator } from '../evaluator.ts'
import { EntityValue, RecordValue, type Value } from '../value.ts'
import { DenseEvaluator } from './dense-evaluator.ts'

// Rules that begin with a limit on the context, many of them with the same bounds: what a value meets is looked up for all at once.

const SCHEMA = parseSchema('entity User { level: Long }; action a appliesTo { principal: [User], resource: [User], context: { n?: Long, m: Long, yes: Bool } };')
const BOUNDS = [-3, -1, 0, 1, 2, 9_007_199_254_740_990, 9_007_199_254_740_991, -9_007_199_254_740_991]
const VALUES: readonly Value[] = [...BOUNDS, -4, -2, 3, 9_007_199_254_740_989, 2n ** 60n, -(2n ** 60n)]

type Dense = { readonly DenseEvaluator: typeof DenseEvaluator; readonly EntityStore: typeof EntityStore; readonly EntityValue: typeof EntityValue; readonly RecordValue: typeof RecordValue }

/** The first question that is decided differently, or null. */
function differs(dense: Dense, rounds: number): string | null {
  const random = seeded(11)
  const limit = (name: string) => `context.${name} ${pick(random, ['<', '<=', '>', '>='])} ${pick(random, BOUNDS)}`
  const conditions = () => pick(random, [limit('m'), `${limit('m')} && ${limit('m')}`, `context has n && ${limit('n')}`, limit('m'), `context.yes && ${limit('m')}`, 'context.yes', `principal.level < context.m && context.yes`, `${limit('m')} && principal.level == resource.level`])
  for (let round = 0; round < rounds; round++) {
    const count = pick(random, [3, 30, 60, 90])
    const { rules } = parsePolicies(Array.from({ length: count }, (_, i) => `@id("r${i}") ${pick(random, ['permit', 'forbid'])}(principal, action, resource) when { ${conditions()} };`).join('\n'), SCHEMA)
    const [store, reference] = [new dense.EntityStore(), new EntityStore()]
    for (const each of [store, reference]) each.apply({ version: 1, isWhole: true, upserted: [0, 1, 2].map((level) => ({ uid: { type: 'User', id: `u${level}` }, attrs: { level }, parents: [] })), deleted: [] })
    const compiled = new dense.DenseEvaluator(rules, store.readBy(SCHEMA))
    const general = new Evaluator(rules)
    for (let i = 0; i < 100; i++) {
      const fields: [string, Value][] = [['m', pick(random, VALUES)], ['yes', random() < 0.5], ...(random() < 0.5 ? [['n', pick(random, VALUES)] as [string, Value]] : [])]
      const kept = random() < 0.97 ? fields : fields.slice(1)
      // A twin has classes of its own.
      const question = ({ EntityValue: Name, RecordValue: Fields }: Pick<Dense, 'EntityValue' | 'RecordValue'>) => ({
        principal: new Name('User', `u${i % 3}`), action: new Name('Action', 'a'), resource: new Name('User', `u${i % 2}`),
        context: new Fields(new Map(kept), kept === fields ? null : new Map([['m', 'context.m']])),
      })
      const [got, want] = [compiled.decide(question(dense)), general.decide(question({ EntityValue, RecordValue }), reference.readBy(SCHEMA))]
      if (JSON.stringify(got) !== JSON.stringify(want)) return `${JSON.stringify(kept, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))}: ${JSON.stringify(got)}, not ${JSON.stringify(want)}`
    }
  }
  return null
}

test('limits that are looked up together decide as one by one', () => {
  assert.equal(differs({ DenseEvaluator, EntityStore, EntityValue, RecordValue }, 150), null)
})

const TWINS: { readonly [name: string]: Sabotage } = {
  'a limit is not met at its bound': { file: 'dense/leaders.ts', from: '(bounds[from] === value ? 1 : 0)', to: '0' },
  'a limit that is no number is met': { file: 'dense/compiled-environment.ts', from: 'if (at < 0) return false', to: 'if (at < 0) continue' },
  'rules of the second word meet every limit': { file: 'dense/compiled-environment.ts', from: 'high &= limits.met[at + 1] as number', to: '' },
}

for (const [name, sabotage] of Object.entries(TWINS)) {
  test(`the sabotage twin is caught: ${name}`, async () => {
    const twin = await importTwin<Dense>('src/core/decision/', ['dense/dense-evaluator.ts', 'entity-store.ts', 'value.ts'], sabotage, name)
    assert.notEqual(differs(twin, 150), null)
  })
}

test('a twin with nothing broken is not caught', async () => {
  const twin = await importTwin<Dense>('src/core/decision/', ['dense/dense-evaluator.ts', 'entity-store.ts', 'value.ts'], { file: 'dense/compiled-environment.ts', from: 'const WORDS_MAX = 2', to: 'const WORDS_MAX = 1' }, 'none')
  assert.equal(differs(twin, 20), null)
})
