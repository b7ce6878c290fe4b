import { z } from 'zod'
import { ApplicationName } from './application.ts'

const Of = { application: ApplicationName, revision: z.int().positive(), at: z.iso.datetime() }

/** What the decision point has to tell of a revision, for the ledger, which it cannot reach itself. */
export const Notice = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('revision.disagreed').describe('Cedar’s engine decides otherwise than what was answered: it decides from now on'), ...Of, fixture: z.string().regex(/^[0-9a-f]{64}$/).describe('SHA-256 of what was written out') }),
  z.strictObject({ kind: z.literal('revision.released').describe('The evaluator decides again'), ...Of, by: z.string().min(1).max(255) }),
])
export type Notice = z.infer<typeof Notice>
