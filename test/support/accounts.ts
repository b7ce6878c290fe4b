import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { importJWK, SignJWT } from 'jose'
import type { Role } from '#http/contract.ts'

/** Service accounts of a test's own, for whoever needs somebody who holds several roles. */
export type Accounts = {
  /** What `security.service_accounts_file` names. */
  readonly file: string
  /** A token with every role that the account holds. */
  readonly token: (authUrl: string, issuer: string, clientId: string) => Promise<string>
}

export function makeAccounts(file: string, accounts: { readonly [clientId: string]: readonly Role[] }): Accounts {
  const keys = new Map(Object.keys(accounts).map((clientId) => [clientId, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })]))
  writeFileSync(file, JSON.stringify(Object.entries(accounts).map(([client_id, roles]) => {
    const { d: _, ...own } = keys.get(client_id) as { d?: string }
    return { client_id, roles, jwks: { keys: [own] } }
  })))
  return {
    file,
    token: async (authUrl, issuer, clientId) => {
      const assertion = await new SignJWT()
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT' })
        .setIssuer(clientId).setSubject(clientId).setAudience(issuer).setJti(randomUUID()).setIssuedAt().setExpirationTime('60 seconds')
        .sign(await importJWK(keys.get(clientId) as object, 'ES256'))
      const response = await fetch(`${authUrl}/api/v1/auth/token`, {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'client_credentials', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: assertion }),
      })
      const body = (await response.json()) as { access_token?: string }
      if (body.access_token === undefined) throw new Error(`Auth refused ${clientId}: ${JSON.stringify(body)}`)
      return body.access_token
    },
  }
}
