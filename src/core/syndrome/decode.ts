import { candidateId, candidateIndex } from '#core/stabilizers/representation.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import { EXACT_MAX, explanationsOf, partsOf, TIE } from './explain.ts'
import { sentencesIn, type Measurement } from './measure.ts'
import { examplesIn, faultModel, nodesOf, readerIndex, tellsOfFaults, type FaultMechanism, type FaultModel } from './mechanisms.ts'
import { areTwoWitnesses, WEIGHTS, type Weights } from './weights.ts'

/** A candidate that is blamed, and the check that shows why. */
export type Fault = {
  readonly candidate: number
  readonly method: string
  readonly mechanism: FaultMechanism['kind']
  /** The sentences in which it says nothing from here on: others agree against it there. Null: it says nothing at all. */
  readonly sentences: readonly number[] | null
  readonly shownBy: string
  readonly evidence: unknown
}

export type Diagnosis =
  /** Nothing fired. */
  | { readonly kind: 'clean' }
  /** The faults of the lightest set of mechanisms that produces exactly the syndrome, with its weight in nats. */
  | { readonly kind: 'explained'; readonly faults: readonly Fault[]; readonly weight: number }
  /**
   * Readers disagree, and nothing tells who is right: they are too few, or two explanations are equally light. A question for the author.
   * `disagreement` shows a request.
   */
  | { readonly kind: 'ambiguous'; readonly between: readonly string[]; readonly disagreement: unknown }
  /** As ambiguous, and yet at least three witnesses have read everything, and at every request most of them decide as the correction does: that was proved. */
  | { readonly kind: 'outvoted'; readonly between: readonly string[]; readonly disagreement: unknown }
  /** A check that had something to look at gave no answer: whatever else fired, nobody can be cleared. */
  | { readonly kind: 'incomplete'; readonly because: string }
  /** No set of mechanisms produces the syndrome, or the lightest that does leaves no reader, or blames what is not ours to set aside. */
  | { readonly kind: 'unexplained'; readonly because: string }

/**
 * Finds who is to blame for what fired: the least surprising set of fault mechanisms that would produce exactly it.
 *
 * A candidate is blamed because something looks at it alone and fires (it does not parse, may fail, contradicts an example), or because at least
 * two witnesses agree against it: readers of different lineage whose errors were compared. Two readers that disagree are a question, whatever their weights. An example settles a disagreement
 * only where the readers differ in one sentence: of several it says nothing about the others. What the author said is never set aside: where the
 * lightest explanation is a wrong example, nothing is explained, and the author is asked.
 *
 * Exact up to 20 mechanisms that hang together; beyond see {@link explanationsOf}.
 */
export function decode(measurements: readonly Measurement[], candidates: readonly Candidate[], weights: Weights = WEIGHTS): Diagnosis {
  const silent = measurements.find((measurement) => measurement.outcome.value === 0 && measurement.outcome.why === 'failed' && tellsOfFaults(measurement))
  if (silent !== undefined && silent.outcome.value === 0) return { kind: 'incomplete', because: `${silent.stabilizer}: ${silent.outcome.because}` }
  const model = faultModel(measurements, candidates, weights)
  if (model.contradiction !== null) return { kind: 'unexplained', because: model.contradiction }
  if (model.causes.length === 0) return { kind: 'clean' }

  const atWork: number[] = []
  let weight = 0
  let tied: Measurement | null = null
  for (const part of partsIn(model)) {
    const found = explanationsOf({ weights: model.mechanisms.map((mechanism) => mechanism.weight), causes: part.map((i) => model.causes[i]?.by ?? []), allows: model.allows })
    const first = model.causes[part[0] as number]?.measurement as Measurement
    if (found.kind === 'none') return { kind: 'unexplained', because: `no set of faults produces what ${first.stabilizer} and other checks found` }
    if (found.kind === 'unfinished') return { kind: 'unexplained', because: `more than ${EXACT_MAX} faults are possible at once, and too many sets of them would have to be compared` }
    const [lightest, ...others] = found.all
    if (others.some((other) => other.weight <= lightest.weight + TIE)) tied ??= compared(part, model) ?? first
    atWork.push(...lightest.mechanisms)
    weight += lightest.weight
  }

  const blamed = atWork.map((i) => model.mechanisms[i] as FaultMechanism)
  const foreign = blamed.find(({ on, kind }) => kind === 'wrong-example' || kind === 'misderived' || !on.some((id) => candidateIndex(id) !== null))
  if (tied === null && foreign !== undefined) return { kind: 'unexplained', because: foreignFault(foreign) }
  const faults = faultsOf(blamed, model, candidates, measurements)
  const isOut = (candidate: number, sentence: number | null) => faults.some((fault) => fault.candidate === candidate && (fault.sentences === null || (sentence !== null && fault.sentences.includes(sentence))))
  if (tied === null && candidates.every(({ readsText }, i) => !readsText || isOut(i, null))) {
    const contradicted = [...new Set([...examplesIn(measurements)].flatMap(([{ outcome }, example]) => (outcome.value === -1 ? [example] : [])))]
    const by = faults.every(({ shownBy }) => shownBy === 'decides') ? `example ${contradicted.join(', ')} contradicts what the readers agree on, and no reader is left` : 'no reader is left'
    return { kind: 'unexplained', because: `${by}: ${[...new Set(faults.map(({ method, shownBy }) => `${method} (${shownBy})`))].join(', ')}` }
  }
  const unsettled = tied ?? unsettledIn(model, faults, candidates, isOut, weights)
  if (unsettled !== null) return ambiguity(unsettled, candidates)
  return { kind: 'explained', faults, weight }
}

/** What must be explained together, each as indices of causes. */
export function partsIn({ causes, isJoined }: FaultModel): readonly (readonly number[])[] {
  return isJoined ? [[...causes.keys()]] : partsOf(causes.map(({ by }) => by))
}

function isComparison(measurement: Measurement): boolean {
  return nodesOf(measurement).length > 1
}

/** Whether a check looks at nothing but one candidate and what the author said: then it blames that candidate. */
export function isAboutAlone(candidate: number, { representations }: Measurement): boolean {
  return representations.includes(candidateId(candidate)) && representations.every((id) => id === candidateId(candidate) || id === 'examples' || id === 'text')
}

function compared(part: readonly number[], { causes }: FaultModel): Measurement | undefined {
  return part.map((i) => causes[i]?.measurement).find((measurement) => measurement !== undefined && isComparison(measurement))
}

function foreignFault({ kind, on, sentences }: FaultMechanism): string {
  return kind === 'wrong-example' ? `example ${sentences.join(', ')} contradicts what the readers agree on` : `${on.join(', ')} do not say what they were made from`
}

/** The first comparison of which nobody can say who is wrong: neither side is shown to be by itself, nor do two witnesses agree against it. */
function unsettledIn({ causes, blocks }: FaultModel, faults: readonly Fault[], candidates: readonly Candidate[], isOut: (candidate: number, sentence: number | null) => boolean, weights: Weights): Measurement | null {
  const agree = (sentence: number) => (blocks.get(sentence) ?? []).some((block) => {
    const standing = block.filter((i) => candidates[i]?.readsText === true && !isOut(i, sentence)).map((i) => candidates[i] as Candidate)
    return standing.some((one) => standing.some((other) => areTwoWitnesses(one, other, weights)))
  })
  for (const { measurement } of causes) {
    if (!isComparison(measurement)) continue
    const compared = nodesOf(measurement).map((node) => readerIndex(node, candidates))
    const blamed = faults.filter(({ candidate }) => compared.includes(candidate))
    if (blamed.some(({ sentences }) => sentences === null)) continue
    const sentences = blamed.flatMap((fault) => fault.sentences ?? [])
    if (sentences.length === 0 || !sentences.every(agree)) return measurement
  }
  return null
}

function ambiguity({ candidates: between, representations, outcome }: Measurement, candidates: readonly Candidate[]): Diagnosis {
  const names = between.length > 1 ? between.map((i) => (candidates[i] as Candidate).method) : [...representations]
  return { kind: 'ambiguous', between: names, disagreement: outcome.value === -1 ? outcome.evidence : null }
}

/** What each blamed candidate did, shown by what looks at it alone where something does. */
function faultsOf(blamed: readonly FaultMechanism[], { causes }: FaultModel, candidates: readonly Candidate[], measurements: readonly Measurement[]): readonly Fault[] {
  const faults = new Map<number, Fault>()
  for (const { kind, on, sentences } of blamed) {
    for (const candidate of on.flatMap((id) => candidateIndex(id) ?? [])) {
      const own = measurements.find((measurement) => measurement.outcome.value === -1 && isAboutAlone(candidate, measurement))
      const shown = own ?? causes.find(({ measurement }) => measurement.representations.includes(candidateId(candidate)))?.measurement
      if (shown === undefined || shown.outcome.value !== -1) continue
      // An example says of one disputed sentence who is wrong there, and of several that somebody is somewhere.
      const isShownAlone = own !== undefined && (kind === 'broken' || disputedBy(candidate, causes).length <= 1)
      const before = faults.get(candidate)
      const isWhole = isShownAlone || (before !== undefined && before.sentences === null)
      faults.set(candidate, {
        candidate, method: (candidates[candidate] as Candidate).method, mechanism: before?.mechanism === 'broken' ? 'broken' : kind,
        sentences: isWhole ? null : [...new Set([...(before?.sentences ?? []), ...sentences])].sort((a, b) => a - b),
        shownBy: shown.stabilizer, evidence: shown.outcome.evidence,
      })
    }
  }
  return [...faults.values()].sort((a, b) => a.candidate - b.candidate)
}

/** The sentences about which some comparison with a candidate fired. */
function disputedBy(candidate: number, causes: FaultModel['causes']): readonly number[] {
  return [...new Set(causes.map(({ measurement }) => measurement).filter((measurement) => isComparison(measurement) && measurement.representations.includes(candidateId(candidate))).flatMap(sentencesIn))]
}

/** Whether a known syndrome still gets its known diagnosis: what the decoder's health is probed with. */
export function locatesKnownFault(): boolean {
  const candidate = (method: Candidate['method']): Candidate => ({ method, readsText: true, lineage: method, cedar: '', readings: [] })
  const fired = (stabilizer: string, candidates: readonly number[]): Measurement => ({ stabilizer, candidates, representations: candidates.map(candidateId), outcome: { value: -1, evidence: { sentences: [1] } } })
  const diagnosis = decode([fired('same-meaning', [0, 1]), fired('decides', [1])], [candidate('controlled-english'), candidate('shallow-parse')])
  return diagnosis.kind === 'explained' && diagnosis.faults.length === 1 && diagnosis.faults[0]?.candidate === 1
}
