import { ROLES } from './contract.ts'
import type { Endpoint, Role } from './contract.ts'

/** Who may do what: the one table that contracts cite (`access: MAY.generate`). An empty row would be an operation for nobody. */
export const MAY = {
  generate: ['author'],
  synthesize: ['author', 'service'],
  examinePolicy: ['author', 'council', 'operator', 'service'],
  readGenerations: ['author', 'operator'],
  putApplications: ['author'],
  readApplications: ['author', 'council', 'operator', 'service'],
  propose: ['author', 'council'],
  readRevisions: ['author', 'council', 'operator'],
  approve: ['council'],
  activate: ['council'],
  revoke: ['council', 'operator'],
  fetchBundles: ['service', 'operator'],
  notify: ['service'],
  readOracle: ['operator', 'council'],
  releaseRevisions: ['operator'],
  certify: ['service'],
  decide: ['service'],
  readLedger: ['operator', 'council'],
  readStabilizers: ['author', 'council', 'operator', 'service'],
  validateUnits: ['author', 'operator'],
  diagnose: ['operator'],
  readDiagnostics: ['author', 'operator'],
} as const satisfies Readonly<Record<string, readonly Role[]>>

/** What each role is for, as Auth tells whoever asks. */
export const ROLE_MEANINGS: Readonly<Record<Role, string>> = {
  author: 'asks for policies, and reads the generations asked for',
  council: 'approves what others proposed, never its own',
  operator: 'reads everything and keeps it running; approves nothing',
  service: 'a program that asks for decisions and candidates',
}

/** The OAuth scope that stands for a role. */
export function scopeOf(role: Role): string {
  return `acgs:${role}`
}

/** One question about access: this endpoint, asked with this role (null: without a token), and what must come of it. */
export type AccessCase = { readonly endpoint: Endpoint; readonly role: Role | null; readonly want: 'passes' | 'unauthenticated' | 'forbidden' }

/** Every endpoint with every role, in tokens meant for users, and with none: what a test of access has to walk. */
export function walkAccess(endpoints: readonly Endpoint[]): readonly AccessCase[] {
  return endpoints.flatMap((endpoint) => [null, ...ROLES].map((role): AccessCase => {
    if (endpoint.access === 'public') return { endpoint, role, want: 'passes' }
    if (role === null) return { endpoint, role, want: 'unauthenticated' }
    const counts = endpoint.access.includes(role) && !(endpoint.audience === 'peers' && role === 'service')
    return { endpoint, role, want: counts ? 'passes' : 'forbidden' }
  }))
}
