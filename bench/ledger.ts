import { fileURLToPath } from 'node:url'
import { connect } from '#adapters/postgres/connect.ts'
import { ledgerTree } from '#adapters/postgres/ledger-tree.ts'
import { verifyLedger } from '#adapters/postgres/ledger-verify.ts'
import { append } from '#adapters/postgres/ledger.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { fillLedger } from '#test/fill-ledger.ts'
import { startTestServer } from '#test/server.ts'
import { summarize, time, type Result } from './measure.ts'

const ENTRIES = 100_000

/** Proofs and appends in a ledger of 100,000 entries: the first proof, which reads every hash, and those that follow. */
export async function run(): Promise<readonly Result[]> {
  const server = await startTestServer()
  try {
    await using db = connect(server.url, { name: 'bench' })
    await migrate(db, readMigrations(fileURLToPath(new URL('../migrations', import.meta.url))))
    await fillLedger(db, ENTRIES)
    const timed = async (name: string, n: number, work: (i: number) => Promise<unknown>) => summarize(`${ENTRIES} entries, ${name}`, 'ms', await time(n, 0, work))
    const tree = ledgerTree(db)
    return [
      await timed('first inclusion proof', 5, () => ledgerTree(db).inclusion(70_001, ENTRIES)),
      await timed('inclusion proof', 200, (n) => tree.inclusion((n * 7_919) % ENTRIES, ENTRIES)),
      await timed('consistency proof', 200, (n) => tree.consistency((n * 7_919) % ENTRIES, ENTRIES)),
      await timed('consistency proof of the last 50', 200, (n) => tree.consistency(ENTRIES - 50 - n, ENTRIES - n)),
      await timed('append', 200, (n) => db.transaction((tx) => append(tx, { kind: 'entities.changed', at: new Date().toISOString(), subject: { application: 'clinic', version: `${n}` }, digests: {} }))),
      await timed('verify', 1, () => verifyLedger(db)),
    ]
  } finally {
    await server.stop()
  }
}
