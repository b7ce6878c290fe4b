import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { parseSchema } from '#adapters/cedar/cedar.ts'
import { createExaminer } from '#adapters/examiner.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { renderDocument } from '#core/document.ts'
import { assess } from '#core/generate.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { normsOf } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { sentencesOf } from '#core/unit/sentences.ts'
import { assemble } from './assemble.ts'
import { renderNorm } from './english.ts'
import { capital, normsIn, rulesIn, sayRules } from './norm-sections.ts'
import { renderRules } from './render.ts'
import type { Schema } from './schema.ts'
import { semanticHash } from './semantic-hash.ts'

const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())

function unitOf(schema: Schema, description: string): SemanticUnit {
  const request = {
    title: 'A test', description, stakeholders: [], principles: [], priority: 'low', examples: [], explanations: [], complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false,
  } as const
  return { id: 'unit', request, schema, sentences: sentencesOf(description, schema, []) }
}

test('from the whole document the rules and the norms are read back as they were put in', async () => {
  const examiner = createExaminer(parseConstitution(readFileSync('constitutions/acgs.yaml', 'utf8')), prover)
  const schema = examiner.parseSchema(readFileSync('packs/ai-agents/schema.cedarschema', 'utf8'))
  const unit = unitOf(schema, 'Agents may read public files. Agents must not delete files. Every deletion must be logged.')
  const readings = readControlledEnglish(unit)
  const candidates = [{ method: 'controlled-english', readsText: true, lineage: 'controlled-english', cedar: renderRules(assemble(normsOf(readings), schema)), readings }] as const
  const assessment = await assess({ unit, candidates }, examiner.examining(schema))
  const { markdown } = renderDocument({ unit, candidates, ...assessment, normExamples: [] })
  assert.equal(rulesIn(markdown), assessment.corrections[0].policy.text)
  assert.deepEqual([...normsIn(markdown).keys()].sort(), normsOf(readings).map(({ id }) => id).sort())
})

test('a document with no rules, or with several sets, has none that can be read back', () => {
  assert.equal(rulesIn(sayRules('permit(principal, action, resource);\n')), 'permit(principal, action, resource);\n')
  assert.equal(rulesIn('# A title'), null)
  assert.equal(rulesIn(`${sayRules('a\n')}\n${sayRules('b\n')}`), null)
})

test('what a norm says in words, where its reader understands these, means what the norm means', () => {
  let read = 0
  for (const path of globSync('packs/*/requests/*.json')) {
    const schema = parseSchema(readFileSync(path.replace(/requests\/.*/, 'schema.cedarschema'), 'utf8'))
    const { description = '', body } = JSON.parse(readFileSync(path, 'utf8')) as { description?: string; body?: { description: string } }
    for (const norm of normsOf(readControlledEnglish(unitOf(schema, description === '' ? body?.description ?? '' : description)))) {
      const readings = readControlledEnglish(unitOf(schema, `${capital(renderNorm(norm))}.`))
      if (readings.length !== 1 || readings[0]?.kind !== 'norms') continue
      read++
      assert.equal(semanticHash(assemble(normsOf(readings), schema), schema), semanticHash(assemble([norm], schema), schema), renderNorm(norm))
    }
  }
  assert.ok(read >= 40, String(read))
})
