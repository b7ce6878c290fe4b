import { parentPort, workerData } from 'node:worker_threads'
import { connect } from '#adapters/postgres/connect.ts'
import { validateBackup, type Validated } from '#adapters/postgres/backup.ts'
import type { Parts } from '#adapters/postgres/export.ts'
import type { KnownState } from '#adapters/postgres/ledger.ts'
import { Failure } from '#core/failure.ts'

/** A backup to try, and what it is compared with. */
export type Trial = { readonly file: string; readonly url: string; readonly dataFolder: string; readonly parts: Parts; readonly known: readonly KnownState[]; readonly keys: readonly Uint8Array[] }
/** `FILE_UNREADABLE` says that the backup is no good; any other failure that it could not be tried. */
export type Tried = { readonly found: Validated } | { readonly code: string; readonly because: string }

const port = parentPort
if (port === null) throw new Error('this module is the body of a worker thread')
const giveUp = new AbortController()
port.once('message', () => giveUp.abort())
port.postMessage(await tried(workerData as Trial, giveUp.signal))
port.close()

async function tried({ url, ...trial }: Trial, signal: AbortSignal): Promise<Tried> {
  try {
    await using live = connect(url, { name: 'validation', connectionsMax: 1 })
    return { found: await validateBackup({ ...trial, url, live, signal }) }
  } catch (error) {
    if (error instanceof Failure) return { code: error.code, because: error.message }
    return { code: 'INTERNAL', because: error instanceof Error ? error.message : String(error) }
  }
}
