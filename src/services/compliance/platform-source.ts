import { z } from 'zod'
import type { Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { EntityChanges } from '#core/revision/application.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import type { Call } from '#http/call.ts'
import { getEntities } from '#services/platform/application-contract.ts'
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
    changes: async (app, since) => {
      const upserted = new Map<string, CedarEntity>()
      const deleted = new Map<string, Uid>()
      let isWhole = false
      for (let cursor: string | undefined; ; ) {
        const page = await call(getEntities, { params: { app }, query: { since, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) } })
        if (page.is_whole) {
          upserted.clear()
          deleted.clear()
          isWhole = true
        }
        for (const entity of page.upserted.map((each): CedarEntity => Entity.parse(each))) {
          deleted.delete(uidText(entity.uid))
          upserted.set(uidText(entity.uid), entity)
        }
        for (const uid of page.deleted) {
          upserted.delete(uidText(uid))
          deleted.set(uidText(uid), uid)
        }
        if (page.next_cursor === null) return { version: page.version, isWhole, upserted: [...upserted.values()], deleted: isWhole ? [] : [...deleted.values()] } satisfies EntityChanges
        cursor = page.next_cursor
      }
    },
  }
}
