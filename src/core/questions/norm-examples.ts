import { Failure } from '#core/failure.ts'
import { policyOfNorms } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Correction } from '#core/syndrome/correct.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { tabulate } from '#core/stabilizers/decision-table.ts'
import type { Counterexample } from '#core/proof/proof.ts'
import { questionOf, type Asking, type Question, type Said } from './question.ts'

/**
 * What shows a norm: a request that only this norm decides, because without it the policy decides it otherwise, or with other obligations.
 *
 * `shown`: an example of the author does. `open`: the prover found one, and the author may say whether it is right; `decided` is what the policy
 * says. `redundant`: proved that there is none. `unknown`: the prover does not know.
 */
export type NormExample =
  | { readonly kind: 'shown'; readonly norm: string; readonly by: string }
  | { readonly kind: 'open'; readonly norm: string; readonly question: Question; readonly decided: Said }
  | { readonly kind: 'redundant' | 'unknown'; readonly norm: string }

/** A policy of more norms is not looked at norm by norm. */
const NORMS_MAX = 40

/**
 * One for each norm of the policy that goes on, in their order; none where there are more than anybody would look at.
 *
 * Looked for in the decision table first, where to decide a row is enough to know; the prover is asked where no row shows the norm.
 */
export async function normExamples(unit: SemanticUnit, { norms, policy }: Correction, can: Pick<Asking, 'decidedOn' | 'decidedByPart'>): Promise<readonly NormExample[]> {
  if (norms.length > NORMS_MAX) return []
  const policyOf = (some: readonly Norm[]) => policyOfNorms(some, unit.schema)
  const without = norms.map((norm) => policyOf(norms.filter((each) => each !== norm)))
  const said = unit.request.examples.flatMap(({ name, request, entities }) => {
    const decided = saidBy({ ...request, entities })
    return decided === null ? [] : [{ name, decided }]
  })
  const shownBy = without.map((part) => said.find(({ decided }) => decided(part) !== decided(policy))?.name ?? null)
  const open = norms.map((_, i) => i).filter((i) => shownBy[i] === null)
  const table = tabulate(norms, unit.schema)
  const inTable = open.map((i) => table.rows.find((row) => row.norms.includes(norms[i]?.id ?? '') && isDecidedBy(row.request, i))?.request ?? null)
  const sought = open.filter((_, k) => inTable[k] === null)
  const proved = sought.length === 0 ? [] : await can.decidedByPart(policyOf(norms), sought.map((i) => without[i] as PolicySet), unit.schema)
  const found = open.map((i, k) => inTable[k] ?? proved[sought.indexOf(i)])
  return norms.map(({ id: norm }, i): NormExample => {
    const by = shownBy[i] ?? null
    if (by !== null) return { kind: 'shown', norm, by }
    const request = found[open.indexOf(i)]
    if (request === undefined || request === null || request === 'unknown') return { kind: request === null ? 'redundant' : 'unknown', norm }
    const decided = can.decidedOn(request, unit.schema)
    const [whole, rest] = [decided(policy), decided(without[i] as PolicySet)]
    const differing = whole.decision === rest.decision ? [...new Set([...whole.obligations, ...rest.obligations])].filter((name) => whole.obligations.includes(name) !== rest.obligations.includes(name)).sort() : []
    return {
      kind: 'open', norm, question: questionOf(request, unit.schema, policy.rules, differing),
      decided: { decision: whole.decision, obligations: differing.length === 0 ? null : differing.filter((name) => whole.obligations.includes(name)) },
    }
  })

  /** Whether the policy says something else of a request than without one norm. */
  function isDecidedBy(request: Counterexample, norm: number): boolean {
    const decided = saidBy(request)
    return decided !== null && decided(policy) !== decided(without[norm] as PolicySet)
  }

  /** What a policy says of a request; null where the request cannot be read: then it shows nothing. */
  function saidBy(request: Parameters<Asking['decidedOn']>[0]): ((policy: PolicySet) => string) | null {
    try {
      const decided = can.decidedOn(request, unit.schema)
      return (policy) => {
        const { decision, obligations } = decided(policy)
        return `${decision} ${obligations.join()}`
      }
    } catch (error) {
      if (error instanceof Failure) return null
      throw error
    }
  }
}
