import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { Failure } from '#core/failure.ts'
import { renderRules } from '#core/policy/render.ts'
import { alwaysDenies, LIMITS, neverErrors, proveEquivalent } from '#core/proof/questions.ts'
import { pick, seeded } from '#core/proof/random-world.ts'
import type { Proof } from '#core/proof/proof.ts'
import { SELF_TEST_SCHEMA } from '#core/proof/self-test.ts'
import { randomRules } from '#test/random-policy.ts'

const SEED = 41
const ROUNDS = process.env['ACGS_SLOW'] === '1' ? 200 : 12
const isThere = spawnSync('cvc5', ['--version']).status === 0

/** Another solver, which shares nothing with ours, asked the questions as they are written for anybody. */
test('cvc5 gives the answers that we give, to the questions as they are emitted', { skip: isThere ? false : 'cvc5 is not installed (Debian package cvc5)' }, async () => {
  const scripts: { question: string; environment: object; text: string }[] = []
  await using prover = createProver({ ...LIMITS, onScript: (script) => void scripts.push(script) })
  const schema = parseSchema(SELF_TEST_SCHEMA)
  const random = seeded(SEED)
  const counts = { unsat: 0, sat: 0, unanswered: 0 }
  const policy = () => {
    for (;;) {
      try {
        return parsePolicies(renderRules(randomRules(schema, pick(random, schema.environments), random, { count: 3 })), schema)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
      }
    }
  }
  for (let i = 0; i < ROUNDS; i++) {
    const [a, b] = [policy(), policy()]
    for (const ask of [() => proveEquivalent(a, b, schema, prover.engines), () => alwaysDenies(a, schema, prover.engines), () => neverErrors(b, schema, prover.engines)]) {
      scripts.length = 0
      const { environments, question }: Proof = await ask()
      for (const { text, environment } of scripts) {
        const { stdout } = spawnSync('cvc5', ['--tlimit=5000', '--lang=smt2'], { input: `(set-logic ALL)\n${text}(check-sat)\n`, encoding: 'utf8' })
        const said = stdout.trim()
        const ours = environments.find((each) => (['principal', 'action', 'resource'] as const).every((part) => each[part] === (environment as typeof each)[part]))?.answer
        if ((said !== 'sat' && said !== 'unsat') || ours === 'unknown') {
          counts.unanswered++
          continue
        }
        counts[said]++
        assert.equal(ours, said === 'unsat' ? 'proved' : 'refuted', `seed ${SEED}, ${question}\n${a.text}\n${b.text}\n${text}`)
      }
    }
  }
  console.log(`cvc5, seed ${SEED}: ${JSON.stringify(counts)}`)
  assert.ok(counts.unsat > 5 && counts.sat > 5 && counts.unanswered * 4 < counts.unsat + counts.sat, JSON.stringify(counts))
})
