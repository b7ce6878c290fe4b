import type { Candidate } from '#core/synthesis/candidate.ts'
import { meets } from '#core/unit/example.ts'
import { mayHideRule, type Example, type SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Decision } from '#core/decision/decide.ts'
import { Failure } from '#core/failure.ts'
import { assemble } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import { semanticHash } from '#core/policy/semantic-hash.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Proof } from '#core/proof/proof.ts'

/**
 * +1: the check holds. −1: it fires, with what shows it. 0: it was not run, never a pass: `idle` when there was nothing to look at
 * (a reader abstained, a candidate does not parse), `failed` when there was and no answer came (timeout, unsupported construct).
 */
export type Outcome =
  | { readonly value: 1 }
  | { readonly value: -1; readonly evidence: unknown }
  | { readonly value: 0; readonly why: 'idle' | 'failed'; readonly because: string }

/** What the checks may ask of the world. */
export type Instruments = {
  readonly parse: (cedar: string, schema: Schema) => PolicySet
  readonly decide: (policies: PolicySet, schema: Schema, example: Example) => Decision
  readonly sameMeaning: (a: PolicySet, b: PolicySet, schema: Schema) => Promise<Proof>
  readonly neverErrors: (policies: PolicySet, schema: Schema) => Promise<Proof>
}

/** One row of the check matrix, for given candidates: what it looks at, and how it is decided. */
export type Check = {
  readonly stabilizer: string
  /** Indices of the candidates that it looks at; what it can put suspicion on. */
  readonly candidates: readonly number[]
  readonly run: () => Promise<Outcome>
}

/**
 * A consistency check that every faithful set of representations passes.
 *
 * `group` is the id under which the API shows it (`GET /api/v1/stabilizers`).
 */
export type Stabilizer = {
  readonly id: string
  readonly group: 'STAB-SEMAN001' | 'STAB-CONST001' | 'STAB-PERF0001'
  readonly holds: string
  readonly checks: (unit: SemanticUnit, candidates: readonly Candidate[], use: Instruments) => readonly Check[]
}

/** Changes with the meaning of any row; certificates carry it. */
export const TABLE_VERSION = '1.0.0'

/** Order is meaning: the syndrome lists outcomes in this order. Append; never reorder. */
export const STABILIZERS: readonly Stabilizer[] = [
  {
    id: 'well-typed',
    group: 'STAB-SEMAN001',
    holds: 'the candidate parses and passes strict validation against the schema',
    checks: (unit, candidates, use) =>
      candidates.map((candidate, i) => ({
        stabilizer: 'well-typed',
        candidates: [i],
        run: async () => {
          const policies = parsed(candidate.cedar, unit.schema, use)
          return policies instanceof Failure ? { value: -1, evidence: { method: candidate.method, problems: policies.problems, message: policies.message } } : { value: 1 }
        },
      })),
  },
  {
    id: 'never-errors',
    group: 'STAB-PERF0001',
    holds: 'no rule of the candidate can fail to evaluate',
    checks: (unit, candidates, use) =>
      candidates.map((candidate, i) => ({
        stabilizer: 'never-errors',
        candidates: [i],
        run: async () => {
          const policies = parsed(candidate.cedar, unit.schema, use)
          return policies instanceof Failure ? { value: 0, why: 'idle', because: 'the candidate does not parse' } : outcomeOf(await use.neverErrors(policies, unit.schema))
        },
      })),
  },
  {
    id: 'same-meaning',
    group: 'STAB-SEMAN001',
    holds: 'two readers give the sentences that both have read one meaning',
    checks: (unit, candidates, use) => {
      const readers = candidates.flatMap((candidate, i) => (candidate.readsText ? [i] : []))
      return readers.flatMap((i, k) =>
        readers.slice(k + 1).map((j) => ({
          stabilizer: 'same-meaning',
          candidates: [i, j],
          run: () => sameMeaning(candidates[i] as Candidate, candidates[j] as Candidate, unit, use),
        })),
      )
    },
  },
  {
    id: 'decides',
    group: 'STAB-SEMAN001',
    holds: 'the candidate decides the author’s examples as the author does',
    checks: (unit, candidates, use) =>
      candidates.flatMap((candidate, i) =>
        candidate.readsText
          ? unit.request.examples.map((example) => ({
              stabilizer: 'decides',
              candidates: [i],
              run: async () => decides(candidate, example, unit, use),
            }))
          : [],
      ),
  },
  {
    id: 'covers',
    group: 'STAB-SEMAN001',
    holds: 'the reader has read every sentence that may rule',
    checks: (unit, candidates) =>
      candidates.flatMap((candidate, i) =>
        candidate.readsText
          ? [
              {
                stabilizer: 'covers',
                candidates: [i],
                run: async () => {
                  const unread = candidate.readings.filter((reading) => reading.kind === 'unread' && mayHideRule(unit, reading.sentence))
                  // Not understanding is an abstention, not a fault: nothing that this reader says is thereby wrong.
                  return unread.length === 0 ? { value: 1 } : { value: 0, why: 'idle', because: `${candidate.method} has not read sentence ${unread.map(({ sentence }) => sentence).join(', ')}` }
                },
              },
            ]
          : [],
      ),
  },
]

/** The policy that one reader's norms for some sentences make. */
export function policyOf(candidate: Candidate, schema: Schema, wanted: (sentence: number) => boolean): PolicySet {
  const norms = candidate.readings.flatMap((reading) => (reading.kind === 'norms' && wanted(reading.sentence) ? reading.norms : []))
  const assembled = assemble(norms, schema)
  return { text: renderRules(assembled), rules: assembled }
}

async function sameMeaning(a: Candidate, b: Candidate, unit: SemanticUnit, use: Instruments): Promise<Outcome> {
  for (const { cedar, method } of [a, b]) if (parsed(cedar, unit.schema, use) instanceof Failure) return { value: 0, why: 'idle', because: `the candidate of ${method} does not parse` }
  const wasRead = (candidate: Candidate, sentence: number) => candidate.readings.some((reading) => reading.sentence === sentence && reading.kind !== 'unread')
  const both = (sentence: number) => wasRead(a, sentence) && wasRead(b, sentence)
  if (!unit.sentences.some(({ number }) => both(number))) return { value: 0, why: 'idle', because: 'no sentence was read by both' }
  const [left, right] = [policyOf(a, unit.schema, both), policyOf(b, unit.schema, both)]
  if (semanticHash(left.rules, unit.schema) === semanticHash(right.rules, unit.schema)) return { value: 1 }
  const outcome = outcomeOf(await use.sameMeaning(left, right, unit.schema))
  return outcome.value === -1 ? { value: -1, evidence: { sentences: differing(a, b, unit, both), request: outcome.evidence } } : outcome
}

/** The sentences whose norms are not written alike: the disagreement is about some of them. */
function differing(a: Candidate, b: Candidate, unit: SemanticUnit, both: (sentence: number) => boolean): readonly number[] {
  const hash = (candidate: Candidate, number: number) => semanticHash(policyOf(candidate, unit.schema, (sentence) => sentence === number).rules, unit.schema)
  return unit.sentences.map(({ number }) => number).filter((number) => both(number) && hash(a, number) !== hash(b, number))
}

async function decides(candidate: Candidate, example: Example, unit: SemanticUnit, use: Instruments): Promise<Outcome> {
  const policies = parsed(candidate.cedar, unit.schema, use)
  if (policies instanceof Failure) return { value: 0, why: 'idle', because: 'the candidate does not parse' }
  const decided = use.decide(policies, unit.schema, example)
  const { decision, verdict } = decided
  if (verdict === 'error') return { value: 0, why: 'failed', because: `example ${example.name} could not be evaluated` }
  if (meets(decided, example)) return { value: 1 }
  // What it has not read it has not contradicted.
  const missed = candidate.readings.find((reading) => reading.kind === 'unread' && mayHideRule(unit, reading.sentence))
  if (missed !== undefined) return { value: 0, why: 'idle', because: `${candidate.method} has not read sentence ${missed.sentence}, which may decide example ${example.name}` }
  return { value: -1, evidence: { example: example.name, wanted: example.decision, decided: decision, sentences: sentencesOf(candidate, decided.determining) } }
}

/** Of the rules that determined a decision, the sentences: a rule has the id of its norm, and more behind it where an obligation divided it. */
function sentencesOf(candidate: Candidate, rules: readonly string[]): readonly number[] {
  const norms = candidate.readings.flatMap((reading) => (reading.kind === 'norms' ? reading.norms : []))
  const found = rules.flatMap((rule) => norms.filter(({ id }) => rule === id || (rule.startsWith(id) && /^[abxy]+$/.test(rule.slice(id.length)))).map(({ sentence }) => sentence))
  return [...new Set(found)].sort((a, b) => a - b)
}

function outcomeOf(proof: Proof): Outcome {
  switch (proof.answer.kind) {
    case 'proved': return { value: 1 }
    case 'refuted': return { value: -1, evidence: proof.answer.counterexample }
    case 'unknown': return { value: 0, why: 'failed', because: proof.answer.reason }
  }
}

function parsed(cedar: string, schema: Schema, use: Instruments): PolicySet | Failure {
  try {
    return use.parse(cedar, schema)
  } catch (error) {
    if (error instanceof Failure && error.code === 'POLICY_INVALID') return error
    throw error
  }
}
