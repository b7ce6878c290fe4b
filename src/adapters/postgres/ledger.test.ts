import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { before, after, describe, test } from 'node:test'

import { digest } from '#core/canonical.ts'
import type { Failure } from '#core/failure.ts'
import { entryText, readEntry, type LedgerEntry } from '#core/ledger/entry.ts'
import { append as grow, EMPTY, leafHash, root } from '#core/ledger/merkle.ts'
import { testDatabase, type TestDatabase } from '#test/database.ts'
import { generationRow, refusedRow } from '#test/generation-row.ts'
import { digestOfRow, GENERATION_COLUMNS, GenerationRow } from './generation-row.ts'
import { listGenerations, recordGeneration } from './generations.ts'
import { verifyLedger, type LedgerReport } from './ledger-verify.ts'
import { append, ledgerTip } from './ledger.ts'

const KILLED = new URL('../../../test/support/record-until-killed.ts', import.meta.url)

async function ledgerOf(entries: number): Promise<TestDatabase> {
  const db = await testDatabase()
  for (let n = 0; n < entries; n++) await db.transaction((tx) => recordGeneration(tx, n % 3 === 1 ? refusedRow(n) : generationRow(n)))
  return db
}

/** What someone can do who owns the tables. */
async function tamper(db: TestDatabase, ...statements: (string | [string, unknown[]])[]): Promise<LedgerReport> {
  await db.query('alter table ledger_entries disable trigger user')
  await db.query('alter table ledger_tip disable trigger user')
  for (const statement of statements) await (typeof statement === 'string' ? db.query(statement) : db.query(...statement))
  return verifyLedger(db)
}

function finds(report: LedgerReport, message: RegExp, from: number | null, to: number | null): void {
  assert.equal(report.valid, false)
  assert.ok(report.problems.some((problem) => message.test(problem.message) && problem.from === from && problem.to === to), JSON.stringify(report.problems, null, 1))
}

test('an untouched ledger is valid, and its roots are those of the entries alone', async () => {
  await using db = await ledgerOf(9)
  const report = await verifyLedger(db)
  assert.deepEqual(report.problems, [])
  assert.equal(report.entries, 9)
  const { rows } = await db.query<{ entry: string }>('select entry from ledger_entries order by index')
  const expected = Buffer.from(root(rows.map(({ entry }) => leafHash(entry)).reduce(grow, EMPTY))).toString('hex')
  assert.equal(report.root, expected)
  assert.deepEqual(await ledgerTip(db), { size: 9, root: expected })
})

test('an empty ledger is valid', async () => {
  await using db = await testDatabase()
  assert.deepEqual(await verifyLedger(db), { entries: 0, root: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', valid: true, problems: [] })
})

test('appends from many connections form one chain without gaps', async () => {
  await using db = await testDatabase()
  const receipts = await Promise.all(Array.from({ length: 25 }, (_, n) => db.transaction((tx) => recordGeneration(tx, generationRow(n)))))
  assert.deepEqual(receipts.map(({ index }) => index).toSorted((a, b) => a - b), Array.from({ length: 25 }, (_, n) => n))
  assert.equal((await verifyLedger(db)).valid, true)
})

test('the database grows the tree as the program does, at every size', async () => {
  await using db = await testDatabase()
  let tree = EMPTY
  for (let n = 0; n < 70; n++) {
    const { index, root: found } = await db.transaction((tx) => recordGeneration(tx, generationRow(n), null, tx.last))
    const { rows: [tip] } = await db.query<{ entry: string; frontier: Buffer[] }>('select entry, frontier from ledger_entries, ledger_tip where index = $1', [n])
    assert.ok(tip)
    tree = grow(tree, leafHash(tip.entry))
    assert.deepEqual([index, found, tip.frontier.map((node) => node.toString('hex'))], [n, Buffer.from(root(tree)).toString('hex'), tree.nodes.map((node) => Buffer.from(node).toString('hex'))])
  }
})

test('a transaction that is rolled back leaves neither row nor entry, and the next entry takes its number', async () => {
  await using db = await ledgerOf(2)
  const regret = new Error('regret')
  await assert.rejects(db.transaction(async (tx) => (await recordGeneration(tx, generationRow(7)), assert.fail(regret))), regret)
  assert.equal((await db.transaction((tx) => recordGeneration(tx, generationRow(8)))).index, 2)
  assert.equal((await verifyLedger(db)).valid, true)
})

test('SQL that changes the ledger is refused by the database itself', async () => {
  await using db = await ledgerOf(2)
  for (const sql of ['update ledger_entries set kind = kind', 'delete from ledger_entries', 'truncate ledger_entries', 'delete from ledger_tip', 'update ledger_tip set size = 1', 'truncate ledger_tip']) {
    await assert.rejects(db.query(sql), /the ledger only grows/, sql)
  }
})

test('a changed body is found, and which part of it', async () => {
  await using db = await ledgerOf(5)
  finds(await tamper(db, `update policy_generations set evidence = jsonb_set(evidence, '{number}', '99') where generation_id = 'gen-000002'`), /gen-000002.*evidence/, 2, 2)
})

test('every column of a generation is covered: a change of any one is found', async () => {
  await using db = await ledgerOf(1)
  const changes: Record<string, string> = {
    generation_id: `'gen-x'`, priority: `'critical'`, verdict: `'refused'`, created_at: `created_at + interval '1 ms'`, certificate: `'{}'`,
    violated_articles: `'{a}'`, stakeholders: `'[]'`, constitutional_principles: `'[]'`, recommendations: `'["x"]'`, context: `'{}'`, model_consensus_data: `'{}'`,
    request: `'{}'`, evidence: `'{}'`, constitutional_compliance_score: '1', confidence_score: '1', generation_time_ms: '0',
  }
  for (const column of GENERATION_COLUMNS) {
    if (column === 'verdict') continue // the table itself refuses it beside a certificate
    const before = (await db.query(`select to_jsonb(g) as all from policy_generations g`)).rows[0]
    const report = await tamper(db, `update policy_generations set ${column} = ${changes[column] ?? `'changed'`}`)
    assert.equal(report.valid, false, column)
    await db.query(`update policy_generations g set ${column} = (jsonb_populate_record(g, $1)).${column}`, [before?.['all']])
    assert.equal((await verifyLedger(db)).valid, true, `${column} is as before`)
  }
})

test('a body that says something beside its digest is found, also when the table no longer refuses it', async () => {
  await using db = await ledgerOf(3)
  const changes = {
    status: `status = 'withdrawn'`,
    created_at: `created_at = created_at + interval '1 microsecond'`,
  }
  for (const change of Object.values(changes)) await assert.rejects(db.query(`update policy_generations set ${change}`), /check constraint/, change)
  await assert.rejects(db.query('update policy_generations set updated_at = now()'), /updated_at/)
  await db.query('alter table policy_generations alter column updated_at drop expression')
  for (const { conname } of (await db.query<{ conname: string }>(`select conname from pg_constraint where conrelid = 'policy_generations'::regclass and contype = 'c'`)).rows) await db.query(`alter table policy_generations drop constraint ${conname}`)
  for (const [column, change] of Object.entries({ ...changes, updated_at: `updated_at = updated_at + interval '1 day'` })) {
    const before = (await db.query(`select to_jsonb(g) as all from policy_generations g where generation_id = 'gen-000001'`)).rows[0]
    finds(await tamper(db, `update policy_generations set ${change} where generation_id = 'gen-000001'`), /gen-000001.*status, updated_at or created_at/, 1, 1)
    await db.query(`update policy_generations g set ${column} = (jsonb_populate_record(g, $1)).${column} where generation_id = 'gen-000001'`, [before?.['all']])
    assert.equal((await verifyLedger(db)).valid, true, `${column} is as before`)
  }
})

test('what no row of ours can hold is a change like any other, and does not stop the rest from being looked at', async () => {
  const changes = [
    `evidence = '{"number": 1e400}'`, `request = '[1e999]'`, `context = '{"a": -1e400}'`, `certificate = '{"n": 1e400}'`, `created_at = 'infinity'`,
    `constitutional_compliance_score = 'NaN'`, `generation_time_ms = 'infinity'`, `violated_articles = '{null}'`, `stakeholders = '{"0": "x"}'`,
  ]
  await using db = await ledgerOf(4)
  for (const change of changes) {
    const before = (await db.query(`select to_jsonb(g) as all from policy_generations g where generation_id = 'gen-000002'`)).rows[0]
    const column = change.split(' ')[0]
    const report = await tamper(db, `update policy_generations set title = 'also changed' where generation_id = 'gen-000003'`, `update policy_generations set ${change} where generation_id = 'gen-000002'`)
    finds(report, /gen-000002.*cannot be read: it was changed/, 2, 2)
    finds(report, /gen-000003.*was changed/, 3, 3)
    await db.query(`update policy_generations g set ${column} = (jsonb_populate_record(g, $1)).${column} where generation_id = 'gen-000002'`, [before?.['all']])
  }
})

test('an entry whose columns cannot be read is found, and the rest is looked at', async () => {
  await using db = await ledgerOf(4)
  finds(await tamper(db, `update ledger_entries set at = 'infinity' where index = 1`, `update policy_generations set title = 'also changed' where generation_id = 'gen-000003'`), /numbered 1 cannot be read/, null, null)
  finds(await verifyLedger(db), /gen-000003.*was changed/, 3, 3)
  finds(await tamper(db, `update ledger_entries set index = 9223372036854775807 where index = 3`), /numbered 9223372036854775807 cannot be read/, null, null)
  await using other = await ledgerOf(2)
  await other.query('alter table ledger_entries drop constraint ledger_entries_at_check')
  finds(await tamper(other, `update ledger_entries set at = at + interval '1 microsecond' where index = 1`), /columns beside/, 1, 1)
})

test('a removed body is found', async () => {
  await using db = await ledgerOf(5)
  finds(await tamper(db, `delete from policy_generations where generation_id = 'gen-000003'`), /gen-000003.*missing/, 3, 3)
})

test('a body that was slipped in beside the ledger is found', async () => {
  await using db = await ledgerOf(2)
  finds(await tamper(db, slipIn()), /gen-slipped.*not in the ledger/, null, null)
})

function slipIn(): string {
  const rest = GENERATION_COLUMNS.filter((column) => column !== 'generation_id' && column !== 'certificate_id')
  return `insert into policy_generations (generation_id, certificate_id, status, ${rest.join(', ')})
          select 'gen-slipped', 'cert-slipped', status, ${rest.join(', ')} from policy_generations where generation_id = 'gen-000000'`
}

test('a changed entry is found', async () => {
  await using db = await ledgerOf(6)
  finds(await tamper(db, `update ledger_entries set entry = replace(entry, 'refused', 'certified'), kind = 'generation.certified' where index = 4`), /its hash is another/, 4, 4)
})

test('a changed entry with a matching hash is found by the roots', async () => {
  await using db = await ledgerOf(6)
  const entry = entryText({ kind: 'generation.certified', at: '2026-11-24T12:02:00.007Z', subject: { generation: 'gen-000002' }, digests: {} })
  const report = await tamper(db, ['update ledger_entries set entry = $1, leaf_hash = $2 where index = 2', [entry, leafHash(entry)]])
  finds(report, /do not lead to the roots/, 2, 5)
})

test('the columns beside an entry cannot tell another story than the entry', async () => {
  await using db = await ledgerOf(3)
  finds(await tamper(db, `update ledger_entries set at = at + interval '1 day' where index = 1`), /columns beside/, 1, 1)
})

test('a deleted entry is found', async () => {
  await using db = await ledgerOf(6)
  finds(await tamper(db, 'delete from ledger_entries where index = 3'), /is missing/, 3, 3)
})

test('a deleted entry is found when the others close the gap', async () => {
  await using db = await ledgerOf(6)
  const report = await tamper(db, 'delete from ledger_entries where index = 3', 'update ledger_entries set index = index - 1 where index > 3')
  finds(report, /do not lead to the roots/, 3, 4)
})

test('entries that changed places are found', async () => {
  await using db = await ledgerOf(6)
  const report = await tamper(db, 'update ledger_entries set index = 99 where index = 1', 'update ledger_entries set index = 1 where index = 4', 'update ledger_entries set index = 4 where index = 99')
  finds(report, /do not lead to the roots/, 1, 5)
})

test('an entry that was put in is found', async () => {
  await using db = await ledgerOf(3)
  const report = await tamper(db, 'insert into ledger_entries select 3, kind, at, subject, entry, leaf_hash, root from ledger_entries where index = 2')
  finds(report, /behind the tip/, 3, 3)
})

test('a ledger whose end was cut off contradicts its tip', async () => {
  await using db = await ledgerOf(6)
  finds(await tamper(db, 'delete from ledger_entries where index >= 4'), /the end was cut off/, 4, 5)
})

test('a tip that was changed or removed is found, and nothing more is appended', async () => {
  await using db = await ledgerOf(3)
  const entry: LedgerEntry = { kind: 'generation.refused', at: '2026-11-24T12:00:00.000Z', subject: { generation: 'x' }, digests: {} }
  finds(await tamper(db, `update ledger_tip set root = sha256('x')`), /tip is not the one/, null, null)
  await assert.rejects(db.transaction((tx) => append(tx, entry)), { code: 'LEDGER_CORRUPT' })
  // As many nodes as before, of other subtrees; as many entries as before, with another number of nodes.
  for (const change of [`frontier = array[sha256('y'), sha256('z')], root = ledger_root(array[sha256('y'), sha256('z')])`, `frontier = frontier || sha256('y')`, `size = 7`]) {
    await using other = await ledgerOf(3)
    await tamper(other, `update ledger_tip set ${change}`)
    const refusal = await other.transaction((tx) => append(tx, entry)).then(() => null, (error: Failure) => error.code)
    assert.equal(refusal ?? (await verifyLedger(other)).valid, refusal === null ? false : 'LEDGER_CORRUPT', change)
  }
  finds(await tamper(db, 'delete from ledger_tip'), /tip is missing/, null, null)
  await assert.rejects(db.transaction((tx) => append(tx, entry)), { code: 'LEDGER_CORRUPT' })
})

test('a rewrite of the same length that is consistent in itself is found only by a state kept elsewhere', async () => {
  await using db = await ledgerOf(5)
  const kept = await ledgerTip(db)
  await rewrite(db)
  assert.deepEqual((await verifyLedger(db)).problems, []) // what the docstring says cannot be found from inside
  finds(await verifyLedger(db, [kept]), /they were rewritten/, 0, 4)
})

test('an old backup put back is found only by a state kept elsewhere', async () => {
  await using old = await ledgerOf(3)
  await using now = await ledgerOf(5)
  const kept = await ledgerTip(now)
  assert.equal((await verifyLedger(old)).valid, true)
  finds(await verifyLedger(old, [kept]), /old backup/, 3, 4)
})

test('a state kept elsewhere stays true while the ledger grows', async () => {
  await using db = await ledgerOf(3)
  const kept = await ledgerTip(db)
  await db.transaction((tx) => recordGeneration(tx, generationRow(77)))
  assert.equal((await verifyLedger(db, [kept, { size: 0, root: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' }])).valid, true)
})

/** Changes a body, its entry, every root after it and the tip, so that all agree again. */
async function rewrite(db: TestDatabase): Promise<void> {
  await tamper(db, `update policy_generations set title = 'Rewritten' where generation_id = 'gen-000002'`)
  const body = GenerationRow.parse((await db.query(`select * from policy_generations where generation_id = 'gen-000002'`)).rows[0])
  let tree = EMPTY
  const { rows } = await db.query<{ index: string; entry: string }>('select index, entry from ledger_entries order by index')
  for (const { index, entry } of rows) {
    const read = readEntry(entry)
    assert(read !== null)
    const text = index === '2' ? entryText({ ...read, digests: { ...read.digests, generation: digestOfRow(body), request: digest(body.request) } } as LedgerEntry) : entry
    tree = grow(tree, leafHash(text))
    await db.query('update ledger_entries set entry = $1, leaf_hash = $2, root = $3 where index = $4', [text, leafHash(text), root(tree), index])
  }
  await db.query('update ledger_tip set frontier = $1, root = $2', [tree.nodes, root(tree)])
}

describe('a process killed while it records', () => {
  let db: TestDatabase
  before(async () => void (db = await ledgerOf(2)))
  after(() => db[Symbol.asyncDispose]())

  test('before its commit leaves nothing, and does not stop others', async () => {
    const child = fork(KILLED, [db.url, 'before-commit'], { execArgv: ['--disable-warning=ExperimentalWarning'] })
    await once(child, 'message')
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal((await db.transaction((tx) => recordGeneration(tx, generationRow(50)))).index, 2)
    assert.equal((await verifyLedger(db)).valid, true)
  })

  test('at any moment of a busy stretch leaves as many entries as generations', async () => {
    const child = fork(KILLED, [db.url, 'busy'], { execArgv: ['--disable-warning=ExperimentalWarning'] })
    await once(child, 'message')
    for (const deadline = Date.now() + 20_000; (await ledgerTip(db)).size <= 8 && Date.now() < deadline; ) await new Promise((resolve) => setTimeout(resolve, 20))
    child.kill('SIGKILL')
    await once(child, 'exit')
    const report = await verifyLedger(db)
    assert.deepEqual(report.problems, [])
    const { rows } = await db.query<{ count: string }>('select count(*) from policy_generations')
    assert.equal(Number(rows[0]?.count), report.entries)
    assert.ok(report.entries > 5, `${report.entries}`)
    assert.ok((await listGenerations(db, { limit: 1 })).generations.length === 1)
  })
})
