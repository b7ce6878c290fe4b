import type { NoteStore } from '#adapters/checkpoint-file.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { isSignedByOthers, storeCheckpoint } from '#adapters/postgres/ledger-entries.ts'
import type { LedgerTree } from '#adapters/postgres/ledger-tree.ts'
import { contradiction, ledgerTip, type KnownState } from '#adapters/postgres/ledger.ts'
import { Failure } from '#core/failure.ts'
import { openCheckpoint, type SignedCheckpoint } from '#core/ledger/checkpoint.ts'
import type { NoteKey } from '#core/ledger/note.ts'
import type { Component, ProbeResult } from '#http/health.ts'
import type { SignCheckpoint } from '#services/compliance/checkpoint.ts'
import { checkpointSigned, ledgerAppended, type Telemetry } from '#telemetry/events.ts'

/** The platform's part in checkpoints: it has them signed, keeps them, and watches that the ledger goes on agreeing with them. */
export type Checkpoints = {
  /**
   * What appends must agree with: the newest checkpoint, once its signature was verified. For `guardLedger`.
   *
   * @throws {Failure} `LEDGER_CORRUPT` while it is not known who signs this ledger.
   */
  readonly known: () => KnownState | null
  /** The newest checkpoint; null as long as there is none. */
  readonly newest: () => SignedCheckpoint | null
  /** The newest checkpoint, after waiting for one of at least that size for as long as one can come within a second or two. */
  readonly covering: (size: number) => Promise<SignedCheckpoint | null>
  /** What was found at the last look. */
  readonly state: () => ProbeResult
  readonly component: Component
  /** Compares the database with the checkpoint outside of it, has the first one signed, and goes on while the ledger grows. */
  readonly start: () => Promise<void>
  /** A last checkpoint, and no more. */
  readonly close: () => Promise<void>
}

/**
 * @param file Where the newest checkpoint is kept outside of the database.
 * @param keys Whose signatures count, read each time, so that a new key counts at once. They may throw {Failure}.
 */
export function createCheckpoints({ database, tree, sign, keys, origin, file, telemetry, intervalMs = 1_000, now = () => new Date() }: {
  database: Database
  tree: LedgerTree
  sign: SignCheckpoint
  keys: () => readonly NoteKey[]
  origin: string
  file: NoteStore
  telemetry: Telemetry
  intervalMs?: number
  now?: () => Date
}): Checkpoints {
  let known: SignedCheckpoint | null = null
  /** Why nothing may be recorded, as long as nobody here knows who signs the ledger that is in the database. */
  let stranger: string | null = null
  let found: ProbeResult = { status: 'degraded', detail: 'not compared with a checkpoint yet' }
  /** What is in the file; undefined until it was read: one that cannot be believed is left there for people to look at. */
  let filed: string | null | undefined
  let hasAsked = false
  let entries = -1
  let timer: NodeJS.Timeout | undefined
  let isClosed = false
  let looking: Promise<void> = Promise.resolve()
  let waiting: (() => void)[] = []

  const look = async (): Promise<ProbeResult> => {
    if (filed === undefined) {
      const note = file.read()
      if (note !== null) known = openCheckpoint(note, keys(), origin)
      stranger = known === null && (await isSignedByOthers(database, keys())) ? BY_OTHERS : null
      if (stranger !== null) throw new Failure('LEDGER_CORRUPT', stranger)
      if (known !== null) await storeCheckpoint(database, known, now(), keys())
      filed = note
    }
    const tip = await ledgerTip(database)
    if (tip.size !== entries) ledgerAppended(telemetry, { entries: (entries = tip.size) })
    for (let previous = known; ; ) {
      const against = await speaksAgainst([known, previous])
      if (against !== null) return { status: 'unhealthy', detail: against }
      // Asked at the start in any case: whoever signs may remember more than the file does.
      if (known !== null && known.size >= tip.size && hasAsked) return await keep(known), { status: 'healthy' }
      const continued = await tree.consistency(previous?.size ?? 0, tip.size)
      if (continued === null) throw new Failure('LEDGER_CORRUPT', 'entries are missing')
      try {
        known = answered(await sign({ ...continued.to, previous: continued.from.size, consistency: continued.proof }), continued.to)
        hasAsked = true
      } catch (error) {
        const theirs = lastSigned(error)
        if (theirs === null || theirs.note === previous?.note) throw error
        // Whoever signs has signed another one: it counts as much as ours.
        previous = theirs
        if (known === null || theirs.size >= known.size) known = theirs
      }
    }
  }
  const speaksAgainst = async (states: readonly (KnownState | null)[]): Promise<string | null> => {
    for (const state of states) {
      const against = state === null ? null : await contradiction(database, state)
      if (against !== null) return `${against}; nothing more is recorded: run \`acgs ledger verify\``
    }
    return null
  }
  const lastSigned = (error: unknown): SignedCheckpoint | null => {
    const note = error instanceof Failure && error.code === 'CONFLICT' ? error.details['checkpoint'] : null
    return typeof note === 'string' ? openCheckpoint(note, keys(), origin) : null
  }
  const answered = ({ note }: SignedCheckpoint, wanted: KnownState): SignedCheckpoint => {
    const checkpoint = openCheckpoint(note, keys(), origin)
    if (checkpoint.size !== wanted.size || checkpoint.root !== wanted.root) throw new Failure('LEDGER_CORRUPT', 'what was signed is not what was asked for')
    return checkpoint
  }
  const keep = async (checkpoint: SignedCheckpoint): Promise<void> => {
    if (checkpoint.note === filed) return
    file.write(checkpoint.note)
    await storeCheckpoint(database, checkpoint, now(), keys())
    filed = checkpoint.note
    checkpointSigned(telemetry, { entries: checkpoint.size, at: now() })
  }

  const step = async (): Promise<void> => {
    try {
      found = await look()
    } catch (error) {
      const isBroken = error instanceof Failure && ['LEDGER_CORRUPT', 'CONFLICT', 'KEY_INVALID', 'FILE_UNREADABLE'].includes(error.code)
      const detail = error instanceof Failure ? error.message : 'no checkpoint could be made: see the log'
      if (!(error instanceof Failure) && found.detail !== detail) telemetry.log.error({ err: error }, 'checkpoint failed')
      found = { status: isBroken ? 'unhealthy' : 'degraded', detail }
    }
    const told = waiting
    waiting = []
    for (const tell of told) tell()
  }
  const next = () => (looking = looking.then(step))
  const again = () => {
    if (isClosed) return
    timer = setTimeout(() => void next().then(again), intervalMs)
    timer.unref()
  }

  return {
    known: () => {
      if (stranger !== null) throw new Failure('LEDGER_CORRUPT', stranger)
      return known
    },
    newest: () => known,
    state: () => found,
    component: { name: 'ledger', isCritical: false, probe: () => found },
    covering: async (size) => {
      const isThere = () => known !== null && known.size >= size
      // The look that is under way may have read the tip before; the one after has not.
      for (let looks = 0; looks < 2 && timer !== undefined && !isClosed && found.status === 'healthy' && !isThere(); looks++) await new Promise<void>((resolve) => waiting.push(resolve))
      return known
    },
    start: async () => {
      await next()
      again()
    },
    close: async () => {
      isClosed = true
      clearTimeout(timer)
      await next()
    },
  }
}

const BY_OTHERS = 'the ledger in this database was signed with keys that are not here, so nothing is recorded: start with the data folder that it belongs to, or add its public keys to `keys/certificate.jwks.json`'
