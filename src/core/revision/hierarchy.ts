/** One way around: every node has the next one as a parent, and the last has the first. */
export type Cycle = readonly string[]

/**
 * Cycles in a hierarchy, at most `max`, none sharing a node with another; empty exactly when there is none.
 *
 * @param parents By node; a parent that is not a key has none of its own. O(nodes + edges) for each cycle.
 */
export function findCycles(parents: ReadonlyMap<string, readonly string[]>, max: number): readonly Cycle[] {
  const cycles: Cycle[] = []
  let left = withoutLeaves(parents)
  while (left.size > 0 && cycles.length < max) {
    const cycle = walkAround(left)
    cycles.push(cycle)
    for (const node of cycle) left.delete(node)
    left = withoutLeaves(left)
  }
  return cycles
}

/** What is left when nodes that have no parent left are taken away until there are none: everything that leads into a cycle. */
function withoutLeaves(parents: ReadonlyMap<string, readonly string[]>): Map<string, readonly string[]> {
  const open = new Map<string, number>()
  const children = new Map<string, string[]>()
  const free: string[] = []
  for (const [node, above] of parents) {
    const known = above.filter((parent) => parents.has(parent))
    open.set(node, known.length)
    if (known.length === 0) free.push(node)
    for (const parent of known) {
      const list = children.get(parent)
      if (list === undefined) children.set(parent, [node])
      else list.push(node)
    }
  }
  for (let node = free.pop(); node !== undefined; node = free.pop()) {
    open.delete(node)
    for (const child of children.get(node) ?? []) {
      const count = (open.get(child) as number) - 1
      open.set(child, count)
      if (count === 0) free.push(child)
    }
  }
  return new Map([...open.keys()].map((node) => [node, (parents.get(node) as readonly string[]).filter((parent) => open.has(parent))]))
}

/** Follows first parents, of which every node has one, until a node comes again. */
function walkAround(parents: ReadonlyMap<string, readonly string[]>): Cycle {
  const path: string[] = []
  const placeOf = new Map<string, number>()
  let node = parents.keys().next().value as string
  while (!placeOf.has(node)) {
    placeOf.set(node, path.length)
    path.push(node)
    node = parents.get(node)?.[0] as string
  }
  return path.slice(placeOf.get(node))
}
