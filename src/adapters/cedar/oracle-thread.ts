import type { PolicySet } from '#core/policy/policy.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import { places, startThread } from '../thread.ts'
import type { CedarDecision } from './cedar.ts'
import type { Answer, Ask } from './oracle-worker.ts'

/** Cedar's engine in a thread of its own. */
export type OracleThread = AsyncDisposable & {
  /**
   * What Cedar decides under its own semantics; questions are answered one after another.
   *
   * @throws {Error} when there is no answer: Cedar refuses the question, the thread ends or takes longer than its time.
   */
  readonly ask: (question: { readonly policies: PolicySet; readonly request: CedarRequest; readonly entities: readonly CedarEntity[] }) => Promise<CedarDecision>
}

/** So many policy sets the thread keeps, each as text. */
const KEPT_MAX = 16

/** @param timeoutMs How long one question may take, the thread's start and reading the rules included. */
export function startOracle({ timeoutMs = 20_000, body = new URL('./oracle-worker.ts', import.meta.url) }: { readonly timeoutMs?: number; readonly body?: URL } = {}): OracleThread {
  const thread = startThread({ body, name: 'the thread of Cedar’s engine', timeoutMs, knows: () => places<PolicySet>(KEPT_MAX) })
  return {
    ask: async ({ policies, ...question }) => {
      const answer = await thread.ask<Ask, Answer>((placed) => {
        const { place, isNew } = placed(policies)
        return { place, policies: isNew ? policies.text : null, question: JSON.stringify(question) }
      })
      if ('refused' in answer) throw new Error(answer.refused)
      return named(answer.decision, policies)
    },
    [Symbol.asyncDispose]: () => thread[Symbol.asyncDispose]() as Promise<void>,
  }
}

/** With the rules' own ids. */
function named({ decision, determining, errors }: CedarDecision, { rules }: PolicySet): CedarDecision {
  const idOf = (name: string) => rules[Number(name.replace('policy', ''))]?.id ?? name
  return { decision, determining: determining.map(idOf).sort(), errors: errors.map(({ rule, message }) => ({ rule: idOf(rule), message })) }
}
