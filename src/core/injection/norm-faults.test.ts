import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { Failure } from '#core/failure.ts'
import { assemble } from '#core/policy/assemble.ts'
import { renderRules } from '#core/policy/render.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { seeded } from '#core/proof/random-world.ts'
import { normsOf } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { NORM_FAULTS } from './norm-faults.ts'

const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())

const SCHEMA = parseSchema('entity Clerk { senior: Bool, level: Long, boss: Clerk }; entity Judge; entity File { sealed: Bool, secret: Bool, pages: Long, owner: Clerk }; action view, edit appliesTo { principal: [Clerk, Judge], resource: File };')

function normed(...sentences: readonly string[]) {
  const description = sentences.join(' ')
  return normsOf(readControlledEnglish({ id: 'unit', schema: SCHEMA, sentences: sentencesOf(description, SCHEMA, []), request: { examples: [] } } as unknown as SemanticUnit))
}

function policyOf(norms: ReturnType<typeof normed>) {
  try {
    return parsePolicies(renderRules(assemble(norms, SCHEMA)), SCHEMA)
  } catch (error) {
    if (error instanceof Failure) return null
    throw error
  }
}

test('every class breaks these norms in a way that is proved to matter, and leaves the others as they are', async () => {
  const norms = normed('Clerks may view files that are not sealed.', "Judges may edit files.", "Clerks may edit files if the file's pages is at most 20 and the file is secret.", 'Clerks must not view files unless the clerk is the owner of the file.', 'Every view must be logged.')
  assert.ok(norms.length >= 5, JSON.stringify(norms))
  const original = policyOf(norms)
  assert.ok(original !== null)
  const [random, met] = [seeded(3), new Set<string>()]
  for (const { id, inject } of NORM_FAULTS) {
    for (let i = 0; i < 60 && !met.has(id); i++) {
      const broken = inject(norms, SCHEMA, random)
      const policy = broken === null ? null : policyOf(broken)
      if (broken === null || policy === null || (await prover.sameMeaning(policy, original, SCHEMA)).answer.kind !== 'refuted') continue
      met.add(id)
      assert.ok(broken.filter((norm) => !norms.includes(norm)).length <= 1, id)
    }
  }
  assert.deepEqual(NORM_FAULTS.map(({ id }) => id).filter((id) => !met.has(id)), ['swapped-entity'])
})

test('where there is nothing to break in a way, nothing is made', () => {
  const [norm] = normed('Clerks may view files.')
  assert.ok(norm !== undefined)
  const random = seeded(1)
  const possible = NORM_FAULTS.filter(({ inject }) => Array.from({ length: 20 }, () => inject([norm], SCHEMA, random)).some((made) => made !== null)).map(({ id }) => id)
  assert.deepEqual(possible, ['wrong-modality', 'wrong-action', 'widened-norm'])
})
