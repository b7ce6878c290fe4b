import { InvalidArgumentError, type Command } from 'commander'
import type { Config } from '#config'
import { checkpointFileOf, noteFile, signedCheckpointFileOf } from '#adapters/checkpoint-file.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { findEntries, proveEntries, readCheckpoint } from '#adapters/postgres/ledger-entries.ts'
import { ledgerTree } from '#adapters/postgres/ledger-tree.ts'
import { verifyLedger } from '#adapters/postgres/ledger-verify.ts'
import { ledgerTip, refuseWithoutLedger } from '#adapters/postgres/ledger.ts'
import { migrate } from '#adapters/postgres/migrate.ts'
import { Failure } from '#core/failure.ts'
import { openCheckpoint, type SignedCheckpoint } from '#core/ledger/checkpoint.ts'
import { readEntry } from '#core/ledger/entry.ts'
import { leafHash, verifyConsistency, verifyInclusion } from '#core/ledger/merkle.ts'
import { verifierKey, type NoteKey } from '#core/ledger/note.ts'
import { readOutside, trusted } from './checkpoints.ts'
import { allParts, configOf, onDatabase, problemLines, withTarget, type DatabaseOptions } from './ops-database.ts'
import { EXIT, finish, newGroup, progress, type Answer } from './terminal.ts'

type Options = DatabaseOptions & { size?: number }

export function command(): Command {
  return newGroup('ledger', 'the audit ledger, in which every act leaves an entry', './acgs ledger verify')
    .addCommand(reading('verify', 'recompute the ledger and compare it with what is stored, with the bodies it digests, and with signed checkpoints', './acgs ledger verify')
      .option('--checkpoint <file>', 'a signed checkpoint that was kept; without it, those in the data folder')
      .action(async (options: Options) => finish(await verify(options), options)))
    .addCommand(reading('checkpoint', 'the newest signed checkpoint, after comparing it with the ledger: keep it elsewhere', './acgs ledger checkpoint > checkpoint')
      .action(async (options: Options) => finish(await checkpoint(options), options)))
    .addCommand(reading('proof', 'that entries are in the ledger: an inclusion proof for each, verified', './acgs ledger proof 0')
      .argument('<id>', 'the number of an entry, or the id of a generation, a certificate or an application')
      .option('--size <n>', 'in the tree of how many entries; without it, that of the newest checkpoint', wholeNumber)
      .action(async (id: string, options: Options) => finish(await proof(id, options), options)))
    .addCommand(reading('consistency', 'that the ledger of today begins with an earlier one: a consistency proof, verified', './acgs ledger consistency checkpoint')
      .argument('<earlier>', 'a signed checkpoint that was kept, a file; or a number of entries')
      .option('--size <n>', 'in the tree of how many entries; without it, that of the newest checkpoint', wholeNumber)
      .action(async (earlier: string, options: Options) => finish(await consistency(earlier, options), options)))
}

function reading(name: string, what: string, example: string): Command {
  return onDatabase(name, what, example).option('--trust <keys>', 'public keys whose checkpoints count; without it, those of the data folder')
}

const SHORTER = 'restore a newer backup; where there is none, go on as docs/concepts/ledger.md says (“When entries are lost for good”)'

async function verify(options: Options): Promise<Answer> {
  const config = configOf(options)
  const keys = trusted(config, options)
  progress('reading the ledger …', options)
  // Before the database is read: what is signed meanwhile would be for entries that its snapshot does not have.
  const outside = options.checkpoint === undefined ? [checkpointFileOf(config), signedCheckpointFileOf(config)] : [options.checkpoint]
  const { found, problems } = keys === null ? { found: [], problems: [] } : readOutside(outside, keys, config, options.checkpoint !== undefined)
  const report = await withLedger(options, async (db) => {
    if (keys !== null && found.length === 0 && problems.length === 0 && config.database.url === null && (await readCheckpoint(db, keys, config.audit.checkpointOrigin, 'newest')) !== null) {
      problems.push({ from: null, to: null, message: `checkpoints were signed, and neither ${outside.join(' nor ')} is there: it was removed` })
    }
    return verifyLedger(db, found, keys)
  })
  const all = [...report.problems, ...problems]
  const compared = found.map(({ file, size, root }) => ({ file, size, root }))
  const notice = keys === null ? `there are no keys to check signed checkpoints with: give them with --trust`
    : found.length === 0 ? 'not compared with a checkpoint outside of the database: a rewrite of everything would not show; give one with --checkpoint'
    : `agrees with the signed checkpoints in ${compared.map(({ file, size }) => `${file} (${size})`).join(' and ')}`
  const text = all.length === 0
    ? `valid: ${report.entries} entries, root ${report.root}\n${notice}`
    : [`not valid: ${report.entries} entries`, ...problemLines(all), ...(found.some(({ size }) => size > report.entries) ? [SHORTER] : [])].join('\n')
  return { json: { ...report, valid: all.length === 0, problems: all, compared }, text, exit: all.length === 0 ? EXIT.yes : EXIT.no }
}

async function checkpoint(options: Options): Promise<Answer> {
  const config = configOf(options)
  const keys = needed(trusted(config, options), config)
  return withLedger(options, async (db) => {
    const newest = await newestOf(db, keys, config)
    if (newest === null) throw new Failure('NOT_FOUND', 'there is no signed checkpoint of this ledger: start the product, which has one signed at once')
    const { origin, size, root, note } = newest
    progress('recomputing the tree …', options)
    const against = (await ledgerTip(db)).size < size ? 'the ledger has fewer entries' : (await ledgerTree(db).recomputeRoot(size)) === root ? null : 'the entries lead to another root'
    const json = { origin, size, root, note, valid: against === null, verifier_keys: keys.map((key) => verifierKey(origin, key)) }
    if (against !== null) return { json, text: '', error: `the checkpoint for ${size} entries contradicts the ledger: ${against}; run ./acgs ledger verify`, exit: EXIT.no }
    return { json, text: note.slice(0, -1), exit: EXIT.yes }
  })
}

async function proof(id: string, options: Options): Promise<Answer> {
  const config = configOf(options)
  const keys = needed(trusted(config, options), config)
  return withLedger(options, async (db) => {
    const { total, indexes } = await findEntries(db, id)
    const [last] = indexes
    if (last === undefined) throw new Failure('NOT_FOUND', `nothing in the ledger is about \`${id}\`: give the number of an entry, or the id of a generation, a certificate or an application`)
    const newest = options.size === undefined ? await newestOf(db, keys, config) : null
    const size = options.size ?? (newest !== null && newest.size > last ? newest.size : (await ledgerTip(db)).size)
    const signed = newest?.size === size ? newest : await readCheckpoint(db, keys, config.audit.checkpointOrigin, size)
    const proofs = await proveEntries(ledgerTree(db), indexes, size)
    const [{ root } = { root: '' }] = proofs
    if (proofs.length === 0) throw new Failure('NOT_FOUND', `the first ${size} entries of the ledger have nothing about \`${id}\`, or are fewer`)
    // What is printed is verified once more, from the bytes that are printed and under the root that was signed.
    const wanted = Buffer.from(signed?.root ?? root, 'hex')
    const isRight = proofs.every(({ index, entry, proof: path }) => verifyInclusion({ leaf: leafHash(entry), index, size, root: wanted, proof: path.map((hash) => Buffer.from(hash, 'hex')) }))
    const json = {
      size, root: wanted.toString('hex'), valid: isRight, total, checkpoint: signed,
      entries: proofs.map(({ index, entry, leafHash: leaf, proof: path }) => ({ index, entry, leaf_hash: leaf, proof: path })),
    }
    if (!isRight) return { json, text: '', error: `the entries are not in the tree that was signed for ${size} entries: run ./acgs ledger verify`, exit: EXIT.no }
    const lines = proofs.flatMap(({ index, entry, proof: path }) => {
      const { kind = '', at = '' } = readEntry(entry) ?? {}
      return [`entry ${index} (${kind}, ${at}) is in the ledger`, `  ${entry}`, `  leaf ${leafHashText(entry)}`, ...path.map((hash, step) => `  ${String(step + 1).padStart(4)} ${hash}`)]
    })
    const more = total > proofs.length ? [`${total - proofs.length} more entries are about it, older or not yet in this tree`] : []
    const under = signed === null ? `root ${root} of ${size} entries, for which no checkpoint was signed` : `root ${signed.root} of ${size} entries, signed as ${signed.origin}`
    return { json, text: [...lines, ...more, under].join('\n'), exit: signed === null ? EXIT.undetermined : EXIT.yes }
  })
}

async function consistency(earlier: string, options: Options): Promise<Answer> {
  const config = configOf(options)
  const keys = needed(trusted(config, options), config)
  const kept = /^\d{1,15}$/.test(earlier) ? null : readKept(earlier, keys, config)
  const from = kept?.size ?? Number(earlier)
  return withLedger(options, async (db) => {
    const newest = options.size === undefined ? await newestOf(db, keys, config) : null
    const size = options.size ?? (newest !== null && newest.size >= from ? newest.size : (await ledgerTip(db)).size)
    const signed = newest?.size === size ? newest : await readCheckpoint(db, keys, config.audit.checkpointOrigin, size)
    const found = from > size ? null : await ledgerTree(db).consistency(from, size)
    if (found === null) throw new Failure('NOT_FOUND', `the ledger has ${(await ledgerTip(db)).size} entries, so that a tree of ${Math.max(from, size)} cannot be proved: run ./acgs ledger verify when it once had more`)
    // Verified from what was kept and what was signed, not from what the database says of itself.
    const [before, after] = [{ size: from, root: kept?.root ?? found.from.root }, { size, root: signed?.root ?? found.to.root }]
    const bytes = (hash: string) => Buffer.from(hash, 'hex')
    const isRight = verifyConsistency({ before: { size: before.size, root: bytes(before.root) }, after: { size: after.size, root: bytes(after.root) }, proof: found.proof.map(bytes) })
    const json = { valid: isRight, from: before, to: after, proof: found.proof, checkpoint: signed }
    if (!isRight) return { json, text: '', error: `the ledger of ${size} entries does not begin with that of ${from}: run ./acgs ledger verify`, exit: EXIT.no }
    const under = signed === null ? 'for which no checkpoint was signed' : `signed as ${signed.origin}`
    const lines = [`the ledger of ${size} entries begins with that of ${from}`, `  from ${before.root}`, `  to   ${after.root}, ${under}`, ...found.proof.map((hash, step) => `  ${String(step + 1).padStart(4)} ${hash}`)]
    return { json, text: lines.join('\n'), exit: signed === null ? EXIT.undetermined : EXIT.yes }
  })
}

function readKept(file: string, keys: readonly NoteKey[], config: Config): SignedCheckpoint {
  const note = noteFile(file).read()
  if (note === null) throw new Failure('FILE_UNREADABLE', `there is no file \`${file}\`: name a checkpoint that was kept, or a number of entries`)
  return openCheckpoint(note, keys, config.audit.checkpointOrigin)
}

/** The newest checkpoint that is known anywhere and that a trusted key signed. */
async function newestOf(db: Database, keys: readonly NoteKey[], config: Config): Promise<SignedCheckpoint | null> {
  const { found } = readOutside([checkpointFileOf(config), signedCheckpointFileOf(config)], keys, config, false)
  const stored = await readCheckpoint(db, keys, config.audit.checkpointOrigin, 'newest')
  return [...found, ...(stored === null ? [] : [stored])].toSorted((a, b) => b.size - a.size)[0] ?? null
}

function needed(keys: readonly NoteKey[] | null, config: Config): readonly NoteKey[] {
  if (keys !== null) return keys
  throw new Failure('FILE_UNREADABLE', `there are no keys to trust in ${config.service.dataFolder}: give the public keys with --trust KEYS.json, or the data folder with --data`)
}

function leafHashText(entry: string): string {
  return Buffer.from(leafHash(entry)).toString('hex')
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('it is not a whole number')
  return Number(text)
}

/** Does the work with the configured database, brought up to date. @throws {Failure} `NOT_FOUND` where there is none, or no ledger in it. */
function withLedger<T>(options: Options, work: (db: Database) => Promise<T>): Promise<T> {
  return withTarget(options, false, async ({ db }) => {
    await refuseWithoutLedger(db)
    await migrate(db, allParts().public)
    return work(db)
  })
}
