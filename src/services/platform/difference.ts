import { setImmediate } from 'node:timers/promises'
import type { Prover } from '#adapters/solver/prover.ts'
import { readApplication } from '#adapters/postgres/applications.ts'
import type { Database } from '#adapters/postgres/connect.ts'
import { storedEntities } from '#adapters/postgres/entities.ts'
import { counter } from '#core/decision/count-difference.ts'
import { differenceDocument, type EnvironmentDocument } from '#core/decision/difference-document.ts'
import { Failure } from '#core/failure.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import type { RevisionDifference } from './revision-contract.ts'

/** Whoever proposes waits for no longer; a set of two hundred rules of which a few are new takes a tenth of it. */
const WITHIN_MS = 2_000
/** More are not read into memory for a proposal. */
const ENTITIES_MAX = 20_000
/** Of one question; what it does not suffice for is open. */
const LIMITS = { rlimit: 2_000_000, timeoutMs: 1_000 }

/** What a policy that is proposed for an application changes. What cannot be told, in time or at all, is said; nothing is refused for it. */
export type Differ = (application: string, before: PolicySet, after: PolicySet, schema: Schema) => Promise<Omit<RevisionDifference, 'against'>>

/** @param diff As the command `acgs diff` asks it; here either engine suffices, since what is told decides nothing. */
export function createDiffer({ diff, database, withinMs = WITHIN_MS, entitiesMax = ENTITIES_MAX }: {
  diff: Prover['diff']; database: Database; withinMs?: number; entitiesMax?: number
}): Differ {
  return async (application, before, after, schema) => {
    const until = performance.now() + withinMs
    const goOn = async () => {
      await setImmediate() // Others get their turn.
      return performance.now() < until
    }
    try {
      const { isEquivalent, environments } = await diff(before, after, schema, { limits: LIMITS, agreement: 'either', goOn })
      const differing = environments.filter(({ parts }) => parts.length > 0)
      const counting = differing.length === 0 ? null : await startCounting(application, { before, after, schema, goOn })
      const documents: EnvironmentDocument[] = []
      for (const each of differing) documents.push(differenceDocument(each, (await counting?.count?.(each)) ?? null))
      return { equivalent: isEquivalent, environments: documents, compared: environments.length, entities: counting?.entities ?? null, unknown: null }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return notTold(error.message)
    }
  }

  /** Over the store as it is; `count` is null where there are too many entities or none. */
  async function startCounting(application: string, { before, after, schema, goOn }: { before: PolicySet; after: PolicySet; schema: Schema; goOn: () => Promise<boolean> }) {
    return database.transaction(async (tx) => {
      const stored = await readApplication(tx, application)
      if (stored === null) return null
      const entities = { version: stored.entitiesVersion, count: stored.entities }
      if (stored.entities === 0 || stored.entities > entitiesMax) return { entities, count: null }
      const store: CedarEntity[] = []
      for await (const some of storedEntities(tx, application)) store.push(...some)
      return { entities, count: counter(before, after, schema, store, 'decision-point', goOn) }
    }, 'snapshot')
  }
}

/** Why nothing is told of a difference. */
export function notTold(because: string): Omit<RevisionDifference, 'against'> {
  return { equivalent: null, environments: [], compared: 0, entities: null, unknown: because }
}
