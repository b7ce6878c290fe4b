import { hasRead } from '#core/stabilizers/representation.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Correction } from './correct.ts'
import { partsIn, type Diagnosis } from './decode.ts'
import { explanationsOf } from './explain.ts'
import type { Measurement } from './measure.ts'
import { commonCauseWeight, faultModel, type FaultModel } from './mechanisms.ts'
import { cautious, misreadRate, WEIGHTS, type Weights } from './weights.ts'

/** How likely the returned meaning is what the text means, by the decoder's weights; or why no number can be given. */
export type Confidence =
  | {
      /** 0..1, the posterior of the returned meaning. */
      readonly value: number
      /** What its weights were counted on, and how far it kept its word there. It promises nothing about other texts. */
      readonly calibratedOn: string
    }
  | { readonly value: null; readonly because: string }

/** Explanations heavier than the lightest by more are left out of the sum: together they weigh less than what is known of any weight. */
const WINDOW_NATS = 15

/**
 * The posterior of a returned meaning.
 *
 * Of a sentence that nobody disputes: how likely all that have read it are right, against all being wrong in the same way, which nothing would show.
 * Of disputed sentences: the explanations under which the meaning that was kept is right, against all that would produce the same syndrome. The
 * sentences are taken as independent of each other. What nobody has read, and what rules nothing, has no part in it.
 */
export function confidenceIn({ unit, candidates }: { readonly unit: SemanticUnit; readonly candidates: readonly Candidate[] }, measurements: readonly Measurement[], diagnosis: Diagnosis, { norms }: Correction, weights: Weights = WEIGHTS): Confidence {
  const { calibration } = weights
  if (calibration === null) return { value: null, because: 'the weights were never compared with what came of them' }
  if (diagnosis.kind === 'outvoted') return { value: null, because: 'readers disagree at different requests, and the weights say nothing of single requests' }
  if (diagnosis.kind !== 'clean' && diagnosis.kind !== 'explained') return { value: null, because: `the diagnosis is ${diagnosis.kind}: there is no meaning to be sure of` }
  const readers = candidates.filter(({ readsText }) => readsText)
  const unknown = readers.find((reader) => unit.sentences.some(({ number }) => hasRead(reader, number)) && !misreadRate(reader.method, weights).isMeasured)
  if (unknown !== undefined) return { value: null, because: `how often ${unknown.method} is wrong was never measured` }
  const read = unit.sentences.map(({ number }) => number).filter((number) => norms.some(({ sentence }) => sentence === number))
  if (read.length === 0) return { value: null, because: 'no sentence was read' }

  const model = faultModel(measurements, candidates, weights)
  const disputed = read.filter((sentence) => (model.blocks.get(sentence)?.length ?? 0) > 1)
  const whole = diagnosis.kind === 'explained' ? diagnosis.faults.filter(({ sentences }) => sentences === null).map(({ candidate }) => candidate) : []
  const isKept = (i: number, sentence: number) => candidates[i]?.readsText === true && hasRead(candidates[i], sentence) && !whole.includes(i) && !(diagnosis.kind === 'explained' && diagnosis.faults.some((fault) => fault.candidate === i && fault.sentences?.includes(sentence)))
  const undisputed = read.filter((sentence) => !disputed.includes(sentence)).map((sentence) => agreement(candidates.filter((_, i) => isKept(i, sentence)), weights))
  const kept = new Map(disputed.map((sentence) => [sentence, candidates.findIndex((_, i) => isKept(i, sentence))]))
  const settled = partsIn(model).filter((part) => part.length > 0).map((part) => posteriorOf(part, model, kept))
  return { value: [...undisputed, ...settled].reduce((product, each) => product * each, 1), calibratedOn: calibration.on }
}

/** How likely some that agree are right: all right, against all wrong in the same way. */
export function agreement(readers: readonly { readonly method: string; readonly lineage: string }[], weights: Weights): number {
  const wrong = Math.exp(-commonCauseWeight(readers, weights))
  const right = readers.reduce((product, { method }) => product * (1 - cautious(misreadRate(method, weights))), 1)
  return right / (right + wrong)
}

/**
 * The posterior of one class of candidates: it is right and each other is wrong in a way of its own, against any other class being right, or none.
 *
 * @param classes Candidates of proven equal meaning.
 * @param misread How likely one candidate is wrong, before anything is known; between 0 and 1.
 * @param alike How likely, beside one that is wrong, another is wrong in the same way.
 */
export function classPosterior(classes: readonly (readonly number[])[], kept: number, { misread, alike }: { readonly misread: number; readonly alike: number }): number {
  const wrong = classes.map((members) => misread * alike ** (members.length - 1))
  const all = wrong.reduce((product, each) => product * each, 1)
  const right = classes.map((members, i) => (1 - misread) ** members.length * wrong.reduce((product, each, j) => (i === j ? product : product * each), 1))
  return (right[classes.findIndex((members) => members.includes(kept))] ?? 0) / (all + right.reduce((sum, each) => sum + each, 0))
}

/** Of all that would produce a part of the syndrome, the share under which what was kept of each disputed sentence is right. */
function posteriorOf(part: readonly number[], model: FaultModel, kept: ReadonlyMap<number, number>): number {
  const { mechanisms, causes, allows, blocks } = model
  const found = explanationsOf({ weights: mechanisms.map(({ weight }) => weight), causes: part.map((i) => causes[i]?.by ?? []), allows }, WINDOW_NATS)
  if (found.kind !== 'found') return 0
  const isWrong = (mechanism: number) => {
    const { kind, sentences, on } = mechanisms[mechanism] as FaultModel['mechanisms'][number]
    return kind === 'misread' && sentences.some((sentence) => on.includes(`candidate:${kept.get(sentence) ?? -1}`) && blocks.has(sentence))
  }
  const mass = (some: typeof found.all | readonly (typeof found.all)[number][]) => some.reduce((sum, { weight }) => sum + Math.exp(found.all[0].weight - weight), 0)
  return mass(found.all.filter((explanation) => !explanation.mechanisms.some(isWrong))) / mass(found.all)
}
