import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { trustIn } from '#adapters/keys/certificate-key.ts'
import type { Prover } from '#adapters/solver/prover.ts'
import { canonical } from '#core/canonical.ts'
import { verify } from '#core/certificate/verify.ts'
import { bind } from '#core/constitution/bind.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { Failure } from '#core/failure.ts'
import { selfTest as proofSelfTest } from '#core/proof/self-test.ts'

/** What start-up found when it tested itself: how often each thing came out as it must. */
export type SelfTest = {
  /** Requests on which the prover's interpreter of terms decided as Cedar did. */
  readonly decisions: number
  /** Questions known to be false that were refuted, and known to be true that were proved. */
  readonly refuted: number
  readonly proved: number
  /** Certificates known to be good that verified; each was refused with one byte changed. */
  readonly certificates: number
  readonly seconds: number
}

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/**
 * Tests what everything else rests on, in under a second: terms against Cedar, the solver on questions whose answers are known, and the
 * verifier on a certificate that shipped with the product.
 *
 * @throws {Failure} `SOLVER_FAILED` naming what did not come out as it must: a product that proves wrongly must not start.
 */
export async function selfTest({ prover }: { prover: Prover }): Promise<SelfTest> {
  const started = performance.now()
  const [proofs, certificates] = await Promise.all([proofSelfTest({ parseSchema, parsePolicies, engines: prover.engines }), verifyKnown(prover)])
  const failures = [...proofs.failures, ...certificates.failures]
  if (failures.length > 0) throw new Failure('SOLVER_FAILED', `the self-test did not come out as it must: ${failures[0]}${failures.length > 1 ? ` (and ${failures.length - 1} more)` : ''}`)
  return { decisions: proofs.worlds, refuted: proofs.refuted, proved: proofs.proved, certificates: certificates.verified, seconds: (performance.now() - started) / 1000 }
}

async function verifyKnown(prover: Prover): Promise<{ verified: number; failures: readonly string[] }> {
  const file = readFileSync(here('known-certificate.json'))
  const ports = {
    isSignedBy: trustIn(here('known-keys.json')),
    parseSchema,
    parse: parsePolicies,
    bind: (document: unknown, schema: Parameters<typeof bind>[1]) => bind(parseConstitution(canonical(document)), schema),
    proveArticles: prover.proveArticles,
    at: KNOWN_AT,
  }
  const { valid, checks } = await verify(file, ports)
  const flipped = Buffer.from(file)
  flipped[file.length >> 1] = (flipped[file.length >> 1] as number) ^ 1
  const changed = await verify(flipped, ports)
  const failures = [
    ...(valid ? [] : [`the known certificate is not valid: ${checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`).join('; ')}`]),
    ...(changed.valid ? ['the known certificate is still valid with a byte changed'] : []),
  ]
  return { verified: failures.length === 0 ? 1 : 0, failures }
}

/** A day on which the known certificate was valid: whether it has expired since is not what is tested. */
export const KNOWN_AT = new Date('2026-12-01T00:00:00Z')
