import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { assemble } from '#core/policy/assemble.ts'
import { renderRules } from '#core/policy/render.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { seeded } from '#core/proof/random-world.ts'
import type { Reader } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import { gradeReadings } from './reading-trial.ts'
import { knownSentence, type KnownSentence } from './sentences.ts'

const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())
const SCHEMA = parseSchema('entity Clerk { senior: Bool, trained: Bool, level: Long }; entity Guest { trained: Bool }; entity File { owner: Clerk, sealed: Bool, archived: Bool, pages: Long }; action viewFile, edit appliesTo { principal: [Clerk, Guest], resource: File };')
const grading = { parse: parsePolicies, sameMeaning: prover.sameMeaning }

function sentences(count: number, seed = 4): readonly KnownSentence[] {
  const random = seeded(seed)
  return Array.from({ length: count }, () => knownSentence(SCHEMA, random)).filter((each) => each !== null)
}

test('what a sentence means is a policy over the schema, and the same seed makes the same sentences', () => {
  for (const { norms } of sentences(150)) assert.ok(parsePolicies(renderRules(assemble(norms, SCHEMA)), SCHEMA).rules.length > 0)
  assert.deepEqual(sentences(20), sentences(20))
  assert.ok(new Set(sentences(150).map(({ text }) => text)).size > 80)
})

test('right, wrong, wrong in the same way, and unread are told apart by proof', async () => {
  const known = sentences(40).find(({ norms: [first] }) => first?.modality === 'permit' && first.when !== null)
  assert.ok(known !== undefined)
  const reads = (change: (norms: KnownSentence['norms']) => KnownSentence['norms']): Reader => () => [{ kind: 'norms', sentence: 1, norms: change(known.norms) }]
  const [right, widened, forbids] = [reads((norms) => norms), reads((norms) => norms.map((norm) => ({ ...norm, when: null }))), reads((norms) => norms.map((norm) => ({ ...norm, modality: 'forbid' as const })))]
  const mute: Reader = () => [{ kind: 'unread', sentence: 1, because: '' }]
  const readers = [right, widened, forbids, widened, mute].map((read, i) => ({ method: `r${i}`, read }))
  assert.deepEqual((await gradeReadings(known, SCHEMA, readers, grading))?.readings, { r0: 'right', r1: 'wrong 1', r2: 'wrong 2', r3: 'wrong 1', r4: 'unread' })
})

test('without an answer of the prover nobody is graded', async () => {
  const [known] = sentences(5)
  const mute = { ...grading, sameMeaning: async (...question: Parameters<typeof prover.sameMeaning>) => ({ ...await prover.sameMeaning(...question), answer: { kind: 'unknown' as const, reason: 'timeout' } }) }
  assert.equal(await gradeReadings(known as KnownSentence, SCHEMA, [{ method: 'r', read: () => [{ kind: 'norms', sentence: 1, norms: (known as KnownSentence).norms }] }], mute), null)
})

test('a reader of ours has most of them right, which tells that sentences and meanings belong together', async () => {
  const graded = await Promise.all(sentences(40).map((known) => gradeReadings(known, SCHEMA, [{ method: 'r', read: readControlledEnglish }], grading)))
  const said = graded.map((each) => each?.readings['r'])
  assert.ok(said.filter((each) => each === 'right').length > 20 && said.every((each) => each === 'right' || each === 'unread'), JSON.stringify(graded.filter((each) => each?.readings['r'] !== 'right')))
})
