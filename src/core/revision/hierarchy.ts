/** One way around: every node has the next one as a parent, and the last has the first. */
export type Cycle = readonly string[]

/**
 * Cycles in a hierarchy, at most `max`, none sharing a node with another; empty exactly when there is none.
 *
 * @param parents By node; a parent that is not a key has none of its own. O(nodes + edges), and O(nodes) for each cycle.
 */
export function findCycles(parents: ReadonlyMap<string, readonly string[]>, max: number): readonly Cycle[] {
  const left = new Remaining(parents)
  const cycles: Cycle[] = []
  for (let start = left.first(); start !== undefined && cycles.length < max; start = left.first()) {
    const cycle = walkAround(start, (node) => parents.get(node)?.find((parent) => left.has(parent)) as string)
    cycles.push(cycle)
    left.take(cycle)
  }
  return cycles
}

/** What is left when nodes that have no parent left are taken away until there are none: everything that leads into a cycle. */
class Remaining {
  /** By node: how many of its parents are left. */
  readonly #parentsLeft = new Map<string, number>()
  readonly #children = new Map<string, string[]>()

  constructor(parents: ReadonlyMap<string, readonly string[]>) {
    for (const [node, above] of parents) {
      const known = above.filter((parent) => parents.has(parent))
      this.#parentsLeft.set(node, known.length)
      for (const parent of known) {
        const list = this.#children.get(parent)
        if (list === undefined) this.#children.set(parent, [node])
        else list.push(node)
      }
    }
    this.take([...this.#parentsLeft].flatMap(([node, count]) => (count === 0 ? [node] : [])))
  }

  first(): string | undefined {
    return this.#parentsLeft.keys().next().value
  }

  has(node: string): boolean {
    return this.#parentsLeft.has(node)
  }

  take(nodes: readonly string[]): void {
    const free = [...nodes]
    for (let node = free.pop(); node !== undefined; node = free.pop()) {
      if (!this.#parentsLeft.delete(node)) continue
      for (const child of this.#children.get(node) ?? []) {
        const count = this.#parentsLeft.get(child)
        if (count === undefined) continue
        this.#parentsLeft.set(child, count - 1)
        if (count === 1) free.push(child)
      }
    }
  }
}

/** Follows one parent after another until a node comes again. */
function walkAround(start: string, parentOf: (node: string) => string): Cycle {
  const path: string[] = []
  const placeOf = new Map<string, number>()
  let node = start
  while (!placeOf.has(node)) {
    placeOf.set(node, path.length)
    path.push(node)
    node = parentOf(node)
  }
  return path.slice(placeOf.get(node))
}
