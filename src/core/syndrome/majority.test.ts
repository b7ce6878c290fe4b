import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import type { Proof } from '#core/proof/proof.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { classesOf, majorityOf, type Jury } from './majority.ts'

const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())

const SCHEMA = parseSchema('entity User { n: Long, admin: Bool }; entity Doc; action view, edit appliesTo { principal: User, resource: Doc };')
const jury: Jury = { parse: parsePolicies, sameMeaning: prover.sameMeaning, decidedOn: prover.decidedOn, isMajority: prover.isMajority }
const policies = (...texts: readonly string[]) => texts.map((text) => parsePolicies(text, SCHEMA))

async function found(...texts: readonly string[]) {
  const candidates = policies(...texts)
  const told = await classesOf(candidates, SCHEMA, jury)
  assert.ok(told.kind === 'told')
  const majority = await majorityOf(candidates.map((policy) => ({ policy, weight: 1 })), told.classes, SCHEMA, jury)
  return { classes: told.classes, majority }
}
const means = async (policy: ReturnType<typeof policies>[number], text: string) => (await prover.sameMeaning(policy, parsePolicies(text, SCHEMA), SCHEMA)).answer.kind

const [A, B] = ['permit(principal, action == Action::"view", resource) when { principal.n > 5 };', 'permit(principal, action == Action::"edit", resource) when { principal.admin };']

test('classes are told by proof, not by text; most of them decide', async () => {
  const { classes, majority } = await found(`${A} ${B}`, `${B} permit(principal, action == Action::"view", resource) when { !(principal.n <= 5) };`, A)
  assert.deepEqual(classes, [[0, 1], [2]])
  assert.ok(majority.kind === 'found' && majority.from === 'candidate')
  assert.equal(await means(majority.policy, `${A} ${B}`), 'proved')
})

test('a request that told two apart is put to the others before a proof is asked for, and the classes are the same', async () => {
  const texts = [A, B, `${A} ${B}`, A.replace('> 5', '> 7'), B.replace('principal.admin', '!(!principal.admin)'), `${B} ${A}`, A.replace('principal.n > 5', '5 < principal.n')]
  let proofs = 0
  const counted = async (...args: Parameters<Jury['sameMeaning']>) => (proofs++, jury.sameMeaning(...args))
  const blind = { sameMeaning: counted, decidedOn: () => () => ({ decision: 'deny' as const, obligations: [] }) }
  const plainly = await classesOf(policies(...texts), SCHEMA, blind)
  const asked = proofs
  proofs = 0
  assert.deepEqual(await classesOf(policies(...texts), SCHEMA, { ...jury, sameMeaning: counted }), plainly)
  assert.ok(proofs < asked, `${proofs} proofs, ${asked} without`)
})

test('where every candidate is wrong somewhere else, the rules that most of them have are the answer', async () => {
  const { classes, majority } = await found(`${A} ${B}`.replace('> 5', '> 4'), `${A} ${B.replace('principal.admin', 'true')}`, `${A} ${B} permit(principal, action == Action::"view", resource) when { principal.n < -100 };`)
  assert.equal(classes.length, 3)
  assert.ok(majority.kind === 'found' && majority.from === 'rules')
  assert.equal(await means(majority.policy, `${A} ${B}`), 'proved')
})

test('a candidate that stands alone is the answer where it decides as the majority everywhere', async () => {
  const { majority } = await found(A.replace('> 5', '> 7'), A, A.replace('> 5', '> 3'))
  assert.ok(majority.kind === 'found' && majority.from === 'candidate' && majority.candidate === 1)
  assert.equal(await means(majority.policy, A), 'proved')
})

test('where no rules are shared and no candidate is right everywhere, the majority is composed of all', async () => {
  const { majority } = await found(A, A.replace('principal.n > 5', 'principal.n < 8'), A.replace('principal.n > 5', 'principal.admin'))
  assert.ok(majority.kind === 'found' && majority.from === 'composed' && majority.candidate === null)
  assert.equal(await means(majority.policy, A.replace('principal.n > 5', '(principal.n > 5 && principal.n < 8) || principal.admin')), 'proved')
})

test('a tie is nobody’s majority, and is told', async () => {
  const tie = { kind: 'none', because: 'on some request one half of the candidates stands against the other' }
  assert.deepEqual((await found(A, B)).majority, tie)
  assert.deepEqual((await found(A, A.replace('> 5', '> 7'), B, `${A} ${B}`)).majority, tie)
  // Of four, two are wrong, each somewhere else: on no request are they as many as the others.
  const { majority } = await found(`${A} ${B}`, `${A} ${B}`.replace('> 5', '>= 6'), `${A} ${B}`.replace('> 5', '> 7'), `${A} ${B.replace('principal.admin', 'true')}`)
  assert.ok(majority.kind === 'found')
  assert.equal(await means(majority.policy, `${A} ${B}`), 'proved')
})

test('prohibitions of a majority hold, and what it demands of a permit', async () => {
  const [duty, ban] = [`@obligation("log") ${A}`, 'forbid(principal, action, resource) when { principal.admin };']
  const { majority } = await found(`${duty} ${ban}`.replace('> 5', '> 6'), `${duty} ${ban}`.replace('> 5', '> 4'), `${duty} ${ban.replace('principal.admin', 'principal.n == 6')}`)
  assert.ok(majority.kind === 'found')
  const allowed = await prover.isMajority(majority.policy, policies(`${duty} ${ban}`.replace('> 5', '> 6'), `${duty} ${ban}`.replace('> 5', '> 4'), `${duty} ${ban.replace('principal.admin', 'principal.n == 6')}`).map((policy) => ({ policy, weight: 1 })), SCHEMA)
  assert.equal(allowed.answer.kind, 'proved')
  assert.match(majority.policy.text, /@obligation\("log"\)/)
})

test('what is not known is nobody’s agreement, and nothing is found that is not proved', async () => {
  const unknown = async (): Promise<Proof> => ({ ...(await prover.sameMeaning(...(policies(A, B) as [ReturnType<typeof policies>[number], ReturnType<typeof policies>[number]]), SCHEMA)), answer: { kind: 'unknown', reason: 'timeout' } })
  const candidates = policies(A, B, `${A} ${B}`)
  assert.deepEqual(await classesOf(candidates, SCHEMA, { ...jury, sameMeaning: unknown }), { kind: 'untold', because: 'whether candidates 1 and 2 mean the same is not known' })
  assert.deepEqual(await majorityOf(candidates.map((policy) => ({ policy, weight: 1 })), [[0], [1], [2]], SCHEMA, { ...jury, isMajority: unknown }), { kind: 'none', because: 'whether a policy decides as the majority is not known: timeout' })
})
