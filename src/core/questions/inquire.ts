import { Failure } from '#core/failure.ts'
import { renderNorm } from '#core/policy/english.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { policyOfNorms } from '#core/policy/assemble.ts'
import type { Proof } from '#core/proof/proof.ts'
import { isOf, type Instruments } from '#core/stabilizers/check.ts'
import { ANYTHING } from '#core/stabilizers/distinguish.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { Correction } from '#core/syndrome/correct.ts'
import type { Diagnosis, Fault } from '#core/syndrome/decode.ts'
import { classesOf } from '#core/syndrome/majority.ts'
import type { Measurement } from '#core/syndrome/measure.ts'
import { VOTERS_MIN } from '#core/syndrome/vote.ts'
import { lineagesOf, misreadRate, type Weights } from '#core/syndrome/weights.ts'
import { isAnswer, meets } from '#core/unit/example.ts'
import { sayDifference } from '#core/unit/ground-differences.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { chooseQuestion, largest, type Asking, type Question, type Said } from './question.ts'
import { choicesOf, COMPARED_MAX, correctionOf, countOf, understandingOf, understood, UNDERSTANDINGS_MAX, type Understanding, type Understood } from './understandings.ts'

/** What an answer leaves: how many meanings, and of the sentences that it settles or narrows, what they can still mean. */
export type Consequence = { readonly said: Said; readonly meanings: number; readonly sentences: readonly { readonly sentence: number; readonly meanings: readonly string[] }[] }

/**
 * What there is to ask of the author because the text can be understood in several ways, or what came of asking.
 *
 * `sentences`: those with several senses, by number.
 */
export type Inquiry =
  /**
   * Several meanings are left. `atMost`: how many questions can still come, this one included. It is the number of meanings that the worst answer
   * leaves: each further answer rules out one at least, and the last one needs no question.
   */
  | { readonly kind: 'open'; readonly sentences: readonly number[]; readonly meanings: number; readonly question: Question; readonly answers: readonly Consequence[]; readonly atMost: number }
  /** One meaning is left. `examples`: those that ruled others out. `closing`: the proofs that all understandings that are left mean the same. */
  | { readonly kind: 'settled'; readonly sentences: readonly number[]; readonly examples: readonly string[]; readonly understandings: number; readonly closing: readonly ClosingProof[] }
  /** No way to understand the text decides these examples as the author does. */
  | { readonly kind: 'contradicted'; readonly sentences: readonly number[]; readonly examples: readonly string[] }
  /** There are too many ways to understand it, or the prover does not know whether two of them differ. */
  | { readonly kind: 'unknown'; readonly sentences: readonly number[]; readonly because: string; readonly remedy: string }

export type ClosingProof = Pick<Proof, 'inputDigest' | 'engines' | 'limits' | 'basis'>

/** What inquiring asks of the world. */
export type Inquiring = Asking & Pick<Instruments, 'parse' | 'decide' | 'neverErrors' | 'turn'> & { readonly weights: Weights }

export type Inquired = {
  readonly inquiry: Inquiry | null
  readonly diagnosis: Diagnosis
  /** As `correct` gives them, where there is nothing to ask. */
  readonly corrections: readonly Correction[]
}

/**
 * Looks for what the text leaves open: sentences that the readers left standing understand differently, or in several ways each. The examples, answers
 * among them, rule understandings out; what is left is one meaning, by proof, or a question.
 *
 * An understanding is one sense for each sentence, so that a reader can be right about one sentence and wrong about another.
 *
 * @param before The diagnosis of the checks alone, and what follows from it.
 * @returns Inquiry null: every sentence that was understood has one sense, or a check gave no answer.
 */
export async function inquire(unit: SemanticUnit, candidates: readonly Candidate[], measurements: readonly Measurement[], before: Omit<Inquired, 'inquiry'>, can: Inquiring): Promise<Inquired> {
  const { diagnosis, corrections: [base] } = before
  const nothing = { ...before, inquiry: null }
  if (base === undefined || diagnosis.kind === 'incomplete') return nothing
  const isDisputed = (diagnosis.kind === 'ambiguous' || (diagnosis.kind === 'unexplained' && isSaidByAuthor(unit, candidates))) && isBetweenReaders(candidates, measurements)
  if (!isDisputed && (diagnosis.kind === 'unexplained' || diagnosis.kind === 'ambiguous' || base.policy.text !== policyOfNorms(base.norms, unit.schema).text)) return nothing
  const isOut = (i: number) => diagnosis.kind === 'explained' && diagnosis.faults.some(({ candidate, sentences }) => candidate === i && sentences === null)
  const readers = candidates.filter((candidate, i) => candidate.readsText && isSound(i, measurements) && !isOut(i))
  const sentences = understood(unit, readers, isDisputed ? null : base.norms)
  const disputed = sentences.filter(({ senses }) => senses.length > 1).map(({ sentence }) => sentence)
  if (disputed.length === 0) return nothing
  const unknown = (because: string, remedy: string): Inquired => ({ ...before, inquiry: { kind: 'unknown', sentences: disputed, because, remedy } })

  const count = countOf(sentences)
  if (count > UNDERSTANDINGS_MAX) return unknown(`together they can be understood in ${count} ways, and ${UNDERSTANDINGS_MAX} are compared`, `reword some of the sentences ${disputed.join(', ')}, so that each has one meaning`)
  const norms = sentences.reduce((sum, { senses: [first] }) => sum + (first?.norms.length ?? 0), 0)
  if (count * norms > COMPARED_MAX) return unknown(`together they can be understood in ${count} ways, each of ${norms} norms or so, and of as many norms ${Math.floor(COMPARED_MAX / norms)} ways are compared`, `reword some of the sentences ${disputed.join(', ')}, so that each has one meaning, or ask for them in a request of their own`)
  const all = await parsed(sentences, unit, can)
  if (all instanceof Failure) return unknown(`one way to understand them makes no policy: ${all.message}`, `reword the sentences ${disputed.join(', ')}`)

  const { examples } = unit.request
  const fits: (readonly boolean[])[] = []
  for (const { policy } of all) {
    await can.turn?.()
    fits.push(examples.map((example) => fit(can.decide(policy, unit.schema, example), example)))
  }
  const left = all.filter((_, i) => (fits[i] as readonly boolean[]).every(Boolean))
  if (left.length === 0) {
    const never = examples.filter((_, at) => fits.every((each) => each[at] !== true))
    const names = (never.length > 0 ? never : examples).map(({ name }) => name)
    return {
      corrections: before.corrections,
      diagnosis: { kind: 'unexplained', because: `no way to understand the text decides ${names.join(', ')} as the author does${never.length > 0 ? '' : ', all of them together'}` },
      inquiry: { kind: 'contradicted', sentences: disputed, examples: names },
    }
  }

  const told = await classesOf(left.map(({ policy }) => policy), unit.schema, can)
  if (told.kind === 'untold') return unknown('whether two ways to understand them mean the same is not known', 'answer what they shall decide with examples (`context.examples`), or reword them')
  const first = (members: readonly number[]) => left[members[0] as number] as Understanding
  const [only, ...others] = told.classes as readonly (readonly number[])[]
  if (only === undefined) return nothing
  if (others.length === 0) {
    const closing = await closingProofs(left.map(({ policy }) => policy), unit, can)
    const beside = await classesOf(besideAnyone(left, unit, can), unit.schema, can)
    if (beside.kind === 'untold') return unknown('whether the ways which are left mean the same beside other policies is not known', `reword the sentences ${disputed.join(', ')}, or try again when the prover is available`)
    // Alone they decide alike, because nothing is permitted by silence; what each forbids counts wherever another policy permits it.
    if (beside.classes.length > 1) {
      const [one, other] = beside.classes.map(first) as [Understanding, Understanding]
      return unknown(`they forbid different things, which no request to this text alone can tell: ${sayDifference([one.norms, other.norms])}`, `say what is forbidden, with a sentence for each prohibition, instead of ${disputed.length === 1 ? 'sentence' : 'the sentences'} ${disputed.join(', ')}`)
    }
    if (closing === null) return unknown('that the ways which are left mean the same is not proved', `reword the sentences ${disputed.join(', ')}, or try again when the prover is available`)
    const chosen = withReaders(first(only), left)
    if ((await can.neverErrors(chosen.policy, unit.schema)).answer.kind !== 'proved') return unknown('that no rule of the meaning that is left can fail is not proved', `reword the sentences ${disputed.join(', ')}`)
    const ruling = examples.filter((_, at) => fits.some((each) => each[at] !== true)).map(({ name }) => name)
    const faults = isDisputed ? faultsOf(readers, candidates, sentences, left, ruling) : []
    return {
      diagnosis: isDisputed ? { kind: 'explained', faults, weight: faults.reduce((sum, { method }) => sum - Math.log(misreadRate(method, can.weights).value), 0) } : diagnosis,
      corrections: [{ ...correctionOf(readers, chosen, base), setAside: [...new Set([...base.setAside, ...faults.map(({ method }) => method)])] }],
      inquiry: { kind: 'settled', sentences: disputed, examples: ruling, understandings: left.length, closing },
    }
  }

  const chosen = await chooseQuestion(told.classes.map((members) => first(members).policy), unit.schema, can)
  if (chosen === null) return unknown('the prover finds no request on which they differ', `reword the sentences ${disputed.join(', ')}`)
  const between = [...new Set(left.flatMap(({ chosen: senses }) => senses.filter(({ sentence }) => disputed.includes(sentence)).flatMap((sense) => sense.readers)))]
  const meanings = told.classes.map((members) => correctionOf(readers, first(members), base))
  return {
    diagnosis: { kind: 'ambiguous', between, disagreement: { sentences: disputed, request: { ...chosen.question.request, entities: chosen.question.entities } } },
    corrections: [withoutOpen(unit, readers, first(only), base), ...meanings],
    inquiry: {
      kind: 'open', sentences: disputed, meanings: told.classes.length, question: chosen.question, atMost: largest(chosen),
      answers: chosen.sides.map(({ said, policies }) => ({ said, meanings: policies.length, sentences: narrowed(sentences, left, policies.flatMap((i) => told.classes[i] as readonly number[])) })),
    },
  }
}

/** What is shown while there is a question: a sentence that is left open is not read, so that the policy goes without it. */
function withoutOpen(unit: SemanticUnit, readers: readonly Candidate[], { chosen }: Understanding, base: Correction): Correction {
  const settled = chosen.filter(({ sentence }) => !base.unread.some((each) => each.sentence === sentence))
  return correctionOf(readers, understandingOf(settled, unit.schema), base)
}

/**
 * Whether examples may choose where the decoder rather believes that one of them is wrong: between two readers, of which neither is confirmed by
 * another; among more only once the author was asked about the very request.
 */
function isSaidByAuthor({ request: { examples }, schema }: SemanticUnit, candidates: readonly Candidate[]): boolean {
  return lineagesOf(candidates.filter(({ readsText }) => readsText)) < VOTERS_MIN || examples.every((example) => isAnswer(example, schema))
}

/**
 * Whether it is readers that disagree: two of them do, and nothing that was made from norms disagrees with all of them, which would be a fault that no
 * answer of the author settles.
 */
function isBetweenReaders(candidates: readonly Candidate[], measurements: readonly Measurement[]): boolean {
  const fired = measurements.filter(({ outcome }) => outcome.value === -1)
  const readers = [...candidates.keys()].filter((i) => candidates[i]?.readsText === true && isSound(i, measurements))
  const isDerived = ({ representations }: Measurement) => representations.some((id) => id === 'norms' || id === 'decision-table' || id === 'document')
  const againstAll = Map.groupBy(fired.filter((measurement) => measurement.candidates.length <= 1 && isDerived(measurement) && !isOf('examples-distinguish', measurement)), ({ stabilizer }) => stabilizer)
  return fired.some((measurement) => isOf('same-meaning', measurement)) && ![...againstAll.values()].some((group) => readers.every((i) => group.some(({ candidates: [only] }) => only === undefined || only === i)))
}

/** Whether nothing but examples speaks against a candidate. */
function isSound(candidate: number, measurements: readonly Measurement[]): boolean {
  return !measurements.some((measurement) => measurement.outcome.value === -1 && measurement.candidates.length === 1 && measurement.candidates[0] === candidate && (isOf('well-typed', measurement) || isOf('never-errors', measurement)))
}

/** An example that cannot be evaluated is not met. */
function fit(decided: ReturnType<Instruments['decide']>, example: SemanticUnit['request']['examples'][number]): boolean {
  return decided.verdict !== 'error' && meets(decided, example)
}

async function parsed(sentences: readonly Understood[], { schema }: SemanticUnit, can: Pick<Inquiring, 'parse' | 'turn'>): Promise<readonly Understanding[] | Failure> {
  const made: Understanding[] = []
  try {
    for (const chosen of choicesOf(sentences)) {
      await can.turn?.()
      const understanding = understandingOf(chosen, schema)
      made.push({ ...understanding, policy: can.parse(understanding.policy.text, schema) })
    }
    return made
  } catch (error) {
    if (error instanceof Failure && error.code === 'POLICY_INVALID') return error
    throw error
  }
}

/** Each understanding beside a policy that permits everything: there, what it forbids is all that it says. */
function besideAnyone(left: readonly Understanding[], { schema }: SemanticUnit, can: Pick<Inquiring, 'parse'>): readonly PolicySet[] {
  return left.map(({ norms }) => can.parse(policyOfNorms([ANYTHING, ...norms.filter(({ modality }) => modality === 'forbid')], schema).text, schema))
}

/** That each means the same as the first; null when that is not proved of one. */
async function closingProofs([first, ...others]: readonly PolicySet[], { schema }: SemanticUnit, can: Asking): Promise<readonly ClosingProof[] | null> {
  if (first === undefined) return []
  const proofs = await Promise.all(others.map((other) => can.sameMeaning(first, other, schema)))
  return proofs.every(({ answer }) => answer.kind === 'proved') ? proofs.map(({ inputDigest, engines, limits, basis }) => ({ inputDigest, engines, limits, basis })) : null
}

/** The chosen senses, each with every reader that has one of those that are left: all of them mean the same. */
function withReaders({ chosen, ...rest }: Understanding, left: readonly Understanding[]): Understanding {
  return { ...rest, chosen: chosen.map((sense, at) => ({ ...sense, readers: [...new Set(left.flatMap((each) => each.chosen[at]?.readers ?? []))] })) }
}

/** Readers whose sense of a sentence is none of those that are left. */
function faultsOf(readers: readonly Candidate[], candidates: readonly Candidate[], sentences: readonly Understood[], left: readonly Understanding[], examples: readonly string[]): readonly Fault[] {
  return readers.flatMap((reader) => {
    const wrong = sentences.filter(({ senses }, at) => senses.some(({ readers: by }) => by.includes(reader.method)) && !left.some(({ chosen }) => chosen[at]?.readers.includes(reader.method)))
    return wrong.length === 0 ? [] : [{ candidate: candidates.indexOf(reader), method: reader.method, mechanism: 'misread', sentences: wrong.map(({ sentence }) => sentence), shownBy: 'decides', evidence: { examples } }]
  })
}

/** What the sentences can mean once only some understandings are left, where that is less than before. */
function narrowed(sentences: readonly Understood[], left: readonly Understanding[], members: readonly number[]): Consequence['sentences'] {
  return sentences.flatMap(({ sentence }, at) => {
    const sensesIn = (some: readonly Understanding[]) => [...new Set(some.map(({ chosen }) => (chosen[at]?.norms ?? []).map(renderNorm).join('; ')))]
    const [before, after] = [sensesIn(left), sensesIn(members.map((i) => left[i] as Understanding))]
    return after.length < before.length ? [{ sentence, meanings: after }] : []
  })
}
