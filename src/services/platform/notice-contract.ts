import { z } from 'zod'
import { Failure } from '#core/failure.ts'
import { Notice } from '#core/revision/notice.ts'
import { route, type Endpoint, type Route } from '#http/contract.ts'
import { MAY } from '#http/roles.ts'

export const postNotice = {
  method: 'POST',
  path: '/api/v1/decision-point/notices',
  summary: 'What a decision point tells of a revision, for the ledger',
  description: 'Told again, it changes nothing. The ledger says what was told and when: compliance vouches for it.',
  access: MAY.notify,
  audience: 'peers',
  body: Notice,
  reply: z.strictObject({ recorded: z.literal(true) }),
  failures: ['NOT_FOUND'],
} as const satisfies Endpoint

/** @param record False: there is no such application. */
export function noticeRoutes(record: (notice: Notice) => Promise<boolean>): Route[] {
  return [
    route(postNotice, async ({ body }) => {
      if (!(await record(body))) throw new Failure('NOT_FOUND', `there is no application \`${body.application}\``)
      return { recorded: true as const }
    }),
  ]
}
