import { z } from 'zod'
import type { Uid } from '#core/policy/expression.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'

/** Names one application, as paths, ledger entries and bundles do: a vocabulary with a store of entities, for which one revision decides. */
export const ApplicationName = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'is not an application’s name: lower-case letters, digits and hyphens, beginning with a letter')

/** A vocabulary, and how far its entities and its decisions have come. */
export type Application = {
  readonly name: string
  readonly schema: { readonly text: string; readonly digest: string }
  /** Grows by one with every change of its entities; 0 while there never were any. */
  readonly entitiesVersion: number
  /** The number of the revision that decides; null: nothing does, and everything is denied. */
  readonly activeRevision: number | null
}

/** What happened to an application's entities since a version: what the decision point follows. */
export type EntityChanges = {
  /** The version that these lead to. */
  readonly version: number
  /** True: forget everything, what is here is all there is. */
  readonly isWhole: boolean
  readonly upserted: readonly CedarEntity[]
  readonly deleted: readonly Uid[]
}

/** One page of what happened; `next`: the cursor of the one after it, null on the last. What a later page says goes before what an earlier one said. */
export type ChangesPage = EntityChanges & { readonly next: string | null }

/** The page at a cursor; the first without one. */
export type ReadPage = (cursor: string | undefined) => Promise<ChangesPage>

/** How far the platform says that everything has come. */
export type Heads = {
  /** `bundleTag` is another text whenever there is another bundle; null: nothing is active. */
  readonly applications: readonly { readonly name: string; readonly bundleTag: string | null; readonly entitiesVersion: number }[]
  readonly revoked: readonly string[]
}
