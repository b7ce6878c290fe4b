import { z } from 'zod'
import { ApplicationName } from '#core/revision/application.ts'
import { route, type Endpoint, type Route } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'
import type { Oracle } from './oracle.ts'

const Slow = z.strictObject({
  application: z.string(),
  revision: z.int(),
  since: z.iso.datetime(),
  fixture: z.string().nullable().describe('Where the question was written out on the machine of the decision point, for `acgs decide`; null when it could not be'),
  differences: z.array(z.string()).readonly(),
})

export const getOracle = {
  method: 'GET',
  path: '/api/v1/decision-point/oracle',
  summary: 'How many decisions Cedar’s own engine has repeated, and by which revisions it decides since it did not agree',
  access: MAY.readOracle,
  reply: z.strictObject({
    per_second: z.number().describe('So many decisions a second are repeated at most; 0: none'),
    compared: z.strictObject({ agreed: z.int(), disagreed: z.int(), not_compared: z.int() }).describe('Since the start'),
    slow: z.array(Slow.extend({ decides: z.boolean().describe('False: another revision has been activated since') })),
  }),
  failures: [],
} as const satisfies Endpoint

export const postRelease = {
  method: 'POST',
  path: '/api/v1/decision-point/oracle/{app}/release',
  summary: 'Lets the evaluator decide again by a revision that is on the slow path',
  description: 'The next disagreement takes it back to the slow path. It is recorded in the ledger, with who asked.',
  access: MAY.releaseRevisions,
  params: z.strictObject({ app: ApplicationName }),
  body: z.strictObject({ revision: z.int().positive().describe('The one that is on the slow path') }),
  reply: z.strictObject({ released: Slow }),
  failures: ['NOT_FOUND', 'CONFLICT'],
} as const satisfies Endpoint

export function oracleRoutes({ status, release }: Pick<Oracle, 'status' | 'release'>): Route[] {
  const shown = ({ application, revision, since, fixture, differences }: ReturnType<Oracle['release']>) => ({ application, revision, since, fixture, differences })
  return [
    route(getOracle, () => {
      const { perSecond, counts, slow } = status()
      return { per_second: perSecond, compared: { ...counts }, slow: slow.map((each) => ({ ...shown(each), decides: each.decides })) }
    }),
    route(postRelease, ({ params: { app }, body: { revision }, caller }) => ({ released: shown(release(app, revision, caller.subject)) })),
  ]
}
