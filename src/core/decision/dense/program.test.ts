import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { importTwin, type Sabotage } from '#test/twin.ts'
import { EntityStore } from '../entity-store.ts'
import { Evaluator } from '../evaluator.ts'
import { EntityValue, RecordValue, type Value } from '../value.ts'
import { DenseEvaluator } from './dense-evaluator.ts'

// What is compared between two entities, and between one and the context, with every kind of value on either side: the same, around each other, too
// large for a number, of another type than promised, missing.

const SCHEMA = parseSchema('entity User { n: Long, m: Long, yes: Bool }; entity Doc { n: Long, m: Long, yes: Bool }; action a appliesTo { principal: User, resource: Doc, context: { n: Long, m: Long, yes: Bool } };')
const ORDERS = ['<', '<=', '>', '>=', '==', '!=']
const CONDITIONS = [
  ...ORDERS.flatMap((order) => [`principal.n ${order} resource.n`, `resource.n ${order} principal.n`, `context.n ${order} 3`, `context.n ${order} principal.n`]),
  // Only what follows something else is asked one by one.
  ...ORDERS.slice(0, 4).map((order) => `context.yes && context.n ${order} 3`), 'principal.yes == resource.yes && context.m > 3 && context.n < 3',
  'context.n < 3 && context.m < 3', 'context.n < 3 && context.n < 4', 'principal.n == resource.m', 'principal.yes == resource.yes && context.yes',
  'if context.yes then principal.n < resource.n else resource.n < principal.n', '!(context.yes || principal.n == resource.n)', 'context.yes && (principal.yes && resource.yes)',
]
const NUMBERS: readonly unknown[] = [2, 3, 4, '9007199254740993', '-9223372036854775808', 'x', undefined]
const valueOf = (given: unknown): Value => (typeof given === 'string' && /^-?\d+$/.test(given) ? BigInt(given) : given as Value)

type Module = { readonly DenseEvaluator: typeof DenseEvaluator; readonly EntityStore: typeof EntityStore; readonly EntityValue: typeof EntityValue; readonly RecordValue: typeof RecordValue }

/** The first condition that is decided differently, with what it was asked of; null: none. */
function firstDifference(own: Module, conditions: readonly string[]): string | null {
  const entity = (type: string, id: string, n: unknown): CedarEntity => ({ uid: { type, id }, attrs: JSON.parse(JSON.stringify({ n, m: 3, yes: n !== 4 })), parents: [] }) as CedarEntity
  const entities = NUMBERS.flatMap((n, i) => [entity('User', `u${i}`, n), entity('Doc', `d${i}`, n)])
  const [store, reference] = [new own.EntityStore(), new EntityStore()]
  for (const each of [store, reference]) each.apply({ version: 1, isWhole: true, upserted: entities, deleted: [] })
  const stored = reference.readBy(SCHEMA)
  // All at once, so that conditions share what they ask, and one by one, so that none does.
  for (const texts of [conditions, ...conditions.map((condition) => [condition])]) {
    const { rules } = parsePolicies(texts.map((text, i) => `@id("r${i}") ${i % 3 === 2 ? 'forbid' : 'permit'}(principal, action, resource) when { ${text} };`).join('\n'), SCHEMA)
    const [compiled, general] = [new own.DenseEvaluator(rules, store.readBy(SCHEMA)), new Evaluator(rules)]
    for (let p = 0; p < NUMBERS.length; p++) {
      for (let r = 0; r < NUMBERS.length; r++) {
        for (const n of NUMBERS.slice(0, 5)) {
          const fields = new Map<string, Value>([['n', valueOf(n)], ['m', 5], ['yes', r % 2 === 0]])
          const question = ({ EntityValue: Name, RecordValue: Fields }: Pick<Module, 'EntityValue' | 'RecordValue'>) => ({ principal: new Name('User', `u${p}`), action: new Name('Action', 'a'), resource: new Name('Doc', `d${r}`), context: new Fields(fields) })
          const [got, want] = [compiled.decide(question(own)), general.decide(question({ EntityValue, RecordValue }), stored)]
          if (JSON.stringify(got) !== JSON.stringify(want)) return `${texts.length === 1 ? texts[0] : 'all'}, ${String(NUMBERS[p])}, ${String(NUMBERS[r])}, ${String(n)}: ${JSON.stringify(got)}, not ${JSON.stringify(want)}`
        }
      }
    }
  }
  return null
}

test('whatever is compared with whatever, it is decided as in general', () => {
  assert.equal(firstDifference({ DenseEvaluator, EntityStore, EntityValue, RecordValue }, CONDITIONS), null)
})

const TWINS: { readonly [name: string]: Omit<Sabotage, 'file'> } = {
  'a principal without a value equals a resource without one': { from: 'one === 0 || other === 0 ?', to: 'other === 0 && one !== 0 ?' },
  'a principal without a value is another than any resource': { from: 'one === 0 || other === 0 ?', to: 'other === 0 ?' },
  'a resource without a value is another than any principal': { from: 'one === 0 || other === 0 ?', to: 'one === 0 ?' },
  'a principal’s large integer is no integer': { from: "typeof one !== 'number' || typeof other !== 'number'", to: "typeof other !== 'number'" },
  'a resource’s large integer is no integer': { from: "typeof one !== 'number' || typeof other !== 'number'", to: "typeof one !== 'number'" },
  'what is the same is less': { from: 'code[at] === LESS ? one < other : one > other', to: 'code[at] === LESS ? one <= other : one > other' },
  'what is the same is greater': { from: 'code[at] === LESS ? one < other : one > other', to: 'code[at] === LESS ? one < other : one >= other' },
  'a bound is below itself': { from: 'code[at] === BELOW ? value < bound : value > bound', to: 'code[at] === BELOW ? value <= bound : value > bound' },
  'a name is that of another attribute': { from: 'this.#numberOf.get(name) ?? this.#names.push(name) - 1', to: 'Math.max(0, this.#names.push(name) - 2)' },
}

for (const [name, sabotage] of Object.entries(TWINS)) {
  test(`the sabotage twin is caught: ${name}`, async () => {
    const twin = await importTwin<Module>('src/core/decision/', ['dense/dense-evaluator.ts', 'entity-store.ts', 'value.ts'], { file: 'dense/program.ts', ...sabotage }, name)
    assert.notEqual(firstDifference(twin, CONDITIONS), null)
  })
}
