import type { z } from 'zod'

import { canonical, digest, sha256, type Json } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import type { Generation } from '#core/generate.ts'
import { readEntry } from '#core/ledger/entry.ts'
import type { Queryable } from './connect.ts'
import { newestFirst } from './newest-first.ts'
import { digestOfRow, GENERATION_COLUMNS, GenerationRow } from './generation-row.ts'
import { append, type Receipt } from './ledger.ts'

export type { GenerationRow } from './generation-row.ts'

/** A generation in a list: everything but the long bodies. */
export type GenerationSummary = z.infer<typeof SummaryRow>

export type GenerationFilters = {
  readonly verdict?: GenerationRow['verdict']
  /** Id of an article that was violated. */
  readonly article?: string
  /** Id of a principle that the author named. */
  readonly principle?: string
  readonly priority?: GenerationRow['priority']
  /** Whose; without it, everybody's. */
  readonly userId?: string
  /** Created at or after. */
  readonly from?: Date
  /** Created before. */
  readonly to?: Date
  /** 1..200, 50 by default. */
  readonly limit?: number
  /** From the page before. */
  readonly cursor?: string
}

const SummaryRow = GenerationRow.omit({ policy_content: true, context: true, model_consensus_data: true, certificate: true, request: true, evidence: true })
/** The columns of type jsonb. */
const DOCUMENTS = new Set(['stakeholders', 'constitutional_principles', 'context', 'model_consensus_data', 'recommendations', 'certificate', 'request', 'evidence'])

/** A generation as JSON once it is written: nothing is left out but what its schema's text says again, and the certificate, which has a column of its own. */
export function evidenceOf({ certificate: _, ...generation }: Generation): Json {
  const { unit } = generation
  return { ...generation, unit: { ...unit, schema: { text: unit.schema.text, digest: unit.schema.digest } } } as unknown as Json
}

/**
 * Stores a generation whole and appends its digests to the ledger, both in the caller's transaction.
 *
 * @param told What its client is told, where that is kept to be told again.
 * @param send `tx.last`, where nothing comes after it.
 * @returns its place in the ledger; for a `generation_id` that is already stored, the place it has had since then, and nothing changes.
 * @throws {Failure} `REQUEST_MALFORMED` when a text holds U+0000 or half of a surrogate pair, which PostgreSQL cannot store.
 */
export async function recordGeneration(tx: Queryable, generation: GenerationRow, told: string | null = null, send = tx.query): Promise<Receipt> {
  const row = GenerationRow.parse(generation)
  const evidenceText = documentText('evidence', row.evidence)
  const evidenceDigest = sha256(evidenceText)
  const values = GENERATION_COLUMNS.map((column) => {
    if (column === 'evidence') return evidenceText
    const value = row[column]
    if (DOCUMENTS.has(column)) return value === null ? null : documentText(column, value as Json)
    return typeof value === 'string' ? plainText(column, value) : value
  })
  const inserted = await tx.query(
    `insert into policy_generations (${GENERATION_COLUMNS.join(', ')}, status)
     values (${GENERATION_COLUMNS.map((_, at) => `$${at + 1}`).join(', ')}, 'completed')
     on conflict (generation_id) do nothing`,
    values,
  )
  if (inserted.rowCount === 0) return readReceipt(tx, row.generation_id)

  const { generation_id, certificate_id, certificate, verdict, request, created_at } = row
  return append(tx, {
    kind: `generation.${verdict}`,
    at: created_at.toISOString(),
    subject: { generation: generation_id, ...(certificate_id === null ? {} : { certificate: certificate_id }), ...(told === null ? {} : { answer: sha256(told) }) },
    digests: {
      generation: digestOfRow(row, evidenceDigest),
      request: digest(request),
      evidence: evidenceDigest,
      ...(certificate === null ? {} : { certificate: digest(certificate) }),
    },
  }, send)
}

/** The newest first. `next` is the cursor of the page after this one; null on the last. */
export async function listGenerations(db: Queryable, filters: GenerationFilters = {}): Promise<{ generations: readonly GenerationSummary[]; next: string | null }> {
  const { rows: generations, next } = await newestFirst(db, { table: 'policy_generations', id: 'generation_id', row: SummaryRow }, [
    [filters.verdict, (p) => `verdict = ${p}`],
    [filters.article, (p) => `violated_articles @> array[${p}::text]`],
    [filters.principle, (p) => `constitutional_principles ? ${p}`],
    [filters.priority, (p) => `priority = ${p}`],
    [filters.userId, (p) => `user_id = ${p}`],
    [filters.from, (p) => `created_at >= ${p}`],
    [filters.to, (p) => `created_at < ${p}`],
  ], filters)
  return { generations, next }
}

/** One generation whole, with its place in the ledger; null when there is none of that id. */
export async function readGeneration(db: Queryable, generationId: string): Promise<(GenerationRow & { readonly ledger: Receipt }) | null> {
  if (generationId.includes('\0')) return null
  const { rows } = await db.query(`select ${GENERATION_COLUMNS.join(', ')} from policy_generations where generation_id = $1`, [generationId])
  if (rows[0] === undefined) return null
  return { ...GenerationRow.parse(rows[0]), ledger: await readReceipt(db, generationId) }
}

/** A generation's place in the ledger. @throws {Failure} `LEDGER_CORRUPT` when it has none. */
export async function readReceipt(db: Queryable, generationId: string): Promise<Receipt> {
  const { entry: _, ...receipt } = await readEntryOf(db, generationId)
  return receipt
}

async function readEntryOf(db: Queryable, generationId: string): Promise<Receipt & { readonly entry: string }> {
  const { rows } = await db.query<{ index: string; root: Buffer; entry: string }>('select index, root, entry from ledger_entries where subject = $1 order by index limit 1', [generationId])
  if (rows[0] === undefined) throw new Failure('LEDGER_CORRUPT', `generation \`${generationId}\` is not in the ledger; run \`acgs ledger verify\``)
  return { index: Number(rows[0].index), root: rows[0].root.toString('hex'), entry: rows[0].entry }
}

/**
 * The place in the ledger of a generation whose client is told again what was kept for that.
 *
 * @throws {Failure} `LEDGER_CORRUPT` when its entry digests another answer, or another request.
 */
export async function readReceiptOf(db: Queryable, generationId: string, { told, requestDigest }: { readonly told: string; readonly requestDigest: string }): Promise<Receipt> {
  const { entry, ...receipt } = await readEntryOf(db, generationId)
  if (!tellsOf(entry, { told, requestDigest })) {
    throw new Failure('LEDGER_CORRUPT', `what was kept of generation \`${generationId}\` to be told again is not what the ledger digests; run \`acgs ledger verify\``)
  }
  return receipt
}

/** Whether an answer that is kept for a request is the one that was given, as far as the entry of its generation says. */
export function tellsOf(entryText: string, { told, requestDigest }: { readonly told: string; readonly requestDigest: string }): boolean {
  const entry = readEntry(entryText)
  // Releases before this one have not named what they told.
  return entry !== null && entry.digests['request'] === requestDigest && (entry.subject['answer'] ?? sha256(told)) === sha256(told)
}

/** A JSON document as PostgreSQL stores it; refuses what would come back as something else. */
export function documentText(column: string, value: Json): string {
  const text = canonical(value)
  if (/(?<!\\)(\\\\)*\\u0000/.test(text)) throw unstorable(column)
  return text
}

function plainText(column: string, text: string): string {
  if (text.includes('\0') || !text.isWellFormed()) throw unstorable(column)
  return text
}

function unstorable(column: string): Failure {
  return new Failure('REQUEST_MALFORMED', `\`${column}\` holds a character that cannot be stored (U+0000, or half of a surrogate pair); remove it`)
}
