import assert from 'node:assert/strict'
import test from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import type { Norm } from '#core/unit/norm.ts'
import { decide } from '#core/decision/decide.ts'
import { assemble, isCarried } from './assemble.ts'
import { path, PRINCIPAL, RESOURCE } from './expression.ts'
import { renderRules } from './render.ts'
import { semanticHash } from './semantic-hash.ts'

const schema = parseSchema(`
  entity Nurse = { onDuty: Bool };
  entity Doctor = { onDuty: Bool };
  entity Chart = { sealed: Bool };
  entity Bill;
  action view, edit appliesTo { principal: [Nurse, Doctor], resource: [Chart] };
  action pay appliesTo { principal: [Nurse, Doctor], resource: [Bill] };
`)
const VIEW = { type: 'Action', id: 'view' }
const EDIT = { type: 'Action', id: 'edit' }
const SEALED = path(RESOURCE, ['sealed'])

function norm(change: Partial<Norm>): Norm {
  return { id: 'N1', sentence: 1, source: 'said "so"', modality: 'permit', principals: ['Nurse'], actions: [VIEW], resources: ['Chart'], when: null, unless: null, obligation: null, ...change }
}

/** What a policy of these norms answers: decision and obligations. */
function ask(norms: readonly Norm[], who: string, action: string, sealed = false) {
  const policies = parsePolicies(renderRules(assemble(norms, schema)), schema)
  const [type = ''] = who.split('::')
  const entities = [
    { uid: { type, id: 'x' }, attrs: { onDuty: true }, parents: [] },
    { uid: { type: 'Chart', id: 'c' }, attrs: { sealed }, parents: [] },
  ]
  const { decision, obligations } = decide({ policies, schema, request: { principal: `${type}::"x"`, action: `Action::"${action}"`, resource: 'Chart::"c"', context: {} }, entities }, authorize)
  return [decision, ...obligations]
}

test('a permission permits what it names and nothing else', () => {
  const norms = [norm({})]
  assert.deepEqual(ask(norms, 'Nurse', 'view'), ['allow'])
  assert.deepEqual(ask(norms, 'Nurse', 'edit'), ['deny'])
  assert.deepEqual(ask(norms, 'Doctor', 'view'), ['deny'])
})

test('several types and actions are any of them; a condition over both type-checks', () => {
  const norms = [norm({ principals: ['Nurse', 'Doctor'], actions: [VIEW, EDIT], when: path(PRINCIPAL, ['onDuty']), unless: SEALED })]
  assert.deepEqual(ask(norms, 'Doctor', 'edit'), ['allow'])
  assert.deepEqual(ask(norms, 'Doctor', 'edit', true), ['deny'])
})

test('a prohibition wins over a permission', () => {
  assert.deepEqual(ask([norm({}), norm({ id: 'N2', modality: 'forbid', principals: [], actions: [], resources: [] })], 'Nurse', 'view'), ['deny'])
})

test('an obligation for anyone goes onto every permit it touches, and onto no other', () => {
  const log = norm({ id: 'N2', modality: 'oblige', principals: [], actions: [VIEW], resources: [], obligation: 'log' })
  const norms = [norm({ actions: [VIEW, EDIT] }), log]
  assert.deepEqual(ask(norms, 'Nurse', 'view'), ['allow', 'log'])
  assert.deepEqual(ask(norms, 'Nurse', 'edit'), ['allow'])
})

test('an obligation under a condition splits the permit, so that nothing is demanded where the text demands nothing', () => {
  const notify = norm({ id: 'N2', modality: 'oblige', principals: [], actions: [], resources: ['Chart'], when: SEALED, obligation: 'notify' })
  assert.deepEqual(ask([norm({}), notify], 'Nurse', 'view', true), ['allow', 'notify'])
  assert.deepEqual(ask([norm({}), notify], 'Nurse', 'view', false), ['allow'])
})

test('an obligation for one type splits a permit for two', () => {
  const log = norm({ id: 'N2', modality: 'oblige', principals: ['Doctor'], actions: [VIEW], obligation: 'log' })
  const norms = [norm({ principals: ['Nurse', 'Doctor'] }), log]
  assert.deepEqual(ask(norms, 'Doctor', 'view'), ['allow', 'log'])
  assert.deepEqual(ask(norms, 'Nurse', 'view'), ['allow'])
})

test('two obligations on one permit are both demanded', () => {
  const oblige = (id: string, obligation: string) => norm({ id, modality: 'oblige', principals: [], resources: [], obligation })
  assert.deepEqual(ask([norm({}), oblige('N2', 'notify'), oblige('N3', 'log')], 'Nurse', 'view'), ['allow', 'log', 'notify'])
})

test('the semantic hash forgets names, order and spelling, and remembers effect, condition and obligation', () => {
  const hash = (...norms: Norm[]) => semanticHash(assemble(norms, schema), schema)
  const a = norm({ when: SEALED })
  const b = norm({ id: 'N2', principals: ['Doctor'] })
  assert.equal(hash(a, b), hash({ ...b, id: 'N7', source: 'otherwise' }, a))
  assert.equal(hash(norm({ actions: [VIEW, EDIT] })), hash(norm({ actions: [EDIT, VIEW] })))
  assert.notEqual(hash(a), hash({ ...a, modality: 'forbid' }))
  assert.notEqual(hash(a), hash({ ...a, when: null, unless: SEALED }))
  assert.notEqual(hash(b), hash(b, norm({ id: 'N3', modality: 'oblige', principals: [], resources: [], obligation: 'log' })))
})

test('operands that can fail keep their order in the semantic hash', () => {
  const overflow = { kind: 'less', left: { kind: 'add', left: { kind: 'long', value: '9223372036854775807' }, right: { kind: 'long', value: '1' } }, right: { kind: 'long', value: '0' } } as const
  const hash = (left: typeof SEALED | typeof overflow, right: typeof SEALED | typeof overflow) => semanticHash(assemble([norm({ when: { kind: 'and', left, right } })], schema), schema)
  assert.notEqual(hash(SEALED, overflow), hash(overflow, SEALED))
})

test('an obligation is carried by a permission that speaks of the same action, principals and resources, and by nothing else', () => {
  const logged = norm({ id: 'N2', modality: 'oblige', obligation: 'log' })
  const carried = (change: Partial<Norm>) => isCarried(logged, [norm(change), logged], schema)
  assert.deepEqual([{}, { principals: [] }, { actions: [] }, { actions: [EDIT, VIEW] }, { resources: [] }].map(carried), [true, true, true, true, true])
  assert.deepEqual([{ modality: 'forbid' as const }, { actions: [EDIT] }, { principals: ['Doctor'] }, { resources: ['Bill'], actions: [] }].map(carried), [false, false, false, false])
})
