import assert from 'node:assert/strict'
import test from 'node:test'
import { STABILIZERS, TABLE_VERSION } from '#core/stabilizers/table.ts'
import { runAcgs } from '#test/product.ts'

test('the list is the table, in its order', async () => {
  const { status, stdout } = await runAcgs(['stabilizers', 'list', '--json'])
  const { version, stabilizers } = JSON.parse(stdout) as { version: string; stabilizers: readonly { id: string; group: string; holds: string }[] }
  assert.deepEqual([status, version], [0, TABLE_VERSION])
  assert.deepEqual(stabilizers.map(({ id, group, holds }) => ({ id, group, holds })), STABILIZERS.map(({ id, group, holds }) => ({ id, group, holds })))
})

test('the matrix says for each fault where it shows, and what no check need notice', async () => {
  const { status, stdout } = await runAcgs(['stabilizers', 'matrix', '--candidates', '3', '--json'])
  assert.equal(status, 0)
  type Fates = { readonly count: number; readonly detected: { readonly [share: string]: number }; readonly sets: readonly { readonly mechanisms: readonly string[]; readonly detected: string; readonly located: string }[] }
  const said = JSON.parse(stdout) as { columns: readonly { id: string }[]; rows: readonly { check: string; cells: readonly string[] }[]; distance: { any: { distance: number; undetected: readonly string[] }; independent: { distance: number }; candidates_alone: { distance: number } }; single: Fates; double: Fates }
  assert.deepEqual([said.distance.any, said.distance.independent.distance, said.distance.candidates_alone.distance], [{ distance: 1, undetected: ['all readers misread alike'] }, 6, 3])
  const column = said.columns.findIndex(({ id }) => id === 'candidate 2 means-else')
  const cell = (check: string) => said.rows.find((row) => row.check === check)?.cells[column]
  assert.deepEqual(['same-meaning 1,2', 'same-meaning 1,3', 'conforms 2', 'conforms-to-table 2', 'round-trip 2'].map(cell), ['-', '+', '-', '+-', '-'])
  assert.deepEqual(said.single.sets.find(({ mechanisms: [only] }) => only === 'candidate 2 means-else'), { mechanisms: ['candidate 2 means-else'], detected: 'always', located: 'always', indistinguishable: [] })
  for (const { count, detected, sets } of [said.single, said.double]) {
    assert.equal(sets.length, count)
    assert.equal(Object.values(detected).reduce((sum, each) => sum + each, 0), count)
  }
})

test('for people there is a grid with a legend, one line a check', async () => {
  const { stdout } = await runAcgs(['stabilizers', 'matrix', '--candidates', '1'])
  assert.match(stdout, /^the check matrix for 1 candidate, table [\d.]+: 10 checks, 13 fault mechanisms$/m)
  assert.match(stdout, /^well-typed 1 +- /m)
  assert.match(stdout, /^i +the reader of the norms misreads +sometimes +never +all readers misread alike, text means-else$/m)
  assert.match(stdout, /in candidates alone, without norms and what is made from them: 1 \(candidate 1 means-else\)/)
})

test('a number of candidates that no generation has is refused with what to give', async () => {
  for (const given of ['0', '8', 'two', '2.5']) {
    const { status, stderr } = await runAcgs(['stabilizers', 'matrix', '--candidates', given])
    assert.equal(status, 2, given)
    assert.match(stderr, /give a whole number from 1 to 7/, given)
  }
})
