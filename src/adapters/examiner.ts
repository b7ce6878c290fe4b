import { canonical, digestOnce, sha256 } from '#core/canonical.ts'
import { bind, type Binding } from '#core/constitution/bind.ts'
import type { Constitution } from '#core/constitution/constitution.ts'
import { decide } from '#core/decision/decide.ts'
import type { Examining } from '#core/generate.ts'
import { Failure } from '#core/failure.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { createVerdictMemory } from '#core/syndrome/memory.ts'
import { WEIGHTS, type Weights } from '#core/syndrome/weights.ts'
import type { Proof } from '#core/proof/proof.ts'
import { authorize, parsePolicies, parseSchema, parseTogether } from './cedar/cedar.ts'
import { turn } from './turn.ts'

/** The questions that an examination asks of the prover. */
export type Prover = Pick<Examining, 'proveArticles' | 'sameMeaning' | 'neverErrors' | 'decidedOn' | 'isMajority' | 'splits' | 'decidedByPart'>

/** What it takes to examine policies under one constitution: Cedar, the prover, and what both have already been asked. */
export type Examiner = {
  readonly constitution: Constitution
  /** As `parseSchema` of the Cedar adapter; a text seen before is not parsed again. */
  readonly parseSchema: (text: string) => Schema
  readonly bind: (schema: Schema) => Binding
  readonly examining: (schema: Schema) => Examining
  /** Whether what was remembered comes back; for the health of the cache. */
  readonly remembers: () => boolean
}

/** So many schemas, policies and answers are remembered; each is some kilobytes. */
const SCHEMAS_MAX = 64
const POLICIES_MAX = 64
const ANSWERS_MAX = 256
/** So many characters are parsed in one piece. */
const AHEAD_MAX = 20_000

/**
 * Remembers schemas by their text, and the prover's answers by everything that they depend on, within this process: what the flow asks
 * twice (the certifier judges again) is computed once. An `unknown` is not remembered: the next time may be luckier.
 */
export function createExaminer(constitution: Constitution, prover: Prover, weights: Weights = WEIGHTS): Examiner {
  const schemas = remember<Schema>(SCHEMAS_MAX)
  const policies = remember<PolicySet>(POLICIES_MAX)
  const bindings = remember<Binding>(SCHEMAS_MAX)
  const memory = createVerdictMemory()
  const answers = remember<Promise<Proof | readonly Proof[]>>(ANSWERS_MAX)

  const bindTo = (schema: Schema) => bindings(schema.digest, () => bind(constitution, schema))
  const once = <T extends Proof | readonly Proof[]>(question: readonly unknown[], ask: () => Promise<T>): Promise<T> => {
    const key = sha256(canonical(question))
    const answer = answers(key, ask) as Promise<T>
    answer.then(
      (proof) => { if ([proof].flat().some((each) => (each as Proof).answer.kind === 'unknown')) answers.forget(key) },
      () => answers.forget(key),
    )
    return answer
  }
  const keyOf = (cedar: string, over: Schema) => `${over.digest} ${sha256(cedar)}`
  const parseAhead: Examining['parseAhead'] = (texts, over) => {
    const fresh = [...new Set(texts)].filter((text) => !policies.knows(keyOf(text, over)))
    if (fresh.length < 2 || fresh.reduce((sum, { length }) => sum + length, 0) > AHEAD_MAX) return
    for (const [i, parsed] of parseTogether(fresh, over).entries()) if (parsed !== null) policies(keyOf(fresh[i] as string, over), () => parsed)
  }
  const examining = (schema: Schema): Examining => ({
    bound: bindTo(schema),
    memory,
    weights,
    turn,
    parseAhead,
    parse: (cedar, over) => policies(keyOf(cedar, over), () => parsePolicies(cedar, over)),
    decide: decideExample,
    decidedOn: prover.decidedOn,
    proveArticles: (policy, over, articles) => once(['articles', policy.text, over.digest, digestOnce(articles)], () => prover.proveArticles(policy, over, articles)),
    sameMeaning: (a, b, over) => once(['same meaning', a.text, b.text, over.digest], () => prover.sameMeaning(a, b, over)),
    splits: prover.splits,
    decidedByPart: prover.decidedByPart,
    isMajority: (policy, voters, over, halves) => once(['majority', policy.text, voters.map(({ policy: { text }, weight }) => [text, weight]), over.digest, halves ?? null], () => prover.isMajority(policy, voters, over, halves)),
    neverErrors: (policy, over) => once(['never errors', policy.text, over.digest], () => prover.neverErrors(policy, over)),
  })
  return { constitution, parseSchema: (text) => schemas(sha256(text), () => parseSchema(text)), bind: bindTo, examining, remembers: () => remembersIn(remember<object>(2)) }
}

function remembersIn(memory: ReturnType<typeof remember<object>>): boolean {
  const kept = memory('a', () => ({}))
  memory('b', () => ({}))
  const isKept = memory('a', () => ({})) === kept
  memory('c', () => ({})) // Pushes out `b`, the least recently used.
  return isKept && memory('a', () => ({})) === kept
}

/** A value for each key, made at the first call; the least recently used one is forgotten when there are too many. */
function remember<T>(max: number): ((key: string, make: () => T) => T) & { knows: (key: string) => boolean; forget: (key: string) => void } {
  const known = new Map<string, T>()
  const recall = (key: string, make: () => T): T => {
    const value = known.has(key) ? (known.get(key) as T) : make()
    known.delete(key)
    known.set(key, value)
    if (known.size > max) known.delete(known.keys().next().value as string)
    return value
  }
  return Object.assign(recall, { knows: (key: string) => known.has(key), forget: (key: string) => void known.delete(key) })
}

/** @throws {Failure} what `decide` does, with the example's name: a request can have many. */
const decideExample: Examining['decide'] = (policies, schema, { name, request, entities }) => {
  try {
    return decide({ policies, schema, request, entities }, authorize)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure(error.code, `“${name}”: ${error.message}`, { cause: error, details: error.details, problems: error.problems })
  }
}
