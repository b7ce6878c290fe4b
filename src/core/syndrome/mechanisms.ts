import { isOf } from '#core/stabilizers/check.ts'
import { candidateId, candidateIndex, NORMS_METHOD, type RepresentationId } from '#core/stabilizers/representation.ts'
import { showsOf } from '#core/stabilizers/table.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import { sentencesIn, type Measurement } from './measure.ts'
import { alikeRate, cautious, misreadRate, type Lineage, type Weights } from './weights.ts'

/**
 * One way in which something can be wrong.
 *
 * - `misread`: readers have given a sentence another meaning than it has; several of them the same other one, from a common cause.
 * - `broken`: a candidate does not parse, or can fail: whatever else it says may be wrong too.
 * - `misderived`: norms, decision table or document do not say what they were made from.
 * - `wrong-example`: an example says what its author does not mean.
 */
export type FaultMechanism = {
  readonly kind: 'misread' | 'broken' | 'misderived' | 'wrong-example'
  readonly on: readonly RepresentationId[]
  /** Numbers of the sentences that it is about; empty where it is not about any one. */
  readonly sentences: readonly number[]
  /** −ln of its probability, nats, above 0. */
  readonly weight: number
}

/** What can be at fault in one unit, and what of it would make what was measured. */
export type FaultModel = {
  readonly mechanisms: readonly FaultMechanism[]
  /** For each thing that fired, the mechanisms of which at least one must be at work. Sets that meet all of these and {@link allows} produce exactly the syndrome. */
  readonly causes: readonly { readonly measurement: Measurement; readonly by: readonly number[] }[]
  /** Whether what holds would hold too. @param isAtWork By index of the mechanism. */
  readonly allows: (isAtWork: (mechanism: number) => boolean) => boolean
  /** Whether {@link allows} says more than yes: then no part of the syndrome can be explained alone. */
  readonly isJoined: boolean
  /** For each disputed sentence, the readers that are proved to give it one meaning; two readers in different blocks may differ. */
  readonly blocks: ReadonlyMap<number, readonly (readonly number[])[]>
  /** Why nothing can produce the syndrome; null where something may. */
  readonly contradiction: string | null
}

/** Stands for the sentence of a disagreement of which nobody says where it is. */
export const SOMEWHERE = 0

/**
 * The mechanisms that can be at work in one unit.
 *
 * Readers that are proved to agree on a sentence are one block: they are right or wrong together. A set of mechanisms gives each block a class of
 * meaning, right or wrong in a way of its own, and the comparisons follow: two blocks that differ are never both right. What looks at one
 * candidate fires as its mechanism says: a broken candidate does, one that has misread may contradict an example, one that has not, never.
 *
 * What looks at some requests only, as the rows of the decision table, tells two apart and never proves that they agree.
 */
export function faultModel(measurements: readonly Measurement[], candidates: readonly Candidate[], weights: Weights): FaultModel {
  const checks = measurements.filter((measurement) => measurement.outcome.value !== 0 && tellsOfFaults(measurement)).map((measurement) => ({ measurement, nodes: nodesOf(measurement), fires: measurement.outcome.value === -1 }))
  const examples = examplesIn(measurements)
  const pairs = checks.filter(({ measurement, nodes }) => nodes.length === 2 && !examples.has(measurement))
  const firing = pairs.filter(({ fires }) => fires).map((pair) => ({ ...pair, said: sentencesIn(pair.measurement) }))
  const known = [...new Set(firing.flatMap(({ said }) => said))].sort((a, b) => a - b)
  const disputed = known.length > 0 || firing.length === 0 ? known : [SOMEWHERE]
  const apart = new Map(firing.map(({ measurement, said }) => [measurement, said.length > 0 ? said : disputed]))

  const reads = (node: RepresentationId, sentence: number) => readerOf(node, candidates)?.readings.every((reading) => reading.sentence !== sentence || reading.kind !== 'unread') ?? true
  const nodes = [...new Set([...candidates.flatMap(({ readsText }, i) => (readsText ? [candidateId(i)] : [])), ...pairs.flatMap((pair) => pair.nodes)])]
  const agreeing = pairs.filter(({ measurement, fires }) => fires || showsOf(measurement.stabilizer) !== 'may-differ').map((pair) => ({ nodes: pair.nodes, apart: apart.get(pair.measurement) ?? [] }))
  const derivedPairs = derivations(nodes, firing.map((pair) => pair.nodes), candidates)
  const blocksAt = (sentence: number): readonly (readonly RepresentationId[])[] => joined(nodes.filter((node) => reads(node, sentence)), [...agreeing.filter((pair) => !pair.apart.includes(sentence)).map((pair) => pair.nodes), ...derivedPairs])
  const blocks = new Map(disputed.map((sentence) => [sentence, blocksAt(sentence)]))
  const homes = new Map([...blocks].map(([sentence, some]) => [sentence, new Map(some.flatMap((block) => block.map((node) => [node, block] as const)))]))
  const blockOf = (node: RepresentationId, sentence: number) => homes.get(sentence)?.get(node)

  const mechanisms: FaultMechanism[] = []
  const places = new Map<string, number>()
  const mechanism = (made: FaultMechanism): number => {
    const key = JSON.stringify([made.kind, made.on, made.sentences])
    const place = places.get(key) ?? mechanisms.push(made) - 1
    places.set(key, place)
    return place
  }
  const derived = nodes.filter((node) => candidateIndex(node) === null)
  const misreading = new Map<readonly RepresentationId[], number>()
  const misread = (block: readonly RepresentationId[], sentences: readonly number[]): number => {
    const place = misreading.get(block) ?? mechanism(misreadBy(block, derived, sentences, candidates, weights))
    misreading.set(block, place)
    return place
  }
  const broken = (node: RepresentationId) => mechanism({ kind: candidateIndex(node) === null ? 'misderived' : 'broken', on: [node], sentences: [], weight: -Math.log(candidateIndex(node) === null ? weights.assumed.representation.value : weights.assumed.broken.value) })
  const wrongExample = (example: number) => mechanism({ kind: 'wrong-example', on: ['examples'], sentences: [example], weight: -Math.log(weights.assumed.example.value) })

  const causes: { measurement: Measurement; by: readonly number[] }[] = []
  const ownFaults = new Map<RepresentationId, number>()
  for (const { measurement, nodes: on, fires } of checks) {
    if (!fires || examples.has(measurement) || on.length === 2) continue
    const own = on.map((node) => [node, broken(node)] as const)
    for (const [node, fault] of own) ownFaults.set(node, fault)
    const others = on.length === 1 && candidateIndex(on[0] as RepresentationId) !== null ? [] : measurement.representations.filter((id) => id === 'examples').map(broken)
    causes.push({ measurement, by: [...own.map(([, fault]) => fault), ...others] })
  }
  let contradiction: string | null = null
  for (const { measurement, nodes: [a, b] } of firing) {
    const [one, other] = [a as RepresentationId, b as RepresentationId]
    const differing = (apart.get(measurement) ?? []).filter((sentence) => blockOf(one, sentence) !== blockOf(other, sentence))
    if (differing.length === 0) contradiction ??= `${measurement.stabilizer} says that ${one} and ${other} differ, and other checks that they do not`
    for (const sentence of differing) {
      const sides = [one, other].flatMap((node) => { const block = blockOf(node, sentence); return block === undefined ? [] : [misread(block, [sentence])] })
      causes.push({ measurement, by: [...sides, ...[one, other].flatMap((node) => ownFaults.get(node) ?? ownFaults.get(candidateId(readerIndex(node, candidates))) ?? [])] })
    }
  }

  const contradicted = [...examples].filter(([{ outcome }]) => outcome.value === -1)
  if (contradicted.length > 0) {
    // Where nobody disagrees a reader can be wrong too, alone or with all that agree with it.
    const undisputed = [...new Set(candidates.flatMap(({ readings }) => readings.map(({ sentence }) => sentence)))].filter((sentence) => !disputed.includes(sentence))
    const elsewhere = Map.groupBy((undisputed.length > 0 ? undisputed : disputed.length > 0 ? [] : [SOMEWHERE]).flatMap((sentence) => blocksAt(sentence).map((block) => ({ sentence, block }))), ({ block }) => block.join())
    for (const members of elsewhere.values()) misread((members[0] as { block: readonly RepresentationId[] }).block, members.map(({ sentence }) => sentence))
    for (const [sentence, some] of blocks) for (const block of some) misread(block, [sentence])
  }
  const faultsOf = (node: RepresentationId): readonly number[] => mechanisms.flatMap(({ on, kind }, i) => (on.includes(node) && kind !== 'wrong-example' ? [i] : []))
  for (const [measurement, example] of contradicted) causes.push({ measurement, by: [...faultsOf(candidateId(measurement.candidates[0] as number)), wrongExample(example)] })

  return {
    mechanisms, causes, contradiction, isJoined: contradicted.length > 0,
    blocks: new Map([...blocks].map(([sentence, some]) => [sentence, some.map((block) => block.flatMap((node) => candidateIndex(node) ?? []))])),
    allows: contradicted.length === 0 ? () => true : consistentWith(examples, candidates, mechanisms),
  }
}

/** What holds of the examples: a reader that is right decides as a right example says, and two that mean the same decide alike. */
function consistentWith(examples: ReadonlyMap<Measurement, number>, candidates: readonly Candidate[], mechanisms: readonly FaultMechanism[]): FaultModel['allows'] {
  const isWhole = (i: number) => candidates[i]?.readings.every(({ kind }) => kind !== 'unread') === true
  const answers = [...examples].filter(([{ outcome, candidates: [i] }]) => outcome.value !== 0 && isWhole(i as number)).map(([{ candidates: [i], outcome }, example]) => ({ i: i as number, example, agrees: outcome.value === 1 }))
  const touching = new Map(answers.map(({ i }) => [i, mechanisms.flatMap(({ on, kind }, k) => (kind !== 'wrong-example' && on.includes(candidateId(i)) ? [k] : []))]))
  const wrong = new Map(mechanisms.flatMap(({ kind, sentences: [example] }, k) => (kind === 'wrong-example' ? [[example as number, k]] : [])))
  const apart = answers.flatMap((one, k) => answers.slice(k + 1).flatMap((other) => (one.example === other.example && one.agrees !== other.agrees ? [[one.i, other.i] as const] : [])))
  return (isAtWork) => {
    const faults = (i: number) => (touching.get(i) ?? []).filter(isAtWork)
    const isHeld = answers.every(({ i, example, agrees }) => !agrees || !(wrong.has(example) && isAtWork(wrong.get(example) as number)) || faults(i).length > 0)
    return isHeld && apart.every(([i, j]) => faults(i).join() !== faults(j).join())
  }
}

/**
 * Several readers are wrong in one way from a common cause: the one that is seldom wrong by itself, each other as likely as it is wrong alike with one that is already.
 * What is derived goes with the reader that it is derived from, or was derived wrongly too.
 */
function misreadBy(block: readonly RepresentationId[], derived: readonly RepresentationId[], sentences: readonly number[], candidates: readonly Candidate[], weights: Weights): FaultMechanism {
  const readers = block.flatMap((node) => { const i = candidateIndex(node); return i === null ? [] : [candidates[i] as Candidate] })
  const misderived = -Math.log(weights.assumed.representation.value)
  if (readers.length === 0) return { kind: 'misderived', on: block, sentences, weight: misderived }
  const isWithSource = readers.some(({ method }) => method === NORMS_METHOD)
  const isApart = derived.some((node) => block.includes(node) !== isWithSource)
  const weight = commonCauseWeight(readers, weights) + (isApart ? misderived - Math.log(weights.assumed.alike.value) : 0)
  return { kind: 'misread', on: block, sentences, weight: anyOf(sentences.length, weight) }
}

/** −ln of the probability that some of so many sentences are met by what one of them is met by with e^−weight. */
function anyOf(sentences: number, weight: number): number {
  return sentences <= 1 ? weight : -Math.log(Math.min(0.5, 1 - (1 - Math.exp(-weight)) ** sentences))
}

/**
 * −ln of the probability that all of some readers get one sentence wrong in the same way: that of the one that is seldom wrong, and for each other how
 * likely it is wrong alike with one of those before.
 */
export function commonCauseWeight(readers: readonly Lineage[], weights: Weights): number {
  const left = [...readers].sort((a, b) => cautious(misreadRate(a.method, weights)) - cautious(misreadRate(b.method, weights)))
  const wrong = left.splice(0, 1)
  if (wrong[0] === undefined) return 0
  let weight = -Math.log(cautious(misreadRate(wrong[0].method, weights)))
  while (left.length > 0) {
    const chances = left.map((reader) => Math.max(...wrong.map((other) => cautious(alikeRate(other, reader, weights)))))
    const next = chances.indexOf(Math.max(...chances))
    weight -= Math.log(chances[next] as number)
    wrong.push(...left.splice(next, 1))
  }
  return weight
}


/** The candidate that a representation is, or is made from; −1 where that reader made none. */
export function readerIndex(node: RepresentationId, candidates: readonly Candidate[]): number {
  return candidateIndex(node) ?? candidates.findIndex(({ method, readsText }) => method === NORMS_METHOD && readsText)
}

function readerOf(node: RepresentationId, candidates: readonly Candidate[]): Candidate | undefined {
  return candidates[readerIndex(node, candidates)]
}

/**
 * What is made from norms goes with them, as long as nothing tells it from the candidate that they come from: rows that pass are no proof, and
 * need not be.
 */
function derivations(nodes: readonly RepresentationId[], firing: readonly (readonly RepresentationId[])[], candidates: readonly Candidate[]): readonly (readonly RepresentationId[])[] {
  const source = candidateId(readerIndex('norms', candidates))
  const isTold = (node: RepresentationId) => firing.some((pair) => pair.includes(node) && (pair.includes(source) || pair.includes('norms')))
  return nodes.filter((node) => candidateIndex(node) === null && nodes.includes(source) && !isTold(node)).map((node) => [source, node])
}

/**
 * Whether a check says something about faults. One against the constitution does not: a text may ask for what is forbidden, and be read
 * rightly. Nor does it when a norm decides nothing: a text may say something twice.
 */
export function tellsOfFaults({ stabilizer, representations }: Pick<Measurement, 'stabilizer' | 'representations'>): boolean {
  return !representations.includes('constitution') && showsOf(stabilizer) !== 'redundant'
}

/** What a check compares or looks into, beside what the author said. */
export function nodesOf({ representations }: Pick<Measurement, 'representations'>): readonly RepresentationId[] {
  return representations.filter((id) => id !== 'text' && id !== 'examples' && id !== 'constitution')
}

/** The checks of candidates against examples, each with the number of its example: a candidate's checks are in the order of the examples. */
export function examplesIn(measurements: readonly Measurement[]): ReadonlyMap<Measurement, number> {
  const counted = new Map<number, number>()
  return new Map(measurements.filter((measurement) => isOf('decides', measurement)).map((measurement) => {
    const [candidate] = measurement.candidates
    const number = (counted.get(candidate as number) ?? 0) + 1
    counted.set(candidate as number, number)
    return [measurement, number]
  }))
}

/** The members, those together that some pair joins, however far apart. */
function joined<T>(members: readonly T[], pairs: readonly (readonly T[])[]): readonly (readonly T[])[] {
  const home = new Map(members.map((member) => [member, [member]]))
  for (const [a, b] of pairs) {
    const [one, other] = [home.get(a as T), home.get(b as T)]
    if (one === undefined || other === undefined || one === other) continue
    one.push(...other)
    for (const member of other) home.set(member, one)
  }
  return [...new Set(home.values())].map((block) => members.filter((member) => block.includes(member)))
}
