import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import { loadPacks } from '#adapters/packs.ts'
import { canonical } from '#core/canonical.ts'
import { bind } from '#core/constitution/bind.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { EVIDENCE_LEVELS_MAX, EvidenceBody, evidenceBody, evidenceOf } from '#core/evidence.ts'
import { Failure } from '#core/failure.ts'
import type { Evidence } from '#core/generate.ts'
import { parseJson } from '#core/json.ts'
import { readOutcomes } from '#core/syndrome/outcomes.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { toUnit } from '#core/unit/to-unit.ts'
import { propose } from '#services/synthesis/propose.ts'

const constitution = parseConstitution(readFileSync(new URL('../../constitutions/acgs.yaml', import.meta.url), 'utf8'))
const packs = loadPacks(fileURLToPath(new URL('../../packs', import.meta.url)))

async function evidence(body: unknown): Promise<Evidence> {
  const unit = toUnit('gen_1', GenerateBody.parse(body), { packs, constitution, parseSchema, threshold: 0.8 })
  return { unit, candidates: await propose(unit, bind(constitution, unit.schema).bound) }
}
const travelled = (whole: Evidence) => EvidenceBody.parse(parseJson(Buffer.from(JSON.stringify(evidenceBody(whole))), 'body', EVIDENCE_LEVELS_MAX))

test('evidence of every request of every pack arrives as it was sent', async () => {
  let candidates = 0
  for (const pack of packs) {
    for (const { body } of pack.requests) {
      const sent = await evidence({ ...(body as object), context: { ...(body as { context?: object }).context, domain: pack.name } })
      const arrived = evidenceOf(travelled(sent), parseSchema)
      assert.deepEqual(arrived.unit.sentences, sent.unit.sentences)
      assert.equal(arrived.unit.schema.digest, sent.unit.schema.digest)
      assert.equal(canonical(arrived.candidates), canonical(sent.candidates))
      assert.equal(canonical(arrived.unit.request), canonical(sent.unit.request))
      candidates += arrived.candidates.length
    }
  }
  assert.ok(candidates > 10)
})

test('what whoever sends it says of its sentences does not count, and what it cannot have read is refused', async () => {
  const sent = await evidence(JSON.parse(readFileSync(new URL('../../examples/clinic.json', import.meta.url), 'utf8')))
  const lying = { ...sent, unit: { ...sent.unit, sentences: sent.unit.sentences.map((each) => ({ ...each, mayRule: false, isExplanation: true })) } }
  assert.deepEqual(evidenceOf(travelled(lying), parseSchema).unit.sentences, sent.unit.sentences)

  const [first, second] = sent.candidates as [Evidence['candidates'][number], Evidence['candidates'][number]]
  const hostile: Record<string, Evidence['candidates']> = {
    'a sentence left out': [{ ...first, readings: first.readings.slice(1) }],
    'sentences in another order': [{ ...first, readings: first.readings.toReversed() }],
    'a norm of another sentence': [{ ...first, readings: first.readings.map((each) => (each.kind === 'norms' ? { ...each, norms: each.norms.map((norm) => ({ ...norm, sentence: 2 })) } : each)) }],
    'words that are not in the text': [{ ...first, readings: first.readings.map((each) => (each.kind === 'norms' ? { ...each, norms: each.norms.map((norm) => ({ ...norm, source: 'Nobody may.' })) } : each)) }],
    'one method twice': [first, second, first],
    'a witness that is none': [{ ...first, readsText: false }],
  }
  for (const [name, candidates] of Object.entries(hostile)) {
    assert.throws(() => evidenceOf(travelled({ ...sent, candidates }), parseSchema), (error) => error instanceof Failure && error.code === 'REQUEST_MALFORMED', name)
  }
})

test('what a language model said travels with its lineage, under a name that can be counted', async () => {
  const sent = await evidence(JSON.parse(readFileSync(new URL('../../examples/clinic.json', import.meta.url), 'utf8')))
  const named = (method: string): Evidence => ({ ...sent, candidates: [...sent.candidates, { ...sent.candidates[0] as Candidate, method: method as Candidate['method'], lineage: 'qwen 3, prompt 2' }] })
  for (const method of ['model:a', 'model:qwen2.5:7b', 'model:org/name-7b']) {
    assert.deepEqual(evidenceOf(travelled(named(method)), parseSchema).candidates.at(-1), named(method).candidates.at(-1))
    assert.doesNotThrow(() => readOutcomes({ source: { id: 'x', what: 'y' }, outcomes: [{ readings: { [method]: 'right' } }] }))
  }
  for (const method of ['model:', 'model:A', 'model:a b', 'model:a\n', `model:${'a'.repeat(95)}`, 'somebody', 'xmodel:a']) {
    assert.throws(() => travelled(named(method)), z.ZodError, JSON.stringify(method))
  }
  assert.throws(() => travelled({ ...sent, candidates: [{ ...sent.candidates[0] as Candidate, lineage: '' }] }), z.ZodError)
})

test('only the shapes that there are get in', async () => {
  const body = JSON.parse(JSON.stringify(evidenceBody(await evidence(JSON.parse(readFileSync(new URL('../../examples/clinic.json', import.meta.url), 'utf8'))))))
  const norms = body.candidates[0].readings.find((each: { kind: string }) => each.kind === 'norms')
  for (const when of [{ kind: 'shell', command: 'x' }, { kind: 'bool', value: 'yes' }, { kind: 'not', of: { kind: 'var', name: 'process' } }, { kind: 'long', value: '1e9' }, { kind: 'bool', value: true, more: 1 }]) {
    norms.norms[0].when = when
    assert.equal(EvidenceBody.safeParse(body).success, false, JSON.stringify(when))
  }
  norms.norms[0].when = { kind: 'bool', value: true }
  assert.equal(EvidenceBody.safeParse(body).success, true)
})
