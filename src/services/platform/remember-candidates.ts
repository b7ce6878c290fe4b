import { hkdfSync, randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Config } from '#config'
import { createCache, type ByteStore } from '#adapters/cache.ts'
import type { ConstitutionInForce } from '#adapters/constitution.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { CandidateBody, refuseForeign } from '#core/evidence.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { READERS } from '#services/synthesis/propose.ts'
import { cacheOperated, type Telemetry } from '#telemetry/events.ts'

type Propose = (unit: SemanticUnit, bound: readonly BoundArticle[]) => Promise<readonly Candidate[]>

/**
 * The same candidates, read once for each text: reading takes most of the time that a generation takes, and who corrects a title or adds an
 * example sends the same sentences again.
 *
 * Proofs, verdicts and certificates are never remembered here; whoever certifies apart reads the text again for itself.
 *
 * @param basis All that candidates depend on besides the text: the constitution's digest, the release, the readers.
 */
export function rememberCandidates({ propose, basis, config, databaseUrl, store, telemetry }: {
  propose: Propose
  basis: { readonly constitution: string; readonly release: string; readonly readers: readonly string[] }
  config: () => Config
  databaseUrl: string
  store: ByteStore | null
  telemetry: Telemetry
}): Propose {
  const cache = createCache<readonly Candidate[]>({
    kind: 'candidates', basis, store, secret: secretOf(databaseUrl),
    ttlMs: () => config().caching.candidatesTtlSeconds * 1000, bytesMax: config().caching.memoryBytesMax,
    write: JSON.stringify, read: (text) => z.array(CandidateBody).parse(JSON.parse(text)),
    observed: ({ operation, tier, result, seconds }) => cacheOperated(telemetry, { operation, type: tier, result, seconds }),
  })
  return (unit, bound) => {
    const { description, explanations, principles } = unit.request
    return cache.through({ description, explanations, principles, schema: unit.schema.digest }, () => propose(unit, bound), (candidates) => areOf(unit, candidates))
  }
}

/** What candidates depend on besides the text. */
export function candidateBasis({ shown }: ConstitutionInForce, release: string): Parameters<typeof rememberCandidates>[0]['basis'] {
  return { constitution: shown.digest, release, readers: READERS.map(({ lineage }) => lineage) }
}

function areOf(unit: SemanticUnit, candidates: readonly Candidate[]): boolean {
  try {
    refuseForeign(candidates, unit.sentences, 'candidates')
    return true
  } catch {
    return false
  }
}

/**
 * What shows that an entry was written by a platform over the same database: whoever can write to Redis need not be one. Without a password there is
 * nothing that only they know, and each process believes its own entries alone.
 */
function secretOf(databaseUrl: string): Uint8Array {
  const { password } = new URL(databaseUrl)
  return password === '' ? randomBytes(32) : new Uint8Array(hkdfSync('sha256', password, '', 'acgs-pgp-v8 cache entries', 32))
}
