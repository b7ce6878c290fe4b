import { evidenceOf } from '#core/evidence.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Bundle } from '#core/revision/bundle.ts'
import type { Call } from '#http/call.ts'
import { evidenceBody } from '#core/evidence.ts'
import { route, type Route } from '#http/contract.ts'
import type { BundleRequest } from './bundles.ts'
import type { Certify } from './certify.ts'
import { PEER_BODY_BYTES_MAX, postBundle, postCertificate } from './peer-contract.ts'

/** What the platform may ask of compliance, as functions. */
export type Use = {
  readonly parseSchema: (text: string) => Schema
  readonly certify: Certify
  readonly bundle: (request: BundleRequest) => Promise<Bundle>
}

export function peerRoutes(use: Use): Route[] {
  return [
    route(postCertificate, async ({ body: { evidence, author } }) => ({ certificate: await use.certify(evidenceOf(evidence, use.parseSchema), author) }), { bodyBytesMax: PEER_BODY_BYTES_MAX }),
    route(postBundle, async ({ body }) => ({ bundle: await use.bundle(body) }), { bodyBytesMax: PEER_BODY_BYTES_MAX }),
  ]
}

/** The same functions in another process, asked over HTTP. */
export function askCompliance(call: Call): Pick<Use, 'certify' | 'bundle'> {
  return {
    certify: async (evidence, author) => (await call(postCertificate, { body: { evidence: evidenceBody(evidence), author } })).certificate,
    bundle: async (request) => (await call(postBundle, { body: request })).bundle,
  }
}
