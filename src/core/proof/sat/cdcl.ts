import type { Cnf } from './cnf.ts'

export type Solution =
  /** `model[v]` is 1 where variable v holds. */
  | { readonly kind: 'sat'; readonly model: Uint8Array }
  /** Clauses learned, in order, each by unit propagation from those before it; the last is empty. In the form of `Cnf.clauses`. */
  | { readonly kind: 'unsat'; readonly proof: Int32Array }
  | { readonly kind: 'unknown' }

/** Activities grow by this factor with each conflict, so that recent conflicts count more. */
const GROWTH = 1 / 0.95
const RESTART = 64

/**
 * Decides clauses by conflict-driven learning. The same clauses are always answered alike: nothing depends on time or chance.
 *
 * @param cnf No clause has a variable twice.
 * @param conflictsMax After so many conflicts the answer is `unknown`.
 * @see Eén and Sörensson, "An Extensible SAT-solver" (2003)
 */
export function solve(cnf: Cnf, conflictsMax: number): Solution {
  const solver = new Solver(cnf)
  return solver.run(conflictsMax)
}

/** Inside, the literals of variable v are 2v and, negated, 2v + 1. */
class Solver {
  readonly #variables: number
  /**
   * First, for each literal, the clause that begins the list of those that watch it, or 0. Then the clauses: length, the next clause
   * in the list of the first literal, the same for the second, literals. The first two literals are watched.
   */
  #memory: Int32Array
  #end: number
  /** For each literal: 1 when it holds, -1 when it does not. */
  readonly #truth: Int8Array
  readonly #level: Int32Array
  /** The clause that forced a variable, or 0. */
  readonly #reason: Int32Array
  readonly #trail: Int32Array
  #trailLength = 0
  #propagated = 0
  readonly #levelStarts: number[] = []
  readonly #seen: Uint8Array
  readonly #phase: Uint8Array
  readonly #order: Order
  readonly #proof: number[] = []
  #contradicts = false

  constructor({ variables, clauses }: Cnf) {
    this.#variables = variables
    this.#end = 2 * variables + 2
    this.#memory = new Int32Array(this.#end + 2 * clauses.length + 1024)
    this.#truth = new Int8Array(2 * variables + 2)
    this.#level = new Int32Array(variables + 1)
    this.#reason = new Int32Array(variables + 1)
    this.#trail = new Int32Array(variables + 1)
    this.#seen = new Uint8Array(variables + 1)
    // What is tried first holds: to show that no rule of many makes a difference, each is refuted by itself, not all but one together.
    this.#phase = new Uint8Array(variables + 1).fill(1)
    this.#order = new Order(variables)
    for (let from = 0; from < clauses.length;) {
      let to = from
      while (clauses[to] !== 0) to++
      this.#take(clauses, from, to)
      from = to + 1
    }
  }

  run(conflictsMax: number): Solution {
    if (this.#contradicts) return { kind: 'unsat', proof: Int32Array.of(0) }
    let [conflicts, restarts, left] = [0, 1, RESTART]
    for (;;) {
      const conflict = this.#propagate()
      if (conflict !== 0) {
        if (this.#levelStarts.length === 0) return { kind: 'unsat', proof: Int32Array.from([...this.#proof, 0]) }
        if (++conflicts > conflictsMax) return { kind: 'unknown' }
        this.#learn(conflict)
        left--
      } else if (left <= 0) {
        this.#backtrack(0)
        left = RESTART * luby(++restarts)
      } else {
        const variable = this.#order.next(this.#truth)
        if (variable === 0) return { kind: 'sat', model: this.#model() }
        this.#levelStarts.push(this.#trailLength)
        this.#assign(2 * variable + (this.#phase[variable] === 1 ? 0 : 1), 0)
      }
    }
  }

  #model(): Uint8Array {
    return Uint8Array.from({ length: this.#variables + 1 }, (_, variable) => (this.#truth[2 * variable] === 1 ? 1 : 0))
  }

  #take(clauses: Int32Array, from: number, to: number): void {
    if (to - from === 0) this.#contradicts = true
    else if (to - from === 1) {
      const literal = inside(clauses[from] as number)
      const value = this.#truth[literal]
      if (value === -1) this.#contradicts = true
      else if (value === 0) this.#assign(literal, 0)
    } else {
      const clause = this.#end
      this.#memory[clause] = to - from
      for (let i = from; i < to; i++) this.#memory[clause + 3 + i - from] = inside(clauses[i] as number)
      this.#watch(clause, to - from)
    }
  }

  #watch(clause: number, length: number): void {
    const memory = this.#memory
    const [first, second] = [memory[clause + 3] as number, memory[clause + 4] as number]
    memory[clause + 1] = memory[first] as number
    memory[first] = clause
    memory[clause + 2] = memory[second] as number
    memory[second] = clause
    this.#end = clause + 3 + length
  }

  #assign(literal: number, reason: number): void {
    this.#truth[literal] = 1
    this.#truth[literal ^ 1] = -1
    const variable = literal >> 1
    this.#level[variable] = this.#levelStarts.length
    this.#reason[variable] = reason
    this.#trail[this.#trailLength++] = literal
  }

  /** Draws every consequence of what is assigned. Returns a clause that none of it satisfies any more, or 0. */
  #propagate(): number {
    const [memory, truth] = [this.#memory, this.#truth]
    while (this.#propagated < this.#trailLength) {
      const gone = (this.#trail[this.#propagated++] as number) ^ 1
      // Where the reference to the clause at hand stands, so that it can be taken out of the list.
      let link = gone
      next: for (let clause = memory[link] as number; clause !== 0; clause = memory[link] as number) {
        const own = memory[clause + 3] === gone ? 0 : 1
        const other = memory[clause + 4 - own] as number
        if (truth[other] !== 1) {
          const end = clause + 3 + (memory[clause] as number)
          for (let i = clause + 5; i < end; i++) {
            const literal = memory[i] as number
            if (truth[literal] === -1) continue
            memory[i] = gone
            memory[clause + 3 + own] = literal
            memory[link] = memory[clause + 1 + own] as number
            memory[clause + 1 + own] = memory[literal] as number
            memory[literal] = clause
            continue next
          }
          if (truth[other] === -1) return clause
          this.#assign(other, clause)
        }
        link = clause + 1 + own
      }
    }
    return 0
  }

  /** Learns the clause of the first unique implication point, goes back to where it forces a literal, and lets it. */
  #learn(conflict: number): void {
    const [seen, level, memory] = [this.#seen, this.#level, this.#memory]
    const current = this.#levelStarts.length
    const learned = [0]
    let [clause, at, open, literal] = [conflict, this.#trailLength, 0, 0]
    do {
      const end = clause + 3 + (memory[clause] as number)
      for (let i = clause + 3; i < end; i++) {
        const each = memory[i] as number
        const variable = each >> 1
        if (each === literal || seen[variable] === 1 || level[variable] === 0) continue
        seen[variable] = 1
        this.#order.bump(variable)
        if (level[variable] === current) open++
        else learned.push(each)
      }
      do literal = this.#trail[--at] as number
      while (seen[literal >> 1] === 0)
      clause = this.#reason[literal >> 1] as number
      seen[literal >> 1] = 0
      open--
    } while (open > 0)
    learned[0] = literal ^ 1

    const kept = learned.filter((each, i) => i === 0 || !this.#isImplied(each >> 1))
    for (const each of learned) seen[each >> 1] = 0
    this.#order.decay()
    // The second watch is the last literal to be assigned, so that going back finds both watches free.
    let [back, second] = [0, 1]
    for (let i = 1; i < kept.length; i++) {
      const own = level[(kept[i] as number) >> 1] as number
      if (own > back) [back, second] = [own, i]
    }
    this.#backtrack(back)
    for (const each of kept) this.#proof.push(each & 1 ? -(each >> 1) : each >> 1)
    this.#proof.push(0)
    if (kept.length === 1) return this.#assign(kept[0] as number, 0)
    ;[kept[1], kept[second]] = [kept[second] as number, kept[1] as number]
    const made = this.#end
    if (made + 3 + kept.length > this.#memory.length) {
      const larger = new Int32Array(2 * this.#memory.length + kept.length)
      larger.set(this.#memory)
      this.#memory = larger
    }
    this.#memory[made] = kept.length
    this.#memory.set(kept, made + 3)
    this.#watch(made, kept.length)
    this.#assign(kept[0] as number, made)
  }

  /** Whether the other literals of a learned clause force this one anyway. */
  #isImplied(variable: number): boolean {
    const clause = this.#reason[variable] as number
    if (clause === 0) return false
    const end = clause + 3 + (this.#memory[clause] as number)
    for (let i = clause + 3; i < end; i++) {
      const other = (this.#memory[i] as number) >> 1
      if (other !== variable && this.#seen[other] === 0 && this.#level[other] !== 0) return false
    }
    return true
  }

  #backtrack(level: number): void {
    if (level >= this.#levelStarts.length) return
    const start = this.#levelStarts[level] as number
    for (let i = this.#trailLength - 1; i >= start; i--) {
      const literal = this.#trail[i] as number
      this.#truth[literal] = this.#truth[literal ^ 1] = 0
      this.#phase[literal >> 1] = literal & 1 ? 0 : 1
      this.#order.insert(literal >> 1)
    }
    this.#trailLength = this.#propagated = start
    this.#levelStarts.length = level
  }
}

/** Variables by how much the recent conflicts had to do with them: a binary heap. */
class Order {
  readonly #heap: Int32Array
  readonly #place: Int32Array
  readonly #activity: Float64Array
  #size = 0
  #step = 1

  constructor(variables: number) {
    this.#heap = new Int32Array(variables)
    this.#place = new Int32Array(variables + 1)
    this.#activity = new Float64Array(variables + 1)
    for (let variable = 1; variable <= variables; variable++) this.#put(this.#size++, variable)
  }

  /** The most active variable that is not assigned, 0 when all are. */
  next(truth: Int8Array): number {
    while (this.#size > 0) {
      const top = this.#heap[0] as number
      const last = this.#heap[--this.#size] as number
      this.#place[top] = -1
      if (this.#size > 0) this.#sink(0, last)
      if (truth[2 * top] === 0) return top
    }
    return 0
  }

  insert(variable: number): void {
    if ((this.#place[variable] as number) < 0) this.#rise(this.#size++, variable)
  }

  bump(variable: number): void {
    const activity = (this.#activity[variable] as number) + this.#step
    this.#activity[variable] = activity
    if ((this.#place[variable] as number) >= 0) this.#rise(this.#place[variable] as number, variable)
    if (activity < 1e100) return
    for (let each = 0; each < this.#activity.length; each++) this.#activity[each] = (this.#activity[each] as number) * 1e-100
    this.#step *= 1e-100
  }

  decay(): void {
    this.#step *= GROWTH
  }

  #put(place: number, variable: number): void {
    this.#heap[place] = variable
    this.#place[variable] = place
  }

  #rise(from: number, variable: number): void {
    const activity = this.#activity[variable] as number
    let place = from
    while (place > 0) {
      const parent = this.#heap[(place - 1) >> 1] as number
      if ((this.#activity[parent] as number) >= activity) break
      this.#put(place, parent)
      place = (place - 1) >> 1
    }
    this.#put(place, variable)
  }

  #sink(from: number, variable: number): void {
    const activity = this.#activity[variable] as number
    let place = from
    for (let child = 1; (child = 2 * place + 1) < this.#size; place = child) {
      const activityOf = (at: number) => this.#activity[this.#heap[at] as number] as number
      if (child + 1 < this.#size && activityOf(child + 1) > activityOf(child)) child++
      if (activityOf(child) <= activity) break
      this.#put(place, this.#heap[child] as number)
    }
    this.#put(place, variable)
  }
}

function inside(literal: number): number {
  return literal > 0 ? 2 * literal : 1 - 2 * literal
}

/** 1, 1, 2, 1, 1, 2, 4, … @see Luby, Sinclair and Zuckerman (1993) */
function luby(i: number): number {
  const power = 32 - Math.clz32(i)
  return i === 2 ** power - 1 ? 2 ** (power - 1) : luby(i - 2 ** (power - 1) + 1)
}
