import { z } from 'zod'

import { digest } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import { openCheckpoint } from '#core/ledger/checkpoint.ts'
import { readEntry, subjectOf } from '#core/ledger/entry.ts'
import { append as grow, EMPTY, isFrontier, leafHash, root } from '#core/ledger/merkle.ts'
import type { NoteKey } from '#core/ledger/note.ts'
import type { Database, Queryable } from './connect.ts'
import { digestOfRow, GenerationRow, GENERATION_COLUMNS } from './generation-row.ts'
import { tellsOf } from './generations.ts'
import { bodyChecks } from './ledger-bodies.ts'
import { hex, same, TipRow, type KnownState } from './ledger.ts'

/** Something that is not as it was appended: entries `from` to `to`, or no entry in particular. */
export type LedgerProblem = { readonly from: number | null; readonly to: number | null; readonly message: string }

export type LedgerReport = { readonly entries: number; readonly root: string; readonly valid: boolean; readonly problems: readonly LedgerProblem[] }

const bytes = z.instanceof(Uint8Array)
const EntryRow = z.object({ index: z.coerce.number().int().nonnegative(), is_exact: z.boolean(), kind: z.string(), at: z.date(), subject: z.string(), entry: z.string(), leaf_hash: bytes, root: bytes })

/**
 * Recomputes the whole ledger from its entries and compares it with every stored root, with the tip, with the signed checkpoints stored
 * beside it, and with the bodies that the entries digest, all in one snapshot.
 *
 * Found without outside help: an entry changed, removed, inserted or moved; entries cut off at the end; a body changed, missing or
 * not in the ledger. Whoever can write the database and knows the format could also rewrite entries, roots and tip together, from
 * some entry on or by restoring an old backup: only a state that was kept elsewhere shows that. Give such states as `known`. Signed
 * checkpoints in the database narrow down where it was rewritten; they can be removed, but not made.
 *
 * @param keys Whose checkpoints count; null leaves those in the database aside.
 *
 * Cost: reads everything once, in pages of 200; mostly the bodies, which are all digested again (measured: about 1 ms for one of 33 kB).
 */
export async function verifyLedger(db: Database, known: readonly KnownState[] = [], keys: readonly NoteKey[] | null = null): Promise<LedgerReport> {
  return db.transaction((tx) => verifyLedgerIn(tx, known, keys), 'snapshot')
}

/** The same within a transaction, of what it has written as well. */
export async function verifyLedgerIn(tx: Queryable, known: readonly KnownState[], keys: readonly NoteKey[] | null): Promise<LedgerReport> {
  await tx.query('set local statement_timeout = 0')
  const problems: LedgerProblem[] = []
  const report = (from: number | null, to: number | null, message: string) => void problems.push({ from, to, message })

  const tip = TipRow.safeParse((await tx.query('select size, frontier, root from ledger_tip')).rows[0]).data ?? null
  const states = [...known, ...(keys === null ? [] : await checkpoints(tx, keys, report))].toSorted((a, b) => a.size - b.size)
  const roots = new Map(states.map((state) => [state.size, '']))
  roots.set(0, hex(root(EMPTY)))
  const bodies = bodyChecks()
  let tree = EMPTY
  let parted: number | null = null // the first entry whose stored root is not the recomputed one
  let last = -1

  for await (const { row, index, generation, isWhole } of pages(tx)) {
    if (row === null) {
      report(null, null, `the entry that is numbered ${index} cannot be read: it was changed`)
      continue
    }
    if (row.index !== last + 1) report(last + 1, row.index - 1, last + 1 === row.index - 1 ? 'the entry is missing' : 'the entries are missing')
    last = row.index
    const leaf = leafHash(row.entry)
    if (!same(leaf, row.leaf_hash)) report(row.index, row.index, 'the entry was changed: its hash is another')
    tree = grow(tree, leaf)
    if (parted === null && !same(root(tree), row.root)) parted = row.index
    if (roots.has(tree.size)) roots.set(tree.size, hex(root(tree)))
    const entry = readEntry(row.entry)
    if (entry !== null) bodies.see(row.index, entry)
    for (const message of inspect(row, entry, generation, isWhole)) report(row.index, row.index, message)
  }

  if (parted !== null) report(parted, last, 'the entries do not lead to the roots that were stored with them: something was changed, removed, inserted or moved here')
  if (tip === null) report(null, null, 'the tip is missing')
  else if (tip.size !== last + 1) report(Math.min(tip.size, last + 1), Math.max(tip.size, last + 1) - 1, `the tip counts ${tip.size} entries and the ledger ends after ${last + 1}: ${tip.size > last + 1 ? 'the end was cut off' : 'entries were added behind the tip'}`)
  else if (!same(tip.root, root(tree)) || !isFrontier({ size: tip.size, nodes: tip.frontier }) || !same(root({ size: tip.size, nodes: tip.frontier }), tip.root)) report(null, null, 'the tip is not the one to which the entries lead')
  const beyond = states.findLast(({ size }) => size > tree.size)
  if (beyond !== undefined) report(tree.size, beyond.size - 1, `${beyond.size} entries are known from elsewhere and only ${tree.size} are here: the end was cut off, or an old backup was restored`)
  const agrees = ({ size, root: wanted }: KnownState) => roots.get(size) === wanted
  const first = states.find((state) => state.size <= tree.size && !agrees(state))
  if (first !== undefined) {
    const before = states.findLast((state) => state.size < first.size && agrees(state))?.size ?? 0
    report(before, first.size - 1, `the first ${first.size} entries are not those that are known from elsewhere: they were rewritten`)
  }
  await bodies.compare(tx, report)
  const orphans = await tx.query<{ generation_id: string }>(
    `select generation_id from policy_generations g
     where not exists (select from ledger_entries e where e.subject = g.generation_id) order by id limit 100`,
  )
  for (const { generation_id } of orphans.rows) report(null, null, `generation \`${generation_id}\` is not in the ledger`)
  for await (const { generation_id, index } of retold(tx)) report(index, index, `what is kept of generation \`${generation_id}\` to be told again was changed`)
  return { entries: tree.size, root: hex(root(tree)), valid: problems.length === 0, problems }
}

/** Requests whose kept answer, or their own digest, is not the one that the entry of their generation digests. */
async function* retold(tx: Queryable): AsyncGenerator<{ readonly generation_id: string; readonly index: number | null }> {
  // What an older release has left is verified too.
  if ((await tx.query("select where to_regclass('public.generation_requests') is not null")).rowCount === 0) return
  for (let after = ''; ; ) {
    const { rows } = await tx.query<{ generation_id: string; request_digest: string; outcome: string; index: string | null; entry: string | null }>(
      `select r.generation_id, r.request_digest, r.outcome, e.index, e.entry from generation_requests r
       left join lateral (select index, entry from ledger_entries where subject = r.generation_id order by index limit 1) e on true
       where r.state = 'finished' and r.outcome is not null and r.generation_id > $1 order by r.generation_id limit 200`,
      [after],
    )
    for (const { generation_id, request_digest, outcome, index, entry } of rows) {
      if (!tellsOf(entry ?? '', { told: outcome, requestDigest: request_digest })) yield { generation_id, index: index === null ? null : Number(index) }
    }
    const end = rows.at(-1)
    if (end === undefined) return
    after = end.generation_id
  }
}

/** The checkpoints that are stored beside the ledger and that one of these keys signed. */
async function checkpoints(tx: Queryable, keys: readonly NoteKey[], report: (from: number | null, to: number | null, message: string) => void): Promise<readonly KnownState[]> {
  const { rows } = await tx.query<{ size: string; note: string }>('select size, note from ledger_checkpoints order by size')
  return rows.flatMap(({ size, note }) => {
    try {
      const checkpoint = openCheckpoint(note, keys, null)
      if (String(checkpoint.size) === size) return [checkpoint]
      report(null, null, `the checkpoint that is stored for ${size} entries is one for ${checkpoint.size}`)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      report(null, null, `the checkpoint that is stored for ${size} entries was changed: ${error.message}`)
    }
    return []
  })
}

type Entry = z.infer<typeof EntryRow>

/** An entry, null when it is none, with the body that it digests; `isWhole` is false when the body has something that its digest leaves out. */
type Page = { readonly row: Entry | null; readonly index: string; readonly generation: unknown; readonly isWhole: boolean }

async function* pages(tx: Queryable): AsyncGenerator<Page> {
  for (let after = '-1'; ; ) {
    const { rows } = await tx.query<Record<string, unknown> & { index: string }>(
      `select e.index, e.kind, e.at, e.subject, e.entry, e.leaf_hash, e.root, e.at = date_trunc('milliseconds', e.at) as is_exact,
              g.status = 'completed' and g.updated_at = g.created_at and g.created_at = date_trunc('milliseconds', g.created_at) as is_whole,
              ${GENERATION_COLUMNS.map((column) => `g.${column} as "g.${column}"`).join(', ')}
       from ledger_entries e left join policy_generations g on g.generation_id = e.subject
       where e.index > $1 order by e.index limit 200`,
      [after],
    )
    for (const row of rows) {
      const generation = row['g.generation_id'] === null ? null : Object.fromEntries(GENERATION_COLUMNS.map((column) => [column, row[`g.${column}`]]))
      yield { row: EntryRow.safeParse(row).data ?? null, index: row.index, generation, isWhole: row['is_whole'] === true }
    }
    const end = rows.at(-1)
    if (end === undefined) return
    after = end.index
  }
}

/** What is wrong with one entry by itself, and with the body it digests. */
function* inspect(row: Entry, entry: ReturnType<typeof readEntry>, body: unknown, isWhole: boolean): Generator<string> {
  if (entry === null) return yield 'the entry cannot be read'
  if (entry.kind !== row.kind || entry.at !== row.at.toISOString() || !row.is_exact || subjectOf(entry) !== row.subject) yield 'the columns beside the entry were changed'
  if (!row.kind.startsWith('generation.')) return
  const id = entry.subject['generation'] ?? row.subject
  if (body === null) return yield `generation \`${id}\` is missing`
  const parsed = GenerationRow.safeParse(body)
  const found = parsed.success ? digestsOf(parsed.data) : null
  if (!parsed.success || found === null) return yield `generation \`${id}\` cannot be read: it was changed`
  const names = [...new Set([...Object.keys(found), ...Object.keys(entry.digests)])].filter((name) => found[name] !== entry.digests[name])
  const parts = names.filter((name) => name !== 'generation')
  if (names.length > 0) yield `generation \`${id}\` was changed${parts.length > 0 ? ` (its ${parts.join(', ')})` : ''}`
  if (!isWhole) yield `generation \`${id}\` was changed (its status, updated_at or created_at)`
  if (`generation.${parsed.data.verdict}` !== entry.kind) yield `generation \`${id}\` has another verdict than its entry`
}

/** The digests that an entry about this row holds; null when the row has something that no row of ours has, e.g. a number beyond all doubles. */
function digestsOf(row: GenerationRow): { readonly [body: string]: string } | null {
  try {
    return {
      generation: digestOfRow(row), request: digest(row.request), evidence: digest(row.evidence),
      ...(row.certificate === null ? {} : { certificate: digest(row.certificate) }),
    }
  } catch (error) {
    if (error instanceof TypeError) return null // It has no canonical form.
    throw error
  }
}
