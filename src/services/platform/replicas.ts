import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Config } from '#config'
import { connect } from '#adapters/postgres/connect.ts'
import { meetReplicas, type Replica } from '#adapters/postgres/replicas.ts'
import { Failure } from '#core/failure.ts'
import type { Component, ProbeResult } from '#http/health.ts'
import type { Telemetry } from '#telemetry/events.ts'

/** Names the ledger: with another one, what is recorded by the one is not believed by the other. */
const LEDGER = 'audit.checkpoint_origin'

/** What must be the same wherever the platform works on one database, or the same question is answered differently, or kept for another time. */
export function sharedSettings({ constitutional, generationEngine, diagnostic, audit }: Pick<Config, 'constitutional' | 'generationEngine' | 'diagnostic' | 'audit'>): Readonly<Record<string, string>> {
  const shared = {
    [LEDGER]: audit.checkpointOrigin,
    'constitutional.hash': constitutional.hash,
    'constitutional.compliance_threshold': constitutional.complianceThreshold,
    'constitutional.certificate_days': constitutional.certificateDays,
    'constitutional.bundle_days': constitutional.bundleDays,
    'generation_engine.proof_rlimit': generationEngine.proofRlimit,
    'generation_engine.idempotency_hours': generationEngine.idempotencyHours,
    'diagnostic.kept_days': diagnostic.keptDays,
  }
  return Object.fromEntries(Object.entries(shared).map(([name, value]) => [name, String(value)]))
}

/** Watches that the other platforms on this database have the same settings. */
export type Replicas = {
  /** Passes unless another one that runs keeps its ledger by another name. @throws {Failure} `CONFIG_INVALID`, naming both. */
  readonly refuseOtherLedger: () => Promise<void>
  readonly component: Component
  /** Of its own, open at present. */
  readonly connections: () => number
} & AsyncDisposable

/** @param url Of the database that they share. */
export function watchReplicas({ url, config, telemetry }: { url: string; config: Config; telemetry: Telemetry }): Replicas {
  const own: Replica = { id: randomUUID(), where: `${hostname()}:${process.pid}`, settings: sharedSettings(config) }
  // Its own connection: what was asked last on it is what the others see.
  const database = connect(url, { name: 'platform-replicas', connectionsMax: 1, connectTimeoutMs: config.database.connectTimeoutMs })
  let told: ReadonlySet<string> = new Set()

  const look = async (): Promise<ProbeResult> => {
    const found = (await meetReplicas(database, own)).flatMap((other) => differences(own, other))
    for (const { where, setting, here, there, sentence } of found) {
      if (!told.has(`${where} ${sentence}`)) telemetry.log.warn({ replica: where, setting, here, there }, sentence)
    }
    told = new Set(found.map(({ where, sentence }) => `${where} ${sentence}`))
    return found.length === 0 ? { status: 'healthy' } : { status: 'degraded', detail: [...new Set(found.map(({ sentence }) => sentence))].join('; ') }
  }

  return {
    refuseOtherLedger: async () => {
      const found = (await meetReplicas(database, own)).flatMap((other) => differences(own, other)).find(({ setting }) => setting === LEDGER)
      if (found === undefined) return
      throw new Failure('CONFIG_INVALID', `\`${LEDGER}\` is \`${found.here}\` here and \`${found.there}\` at ${found.where}, which works on the same database, and a ledger has one name: give this one the same, or stop that one first`)
    },
    component: {
      name: 'replicas', isCritical: false,
      probe: () => look().catch((error: unknown) => {
        if (error instanceof Failure) return { status: 'degraded', detail: 'it is not known while the database does not answer' }
        throw error
      }),
    },
    connections: database.connections,
    [Symbol.asyncDispose]: async () => database[Symbol.asyncDispose](),
  }
}

type Difference = { readonly where: string; readonly setting: string; readonly here: string; readonly there: string; readonly sentence: string }

/** Settings that only one of them knows are no difference: they are of two releases. */
function differences(own: Replica, { where, settings }: Replica): readonly Difference[] {
  return Object.entries(own.settings).flatMap(([setting, here]) => {
    const there = settings[setting]
    if (there === undefined || there === here) return []
    return [{ where, setting, here, there, sentence: `\`${setting}\` is ${here} here and ${there} at another replica on the same database: give all of them the same value, and restart those that are wrong` }]
  })
}
