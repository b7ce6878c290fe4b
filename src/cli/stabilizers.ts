import { InvalidArgumentError, type Command } from 'commander'
import { matrixOf, type Fate, type Located, type Matrix, type MatrixRow, type Mechanism } from '#core/stabilizers/matrix.ts'
import { STABILIZERS, TABLE_VERSION } from '#core/stabilizers/table.ts'
import { EXIT, counted, finish, newCommand, newGroup, type Answer } from './terminal.ts'

type Options = { candidates: number; json?: boolean; quiet?: boolean }

const CANDIDATES_MAX = 7

export function command(): Command {
  return newGroup('stabilizers', 'the checks that every faithful set of representations passes, and which faults they find', './acgs stabilizers matrix --candidates 3')
    .addCommand(newCommand('list', 'every stabilizer of the table, in its order', './acgs stabilizers list')
      .action((options: Options) => finish(list(), options)))
    .addCommand(newCommand('matrix', 'the check matrix: which faults show in which checks, and which are detected, located, indistinguishable', './acgs stabilizers matrix --candidates 3')
      .option('--candidates <n>', `for so many candidates, up to ${CANDIDATES_MAX}`, candidates, 3)
      .action((options: Options) => finish(matrix(options), options)))
}

function candidates(text: string): number {
  const n = Number(text)
  if (!/^\d+$/.test(text) || n < 1 || n > CANDIDATES_MAX) throw new InvalidArgumentError(`give a whole number from 1 to ${CANDIDATES_MAX}`)
  return n
}

function list(): Answer {
  const stabilizers = STABILIZERS.map(({ id, group, holds, over, with: beside, shows }) => ({ id, group, holds, checks_each: over, looks_at: beside, fires: shows }))
  const text = stabilizers.map(({ id, group, holds, checks_each: each, looks_at: beside }) => `${id}  (${group}, each ${each}${beside.length === 0 ? '' : `, with ${beside.join(', ')}`})\n  ${holds}`)
  return { json: { version: TABLE_VERSION, stabilizers }, text: [`table ${TABLE_VERSION}, ${stabilizers.length} stabilizers`, ...text].join('\n'), exit: EXIT.yes }
}

function matrix({ candidates: n }: Options): Answer {
  const made = matrixOf(n)
  return { json: jsonOf(made, n), text: textOf(made, n), exit: EXIT.yes }
}

const idsOf = (set: readonly Mechanism[]) => set.map(({ id }) => id)
const said = (set: readonly Mechanism[]) => idsOf(set).join(' + ')

function jsonOf({ rows, columns, cells, singles, doubles, hidden }: Matrix, n: number): unknown {
  const fates = (all: readonly Fate[]) => ({
    count: all.length, detected: counts(all, ({ detected }) => detected), located: counts(all, ({ located }) => located),
    sets: all.map(({ mechanisms, detected, located, indistinguishable }) => ({ mechanisms: idsOf(mechanisms), detected, located, indistinguishable: indistinguishable.map(idsOf) })),
  })
  const smallest = (set: readonly Mechanism[] | null) => (set === null ? null : { distance: set.length, undetected: idsOf(set) })
  return {
    version: TABLE_VERSION, candidates: n,
    columns: columns.map(({ id, kind, on, level }) => ({ id, kind, on, level })),
    rows: rows.map((row, i) => ({ check: rowName(row), stabilizer: row.stabilizer.id, group: row.stabilizer.group, candidates: row.candidates.map((each) => each + 1), looks_at: row.stabilizer.with, cells: cells[i] })),
    distance: { any: smallest(hidden.any), independent: smallest(hidden.independent), candidates_alone: smallest(hidden.candidates) },
    single: fates(singles), double: fates(doubles),
  }
}

function counts(all: readonly Fate[], of: (fate: Fate) => Located): { readonly [located in Located]: number } {
  const count = (wanted: Located) => all.filter((fate) => of(fate) === wanted).length
  return { always: count('always'), sometimes: count('sometimes'), never: count('never') }
}

function rowName({ stabilizer, candidates }: MatrixRow): string {
  return [stabilizer.id, candidates.map((i) => i + 1).join(',')].join(' ').trimEnd()
}

/** So many groups that nothing tells apart are shown; `--json` has all. */
const ALIKE_SHOWN = 8

function textOf({ rows, columns, cells, singles, doubles, hidden }: Matrix, n: number): string {
  const letter = (i: number) => (i < 26 ? String.fromCharCode(97 + i) : `a${String.fromCharCode(97 + i - 26)}`)
  const wide = Math.max(...rows.map((row) => rowName(row).length))
  const grid = [
    `${' '.repeat(wide)}  ${columns.map((_, i) => letter(i).padEnd(3)).join(' ')}`.trimEnd(),
    ...rows.map((row, i) => `${rowName(row).padEnd(wide)}  ${(cells[i] ?? []).map((cell) => cell.padEnd(3)).join(' ')}`.trimEnd()),
  ]
  const table = [
    ['', 'mechanism', 'detected', 'located', 'never told from'],
    ...singles.map(({ mechanisms, detected, located, indistinguishable }, i) => [letter(i), said(mechanisms), detected, located, indistinguishable.map(said).join(', ')]),
  ]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length))) ?? []
  const tell = (of: { readonly [located in Located]: number }) => `${of.always} always, ${of.sometimes} sometimes, ${of.never} never`
  const alike = [...Map.groupBy(doubles.filter(({ indistinguishable }) => indistinguishable.length > 0), ({ mechanisms, indistinguishable }) => [mechanisms, ...indistinguishable].map(said).sort().join(' = ')).keys()]
  const smallest = (what: string, set: readonly Mechanism[] | null) => (set === null ? `${what}: every set shows` : `${what}: ${set.length} (${said(set)})`)
  return [
    `the check matrix for ${counted(n, 'candidate')}, table ${TABLE_VERSION}: ${rows.length} checks, ${columns.length} fault mechanisms`,
    '+ holds, - fires, 0 is not run; where there are several, it depends on which requests a fault touches', '',
    ...grid, '',
    ...table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()), '',
    `two at once: of ${doubles.length} pairs detected ${tell(counts(doubles, ({ detected }) => detected))}; located ${tell(counts(doubles, ({ located }) => located))}`,
    ...(alike.length === 0 ? [] : [`never told apart${alike.length > ALIKE_SHOWN ? `, ${ALIKE_SHOWN} of ${alike.length}` : ''}:`, ...alike.slice(0, ALIKE_SHOWN).map((each) => `  ${each}`)]), '',
    'distance, the fewest mechanisms that need not show in any check:',
    `  ${smallest('of any', hidden.any)}`,
    `  ${smallest('independent, one representation each', hidden.independent)}`,
    `  ${smallest('in candidates alone, without norms and what is made from them', hidden.candidates)}`,
  ].join('\n')
}
