import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { diff, OUT_OF_TIME } from '#core/proof/diff.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { LIMITS } from '#core/proof/questions.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { counter, PAIRS_MAX } from './count-difference.ts'
import { decide } from './decide.ts'

const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())

const SCHEMA = parseSchema(`
entity Team;
entity User in [Team] { level: Long };
entity Doc { owner: User, secret: Bool };
action view appliesTo { principal: User, resource: Doc, context: { purpose: String, limit: Long, approver?: User } };
`)
const user = (id: string, level: number, teams: readonly string[] = []): CedarEntity => ({ uid: { type: 'User', id }, attrs: { level }, parents: teams.map((team) => ({ type: 'Team', id: team })) })
const doc = (id: string, owner: string, secret: boolean): CedarEntity => ({ uid: { type: 'Doc', id }, attrs: { owner: { __entity: { type: 'User', id: owner } }, secret }, parents: [] })
const STORE = [user('ana', 5, ['staff']), user('bo', 1, ['staff']), user('cy', 9), doc('a', 'ana', false), doc('b', 'bo', true), doc('lost', 'gone', false), { uid: { type: 'Team', id: 'staff' }, attrs: {}, parents: [] }]
const OWN = 'permit (principal, action, resource) when { resource.owner == principal };'

async function counted(before: string, now: string) {
  const [a, b] = [parsePolicies(before, SCHEMA), parsePolicies(now, SCHEMA)]
  const { environments } = await diff(a, b, SCHEMA, prover.engines)
  const [environment] = environments
  assert.ok(environment)
  const { pairs, means, parts } = await counter(a, b, SCHEMA, STORE, 'decision-point')(environment)
  return { pairs, means, parts: (parts ?? []).map(({ part: { kind }, ...count }) => [kind, count.pairs, count.principals]) }
}

test('where no rule reads the context, a pair counts when both policies decide it so, as the decision point does', async () => {
  const [before, now] = [OWN, `permit (principal in Team::"staff", action, resource) unless { resource.secret };`]
  assert.deepEqual(await counted(before, now), { pairs: 9, means: 'decided', parts: [['gains', 3, 2], ['loses', 1, 1]] })
  const [a, b] = [parsePolicies(before, SCHEMA), parsePolicies(now, SCHEMA)]
  const isAllowed = (policies: typeof a, principal: string, resource: string) =>
    decide({ policies, schema: SCHEMA, request: { principal, action: 'Action::"view"', resource, context: { purpose: '', limit: 0 } }, entities: STORE }, authorize).decision === 'allow'
  const all = ['ana', 'bo', 'cy'].flatMap((who) => ['a', 'b', 'lost'].map((what) => [`User::"${who}"`, `Doc::"${what}"`] as const))
  assert.equal(all.filter(([who, what]) => isAllowed(b, who, what) && !isAllowed(a, who, what)).length, 3)
  assert.equal(all.filter(([who, what]) => isAllowed(a, who, what) && !isAllowed(b, who, what)).length, 1)
})

test('an entity that is missing denies, so that the pair counts as nothing', async () => {
  assert.deepEqual(await counted('', 'permit (principal, action, resource) when { resource.owner.level > 3 };'), { pairs: 9, means: 'decided', parts: [['gains', 3, 3]] })
})

test('where the context is read, it is said whether some context makes it so for the pair, or only that nothing else speaks against it', async () => {
  assert.deepEqual(await counted(OWN, `${OWN} permit (principal, action, resource) when { principal.level > 3 && context.purpose == "audit" };`), { pairs: 9, means: 'some-context', parts: [['gains', 5, 2]] })
  assert.deepEqual(await counted(OWN, `${OWN} permit (principal, action, resource) when { principal.level > context.limit && principal.level > 3 };`), { pairs: 9, means: 'at-most', parts: [['gains', 5, 2]] })
  assert.equal((await counted('', 'permit (principal, action, resource) when { context has approver && context.approver.level > 3 };')).means, 'at-most')
})

test('too many pairs are not counted, nor is what the time does not suffice for, and both are said', async () => {
  const [before, now] = ['', 'permit (principal, action, resource) when { principal.level > 3 };'].map((text) => parsePolicies(text, SCHEMA)) as [PolicySet, PolicySet]
  const [environment] = (await diff(before, now, SCHEMA, prover.engines)).environments
  assert.ok(environment)
  const side = Math.ceil(Math.sqrt(PAIRS_MAX))
  const many = Array.from({ length: side }, (_, i) => [user(`u${i}`, 5), doc(`d${i}`, 'u0', false)]).flat()
  assert.deepEqual(await counter(before, now, SCHEMA, many, 'decision-point')(environment), { pairs: side * side, parts: null, uncounted: `more than ${PAIRS_MAX} pairs are not counted`, means: 'decided' })
  let looks = 0
  const few = many.slice(0, 200)
  const within = (most: number) => counter(before, now, SCHEMA, few, 'decision-point', async () => looks++ < most)(environment)
  assert.deepEqual(await within(5), { pairs: 10_000, parts: null, uncounted: OUT_OF_TIME, means: 'decided' })
  looks = 0
  const { parts } = await within(10)
  assert.deepEqual([parts?.map(({ pairs, principals }) => [pairs, principals]), looks], [[[10_000, 100]], 10])
})
