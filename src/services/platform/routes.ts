import { Failure } from '#core/failure.ts'
import type { Generation, LedgerReceipt } from '#core/generate.ts'
import type { GenerateBody } from '#core/unit/request.ts'
import { route, type Caller, type Route } from '#http/contract.ts'
import type { GenerationFilters, GenerationRow, GenerationSummary } from '#adapters/postgres/generations.ts'
import type { z } from 'zod'
import { getGeneration, getGenerations, getMetricsSummary, getStatus, postGeneratePolicy, type GenerationSummary as Shown } from './contract.ts'
import { certifiedReply, notCertified, refusalSentence } from './reply.ts'

/** What the platform's operations do, as functions; `start.ts` makes them. */
export type Use = {
  readonly constitution: { readonly hash: string; readonly digest: string }
  readonly generate: (body: GenerateBody, caller: Caller) => Promise<{ generation: Generation; ledger: LedgerReceipt | null; elapsedMs: number; at: Date }>
  readonly list: (filters: GenerationFilters) => Promise<{ generations: readonly GenerationSummary[]; next: string | null }>
  readonly read: (id: string) => Promise<(GenerationRow & { readonly ledger: LedgerReceipt }) | null>
  readonly status: () => Promise<z.input<(typeof getStatus)['reply']>>
  readonly summary: () => Promise<z.input<(typeof getMetricsSummary)['reply']>>
}

export function routes(use: Use): Route[] {
  return [
    route(postGeneratePolicy, async ({ body, caller }) => {
      const { generation, ledger, elapsedMs, at } = await use.generate(body, caller)
      const { verdict } = generation
      if (verdict.kind === 'compliant') return certifiedReply(generation, use.constitution, ledger, { ms: elapsedMs, at })
      throw new Failure(verdict.kind === 'violates' ? 'POLICY_REFUSED' : 'POLICY_UNDETERMINED', refusalSentence(generation), {
        details: notCertified(generation, use.constitution, ledger),
      })
    }),

    route(getGenerations, async ({ query: { from, to, cursor, limit, ...filters }, caller }) => {
      const { generations, next } = await use.list({
        ...stated(filters),
        limit,
        ...(cursor === undefined ? {} : { cursor }),
        ...(from === undefined ? {} : { from: new Date(from) }),
        ...(to === undefined ? {} : { to: new Date(to) }),
        ...(seesAll(caller) ? {} : { userId: caller.subject }),
      })
      return { generations: generations.map(summaryOf), next_cursor: next }
    }),

    route(getGeneration, async ({ params: { id }, caller }) => {
      const row = await use.read(id)
      // Someone else's is answered like none: whether it exists is not theirs to know.
      if (row === null || (!seesAll(caller) && row.user_id !== caller.subject)) throw new Failure('NOT_FOUND', `there is no generation \`${id}\``)
      return { ...summaryOf(row), policy_content: row.policy_content, certificate: row.certificate, request: row.request, generation: row.evidence, ledger: row.ledger }
    }),

    route(getStatus, () => use.status()),
    route(getMetricsSummary, () => use.summary()),
  ]
}

function seesAll(caller: Caller): boolean {
  return caller.roles.includes('operator')
}

function summaryOf(row: GenerationSummary): z.input<typeof Shown> {
  return {
    generation_id: row.generation_id,
    title: row.title,
    verdict: row.verdict,
    priority: row.priority,
    constitutional_compliance_score: row.constitutional_compliance_score,
    semantic_hash: row.semantic_hash ?? '',
    violated_articles: row.violated_articles,
    certificate_id: row.certificate_id,
    user_id: row.user_id ?? '',
    created_at: row.created_at.toISOString(),
  }
}

/** The members that were given. */
function stated<T extends object>(filters: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
