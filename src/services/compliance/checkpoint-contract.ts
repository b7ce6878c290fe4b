import { z } from 'zod'
import { route, type Endpoint, type Route } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'
import type { SignCheckpoint } from './checkpoint.ts'

const Digest = z.string().regex(/^[0-9a-f]{64}$/)
const Size = z.int().nonnegative()

export const SignedCheckpointReply = z.strictObject({
  origin: z.string().describe('Names the ledger, and the key that signs for it'),
  size: Size.describe('How many entries it is for'),
  root: Digest.describe('Of the RFC 6962 tree over the first `size` entries'),
  note: z.string().describe('The signed note, C2SP tlog-checkpoint: what is to be kept, and what tools for transparency logs read'),
})

export const postCheckpoint = {
  method: 'POST',
  path: '/api/v1/checkpoints',
  summary: 'A signed checkpoint for a ledger that continues the one signed last',
  description: 'For the platform. Answers 409 with `reason` previous, smaller or inconsistent and the last `checkpoint` when the tree does not continue it: nothing is signed then.',
  access: MAY.certify,
  audience: 'peers',
  body: z.strictObject({ size: Size, root: Digest, previous: Size.describe('The size of the last checkpoint; 0 for none'), consistency: z.array(Digest).max(128).describe('RFC 6962 consistency proof from `previous` to `size`') }),
  reply: SignedCheckpointReply,
  failures: ['CONFLICT', 'LEDGER_CORRUPT'],
} as const satisfies Endpoint

export function checkpointRoutes(sign: SignCheckpoint): Route[] {
  return [route(postCheckpoint, ({ body }) => sign(body))]
}
