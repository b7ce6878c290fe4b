import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RevisionRow } from '#adapters/postgres/revisions.ts'
import { obstaclesOf } from './obstacles.ts'

const SCHEMA = 'a'.repeat(64)
const AT = new Date('2026-06-01T00:00:00.000Z')
const proposed: RevisionRow = {
  application: 'clinic', number: 3, base: 2, rollback_of: null, digest: 'd'.repeat(64), verdict: 'proved', examination: null, proved_at: AT,
  proposed_by: 'pat', proposed_at: AT, activated_by: null, activated_at: null, bundle: null,
  content: {
    application: 'clinic', schema: { text: '', digest: SCHEMA }, constitution: { hash: '', digest: 'c'.repeat(64) }, applicable: { articles: 0, of: 0, missing: [] },
    certificates: [{ id: 'one', policyDigest: 'e'.repeat(64), author: 'ann' }], policy: '', proposedBy: 'pat', proposedAt: AT.toISOString(),
  },
}
const now = { activeRevision: 2, schemaDigest: SCHEMA }
const reasons = (row: Partial<RevisionRow>, { at = now, by = ['carla'], required = 1, revoked = [] }: { at?: Parameters<typeof obstaclesOf>[1]; by?: readonly string[]; required?: number; revoked?: readonly string[] } = {}) =>
  obstaclesOf({ ...proposed, ...row }, at, { approvals: by.map((member) => ({ member })), demanded: { constitution: 'c'.repeat(64), approvals: required }, revoked }).map(({ reason }) => reason)

test('what is proved, approved and proposed on what decides now can be activated', () => assert.deepEqual(reasons({}), []))

test('each thing that is wrong is an obstacle by itself', () => {
  assert.deepEqual(reasons({ verdict: 'undetermined' }), ['not_proved'])
  assert.deepEqual(reasons({}, { at: { ...now, activeRevision: null } }), ['stale'])
  assert.deepEqual(reasons({}, { at: { ...now, schemaDigest: 'b'.repeat(64) } }), ['stale'])
  assert.deepEqual(reasons({ content: { ...proposed.content, constitution: { hash: '', digest: 'f'.repeat(64) } } }), ['stale'])
  assert.deepEqual(reasons({}, { revoked: ['one'] }), ['revoked'])
  assert.deepEqual(reasons({}, { required: 2 }), ['not_approved'])
})

test('the word of whoever proposed it or wrote a part of it is not counted', () => {
  assert.deepEqual(reasons({}, { by: ['ann', 'pat'] }), ['not_approved'])
  assert.deepEqual(reasons({}, { by: ['ann', 'pat', 'carla'] }), [])
  // Nor that of whoever asked for an earlier content to come back, whenever they gave it.
  assert.deepEqual([reasons({ proposed_by: 'carla', rollback_of: 1 }), reasons({ proposed_by: 'carla', rollback_of: 1 }, { by: ['carla', 'cosmo'] })], [['not_approved'], []])
})

test('everything is named at once, the weightiest first; of what was superseded only that', () => {
  const all = { at: { activeRevision: 5, schemaDigest: 'b'.repeat(64) }, by: [], revoked: ['one'] }
  assert.deepEqual(reasons({ verdict: 'refuted' }, all), ['not_proved', 'stale', 'stale', 'revoked', 'not_approved'])
  assert.deepEqual(reasons({ verdict: 'refuted', activated_at: AT }, all), ['superseded'])
})
