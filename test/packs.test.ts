import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { authorize, parsePolicies } from '#adapters/cedar/cedar.ts'
import { createExaminer } from '#adapters/examiner.ts'
import { loadPacks } from '#adapters/packs.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { score } from '#core/compliance/judge.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { examine } from '#core/generate.ts'
import { assemble } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import { LIMITS } from '#core/proof/questions.ts'
import type { Reader } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import { readShallowParse } from '#core/synthesis/shallow-parse.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { toUnit } from '#core/unit/to-unit.ts'

const READERS: { readonly [method: string]: Reader } = { 'controlled-english': readControlledEnglish, 'shallow-parse': readShallowParse }
const THRESHOLD = 0.8

const packs = loadPacks('packs')
const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())
const examiner = createExaminer(parseConstitution(readFileSync('constitutions/acgs.yaml', 'utf8')), prover)
const setting = { packs, constitution: examiner.constitution, parseSchema: examiner.parseSchema, threshold: THRESHOLD }

/** What a reader makes of a body: the policy of what it read, and the sentences that it left. */
function read(body: unknown, reader: Reader): { policy: PolicySet; schema: Schema; sentences: number; unread: readonly string[] } {
  const unit = toUnit('unit', GenerateBody.parse(body), setting)
  const readings = reader(unit)
  const norms = readings.flatMap((reading) => (reading.kind === 'norms' ? reading.norms : []))
  const unread = readings.flatMap((reading) => (reading.kind === 'unread' ? [`${unit.sentences[reading.sentence - 1]?.text} (${reading.because})`] : []))
  return { policy: parsePolicies(renderRules(assemble(norms, unit.schema)), unit.schema), schema: unit.schema, sentences: unit.sentences.length, unread }
}

/** Ids of the refuted articles; fails on an article that could not be decided. */
async function judged(policy: PolicySet, schema: Schema) {
  const examination = await examine(policy, schema, examiner.examining(schema))
  const refuted = examination.proofs.filter(({ article, proof }) => {
    assert.notEqual(proof.answer.kind, 'unknown', `${article.id}: ${JSON.stringify(proof.answer)}`)
    return proof.answer.kind === 'refuted'
  })
  const isCertified = refuted.every(({ article }) => !article.hard) && (score(examination) ?? 0) >= THRESHOLD
  return { verdict: isCertified ? 'certified' : 'refused', refuted: refuted.map(({ article }) => article.id) }
}

for (const [method, reader] of Object.entries(READERS)) {
  test(`${method} reads at least nine in ten sentences of the packs`, (context) => {
    const all = packs.flatMap(({ requests }) => requests.map(({ body }) => read(body, reader)))
    const sentences = all.reduce((sum, each) => sum + each.sentences, 0)
    const unread = all.flatMap((each) => each.unread)
    context.diagnostic(`${sentences - unread.length} of ${sentences} sentences read`)
    assert(unread.length <= sentences / 10, unread.join('\n'))
  })

  for (const { name, requests, entities } of packs) {
    for (const { file, body, expect } of requests) {
      test(`${name}/${file} by ${method}: ${expect.verdict}, and decides as a careful person would`, async (context) => {
        const { policy, schema, unread } = read(body, reader)
        // A sentence that is left is counted above; what it would have decided is not held against the others.
        if (unread.length > 0) return context.skip(`unread: ${unread.join('; ')}`)
        for (const { request, decision, because } of expect.decisions) {
          assert.equal(authorize({ policies: policy, schema, request, entities }).decision, decision, `${request.principal} ${request.action} ${request.resource}: ${because}\n${policy.text}`)
        }
        const { verdict, refuted } = await judged(policy, schema)
        assert.equal(verdict, expect.verdict, refuted.join())
        for (const id of expect.refuted) assert(refuted.includes(id), `${id} holds`)
      })
    }
  }

  test(`examples/clinic.json by ${method} obeys every article that applies, not only the hard ones`, async () => {
    const { policy, schema, unread } = read(JSON.parse(readFileSync('examples/clinic.json', 'utf8')), reader)
    assert.deepEqual(unread, [])
    assert.deepEqual(await judged(policy, schema), { verdict: 'certified', refuted: [] })
  })

  test(`examples/library.json by ${method}: a schema without annotations is read whole, and one article applies`, async () => {
    const { policy, schema, unread } = read(JSON.parse(readFileSync('examples/library.json', 'utf8')), reader)
    assert.deepEqual(unread, [])
    assert.equal(examiner.bind(schema).bound.length, 1)
    assert.deepEqual(await judged(policy, schema), { verdict: 'certified', refuted: [] })
  })
}
