import { describe } from '#core/compliance/explain.ts'
import { applicable, score, standingOf, violationsOf, type Examination } from '#core/compliance/judge.ts'
import type { Constitution } from '#core/constitution/constitution.ts'
import { Failure } from '#core/failure.ts'
import { route, type Route } from '#http/contract.ts'
import type { z } from 'zod'
import { getCertificateKeys, getState, getValidate, postValidate } from './contract.ts'
import { routes as decisionRoutes, type Use as Decisions } from './decision-routes.ts'

export type Use = {
  readonly constitution: Constitution
  readonly shown: { readonly hash: string; readonly digest: string; readonly isInherited: boolean }
  readonly ratification: unknown
  readonly threshold: number
  /** What certificates are verified with, past keys included. */
  readonly keys: () => { kty: 'OKP'; crv: 'Ed25519'; x: string; kid: string }[]
  /** Proves every article for a policy over a schema, or over a domain's. */
  readonly examine: (policy: { readonly cedar: string; readonly schema: string | undefined; readonly domain: string | undefined }) => Promise<Examination>
  readonly validated: (isValid: boolean) => void
  readonly decisions: Pick<Decisions, 'url'>
  readonly now: () => Date
}

export function routes(use: Use): Route[] {
  const shown = () => ({ constitutional_hash: use.shown.hash, constitutional_digest: use.shown.digest, timestamp: use.now().toISOString() })
  return [
    ...decisionRoutes(use.decisions),

    route(getValidate, ({ query: { hash_value } }) => {
      const isRight = hash_value === undefined || hash_value === use.shown.hash || hash_value === use.shown.digest
      use.validated(isRight)
      return {
        status: isRight ? ('valid' as const) : ('mismatch' as const),
        hash_valid: isRight,
        compliance_score: null,
        violations: isRight ? [] : [`\`${hash_value}\` is not the constitution in force`],
        recommendations: isRight ? [] : [`use ${use.shown.hash}, or the full digest ${use.shown.digest}`],
        ...shown(),
      }
    }),

    route(postValidate, async ({ body }) => {
      const { constitutional_hash: given } = body
      if (given !== undefined && given !== use.shown.hash && given !== use.shown.digest) {
        throw new Failure('CONSTITUTION_MISMATCH', `this service enforces the constitution \`${use.shown.hash}\`, the request expects another`, {
          details: { expected_hash: use.shown.hash, provided_hash: given },
        })
      }
      const cedar = body.cedar ?? body.policy_content
      if (cedar === undefined) throw new Failure('REQUEST_MALFORMED', 'body.cedar is missing: give the Cedar policies to be judged', { problems: [{ place: 'body.cedar', message: 'is missing' }] })
      const examination = await use.examine({ cedar, schema: body.schema, domain: body.domain })
      return judged(examination, use, shown())
    }),

    route(getCertificateKeys, () => ({ keys: use.keys() })),

    route(getState, () => ({
      title: use.constitution.title,
      version: use.constitution.version,
      principles: use.constitution.principles.map((principle) => ({ ...principle })),
      articles: use.constitution.clauses.map(({ id, principle, kind, text, hard, weight }) => ({ id, principle, kind, text, hard, weight })),
      ratification: use.ratification,
      hash_is_inherited: use.shown.isInherited,
      ...shown(),
    })),
  ]
}

const STATUS = { proved: 'valid', refuted: 'invalid', unknown: 'undetermined' } as const

/** One consistent verdict: valid only when every hard article is proved and the score reaches the threshold. */
function judged(examination: Examination, use: Use, shown: { constitutional_hash: string; constitutional_digest: string; timestamp: string }): z.input<(typeof postValidate)['reply']> {
  const value = score(examination)
  const violations = violationsOf(examination)
  const status = STATUS[standingOf(examination, use.threshold).kind]
  use.validated(status === 'valid')
  return {
    applicable: applicable(examination),
    status,
    hash_valid: true,
    compliance_score: value,
    required_threshold: use.threshold,
    articles: examination.proofs.map(({ article, proof }) => ({
      id: article.id,
      principle: article.principle,
      hard: article.hard,
      answer: proof.answer.kind,
      ...(proof.answer.kind === 'unknown' ? { reason: proof.answer.reason } : {}),
      ...(proof.answer.kind === 'refuted' ? { counterexample: proof.answer.counterexample } : {}),
    })),
    violations: violations.map(({ article, counterexample, mentions }) => `${article}: ${describe(counterexample, mentions)}`),
    recommendations: violations.map(({ article, text }) => `${article} does not hold: ${text}`),
    ...shown,
  }
}
