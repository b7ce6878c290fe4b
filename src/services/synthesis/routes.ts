import { normsOf, type Candidate } from '#core/synthesis/candidate.ts'
import { mayHideRule, type SemanticUnit } from '#core/unit/semantic-unit.ts'
import { route, type Route } from '#http/contract.ts'
import type { z } from 'zod'
import { getInfo, postSynthesize } from './contract.ts'
import { READERS } from './propose.ts'

export type Use = {
  readonly toUnit: (body: z.output<(typeof postSynthesize)['body']>) => SemanticUnit
  readonly propose: (unit: SemanticUnit) => Promise<readonly Candidate[]>
  readonly packs: readonly string[]
}

export function routes(use: Use): Route[] {
  return [
    route(postSynthesize, async ({ body }) => {
      const unit = use.toUnit(body)
      const candidates = await use.propose(unit)
      return {
        schema: unit.schema.text,
        candidates: candidates.map(({ method, readsText, lineage, cedar, readings }) => ({
          method,
          reads_text: readsText,
          lineage,
          cedar,
          readings: [...readings],
          norms: [...normsOf(readings)],
          unread: readings.flatMap((reading) =>
            reading.kind === 'unread' ? [{ sentence: reading.sentence, text: unit.sentences[reading.sentence - 1]?.text ?? '', because: reading.because, may_rule: mayHideRule(unit, reading.sentence) }] : [],
          ),
        })),
      }
    }),
    route(getInfo, () => ({
      methods: [...READERS.map(({ method, lineage }) => ({ method, reads_text: true, lineage })), { method: 'principles', reads_text: false, lineage: 'the articles of the principles named' }],
      models: [],
      packs: [...use.packs],
    })),
  ]
}
