import type { Queryable } from '#adapters/postgres/connect.ts'
import { activeRevisions, expiringCertificates, readRevocations } from '#adapters/postgres/revisions.ts'
import type { ProbeResult } from '#http/health.ts'
import { revisionReproved, revisionsCounted, type Telemetry } from '#telemetry/events.ts'
import type { Revisions } from './revisions.ts'

const DAY_MS = 86_400_000
/** So long before a certificate of an active revision expires, whoever looks is told. */
const WARNING_DAYS = 14

/** What is known of everything that decides: whether it still holds, and what will expire. */
export type Standing = {
  readonly revisions: readonly { readonly application: string; readonly revision: number; readonly verdict: 'proved' | 'refuted' | 'undetermined'; readonly proved_at: string }[]
  /** Active revisions with certificates that were revoked: they decide without those permits until the council acts. */
  readonly revoked: readonly { readonly application: string; readonly revision: number; readonly certificate: string }[]
  readonly expiring: readonly { readonly application: string; readonly certificate: string; readonly expires_at: string }[]
}

/** Keeps what decides proved: looks at start, whenever it is told that a schema changed, and every minute for what is a day old. */
export type Reproof = AsyncDisposable & {
  /** Something changed that may make a revision due. */
  readonly look: () => void
  readonly standing: () => Promise<Standing>
  readonly probe: () => Promise<ProbeResult>
}

export function createReproof({ revisions, database, telemetry, intervalMs = 60_000, now }: {
  revisions: Pick<Revisions, 'reprove'>
  database: Queryable
  telemetry: Telemetry
  intervalMs?: number
  now: () => Date
}): Reproof {
  let underWay: Promise<void> = Promise.resolve()
  const look = () => {
    underWay = underWay.then(async () => {
      for (const found of await revisions.reprove()) revisionReproved(telemetry, found)
      const { revisions: all, expiring } = await standing()
      revisionsCounted(telemetry, { verdicts: all.map(({ verdict }) => verdict), expiring: expiring.length })
    }).catch((error: unknown) => telemetry.log.error({ err: error }, 'active revisions could not be proved again'))
  }
  const standing = async (): Promise<Standing> => {
    const active = await activeRevisions(database)
    const revoked = new Set(await readRevocations(database))
    return {
      revisions: active.map(({ application, number, verdict, proved_at }) => ({ application, revision: number, verdict, proved_at: proved_at.toISOString() })),
      revoked: active.flatMap(({ application, number, content }) => content.certificates.flatMap(({ id }) => (revoked.has(id) ? [{ application, revision: number, certificate: id }] : []))),
      expiring: await expiringCertificates(database, new Date(now().getTime() + WARNING_DAYS * DAY_MS)),
    }
  }
  const timer = setInterval(look, intervalMs)
  timer.unref()
  look()
  return {
    look,
    standing,
    probe: async () => {
      const { revisions: all, revoked, expiring } = await standing()
      const fallen = all.filter(({ verdict }) => verdict !== 'proved').map(({ application, revision, verdict }) => `revision ${revision} of ${application} is ${verdict} and still decides: the council must act`)
      const late = expiring.length === 0 ? [] : [`${expiring.length} ${expiring.length === 1 ? 'certificate of an active revision expires' : 'certificates of active revisions expire'} within ${WARNING_DAYS} days`]
      const without = revoked.map(({ application, revision, certificate }) => `revision ${revision} of ${application} decides without the permits of the revoked certificate ${certificate}: the council must replace it`)
      const details = [...fallen, ...without, ...late]
      return details.length === 0 ? { status: 'healthy' } : { status: 'degraded', detail: details.join('; ') }
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await underWay
    },
  }
}
