import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { WEIGHTS } from '#core/syndrome/weights.ts'
import { readCorpora } from './read-corpora.ts'

/**
 * Sentences that versions of the product's own readers really got wrong, collected by having them read today's corpora (`read-corpora.ts`, laid into
 * the tree of each commit): what each said, what a person means, and what the other reader of the same version made of it.
 */
export const Natural = z.strictObject({
  because: z.string(),
  versions: z.array(z.strictObject({ commit: z.string(), sentences: z.int(), readings: z.strictObject({ right: z.int(), wrong: z.int(), unread: z.int() }) })),
  faults: z.array(z.strictObject({
    corpus: z.string(), text: z.string(), method: z.string(), versions: z.array(z.string()).min(1), said: z.string(), meant: z.string(),
    /** `alike`: the same rules; `otherwise`: other rules, right or wrong. */
    other: z.enum(['alike', 'otherwise', 'unread']),
  })),
})
export type Natural = z.infer<typeof Natural>

export type NaturalMeasured = {
  readonly versions: Natural['versions']
  readonly today: { readonly sentences: number; readonly readings: { readonly right: number; readonly wrong: number; readonly unread: number }; readonly wrong: readonly { readonly method: string; readonly text: string; readonly wrong: string }[] }
  /** Of the wrong readings: whether the other reader of that version said something else, nothing, or the same. */
  readonly other: { readonly alike: number; readonly otherwise: number; readonly unread: number }
  readonly faults: number
  /** Of sentences whose meaning was there first, as the decoder's weights have it. */
  readonly counted: readonly { readonly method: string; readonly read: number; readonly wrong: number }[]
}

export function readNatural(): Natural {
  return Natural.parse(JSON.parse(readFileSync(new URL('./natural.json', import.meta.url), 'utf8')))
}

export function measureNatural(): NaturalMeasured {
  const { versions, faults } = readNatural()
  const today = readCorpora()
  const count = (outcome: string) => today.filter((each) => each.outcome === outcome).length
  const alike = (wanted: string) => faults.filter(({ other }) => other === wanted).length
  return {
    versions, faults: faults.length, counted: WEIGHTS.readings.methods,
    today: { sentences: today.length / 2, readings: { right: count('right'), wrong: count('wrong'), unread: count('unread') }, wrong: today.flatMap(({ method, text, wrong }) => (wrong === null ? [] : [{ method, text, wrong }])) },
    other: { alike: alike('alike'), otherwise: alike('otherwise'), unread: alike('unread') },
  }
}
