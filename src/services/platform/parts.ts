import { probeCedar } from '#adapters/cedar/engine.ts'
import { join } from 'node:path'
import { ROOT, type Config } from '#config'
import { checkpointFileOf, noteFile } from '#adapters/checkpoint-file.ts'
import type { Examiner } from '#adapters/examiner.ts'
import { keysIn, keySetFile, publicKeysIn } from '#adapters/keys/certificate-key.ts'
import { connect, type Database } from '#adapters/postgres/connect.ts'
import { ledgerTree } from '#adapters/postgres/ledger-tree.ts'
import { lockDataFolder } from '#adapters/postgres/data-lock.ts'
import { guardLedger } from '#adapters/postgres/ledger.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { atStart } from '#adapters/postgres/unavailable.ts'
import type { Redis } from '#adapters/redis/connect.ts'
import type { Prover } from '#adapters/solver/prover.ts'
import { Failure } from '#core/failure.ts'
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
import { watchReplicas } from './replicas.ts'

/** Of a pool of their own: what says that this process still works must not wait behind the work. */
const HOLD_CONNECTIONS = 2

/**
 * The platform's database, migrated, whose ledger is signed by somebody else: what contradicts what was signed is not appended to.
 *
 * @throws {Failure} `DATABASE_UNAVAILABLE`; `KEY_INVALID`, `FILE_UNREADABLE` when it is not known whose checkpoints count; `ALREADY_RUNNING` when
 *   another platform works on the same data folder; `CONFIG_INVALID` when one on the same database names its ledger otherwise.
 */
export async function openDatabase({ url, config, sign, telemetry, ending, signal }: {
  url: string
  config: Config
  sign: SignCheckpoint
  telemetry: Telemetry
  ending: (() => Promise<unknown>)[]
  /** Asks to give up starting. */
  signal?: AbortSignal
}): Promise<{ database: Database; holds: Database; ledger: LedgerUse; /** The database, who else works on it, and its backups where they are looked after. */ readonly watched: readonly Component[] }> {
  holdDataFolder(config, ending)
  const keys = () => publicKeysIn(keySetFile(keysIn(config.service.dataFolder)))
  keys() // Whose checkpoints count must be known before anything is recorded.
  const { database: unguarded, component } = openPool({ url, name: 'platform', config, telemetry, ending })
  const migrations = readMigrations(join(ROOT, 'migrations'))
  await atStart(url, () => migrate(unguarded, migrations, 'public', undefined, signal))
  // The embedded one is of this process alone.
  const replicas = config.database.url === null ? null : watchReplicas({ url, config, telemetry })
  if (replicas !== null) ending.push(async () => replicas[Symbol.asyncDispose]())
  await atStart(url, async () => replicas?.refuseOtherLedger())
  const holds = connect(url, { name: 'platform-holds', connectionsMax: HOLD_CONNECTIONS, connectTimeoutMs: config.database.connectTimeoutMs })
  ending.push(async () => holds[Symbol.asyncDispose]())
  telemetry.metrics.watchConnections('database', () => unguarded.connections() + holds.connections() + (replicas?.connections() ?? 0))
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
  return { database, holds, watched: [component, ...(replicas === null ? [] : [replicas.component]), ...(backups === null ? [] : [backups.component])], ledger: { database, tree, checkpoints, keys, origin } }
}

/**
 * Makes this platform the only one that works on its data folder, as the embedded database does by itself: of two, each would find the checkpoint of the
 * other half-written, or older than its own. Where the folder cannot be written, the ledger says so when it comes to that.
 *
 * @throws {Failure} `ALREADY_RUNNING`, naming the process.
 */
function holdDataFolder({ database, service }: Config, ending: (() => Promise<unknown>)[]): void {
  if (database.url === null) return
  try {
    const lock = lockDataFolder(service.dataFolder)
    ending.push(async () => lock.release())
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'ALREADY_RUNNING') throw error
  }
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
