import { candidateId, candidateIndex, type RepresentationId } from './representation.ts'
import { placesOf, STABILIZERS, type Stabilizer } from './table.ts'

/**
 * One way in which one representation can be wrong, or several of them from a common cause.
 *
 * - `unreadable`: it is no Cedar that the schema takes; `erring`: a rule can fail; `means-else`: it means something else than what it was made from;
 * - `says-else`: the words of the document say something else than its norms; its rules do not;
 * - `asks-forbidden`, `redundant`: of the text, which is read rightly and asks for what the constitution forbids, or says something twice.
 */
export type Mechanism = {
  readonly id: string
  readonly kind: 'unreadable' | 'erring' | 'means-else' | 'says-else' | 'asks-forbidden' | 'redundant'
  readonly on: readonly Part[]
  /** How far up it is at work: what is above is made first, and what is below from it. */
  readonly level: 'text' | 'readers' | 'lineage' | 'own'
}

/** A representation; the document's words are a part of their own. */
type Part = RepresentationId | 'document-words'

/** One check of the matrix: a stabilizer, and the candidates that it looks at, from 0. */
export type MatrixRow = { readonly stabilizer: Stabilizer; readonly candidates: readonly number[] }

/** Which outcomes a check can have while a set of mechanisms is at work: `+` `-` `0`, or several of them. */
export type Cell = string

export type Located =
  /** Whatever comes of it, no other set of as few mechanisms makes that. */
  | 'always'
  /** Some of what comes of it tells it from all others. */
  | 'sometimes'
  | 'never'

/** What becomes of a set of one or two mechanisms. */
export type Fate = {
  readonly mechanisms: readonly Mechanism[]
  /** Whether some check fires: whatever comes of it, sometimes, never. */
  readonly detected: Located
  readonly located: Located
  /** Sets of as many or fewer mechanisms whose outcomes are the same as its own in every case: nothing ever tells them apart. */
  readonly indistinguishable: readonly (readonly Mechanism[])[]
}

export type Matrix = {
  readonly rows: readonly MatrixRow[]
  readonly columns: readonly Mechanism[]
  /** By row, then by column. */
  readonly cells: readonly (readonly Cell[])[]
  readonly singles: readonly Fate[]
  readonly doubles: readonly Fate[]
  /** A smallest set of mechanisms that no check need notice; how many they are is the distance. Null: there is no such set. */
  readonly hidden: {
    /** Of any mechanisms, common causes among them. */
    readonly any: readonly Mechanism[] | null
    /** Of mechanisms in one representation each, that have nothing in common. */
    readonly independent: readonly Mechanism[] | null
    /** As `independent`, in candidates alone, where there are neither norms nor what is made from them. */
    readonly candidates: readonly Mechanism[] | null
  }
}

/** The candidate that comes from the reader whose norms are compared is the first one here. */
const LINEAGE = 0

/** The check matrix of the table for n candidates that have read everything, and one example of the author's. Cost: below a second at n = 7. */
export function matrixOf(n: number, stabilizers: readonly Stabilizer[] = STABILIZERS): Matrix {
  const rows = rowsOf(n, stabilizers)
  const columns = mechanismsOf(n)
  const known = new Map<readonly Mechanism[], ReadonlySet<string>>()
  const singles = columns.map((column) => [column])
  const doubles = columns.flatMap((one, i) => columns.slice(i + 1).map((other) => [one, other])).filter(arePossible)
  for (const set of [...singles, ...doubles]) known.set(set, syndromesOf(set, rows, n))
  const all = (sets: readonly (readonly Mechanism[])[]) => {
    const makers = new Map<string, number>()
    for (const set of sets) for (const syndrome of known.get(set) ?? []) makers.set(syndrome, (makers.get(syndrome) ?? 0) + 1)
    const alike = Map.groupBy(sets, (set) => [...(known.get(set) ?? [])].sort().join(' '))
    return (set: readonly Mechanism[]): Fate => {
      const syndromes = [...(known.get(set) ?? [])]
      return {
        mechanisms: set,
        detected: share(syndromes, (syndrome) => syndrome.includes('-')),
        located: share(syndromes, (syndrome) => syndrome.includes('-') && makers.get(syndrome) === 1),
        indistinguishable: (alike.get(syndromes.sort().join(' ')) ?? []).filter((other) => other !== set),
      }
    }
  }
  return {
    rows, columns,
    cells: rows.map((_, row) => singles.map((set) => [...new Set([...(known.get(set) ?? [])].map((syndrome) => syndrome[row]))].sort((a = '', b = '') => '+-0'.indexOf(a) - '+-0'.indexOf(b)).join(''))),
    singles: singles.map(all(singles)),
    doubles: doubles.map(all([...singles, ...doubles])),
    hidden: {
      any: smallestHidden(columns, rows, n),
      independent: smallestHidden(columns.filter(({ level }) => level === 'own'), rows, n),
      candidates: smallestHidden(
        columns.filter(({ level, on: [part] }) => level === 'own' && part !== undefined && isCandidate(part)),
        rows.filter(({ stabilizer }) => stabilizer.with.every((id) => id === 'examples' || id === 'text' || id === 'constitution')), n,
      ),
    },
  }
}

/** What does not parse means nothing else, and fails nowhere. */
function arePossible([one, other]: readonly Mechanism[]): boolean {
  return one?.level !== 'own' || other?.level !== 'own' || one.on[0] !== other.on[0] || (one.kind !== 'unreadable' && other.kind !== 'unreadable')
}

function share(syndromes: readonly string[], is: (syndrome: string) => boolean): Located {
  const count = syndromes.filter(is).length
  return count === 0 ? 'never' : count === syndromes.length ? 'always' : 'sometimes'
}

/** Every check that the table makes of n readers, in its order. */
export function rowsOf(n: number, stabilizers: readonly Stabilizer[] = STABILIZERS): readonly MatrixRow[] {
  const readers = Array.from({ length: n }, (_, i) => i)
  return stabilizers.flatMap((stabilizer) => placesOf(stabilizer.over, readers, n).map((candidates) => ({ stabilizer, candidates })))
}

/** Every mechanism there is with n candidates, in the order of the columns. */
export function mechanismsOf(n: number): readonly Mechanism[] {
  const readers = Array.from({ length: n }, (_, i) => candidateId(i))
  const derived: readonly Part[] = ['norms', 'decision-table', 'document', 'document-words']
  const own = (part: Part, kind: Mechanism['kind'], of: string = part): Mechanism => ({ id: `${of} ${kind}`, kind, on: [part], level: 'own' })
  const called = (i: number) => `candidate ${i + 1}`
  return [
    ...readers.flatMap((part, i) => [own(part, 'unreadable', called(i)), own(part, 'erring', called(i)), own(part, 'means-else', called(i))]),
    own('norms', 'means-else'),
    own('decision-table', 'means-else'),
    own('document', 'means-else'),
    own('document-words', 'says-else', 'document'),
    own('examples', 'means-else'),
    { id: 'the reader of the norms misreads', kind: 'means-else', on: [...derived, candidateId(LINEAGE)], level: 'lineage' },
    { id: 'all readers misread alike', kind: 'means-else', on: [...derived, ...readers], level: 'readers' },
    { id: 'text means-else', kind: 'means-else', on: ['text', ...derived, ...readers], level: 'text' },
    { id: 'text asks-forbidden', kind: 'asks-forbidden', on: ['text'], level: 'text' },
    { id: 'text redundant', kind: 'redundant', on: ['text'], level: 'text' },
  ]
}

function isCandidate(part: Part): boolean {
  return part !== 'document-words' && candidateIndex(part) !== null
}

// ---- What a set of mechanisms makes of the checks ----

/** What nobody can know beforehand: which faults mean the same, and which requests they touch. Meanings are numbered; 0 is the right one. */
type Chance = {
  /** The class of meaning that each part has. */
  readonly classOf: ReadonlyMap<Part, number>
  /** By class: whether it decides the author's example otherwise than the right meaning. */
  readonly touchesExample: readonly boolean[]
  /** By class: what the rows of the decision table show of it; two that show the same are one there. */
  readonly inTable: readonly number[]
  /** By class: whether an article forbids it. */
  readonly isForbidden: readonly boolean[]
  /** Whether norms that mean something else have one among them that decides nothing. */
  readonly hasIdleNorm: boolean
  /** By candidate that can fail: whether it does on the example. */
  readonly failsOnExample: ReadonlySet<number>
}

/** Every syndrome that can come of a set of mechanisms, one character a row. */
export function syndromesOf(set: readonly Mechanism[], rows: readonly MatrixRow[], n: number): ReadonlySet<string> {
  const looks = rows.map((row) => lookOf(row, set))
  const found = new Set<string>()
  for (const chance of chancesOf(set, n)) {
    let syndrome = ''
    for (const look of looks) syndrome += look(chance)
    found.add(syndrome)
  }
  return found
}

/** What is at work on a part, the most far-reaching first: what it is made from has that already. */
function signatureOf(part: Part, set: readonly Mechanism[]): string {
  const changing = set.map((mechanism, i) => ({ mechanism, i })).filter(({ mechanism: { on, kind } }) => on.includes(part) && (kind === 'means-else' || kind === 'says-else' || kind === 'erring'))
  return changing.sort((a, b) => LEVELS.indexOf(a.mechanism.level) - LEVELS.indexOf(b.mechanism.level) || KINDS.indexOf(a.mechanism.kind) - KINDS.indexOf(b.mechanism.kind)).map(({ i }) => i).join()
}
const LEVELS: readonly Mechanism['level'][] = ['text', 'readers', 'lineage', 'own']
const KINDS: readonly Mechanism['kind'][] = ['asks-forbidden', 'redundant', 'unreadable', 'says-else', 'means-else', 'erring']

function* chancesOf(set: readonly Mechanism[], n: number): Generator<Chance> {
  const candidates = Array.from({ length: n }, (_, i) => candidateId(i))
  const parts = partsOf(n)
  const whole = [...new Set(parts.map((part) => signatureOf(part, set)))].filter((signature) => signature !== '')
  // What something was made from had a meaning too, whether or not anything is left of it.
  const signatures = [...new Set(whole.flatMap((signature) => signature.split(',').map((_, i, all) => all.slice(0, i + 1).join())))].sort((a, b) => a.length - b.length)
  const erring = new Set(set.flatMap(({ kind }, i) => (kind === 'erring' ? [String(i)] : [])))
  const failing = candidates.flatMap((id, i) => (set.some(({ kind, on }) => kind === 'erring' && on.includes(id)) ? [i] : []))
  const isAskedForbidden = set.some(({ kind }) => kind === 'asks-forbidden')
  const tableOwn = set.findIndex(({ level, on }) => level === 'own' && on.includes('decision-table'))
  const table = signatureOf('decision-table', set)

  for (const labels of labelled(signatures, erring)) {
    const classes = Math.max(0, ...labels.values()) + 1
    const classOf = (signature: string) => (signature === '' ? 0 : labels.get(signature) as number)
    const [made, base] = [classOf(table), classOf(table.split(',').slice(0, -1).join())]
    const ofPart = new Map(parts.map((part) => [part, classOf(signatureOf(part, set))]))
    for (const inTable of partitions(classes)) {
      // A wrong row is a row: it shows.
      if (tableOwn >= 0 && inTable[made] === inTable[base]) continue
      for (const touchesExample of bits(classes, false)) {
        for (const isForbidden of bits(classes, isAskedForbidden)) {
          for (const hasIdleNorm of ofPart.get('norms') === 0 ? [false] : [false, true]) {
            for (const fails of subsets(failing)) yield { classOf: ofPart, touchesExample, inTable, isForbidden, hasIdleNorm, failsOnExample: fails }
          }
        }
      }
    }
  }
}

/**
 * A class for each signature. What acts on something changes its meaning, so that it is not that of what it was made from; whether two things changed
 * in different ways mean the same nobody knows. A rule that can fail need not change anything.
 */
function* labelled(signatures: readonly string[], erring: ReadonlySet<string>): Generator<ReadonlyMap<string, number>> {
  const labels = new Map<string, number>([['', 0]])
  function* from(at: number, used: number): Generator<ReadonlyMap<string, number>> {
    const signature = signatures[at]
    if (signature === undefined) return yield labels
    const parts = signature.split(',')
    const base = labels.get(parts.slice(0, -1).join()) as number
    for (let label = 0; label <= used + 1; label++) {
      if (label === base && !erring.has(parts.at(-1) as string)) continue
      labels.set(signature, label)
      yield* from(at + 1, Math.max(used, label))
    }
    labels.delete(signature)
  }
  yield* from(0, 0)
}

/** Every way to group so many classes, the group of each; groups are numbered by their first. */
function partitions(count: number): readonly (readonly number[])[] {
  return Array.from({ length: count }).reduce<readonly (readonly number[])[]>((made) => made.flatMap((groups) => Array.from({ length: Math.max(-1, ...groups) + 2 }, (_, group) => [...groups, group])), [[]])
}

/** Every way to say yes or no of so many classes; of the first, the right one, it is given. */
function bits(count: number, first: boolean): readonly (readonly boolean[])[] {
  return Array.from({ length: count - 1 }).reduce<readonly (readonly boolean[])[]>((made) => made.flatMap((each) => [[...each, false], [...each, true]]), [[first]])
}

function subsets(items: readonly number[]): readonly ReadonlySet<number>[] {
  return items.reduce<readonly ReadonlySet<number>[]>((made, item) => made.flatMap((each) => [each, new Set([...each, item])]), [new Set()])
}

/** What one check comes to, by chance. */
function lookOf({ stabilizer: { over, with: beside, shows }, candidates }: MatrixRow, set: readonly Mechanism[]): (chance: Chance) => string {
  const has = (kind: Mechanism['kind'], i: number) => set.some((mechanism) => mechanism.kind === kind && mechanism.on.includes(candidateId(i)))
  const isUnreadable = candidates.some((i) => has('unreadable', i))
  const fires = (is: boolean) => (is ? '-' : '+')
  // A check over the unit looks at what the document says in words.
  const parts: readonly Part[] = [...candidates.map(candidateId), ...beside.map((id): Part => (over === 'unit' && id === 'document' ? 'document-words' : id))]
  const [one, other] = parts as readonly [Part, Part]
  if (shows === 'never') return () => '+'
  if (shows === 'unreadable') return () => fires(isUnreadable)
  if (isUnreadable) return () => '0'
  switch (shows) {
    case 'erring': {
      const isErring = candidates.some((i) => has('erring', i))
      return () => fires(isErring)
    }
    case 'redundant': {
      const isSaidTwice = set.some(({ kind }) => kind === 'redundant')
      return ({ classOf, hasIdleNorm }) => fires(classOf.get('norms') === 0 ? isSaidTwice : hasIdleNorm)
    }
    case 'forbidden': return ({ classOf, isForbidden }) => fires(isForbidden[classOf.get(one) as number] === true)
    case 'differs': return ({ classOf }) => fires(classOf.get(one) !== classOf.get(other))
    case 'may-differ': {
      if (!parts.includes('examples')) return ({ classOf, inTable }) => fires(inTable[classOf.get(one) as number] !== inTable[classOf.get(other) as number])
      const i = candidates[0] as number
      const [isWrong, isErring] = [set.some(({ on }) => on.includes('examples')), has('erring', i)]
      return ({ classOf, touchesExample, failsOnExample }) => (isErring && failsOnExample.has(i) ? '0' : fires((touchesExample[classOf.get(one) as number] === true) !== isWrong))
    }
  }
}

function partsOf(n: number): readonly Part[] {
  return ['norms', 'decision-table', 'document', 'document-words', ...Array.from({ length: n }, (_, i) => candidateId(i))]
}

/** The fewest mechanisms that need not show in any check, the first such set in the order of the columns. */
function smallestHidden(mechanisms: readonly Mechanism[], rows: readonly MatrixRow[], n: number): readonly Mechanism[] | null {
  // What does not parse, and what can fail, is seen in any company.
  const hideable = mechanisms.filter(({ kind }) => kind !== 'unreadable' && kind !== 'erring')
  for (let size = 1; size <= hideable.length; size++) for (const set of choose(hideable, size)) if (isHidden(set, rows, n)) return set
  return null
}

function* choose<T>(items: readonly T[], size: number, from = 0): Generator<readonly T[]> {
  if (size === 0) return yield []
  for (let i = from; i <= items.length - size; i++) for (const rest of choose(items, size - 1, i + 1)) yield [items[i] as T, ...rest]
}

/** Nothing need show where all that is changed is changed alike, and touches nothing that anyone looks at. */
function isHidden(set: readonly Mechanism[], rows: readonly MatrixRow[], n: number): boolean {
  const isTableOwn = set.some(({ level, on }) => level === 'own' && on.includes('decision-table'))
  const looks = rows.map((row) => lookOf(row, set))
  const classOf = new Map(partsOf(n).map((part) => [part, signatureOf(part, set) === '' ? 0 : 1]))
  return [false, true].some((isTouched) => {
    const chance: Chance = {
      classOf, touchesExample: [false, isTouched], inTable: isTableOwn ? [0, 1] : [0, 0], hasIdleNorm: false, failsOnExample: new Set(),
      isForbidden: [set.some(({ kind }) => kind === 'asks-forbidden'), false],
    }
    return looks.every((look) => look(chance) !== '-')
  })
}
