import { readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'
import { recognized } from '#adapters/postgres/backup.ts'
import { connect } from '#adapters/postgres/connect.ts'
import type { Parts } from '#adapters/postgres/export.ts'
import type { KnownState } from '#adapters/postgres/ledger.ts'
import { Failure } from '#core/failure.ts'
import type { Component, ProbeResult } from '#http/health.ts'
import { backupValidated, backupsSeen, type Telemetry } from '#telemetry/events.ts'
import type { BackupResult, BackupState } from '#telemetry/metrics.ts'
import type { Trial, Tried } from './backup-worker.ts'

/** Whoever holds this advisory lock tries a backup; replicas leave it to each other. */
const LOCK = 0x62616370 // 'bacp'
const HOUR_MS = 3_600_000
/** A file that grew a moment ago is still being written. */
const SETTLED_MS = 60_000
/** What could not be tried is tried again after so long. */
const RETRY_MS = HOUR_MS
/** How long a trial that is given up may take to remove what it has made. */
const GIVE_UP_MS = 10_000
const NOTED = '.validated.json'
/** Clocks of replicas may be apart; a note from further ahead is none. */
const FUTURE_MS = 5 * 60_000

/** What came of trying a backup, kept beside it: whoever shares the folder need not try it again. */
const Note = z.object({
  at: z.iso.datetime(), bytes: z.int(), written_at: z.iso.datetime(), result: z.enum(['valid', 'invalid', 'failed']), entries: z.int().nullable(), because: z.string().nullable(),
})
type Note = z.infer<typeof Note>

type Newest = { readonly file: string; readonly bytes: number; readonly writtenAt: Date }

/** Watches a folder of backups: the newest is restored into a scratch database and verified, when it comes and then again and again. */
export type Backups = AsyncDisposable & {
  readonly component: Component
  /** Looks now, and tries what is due. */
  readonly look: () => Promise<void>
}

/**
 * @param known What the ledger is known to be, outside of the database. @param keys Whose checkpoints count.
 * @param tryOne Tries one backup; in a thread of its own by default, since verifying keeps it busy.
 */
export function watchBackups({ folder, hours, url, dataFolder, parts, known, keys, telemetry, now = () => new Date(), intervalMs = 60_000, settledMs = SETTLED_MS, tryOne = tryInThread }: {
  folder: string
  hours: number
  url: string
  dataFolder: string
  parts: Parts
  known: () => KnownState | null
  keys: () => readonly Uint8Array[]
  telemetry: Telemetry
  now?: () => Date
  intervalMs?: number
  settledMs?: number
  tryOne?: (trial: Trial, signal: AbortSignal) => Promise<Tried>
}): Backups {
  /** Where the folder may not be written, what came of it is remembered here alone. */
  const remembered = new Map<string, Note>()
  const stopping = new AbortController()
  let found: ProbeResult = { status: 'degraded', detail: 'not looked at yet' }
  let looking: Promise<void> = Promise.resolve()

  const noteOf = ({ file, bytes, writtenAt }: Newest): Note | null => {
    const isOf = (each: Note | null) => each !== null && each.bytes === bytes && each.written_at === writtenAt.toISOString() && Date.parse(each.at) <= now().getTime() + FUTURE_MS
    const note = [readNote(`${file}${NOTED}`), remembered.get(file) ?? null].find(isOf)
    return note ?? null
  }
  const isDue = (note: Note | null) => note === null || now().getTime() - Date.parse(note.at) >= (note.result === 'failed' ? Math.min(RETRY_MS, hours * HOUR_MS) : hours * HOUR_MS)
  const keep = (file: string, note: Note): void => {
    remembered.set(file, note)
    try {
      const draft = `${file}${NOTED}.new-${process.pid}`
      writeFileSync(draft, `${JSON.stringify(note, null, 2)}\n`, { mode: 0o600 })
      renameSync(draft, `${file}${NOTED}`)
    } catch (error) {
      telemetry.log.debug({ err: error }, 'what came of trying a backup is not kept beside it')
    }
  }
  const show = (newest: Newest | null, note: Note | null, newer: string | null): void => {
    const state: BackupState = newest === null ? 'missing' : note === null || note.result === 'failed' ? 'untried' : note.result
    backupsSeen(telemetry, { state, writtenAt: newest?.writtenAt ?? null, validatedAt: note !== null && note.result !== 'failed' ? new Date(note.at) : null })
    const isWell = note === null || note.result === 'valid'
    found = newer !== null && isWell ? { status: 'degraded', detail: `${newer} is the newest file in the folder and no backup: look whether it was one, and move it elsewhere if not` }
      : newest === null ? { status: 'degraded', detail: 'there is no backup in the configured folder' }
      : note === null ? { status: 'healthy', detail: `${basename(newest.file)} is not tried yet` }
      : note.result === 'valid' ? { status: 'healthy', detail: `${basename(newest.file)}: ${note.entries} ledger entries, restored and verified at ${note.at}` }
      : { status: note.result === 'invalid' ? 'unhealthy' : 'degraded', detail: `${basename(newest.file)} ${note.result === 'invalid' ? 'is not valid' : 'could not be tried'}: see the log` }
  }

  const validate = async (newest: Newest): Promise<void> => {
    const started = performance.now()
    const state = known()
    const tried = await tryOne({ file: newest.file, url, dataFolder, parts, known: state === null ? [] : [{ size: state.size, root: state.root }], keys: keys() }, stopping.signal)
    if (stopping.signal.aborted) return
    const result: BackupResult = 'found' in tried ? (tried.found.valid ? 'valid' : 'invalid') : tried.code === 'FILE_UNREADABLE' ? 'invalid' : 'failed'
    const because = 'found' in tried ? (tried.found.problems[0]?.message ?? null) : tried.because
    const entries = 'found' in tried ? tried.found.entries : null
    keep(newest.file, { at: now().toISOString(), bytes: newest.bytes, written_at: newest.writtenAt.toISOString(), result, entries, because })
    backupValidated(telemetry, { file: basename(newest.file), result, entries, because, seconds: (performance.now() - started) / 1000 })
  }

  const look = async (): Promise<void> => {
    const { newest, newer } = newestIn(folder, now().getTime() - settledMs)
    if (newest !== null && isDue(noteOf(newest))) {
      show(newest, noteOf(newest), newer)
      await using db = connect(url, { name: 'validation', connectionsMax: 1 })
      await db.transaction(async (tx) => {
        const { rows } = await tx.query<{ mine: boolean }>('select pg_try_advisory_xact_lock($1) as mine', [LOCK])
        // Another replica may have tried it while we looked.
        if (rows[0]?.mine === true && isDue(noteOf(newest))) await validate(newest)
      })
    }
    show(newest, newest === null ? null : noteOf(newest), newer)
  }
  const step = () => (looking = looking.then(look).catch((error: unknown) => {
    if (stopping.signal.aborted) return
    telemetry.log.warn({ err: error }, 'the folder of backups could not be looked at')
    found = { status: 'degraded', detail: error instanceof Failure ? error.message : 'the folder of backups could not be looked at' }
  }))
  const timer = setInterval(() => void step(), intervalMs)
  timer.unref()
  void step()

  return {
    component: { name: 'backups', isCritical: false, probe: () => found },
    look: step,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      stopping.abort()
      await looking
    },
  }
}

/** The newest backup that nobody writes to any more; one that was cut off counts as one. `newer`: a file that is newer and none, which may have been one. */
function newestIn(folder: string, before: number): { readonly newest: Newest | null; readonly newer: string | null } {
  let names: readonly string[]
  try {
    names = readdirSync(folder)
  } catch (cause) {
    throw new Failure('FILE_UNREADABLE', 'the folder of backups cannot be read: see database.backup_folder', { cause })
  }
  const files = names.filter((name) => !NOT_BACKUPS.test(name)).flatMap((name): Newest[] => {
    const file = join(folder, name)
    const stat = statSync(file, { throwIfNoEntry: false })
    return stat?.isFile() === true && stat.mtimeMs <= before ? [{ file, bytes: stat.size, writtenAt: stat.mtime }] : []
  })
  const byAge = files.toSorted((a, b) => b.writtenAt.getTime() - a.writtenAt.getTime())
  const at = byAge.findIndex(({ file, bytes }) => isBackup(file, bytes))
  return { newest: byAge[at] ?? null, newer: at === 0 || byAge[0] === undefined ? null : basename(byAge[0].file) }
}

/** What stands beside backups, the runbook's copies of the configuration and the environment among it. */
const NOT_BACKUPS = /\.(sha256|json|ya?ml|txt|md)$|\.validated\.json\.new-\d+$|\.partial-\d+$/

function isBackup(file: string, bytes: number): boolean {
  if (bytes === 0) return true // What a full disk leaves.
  try {
    return recognized(file) !== null
  } catch {
    return false // What cannot be read is nobody's backup.
  }
}

function readNote(file: string): Note | null {
  try {
    return Note.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data ?? null
  } catch {
    return null
  }
}

async function tryInThread(trial: Trial, signal: AbortSignal): Promise<Tried> {
  const worker = new Worker(new URL('./backup-worker.ts', import.meta.url), { workerData: trial })
  return new Promise((resolve) => {
    const end = (tried: Tried) => {
      signal.removeEventListener('abort', abort)
      resolve(tried)
    }
    const abort = () => {
      worker.postMessage('give up') // It removes its scratch database, whose server may be one of its own.
      setTimeout(() => void worker.terminate(), GIVE_UP_MS).unref()
    }
    signal.addEventListener('abort', abort, { once: true })
    worker.once('message', end)
    worker.once('error', (error: Error) => end({ code: 'INTERNAL', because: error.message }))
    worker.once('exit', () => end({ code: 'INTERNAL', because: 'the thread that tried it has ended' }))
  })
}
