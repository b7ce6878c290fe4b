import { canonical } from '#core/canonical.ts'
import type { PolicySet, Rule } from '#core/policy/policy.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { scopeOf } from './encode.ts'
import type { Decided, Look } from './look.ts'
import type { Counterexample, Proof } from './proof.ts'
import { meansElse, type Engines, type Options } from './questions.ts'
import { settle } from './settle.ts'
import { Study } from './study.ts'
import type { Term, Terms } from './terms.ts'

/**
 * Requests on which so many policies at least allow, and as many at least deny: one of each environment that has one, as small as it goes.
 * No request at all, with every proof `proved`, says that there is none.
 *
 * Only a person's answer follows from such a request, so that one engine's word that an environment has none is enough.
 */
export async function splits(policies: readonly PolicySet[], least: number, schema: Schema, engines: Engines, options: Options = {}): Promise<{ readonly requests: readonly Counterexample[]; readonly unknown: string | null }> {
  const study = new Study(schema, { agreement: 'either', ...options })
  const isSplit = (allowing: number) => allowing >= least && policies.length - allowing >= least
  const proofs = await settle(study, study.select(schema.environments).map((environment) => ({
    name: 'splits',
    inputs: { policies: policies.map(({ text }) => text), least },
    environments: [environment],
    rules: policies.flatMap(({ rules }) => rules),
    claim: () => {
      const { terms } = study.place(environment)
      return {
        goal: counted(terms, policies.map((policy) => study.policy(environment, policy).allow), isSplit),
        mentions: [],
        fails: (scene: Counterexample, look: Look) => isSplit(policies.filter((policy) => look.decided(policy, scene).isAllowed).length),
      }
    },
  })), engines)
  return { requests: proofs.flatMap(({ answer }) => (answer.kind === 'refuted' ? [answer.counterexample] : [])), unknown: reasonOf(proofs) }
}

/**
 * For each part of a policy, given as the policy without it: a request that shows what the part is there for, because it is decided otherwise, or
 * with other obligations, without it. Null where every request is decided alike; `unknown` where that is not known.
 */
export async function decidedByPart(whole: PolicySet, without: readonly PolicySet[], schema: Schema, engines: Engines, options: Options = {}): Promise<readonly (Counterexample | null | 'unknown')[]> {
  const study = new Study(schema, { agreement: 'either', ...options })
  const differ = (a: Decided, b: Decided) => a.isAllowed !== b.isAllowed || a.obligations.join() !== b.obligations.join()
  // Where no rule can apply that only one of them has, both are the same rules.
  const concerned = without.map((part) => {
    const own = onlyIn(whole, part)
    return study.select(schema.environments).filter((environment) => own.some((rule) => scopeOf(study.place(environment), rule) !== study.place(environment).terms.false))
  })
  const proofs = await settle(study, without.map((part, i) => ({
    name: 'decided-by-part',
    inputs: { whole: whole.text, without: part.text },
    environments: concerned[i] as readonly Environment[],
    rules: whole.rules,
    claim: (environment: Environment) => ({
      goal: meansElse(study.place(environment).terms, study.policy(environment, whole), study.policy(environment, part)),
      mentions: [],
      fails: (scene: Counterexample, look: Look) => differ(look.decided(whole, scene), look.decided(part, scene)),
    }),
  })), engines)
  return proofs.map(({ answer }, i) => (answer.kind === 'refuted' ? answer.counterexample : answer.kind === 'proved' || concerned[i]?.length === 0 ? null : 'unknown'))
}

/** Rules that one of two policies has and the other has not, word for word. */
function onlyIn(a: PolicySet, b: PolicySet): readonly Rule[] {
  const keys = [a, b].map(({ rules }) => new Set(rules.map(canonical)))
  return [...a.rules, ...b.rules].filter((rule) => !keys.every((each) => each.has(canonical(rule))))
}

function reasonOf(proofs: readonly Proof[]): string | null {
  for (const { answer } of proofs) if (answer.kind === 'unknown') return answer.reason
  return null
}

/** That the number of terms that hold is one that is wanted. */
function counted(terms: Terms, parts: readonly Term[], isWanted: (holding: number) => boolean): Term {
  const known = new Map<string, Term>()
  const from = (at: number, holding: number): Term => {
    const part = parts[at]
    if (part === undefined) return terms.bool(isWanted(holding))
    const key = `${at} ${holding}`
    const found = known.get(key) ?? terms.ite(part, from(at + 1, holding + 1), from(at + 1, holding))
    known.set(key, found)
    return found
  }
  return from(0, 0)
}
