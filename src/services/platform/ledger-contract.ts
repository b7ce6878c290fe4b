import { z } from 'zod'
import { LEDGER_KINDS } from '#core/ledger/entry.ts'
import type { Endpoint } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'
import { SignedCheckpointReply } from '#services/compliance/checkpoint-contract.ts'

const Digest = z.string().regex(/^[0-9a-f]{64}$/)
const Size = z.coerce.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const Tree = z.strictObject({ size: z.int(), root: Digest })
const Texts = z.record(z.string(), z.string())

const Entry = z.strictObject({
  index: z.int().describe('From 0, without gaps'),
  kind: z.string(),
  at: z.iso.datetime(),
  subject: Texts.describe('Ids, by noun'),
  digests: Texts.describe('SHA-256 of each body that the act is about'),
  entry: z.string().describe('Exactly the bytes that are hashed'),
  leaf_hash: Digest,
  root: Digest.describe('Of the tree that ends with this entry'),
})

const Proof = z.array(Digest).describe('RFC 6962, lowest first')

export const getLedgerEntries = {
  method: 'GET',
  path: '/api/v1/ledger/entries',
  summary: 'What was recorded, in its order, page by page',
  access: MAY.readLedger,
  query: z.strictObject({
    from: Size.default(0).describe('The number of the first entry'),
    limit: z.coerce.number().int().min(1).max(200).default(50),
    kind: z.enum(LEDGER_KINDS).optional().describe('Only entries of this kind'),
  }),
  reply: z.strictObject({ entries: z.array(Entry), next: z.int().nullable().describe('`from` of the next page'), size: z.int().describe('How many entries there are in all') }),
  failures: ['DATABASE_UNAVAILABLE', 'LEDGER_CORRUPT'],
} as const satisfies Endpoint

export const getLedgerCheckpoint = {
  method: 'GET',
  path: '/api/v1/ledger/checkpoint',
  summary: 'The newest signed checkpoint',
  description: 'One is signed at the start, at the end, and at most once a second while the ledger grows. Keep it: nothing of what it is for can be changed unseen any more.',
  access: MAY.readLedger,
  reply: SignedCheckpointReply,
  failures: ['NOT_FOUND'],
} as const satisfies Endpoint

export const getLedgerProof = {
  method: 'GET',
  path: '/api/v1/ledger/proof/{id}',
  summary: 'That entries are in the ledger: RFC 6962 inclusion proofs',
  description: 'For the entry of that number, or the newest 20 about a generation, a certificate or an application.',
  access: MAY.readLedger,
  params: z.strictObject({ id: z.string().max(200) }),
  query: z.strictObject({ size: Size.optional().describe('In the tree of how many entries; without it, that of the newest checkpoint') }),
  reply: z.strictObject({
    ...Tree.shape,
    checkpoint: SignedCheckpointReply.nullable().describe('The signed checkpoint of exactly this tree; null when there is none'),
    total: z.int().describe('How many entries are about it'),
    entries: z.array(z.strictObject({ index: z.int(), entry: z.string(), leaf_hash: Digest, proof: Proof })),
  }),
  failures: ['NOT_FOUND', 'DATABASE_UNAVAILABLE', 'LEDGER_CORRUPT'],
} as const satisfies Endpoint

export const getLedgerConsistency = {
  method: 'GET',
  path: '/api/v1/ledger/consistency',
  summary: 'That an earlier ledger is the beginning of a later one: an RFC 6962 consistency proof',
  access: MAY.readLedger,
  query: z.strictObject({ from: Size, to: Size.optional().describe('Without it, the size of the newest checkpoint') }),
  reply: z.strictObject({ from: Tree, to: Tree, proof: Proof }),
  failures: ['NOT_FOUND', 'DATABASE_UNAVAILABLE', 'LEDGER_CORRUPT'],
} as const satisfies Endpoint
