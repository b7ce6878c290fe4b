import { z } from 'zod'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import type { Call } from '#http/call.ts'
import type { Notice } from '#core/revision/notice.ts'
import { getEntities } from '#services/platform/application-contract.ts'
import { postNotice } from '#services/platform/notice-contract.ts'
import { getBundle, getHeads } from '#services/platform/revision-contract.ts'
import type { Source } from './follow.ts'

const UidShape = z.strictObject({ type: z.string(), id: z.string() })
/** Its values were read by the schema where it was put; here it only has to be an entity. */
const Entity = z.looseObject({ uid: UidShape, attrs: z.record(z.string(), z.unknown()), parents: z.array(UidShape) })

const PAGE = 1_000

/** The platform as a source of bundles and entities, asked over HTTP. */
export function platformSource(call: Call): Source {
  return {
    heads: () => call(getHeads, {}),
    bundle: async (app) => (await call(getBundle, { params: { app } })).bundle,
    changes: (app, since) => async (cursor) => {
      const page = await call(getEntities, { params: { app }, query: { since, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) } })
      return { version: page.version, isWhole: page.is_whole, upserted: page.upserted.map((each): CedarEntity => Entity.parse(each)), deleted: page.deleted, next: page.next_cursor }
    },
  }
}

/** Tells the platform what belongs into its ledger. */
export function tellPlatform(call: Call): (notice: Notice) => Promise<unknown> {
  return (notice) => call(postNotice, { body: notice })
}
