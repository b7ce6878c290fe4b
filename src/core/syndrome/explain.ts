/** What there is to explain: mechanisms by weight, and for each thing that fired those of which one must be at work. */
export type Puzzle = {
  /** Nats, above 0. */
  readonly weights: readonly number[]
  readonly causes: readonly (readonly number[])[]
  readonly allows: (isAtWork: (mechanism: number) => boolean) => boolean
}

/** A set of mechanisms that produces exactly the syndrome, by index, in ascending order. */
export type Explanation = { readonly mechanisms: readonly number[]; readonly weight: number }

export type Explanations =
  /** The lightest first; every one that is at most `window` nats heavier. */
  | { readonly kind: 'found'; readonly all: readonly [Explanation, ...Explanation[]] }
  | { readonly kind: 'none' }
  /** There are more than 20 mechanisms, and not all that may be lighter could be looked at. */
  | { readonly kind: 'unfinished' }

/** So many mechanisms are always searched to the end. */
export const EXACT_MAX = 20
/** Beyond, so many sets are looked at. */
const SETS_MAX = 200_000
/** Two explanations as near as this weigh the same. */
export const TIE = 1e-9

/**
 * The least surprising sets of mechanisms that produce exactly the syndrome: minimum-weight decoding.
 *
 * Branch and bound: of what is not yet explained that which fewest can explain is taken, and each that can is tried, the lightest first; a set heavier
 * than the best by more than the window is left. Up to {@link EXACT_MAX} mechanisms the answer is exact, at most 2²⁰ sets. Beyond, the same search
 * stops after so many sets: then there is no answer, rather than one that may not be the lightest.
 *
 * @param window How much heavier an explanation may be to be listed, nats.
 * @see Minimum-weight decoding, after Dennis et al., "Topological quantum memory" (2002)
 */
export function explanationsOf({ weights, causes: given, allows }: Puzzle, window = 0): Explanations {
  const causes = [...new Map(given.map((by) => [by.join(), by])).values()]
  const concerned = [...new Set(causes.flat())].sort((a, b) => (weights[a] as number) - (weights[b] as number) || a - b)
  const isBounded = concerned.length > EXACT_MAX
  const [atWork, isOut] = [new Set<number>(), new Set<number>()]
  const found: Explanation[] = []
  let [best, looked] = [Infinity, 0]

  const record = (weight: number): void => {
    if (!allows((mechanism) => atWork.has(mechanism))) return
    best = Math.min(best, weight)
    found.push({ mechanisms: [...atWork].sort((a, b) => a - b), weight })
  }
  /** Adds what nothing asks for: such sets are explanations too, only heavier. */
  const extend = (weight: number, from: number): void => {
    record(weight)
    for (let i = from; i < concerned.length; i++) {
      const mechanism = concerned[i] as number
      if (atWork.has(mechanism) || isOut.has(mechanism)) continue
      const more = weight + (weights[mechanism] as number)
      if (more > best + window + TIE) return
      if (isBounded && ++looked > SETS_MAX) return
      atWork.add(mechanism)
      extend(more, i + 1)
      atWork.delete(mechanism)
    }
  }
  const search = (weight: number): void => {
    if (weight > best + window + TIE || (isBounded && ++looked > SETS_MAX)) return
    let open: readonly number[] | null = null
    for (const by of causes) {
      if (by.some((mechanism) => atWork.has(mechanism))) continue
      const left = by.filter((mechanism) => !isOut.has(mechanism))
      if (open === null || left.length < open.length) open = left
    }
    if (open === null) return extend(weight, 0)
    const tried: number[] = []
    for (const mechanism of open.toSorted((a, b) => (weights[a] as number) - (weights[b] as number))) {
      atWork.add(mechanism)
      search(weight + (weights[mechanism] as number))
      atWork.delete(mechanism)
      isOut.add(mechanism)
      tried.push(mechanism)
    }
    for (const mechanism of tried) isOut.delete(mechanism)
  }
  search(0)
  if (isBounded && looked > SETS_MAX) return { kind: 'unfinished' }
  const all = found.filter(({ weight }) => weight <= best + window + TIE).sort((a, b) => a.weight - b.weight)
  const [lightest, ...others] = all
  return lightest === undefined ? { kind: 'none' } : { kind: 'found', all: [lightest, ...others] }
}

/** What can be explained one by one: causes that share no mechanism, directly or through others. */
export function partsOf(causes: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const homes = new Map<number, { readonly causes: number[]; readonly mechanisms: number[] }>()
  const parts = new Set<{ readonly causes: number[]; readonly mechanisms: number[] }>()
  for (const [i, by] of causes.entries()) {
    const touched = [...new Set(by.flatMap((mechanism) => homes.get(mechanism) ?? []))]
    const [home = { causes: [], mechanisms: [] }, ...others] = touched
    parts.add(home)
    home.causes.push(i, ...others.flatMap((part) => part.causes))
    const joining = [...by.filter((mechanism) => !homes.has(mechanism)), ...others.flatMap((part) => part.mechanisms)]
    home.mechanisms.push(...joining)
    for (const mechanism of joining) homes.set(mechanism, home)
    for (const part of others) parts.delete(part)
  }
  return [...parts].map((part) => part.causes.sort((a, b) => a - b))
}
