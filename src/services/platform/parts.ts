import { probeCedar } from '#adapters/cedar/engine.ts'
import { join } from 'node:path'
import { ROOT, type Config } from '#config'
import { checkpointFileOf, noteFile } from '#adapters/checkpoint-file.ts'
import type { Examiner } from '#adapters/examiner.ts'
import { keysIn, keySetFile, publicKeysIn } from '#adapters/keys/certificate-key.ts'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { ledgerTree } from '#adapters/postgres/ledger-tree.ts'
import { guardLedger } from '#adapters/postgres/ledger.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { atStart } from '#adapters/postgres/unavailable.ts'
import type { Redis } from '#adapters/redis/connect.ts'
import type { Prover } from '#adapters/solver/prover.ts'
import { locatesKnownFault } from '#core/syndrome/decode.ts'
import type { Pack } from '#core/unit/pack.ts'
import type { Component } from '#http/health.ts'
import { openPool } from '#services/database.ts'
import { probeRedis } from '#services/redis.ts'
import type { SignCheckpoint } from '#services/compliance/checkpoint.ts'
import { readsKnownSentence, type Read } from '#services/synthesis/propose.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { watchBackups } from './backups.ts'
import { createCheckpoints } from './ledger-checkpoints.ts'
import type { LedgerUse } from './ledger-routes.ts'

/** Of a pool of their own: what says that this process still works must not wait behind the work. */
const HOLD_CONNECTIONS = 2

/**
 * The platform's database, migrated, whose ledger is signed by somebody else: what contradicts what was signed is not appended to.
 *
 * @throws {Failure} `DATABASE_UNAVAILABLE`; `KEY_INVALID`, `FILE_UNREADABLE` when it is not known whose checkpoints count.
 */
export async function openDatabase({ url, config, sign, telemetry, ending, signal }: {
  url: string
  config: Config
  sign: SignCheckpoint
  telemetry: Telemetry
  ending: (() => Promise<unknown>)[]
  /** Asks to give up starting. */
  signal?: AbortSignal
}): Promise<{ database: Database; holds: Database; ledger: LedgerUse; /** The database, and its backups where they are looked after. */ readonly watched: readonly Component[] }> {
  const keys = () => publicKeysIn(keySetFile(keysIn(config.service.dataFolder)))
  keys() // Whose checkpoints count must be known before anything is recorded.
  const { database: unguarded, component } = openPool({ url, name: 'platform', config, telemetry, ending })
  const migrations = readMigrations(join(ROOT, 'migrations'))
  await atStart(url, () => migrate(unguarded, migrations, 'public', undefined, signal))
  const holds = connect(url, { name: 'platform-holds', connectionsMax: HOLD_CONNECTIONS, connectTimeoutMs: config.database.connectTimeoutMs })
  ending.push(async () => holds[Symbol.asyncDispose]())
  telemetry.metrics.watchConnections('database', () => unguarded.connections() + holds.connections())
  const origin = config.audit.checkpointOrigin
  const tree = ledgerTree(unguarded)
  const checkpoints = createCheckpoints({ database: unguarded, tree, sign, keys, origin, file: noteFile(checkpointFileOf(config)), telemetry })
  const database = guardLedger(unguarded, checkpoints.known)
  await checkpoints.start()
  ending.push(() => checkpoints.close())
  const { backupFolder: folder, backupValidationHours: hours } = config.database
  const parts = { public: migrations, auth: readMigrations(join(ROOT, 'migrations', 'auth')) }
  const backups = folder === null ? null : watchBackups({ folder, hours, url, dataFolder: config.service.dataFolder, parts, known: checkpoints.known, keys, telemetry })
  if (backups !== null) ending.push(async () => backups[Symbol.asyncDispose]())
  return { database, holds, watched: [component, ...(backups === null ? [] : [backups.component])], ledger: { database, tree, checkpoints, keys, origin } }
}

/** What the platform needs within its own process, and how to see whether it is there. */
export function ownComponents({ redis, packs, examiner, prover, read }: { redis: Redis | null; packs: readonly Pack[]; examiner: Examiner; prover: Prover; read: Read }): readonly Component[] {
  const wellIf = (isWell: boolean, otherwise: string) => (isWell ? ({ status: 'healthy' } as const) : ({ status: 'unhealthy', detail: otherwise } as const))
  return [
    { name: 'cedar', isCritical: true, probe: probeCedar },
    { name: 'generation_engine', isCritical: true, probe: async () => wellIf(await readsKnownSentence(packs, examiner.parseSchema, read), 'a known sentence is not read') },
    { name: 'stabilizer_environment', isCritical: false, probe: () => prover.probe() },
    { name: 'diagnostic_engine', isCritical: false, probe: () => wellIf(locatesKnownFault(), 'a known fault is not located') },
    { name: 'cache_manager', isCritical: false, probe: async () => (examiner.remembers() ? probeRedis(redis) : { status: 'unhealthy', detail: 'does not return what it was given' }) },
    { name: 'solver', isCritical: false, probe: () => prover.probe() },
  ]
}
