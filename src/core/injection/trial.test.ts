import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { Failure } from '#core/failure.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import { LIMITS } from '#core/proof/questions.ts'
import { seeded } from '#core/proof/random-world.ts'
import { FAULT_CLASSES } from './faults.ts'
import { reworded } from './reword.ts'
import { shares, tally, tallyOf } from './tally.ts'
import { planFor, runTrial, Rotation, type Court, type Trial } from './trial.ts'

const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())

const SCHEMA = parseSchema(`
entity Team; entity User in [Team] { n: Long, m: Long, admin: Bool, role: Role }; entity Role enum ["clerk", "judge"]; entity Doc { owner: User, open: Bool, size: Long };
action view, edit appliesTo { principal: User, resource: Doc };`)
const ORIGINAL = parsePolicies(`
@obligation("log") permit(principal in Team::"a", action == Action::"view", resource) when { principal.n > 5 && resource.open };
permit(principal, action == Action::"edit", resource) when { resource.owner == principal || principal.admin } unless { resource.size >= 10 };
forbid(principal, action, resource) when { principal.role == Role::"clerk" && !resource.open };
permit(principal in Team::"b", action == Action::"view", resource) when { principal.m != 3 };`, SCHEMA)
const court: Court = { parse: parsePolicies, sameMeaning: prover.sameMeaning, decidedOn: prover.decidedOn, isMajority: prover.isMajority, standing: async () => 'proved' }

async function run(count: number, plan: Parameters<typeof planFor>[0], { court: use = court, seed = 1 } = {}): Promise<readonly Trial[]> {
  const [random, rotation, trials] = [seeded(seed), new Rotation(FAULT_CLASSES), [] as Trial[]]
  while (trials.length < count) {
    const trial = await runTrial(ORIGINAL, SCHEMA, planFor(plan, random), rotation, random, use)
    if (trial !== null) trials.push(trial)
  }
  assert.deepEqual(rotation.impossible, [])
  return trials
}

test('every class breaks this policy in a way that is proved to matter, and rewording never does', async () => {
  const random = seeded(2)
  const parse = (rules: PolicySet['rules']) => {
    try {
      return parsePolicies(renderRules(rules), SCHEMA)
    } catch (error) {
      if (error instanceof Failure) return null
      throw error
    }
  }
  for (const { id, inject } of FAULT_CLASSES) {
    let broken = 0
    for (let i = 0; i < 60 && broken < 2; i++) {
      const rules = inject(ORIGINAL.rules, SCHEMA, random)
      const policy = rules === null ? null : parse(rules)
      if (policy !== null && (await prover.sameMeaning(policy, ORIGINAL, SCHEMA)).answer.kind === 'refuted') broken++
    }
    assert.equal(broken, 2, id)
  }
  for (let i = 0; i < 10; i++) {
    const policy = parse(reworded(ORIGINAL.rules, random))
    assert.notEqual(policy?.text, ORIGINAL.text)
    assert.equal((await prover.sameMeaning(policy as PolicySet, ORIGINAL, SCHEMA)).answer.kind, 'proved')
  }
})

test('one of three broken: always detected, located and corrected; voting by text and one candidate alone are not', async () => {
  const trials = await run(28, { candidates: 3, faulty: { count: 1 }, isCorrelated: false, known: 'independent' })
  const { detected, located, corrected, false_accepts, refused } = tally(trials)
  assert.deepEqual({ detected, located, corrected, false_accepts, refused }, { detected: 28, located: 28, corrected: 28, false_accepts: 0, refused: 0 })
  assert.equal(new Set(trials.flatMap(({ faults }) => faults)).size, FAULT_CLASSES.length)
  assert.ok(tallyOf(trials, 'single').false_accepts > 3 && tallyOf(trials, 'textVoting').false_accepts > 3)
  const { detected: { of, low, high } } = shares(tally(trials))
  assert.ok(of === 1 && low > 0.85 && high === 1)
})

test('nothing broken: nothing fires, and what comes out is right', async () => {
  const { faulty, detected, refused, false_accepts } = tally(await run(4, { candidates: 3, faulty: { count: 0 }, isCorrelated: false, known: 'independent' }))
  assert.deepEqual({ faulty, detected, refused, false_accepts }, { faulty: 0, detected: 0, refused: 0, false_accepts: 0 })
})

test('the same fault in most of them is accepted, here as by voting, and counted as that; a constitution that knows better refuses it', async () => {
  const plan = { candidates: 3, faulty: { count: 2 }, isCorrelated: true, known: 'independent' } as const
  const believed = await run(6, plan)
  assert.deepEqual([tally(believed).false_accepts, tallyOf(believed, 'voting').false_accepts], [6, 6])
  const strict: Court = { ...court, standing: async (policy) => (await prover.sameMeaning(policy, ORIGINAL, SCHEMA)).answer.kind }
  assert.deepEqual([tally(await run(6, plan, { court: strict })).false_accepts, tally(await run(6, plan, { court: strict })).refused], [0, 6])
})

test('what comes from one known source is outvoted by those that err apart', async () => {
  const { corrected, false_accepts } = tally(await run(3, { candidates: 5, faulty: { count: 2 }, isCorrelated: true, known: 'one-source' }))
  assert.deepEqual([corrected, false_accepts], [3, 0])
})

test('the same fault in most of them from one known source outvotes nobody', async () => {
  const plan = { faulty: { count: 3 }, isCorrelated: true, known: 'one-source' } as const
  const trials = await run(4, { ...plan, candidates: 5 })
  assert.deepEqual([tally(trials).false_accepts, tally(trials).detected, tallyOf(trials, 'voting').false_accepts], [0, 4, 4])
  const few = tally(await run(4, { ...plan, candidates: 3, faulty: { count: 2 } }))
  assert.deepEqual([few.refused, few.false_accepts], [4, 0])
  // Sabotage: where they are said to err independently, they win.
  assert.equal(tally(await run(4, { ...plan, candidates: 5, known: 'independent' })).false_accepts, 4)
})

test('candidates that nobody has compared outvote nobody: whoever is broken, they are a question', async () => {
  for (const faulty of [{ count: 1 }, { count: 2 }]) {
    const trials = await run(4, { candidates: 3, faulty, isCorrelated: faulty.count === 2, known: 'uncompared' })
    assert.deepEqual(trials.map(({ diagnosis, outcome, isDetected }) => [diagnosis, outcome, isDetected]), Array(4).fill(['ambiguous', 'refused', true]))
  }
  const { corrected, refused } = tally(await run(4, { candidates: 7, faulty: { count: 1 }, isCorrelated: false, known: 'uncompared' }))
  assert.deepEqual([corrected, refused], [0, 4])
})

test('two that differ are a question, and so are two against two', async () => {
  for (const [candidates, count] of [[2, 1], [4, 2]] as const) {
    const trials = await run(3, { candidates, faulty: { count }, isCorrelated: true, known: 'independent' })
    assert.deepEqual(trials.map(({ diagnosis, outcome, isLocated }) => [diagnosis, outcome, isLocated]), Array(3).fill(['ambiguous', 'refused', false]))
  }
})

test('where a majority is proved right at every request, that comes out, also when most candidates are broken', async () => {
  const trials = await run(6, { candidates: 5, faulty: { count: 3 }, isCorrelated: false, known: 'independent' })
  const right = trials.filter(({ isMajorityRight }) => isMajorityRight)
  assert.ok(right.length > 0)
  assert.deepEqual(right.filter(({ outcome }) => outcome !== 'right'), [])
  assert.deepEqual(trials.filter(({ outcome, isMajorityRight }) => outcome === 'right' && !isMajorityRight), [])
})

test('a comparison without an answer refuses, and is never counted as right', async () => {
  const mute: Court = { ...court, sameMeaning: async (a, b, schema) => {
    const proof = await court.sameMeaning(a, b, schema)
    return b === ORIGINAL ? proof : { ...proof, answer: { kind: 'unknown', reason: 'timeout' } }
  } }
  const { refused, detected, corrected } = tally(await run(3, { candidates: 3, faulty: { count: 1 }, isCorrelated: false, known: 'independent' }, { court: mute }))
  assert.deepEqual({ refused, detected, corrected }, { refused: 3, detected: 0, corrected: 0 })
})

test('the same seed makes the same trials', async () => {
  const plan = { candidates: 4, faulty: { rate: 0.4 }, isCorrelated: false, known: 'independent' } as const
  assert.deepEqual(await run(5, plan, { seed: 9 }), await run(5, plan, { seed: 9 }))
})
