import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { certificateKeyIn, keysIn } from '#adapters/keys/certificate-key.ts'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { ledgerTip } from '#adapters/postgres/ledger.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { signCheckpoint } from '#core/ledger/checkpoint.ts'
import { fillDatabase } from './fill-database.ts'
import { runAcgs } from './product.ts'
import { temporaryFolder } from './server.ts'

const ORIGIN = 'acgs-pgp-v8'

/** A folder for backups of a test, and what is kept outside of a database: the keys whose checkpoints count, and the newest checkpoint. */
export type BackupFolder = ReturnType<typeof backupFolder>

export function backupFolder() {
  const folder = temporaryFolder()
  const outside = join(folder, 'outside')
  const signer = certificateKeyIn(keysIn(outside))
  const keep = async (db: Database): Promise<void> => {
    mkdirSync(join(outside, 'ledger'), { recursive: true })
    writeFileSync(join(outside, 'ledger', 'checkpoint'), signCheckpoint({ origin: ORIGIN, ...(await ledgerTip(db)) }, signer).note)
  }
  return {
    folder, outside, backups: join(folder, 'backups'),
    /** Keeps the checkpoint of now outside of the database. */
    keep,
    /** Brings an empty database up to date, puts something into every table, and keeps its checkpoint. */
    fill: (url: string) => on(url, async (db) => {
      await migrate(db, readMigrations('migrations'))
      await migrate(db, readMigrations('migrations/auth'), 'auth')
      await fillDatabase(db, { signer })
      await keep(db)
    }),
    /** A new data folder with what is kept outside. */
    dataFolder: (name: string): string => {
      const data = join(folder, name)
      cpSync(outside, data, { recursive: true })
      return data
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
    /** `./acgs ops …` on a database, or on the embedded one of a data folder. */
    ops: async (args: readonly string[], { url = '', data = outside }: { url?: string; data?: string } = {}) => {
      const { status, stdout, stderr } = await runAcgs(['ops', ...args, '--data', data], { DATABASE_URL: url })
      return { status, text: stdout, said: stderr, json: () => JSON.parse(stdout) as any }
    },
  }
}

export async function on<T>(url: string, work: (db: Database) => Promise<T>): Promise<T> {
  await using db = connect(url, { name: 'test', connectionsMax: 3 })
  return await work(db)
}
