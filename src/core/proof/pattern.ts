import { Failure } from '#core/failure.ts'

/** A pattern of `like` by code points, `null` for the wildcard; no two wildcards in a row. */
export type Pattern = readonly (string | null)[]

/** One text for one pattern, as function symbols carry it. */
export function patternKey(parts: readonly (string | null)[]): string {
  const points = parts.flatMap((part): Pattern => (part === null ? [null] : [...part]))
  return JSON.stringify(points.filter((point, i) => point !== null || points[i - 1] !== null))
}

export function patternOf(key: string): Pattern {
  return JSON.parse(key) as Pattern
}

export function matches(pattern: Pattern, text: string): boolean {
  return accepts(pattern, [...text].reduce((state, point) => step(pattern, state, point), startOf(pattern)))
}

/**
 * The strings that satisfy exactly some of the patterns: which ones, and all of them where they are finitely many (null elsewhere).
 */
export type Minterm = { readonly holds: readonly boolean[]; readonly words: readonly string[] | null }

/**
 * Every way in which strings can satisfy patterns together. Exact: a string of each kind exists, and infinitely many where no words
 * are listed.
 *
 * @throws {Failure} `UNSUPPORTED_CONSTRUCT` when the patterns' product has more than 20,000 states. Exponential in the number of
 *   patterns that can be satisfied independently of each other, linear in those of which one excludes or implies the other.
 */
export function minterms(keys: readonly string[]): readonly Minterm[] {
  const product = productOf(keys)
  const endless = endlessStates(product)
  const words = wordsOf(product, endless)
  const found = new Map<string, { holds: readonly boolean[]; words: string[] | null }>()
  product.states.forEach(({ holds }, state) => {
    const key = holds.map(Number).join('')
    const minterm = found.get(key) ?? { holds, words: [] }
    found.set(key, minterm)
    if (endless.has(state)) minterm.words = null
    else minterm.words?.push(...(words[state] ?? []))
  })
  return [...found.values()]
}

/** The shortest string that satisfies exactly these patterns, and is not taken: readable where the patterns leave it a choice. */
export function exampleOf(keys: readonly string[], holds: readonly boolean[], isTaken: (text: string) => boolean): string {
  const product = productOf(keys)
  const letters = unnamed(product.alphabet)
  const edges = product.states.map(({ next, other }) => [
    ...letters.map((letter) => [letter, other] as const),
    ...product.alphabet.map((point, i) => [point, next[i] as number] as const),
  ])
  // leads[n]: the states from which a word of n letters ends where it must.
  const leads: (readonly boolean[])[] = [product.states.map((state) => state.holds.every((each, i) => each === holds[i]))]
  for (let length = 0; length <= product.states.length + EXAMPLE_LENGTH; length++) {
    const ends = (remaining: number, state: number) => leads[remaining]?.[state] === true
    const search = (state: number, word: string, remaining: number): string | null => {
      if (remaining === 0) return isTaken(word) ? null : word
      for (const [letter, to] of edges[state] ?? []) {
        const found = ends(remaining - 1, to) ? search(to, word + letter, remaining - 1) : null
        if (found !== null) return found
      }
      return null
    }
    const found = ends(length, 0) ? search(0, '', length) : null
    if (found !== null) return found
    leads.push(edges.map((each) => each.some(([, to]) => ends(length, to))))
  }
  throw new Error('no string satisfies these patterns')
}

/** Beyond the number of states, every longer word repeats a shorter one; this many taken ones can be passed over. */
const EXAMPLE_LENGTH = 1_000

/** Code points that no pattern names, letters first; whatever they can be used for, they can be used for again and again. */
function unnamed(alphabet: readonly string[]): readonly string[] {
  const others = Array.from({ length: alphabet.length + 1 }, (_, i) => String.fromCodePoint(0x4e00 + i))
  return [...'xyzabcdefghijklmnopqrstuvw', ...others].filter((letter) => !alphabet.includes(letter)).slice(0, 8)
}

// ---- One pattern ----

/**
 * Positions in a pattern that a prefix of a string can have reached, those before the last wildcard among them left out: whatever
 * matches from there matches from the wildcard.
 */
type Positions = readonly number[]

function startOf(pattern: Pattern): Positions {
  return closed(pattern, [0])
}

function step(pattern: Pattern, positions: Positions, point: string | null): Positions {
  const next = positions.flatMap((at) => (pattern[at] === null ? [at] : point !== null && pattern[at] === point ? [at + 1] : []))
  return closed(pattern, next)
}

function closed(pattern: Pattern, positions: readonly number[]): Positions {
  const all = [...new Set(positions.flatMap((at) => (pattern[at] === null ? [at, at + 1] : [at])))].sort((a, b) => a - b)
  const wildcard = all.findLast((at) => pattern[at] === null) ?? 0
  return all.filter((at) => at >= wildcard)
}

function accepts(pattern: Pattern, positions: Positions): boolean {
  return positions.at(-1) === pattern.length
}

// ---- The product of all ----

type Product = {
  /** The code points that some pattern names. */
  readonly alphabet: readonly string[]
  readonly states: readonly {
    readonly holds: readonly boolean[]
    /** Where each code point of the alphabet leads, and where any other does. */
    readonly next: readonly number[]
    readonly other: number
  }[]
}

const STATES_MAX = 20_000
const WORDS_MAX = 10_000
const products = new Map<string, Product>()

function productOf(keys: readonly string[]): Product {
  const name = JSON.stringify(keys)
  const known = products.get(name)
  if (known !== undefined) return known
  const made = explore(keys.map(patternOf))
  // Environments of one question ask for the same patterns; more than a few questions at a time are not kept.
  if (products.size >= 8) products.clear()
  products.set(name, made)
  return made
}

/** Patterns by the position that they have reached; those that no longer can match are left out, which soon are most. */
type Reached = readonly (readonly [pattern: number, state: number])[]

function explore(patterns: readonly Pattern[]): Product {
  const alphabet = [...new Set(patterns.flat())].filter((point) => point !== null).sort()
  const machines = patterns.map(machineOf)
  const found = new Map<string, number>()
  const open: Reached[] = []
  const meet = (reached: Reached): number => {
    const key = reached.join(';')
    const known = found.get(key)
    if (known !== undefined) return known
    if (found.size >= STATES_MAX) throw new Failure('UNSUPPORTED_CONSTRUCT', `the question has ${patterns.length} patterns of \`like\` that combine in more than ${STATES_MAX} states, which the prover does not decide`)
    found.set(key, found.size)
    open.push(reached)
    return found.size - 1
  }
  meet(machines.map((_, pattern) => [pattern, 0] as const))
  const states: Product['states'][number][] = []
  for (let i = 0; i < open.length; i++) {
    const reached = open[i] as Reached
    const after = (point: string | null) =>
      meet(reached.flatMap(([pattern, state]) => {
        const next = machines[pattern]?.next(state, point) ?? null
        return next === null ? [] : [[pattern, next] as const]
      }))
    const holds = patterns.map(() => false)
    for (const [pattern, state] of reached) holds[pattern] = machines[pattern]?.accepts(state) === true
    states.push({ holds, next: alphabet.map(after), other: after(null) })
  }
  return { alphabet, states }
}

/** One pattern as an automaton whose states are made as they are met, number 0 the first; null is where nothing matches any more. */
function machineOf(pattern: Pattern) {
  const named = new Set(pattern)
  const numbers = new Map<string, number>()
  const states: Positions[] = []
  const steps: Map<string | null, number | null>[] = []
  const meet = (positions: Positions): number | null => {
    if (positions.length === 0) return null
    const key = positions.join()
    const known = numbers.get(key)
    if (known !== undefined) return known
    numbers.set(key, states.length)
    steps.push(new Map())
    return states.push(positions) - 1
  }
  meet(startOf(pattern))
  return {
    accepts: (state: number) => accepts(pattern, states[state] ?? []),
    next: (state: number, point: string | null): number | null => {
      // A code point that this pattern does not name is to it as any other.
      const symbol = point !== null && named.has(point) ? point : null
      const known = steps[state]?.get(symbol)
      if (known !== undefined) return known
      const made = meet(step(pattern, states[state] ?? [], symbol))
      steps[state]?.set(symbol, made)
      return made
    },
  }
}

/** States that infinitely many words lead to: behind a cycle, or behind a code point that no pattern names. */
function endlessStates({ states }: Product): ReadonlySet<number> {
  const incoming = states.map(() => 0)
  for (const { next, other } of states) for (const to of [...next, other]) incoming[to] = (incoming[to] as number) + 1
  // Taking away again and again what nothing leads to leaves what stands on a cycle or behind one.
  const removed = new Set<number>()
  const free = incoming.flatMap((count, state) => (count === 0 ? [state] : []))
  for (let state = free.pop(); state !== undefined; state = free.pop()) {
    removed.add(state)
    const { next, other } = states[state] as Product['states'][number]
    for (const to of [...next, other]) {
      incoming[to] = (incoming[to] as number) - 1
      if (incoming[to] === 0) free.push(to)
    }
  }
  const endless = new Set(states.flatMap((_, state) => (removed.has(state) ? [] : [state])))
  const open = [...endless, ...states.map(({ other }) => other)]
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    endless.add(state)
    const { next, other } = states[state] as Product['states'][number]
    open.push(...[...next, other].filter((to) => !endless.has(to)))
  }
  return endless
}

/** Every word that leads to each state that only finitely many lead to. */
function wordsOf({ alphabet, states }: Product, endless: ReadonlySet<number>): readonly (readonly string[])[] {
  const words = states.map((): string[] => [])
  let count = 0
  const walk = (state: number, word: string): void => {
    if (endless.has(state)) return
    words[state]?.push(word)
    if (++count > WORDS_MAX) throw new Failure('UNSUPPORTED_CONSTRUCT', `the question has patterns of \`like\` that leave more than ${WORDS_MAX} single strings, which the prover does not decide`)
    states[state]?.next.forEach((to, i) => walk(to, word + (alphabet[i] as string)))
  }
  walk(0, '')
  return words
}
