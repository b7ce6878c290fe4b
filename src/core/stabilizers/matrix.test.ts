import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matrixOf, mechanismsOf, rowsOf, syndromesOf, type Mechanism, type MatrixRow } from './matrix.ts'
import { STABILIZERS, type Stabilizer } from './table.ts'

/**
 * Meanings as they are: what is allowed of a few requests, a bit each. One is the author's example, some are in the decision table, some in neither,
 * and one no article lets through. Every fault is tried with every meaning that it can give, and every check is worked out from the meanings.
 */
type World = { readonly example: number; readonly table: number; readonly forbidden: number; readonly all: number }
const LARGE: World = { example: 1, table: 0b110, forbidden: 0b10_0000, all: 0b11_1111 }
const SMALL: World = { example: 1, table: 0b10, forbidden: 0, all: 0b111 }

const ORDER: readonly Mechanism['level'][] = ['text', 'readers', 'lineage', 'own']
const PARTS = ['norms', 'decision-table', 'document', 'document-words'] as const

function* outcomesOf(set: readonly Mechanism[], rows: readonly MatrixRow[], n: number, world: World): Generator<string> {
  const has = (kind: Mechanism['kind'], part?: string) => set.some((mechanism) => mechanism.kind === kind && (part === undefined || (mechanism.on as readonly string[]).includes(part)))
  const right = (has('erring') ? 0b1011 & world.all : 0) | (has('asks-forbidden') ? world.forbidden : 0)
  const changing = set.filter(({ kind, on }) => (kind === 'means-else' || kind === 'says-else' || kind === 'erring') && !on.includes('examples')).toSorted((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level) || Number(a.kind === 'erring') - Number(b.kind === 'erring'))
  const meanings = new Map<string, number>([...PARTS, ...Array.from({ length: n }, (_, i) => `candidate:${i}`)].map((part) => [part, right]))
  const errors = new Map<string, number>()
  function* from(at: number): Generator<void> {
    const mechanism = changing[at]
    if (mechanism === undefined) return yield
    const parts = mechanism.on.filter((part) => meanings.has(part))
    const before = meanings.get(parts[0] as string) as number
    for (let value = 0; value <= world.all; value++) {
      if (mechanism.kind === 'erring') {
        if (value === 0) continue
        errors.set(parts[0] as string, value)
        meanings.set(parts[0] as string, before & ~value)
      } else {
        if (value === before || (mechanism.on.length === 1 && parts[0] === 'decision-table' && (value & world.table) === (before & world.table))) continue
        for (const part of parts) meanings.set(part, value)
      }
      yield* from(at + 1)
    }
    for (const part of parts) meanings.set(part, before)
    if (mechanism.kind === 'erring') errors.delete(parts[0] as string)
  }
  const wanted = (right & world.example) !== (has('means-else', 'examples') ? world.example : 0)
  const meaning = (part: string) => meanings.get(part) as number
  for (const _ of from(0)) {
    for (const hasIdleNorm of meaning('norms') === right ? [has('redundant')] : [false, true]) {
      yield rows.map(({ stabilizer: { id }, candidates }) => {
        const [i = '', j = ''] = candidates.map((index) => `candidate:${index}`)
        if (id === 'well-typed') return has('unreadable', i) ? '-' : '+'
        if (has('unreadable', i) || has('unreadable', j)) return id === 'covers' ? '+' : '0'
        switch (id) {
          case 'never-errors': return errors.has(i) ? '-' : '+'
          case 'covers': return '+'
          case 'same-meaning': return meaning(i) === meaning(j) ? '+' : '-'
          case 'decides': return ((errors.get(i) ?? 0) & world.example) !== 0 ? '0' : ((meaning(i) & world.example) !== 0) === wanted ? '+' : '-'
          case 'conforms': return meaning(i) === meaning('norms') ? '+' : '-'
          case 'conforms-to-table': return (meaning(i) & world.table) === (meaning('decision-table') & world.table) ? '+' : '-'
          case 'examples-distinguish': return hasIdleNorm ? '-' : '+'
          case 'says-the-norms': return meaning('document-words') === meaning('norms') ? '+' : '-'
          case 'round-trip': return meaning(i) === meaning('document') ? '+' : '-'
          case 'within': return (meaning(i) & world.forbidden) === 0 ? '+' : '-'
          default: throw new Error(`the enumeration does not know ${id}: say here what it looks at`)
        }
      }).join('')
    }
  }
}

function upToTwo(columns: readonly Mechanism[]): readonly (readonly Mechanism[])[] {
  return [...columns.map((one) => [one]), ...columns.flatMap((one, i) => columns.slice(i + 1).map((other) => [one, other]))]
}

const named = (set: readonly Mechanism[]) => set.map(({ id }) => id).join(' + ')
const isErring = (set: readonly Mechanism[]) => set.some(({ kind }) => kind === 'erring')
const sorted = (syndromes: Iterable<string>) => [...new Set(syndromes)].sort()

const enumerated = new Map<string, readonly string[]>()

/** What enumerating finds for a set; worked out once. */
function enumerate(set: readonly Mechanism[], rows: readonly MatrixRow[], n: number): readonly string[] {
  const known = enumerated.get(`${n} ${named(set)}`) ?? sorted(outcomesOf(set, rows, n, LARGE))
  enumerated.set(`${n} ${named(set)}`, known)
  return known
}

for (const n of [1, 2, 3, 4]) {
  test(`n = ${n}: for every set of up to two mechanisms the matrix has exactly the syndromes that enumerating every meaning finds`, () => {
    const rows = rowsOf(n)
    for (const set of upToTwo(mechanismsOf(n)).filter((set) => !isErring(set))) assert.deepEqual(sorted(syndromesOf(set, rows, n)), enumerate(set, rows, n), named(set))
  })

  test(`n = ${n}: what is detected, located and indistinguishable is what enumeration says`, () => {
    const { rows, singles, doubles } = matrixOf(n)
    const found = new Map([...singles, ...doubles].filter(({ mechanisms }) => !isErring(mechanisms)).map(({ mechanisms }) => [named(mechanisms), enumerate(mechanisms, rows, n)]))
    const share = (of: readonly string[], is: (syndrome: string) => boolean) => (of.every(is) ? 'always' : of.some(is) ? 'sometimes' : 'never')
    for (const [fates, size] of [[singles, 1], [doubles, 2]] as const) {
      const others = [...found].filter(([name]) => name.split(' + ').length <= size)
      for (const { mechanisms, detected, located, indistinguishable } of fates.filter((fate) => !isErring(fate.mechanisms))) {
        const own = found.get(named(mechanisms)) as readonly string[]
        assert.equal(detected, share(own, (syndrome) => syndrome.includes('-')), named(mechanisms))
        const elsewhere = new Set(others.filter(([name]) => name !== named(mechanisms)).flatMap(([, syndromes]) => syndromes))
        assert.equal(located, share(own, (syndrome) => syndrome.includes('-') && !elsewhere.has(syndrome)), named(mechanisms))
        assert.deepEqual(indistinguishable.map(named).sort(), others.filter(([name, syndromes]) => name !== named(mechanisms) && syndromes.join() === own.join()).map(([name]) => name).sort(), named(mechanisms))
      }
    }
  })
}

for (const n of [1, 2, 3]) {
  test(`n = ${n}: a rule that can fail is detected in any company, and nothing comes of it that the matrix does not foresee`, () => {
    const rows = rowsOf(n)
    for (const set of upToTwo(mechanismsOf(n)).filter(isErring)) {
      const foreseen = syndromesOf(set, rows, n)
      for (const syndrome of outcomesOf(set, rows, n, LARGE)) assert.ok(foreseen.has(syndrome) && syndrome.includes('-'), `${named(set)}: ${syndrome}`)
    }
  })
}

for (const n of [1, 2]) {
  test(`n = ${n}: no smaller set of independent mechanisms is hidden than the distance says, and one of that size is`, () => {
    const { rows, hidden } = matrixOf(n)
    const independent = hidden.independent?.length ?? 0
    const own = mechanismsOf(n).filter(({ level, kind }) => level === 'own' && (kind === 'means-else' || kind === 'says-else'))
    const isHidden = (set: readonly Mechanism[]) => { for (const syndrome of outcomesOf(set, rows, n, SMALL)) if (!syndrome.includes('-')) return true; return false }
    for (let bits = 1; bits < 2 ** own.length; bits++) {
      const set = own.filter((_, i) => (bits & (1 << i)) !== 0)
      if (set.length < independent) assert.ok(!isHidden(set), named(set))
    }
    assert.equal(independent, n + 3)
    assert.ok(isHidden(own.filter(({ on: [part] }) => part !== 'decision-table' && part !== 'examples')))
  })
}

test('two different faults in two candidates fire between them, the same one in both does not', () => {
  const rows = rowsOf(2)
  const pair = rows.findIndex(({ stabilizer }) => stabilizer.id === 'same-meaning')
  const [one, other] = mechanismsOf(2).filter(({ id }) => / means-else$/.test(id) && id.startsWith('candidate')) as [Mechanism, Mechanism]
  assert.deepEqual(sorted([...syndromesOf([one, other], rows, 2)].map((syndrome) => syndrome[pair] as string)), ['+', '-'])
  assert.deepEqual(sorted([...syndromesOf([one], rows, 2)].map((syndrome) => syndrome[pair] as string)), ['-'])
})

test('a single faulty candidate among three is always detected and located; among two nothing tells it from its neighbour', () => {
  const fate = (n: number, id: string) => matrixOf(n).singles.find(({ mechanisms: [only] }) => only?.id === id)
  for (const id of ['candidate 1 means-else', 'candidate 2 means-else', 'candidate 3 means-else', 'the reader of the norms misreads']) assert.deepEqual([fate(3, id)?.detected, fate(3, id)?.located], ['always', 'always'], id)
  assert.deepEqual([fate(2, 'candidate 2 means-else')?.detected, fate(2, 'candidate 2 means-else')?.located], ['always', 'sometimes'])
})

test('what all readers share is detected by nothing but an example or an article', () => {
  const { singles, hidden } = matrixOf(7)
  const shared = singles.find(({ mechanisms: [only] }) => only?.id === 'all readers misread alike')
  assert.equal(shared?.detected, 'sometimes')
  assert.deepEqual(shared?.indistinguishable.map(named), ['text means-else'])
  assert.deepEqual([hidden.any, hidden.independent, hidden.candidates].map((set) => set?.length), [1, 10, 7])
  assert.deepEqual(hidden.any?.map(({ id }) => id), ['all readers misread alike'])
  const blind = STABILIZERS.filter(({ id }) => id !== 'decides' && id !== 'within' && id !== 'examples-distinguish')
  assert.equal(matrixOf(7, blind).singles.find(({ mechanisms: [only] }) => only?.id === 'all readers misread alike')?.detected, 'never')
})

test('sabotage: a table whose comparison is taken to be certain where it looks at some requests only is found by the enumeration', () => {
  const sure: readonly Stabilizer[] = STABILIZERS.map((stabilizer) => (stabilizer.id === 'conforms-to-table' ? { ...stabilizer, shows: 'differs' } : stabilizer))
  const rows = rowsOf(2, sure)
  const [one] = mechanismsOf(2).filter(({ id }) => id === 'candidate 2 means-else') as [Mechanism]
  assert.notDeepEqual(sorted(syndromesOf([one], rows, 2)), sorted(outcomesOf([one], rows, 2, LARGE)))
})
