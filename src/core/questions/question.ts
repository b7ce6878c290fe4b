import { canonical } from '#core/canonical.ts'
import type { Decision } from '#core/decision/decide.ts'
import type { PolicySet, Rule } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Counterexample, Proof } from '#core/proof/proof.ts'
import { questionId } from '#core/unit/example.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import { askInWords, factsOf, regardOf } from './words.ts'

/** What finding questions asks of the world. */
export type Asking = {
  /** Lets others have their turn, before each piece of long work; without it nobody waits. */
  readonly turn?: () => Promise<void>
  readonly sameMeaning: (a: PolicySet, b: PolicySet, schema: Schema) => Promise<Proof>
  /** What policies decide on one request. */
  readonly decidedOn: (request: Counterexample, schema: Schema) => (policy: PolicySet) => Pick<Decision, 'decision' | 'obligations'>
  /** Requests on which so many policies at least allow and as many deny; none, with `unknown` null: there are none. */
  readonly splits: (policies: readonly PolicySet[], least: number, schema: Schema) => Promise<{ readonly requests: readonly Counterexample[]; readonly unknown: string | null }>
  /** For each policy without one part of the whole: a request that the part decides. */
  readonly decidedByPart: (whole: PolicySet, without: readonly PolicySet[], schema: Schema) => Promise<readonly (Counterexample | null | 'unknown')[]>
}

/** One concrete request that the author is asked to decide. The answer becomes an example, and stays a test of the policy. */
export type Question = {
  /** `q_` and 16 hex digits: of the request, its entities and the schema. */
  readonly id: string
  /** `Given chart “chart1” (sealed: yes): may doctor “doctor1” view chart “chart1”?` */
  readonly words: string
  readonly request: CedarRequest
  readonly entities: readonly CedarEntity[]
  /** Not empty: whoever answers allow must also say which of these must be done. */
  readonly obligations: readonly string[]
}

/** What can be answered. `obligations`: null where the question does not ask for them. */
export type Said = { readonly decision: 'allow' | 'deny'; readonly obligations: readonly string[] | null }

/** A question, and which policies each answer leaves, by index. */
export type Chosen = { readonly question: Question; readonly sides: readonly { readonly said: Said; readonly policies: readonly number[] }[] }

/** @param rules Of every policy that the answer is about: what they look at is said. */
export function questionOf({ principal, action, resource, context, entities }: Counterexample, schema: Schema, rules: readonly Rule[], obligations: readonly string[] = []): Question {
  const request = { principal, action, resource, context }
  const whole = { ...request, entities }
  const words = askInWords(whole, factsOf(whole, schema, regardOf(rules, whole, schema)), schema)
  return {
    id: questionId(request, entities, schema),
    words: obligations.length === 0 ? words : `${words} If so, which of these must be done: ${obligations.join(', ')}?`,
    request, entities, obligations,
  }
}

/**
 * The question whose answer leaves the fewest policies in the worst case, and among those the one with the least to read. That no request splits
 * them better is proved, unless the prover gave up on the way.
 *
 * @param policies Of different meaning, two at least.
 * @returns Null when the prover finds no request: then it does not know in what they differ.
 */
export async function chooseQuestion(policies: readonly PolicySet[], schema: Schema, can: Asking): Promise<Chosen | null> {
  const rules = policies.flatMap((policy) => policy.rules)
  const bySize = (requests: readonly Counterexample[]) => requests.toSorted((a, b) => compare(sizeOf(a, schema, rules), sizeOf(b, schema, rules)))
  for (let least = Math.floor(policies.length / 2); least > 0; least--) {
    const [request] = bySize((await can.splits(policies, least, schema)).requests)
    if (request !== undefined) return asked(request, [])
  }
  // They allow alike: what differs is what must be done.
  const [first, ...others] = policies as readonly [PolicySet, ...PolicySet[]]
  const answers = await Promise.all(others.map(async (other) => (await can.sameMeaning(first, other, schema)).answer))
  const chosen = bySize(answers.flatMap((answer) => (answer.kind === 'refuted' ? [answer.counterexample] : []))).map((request) => asked(request, differing(request)))
  return chosen.filter(({ sides }) => sides.length > 1).sort((a, b) => largest(a) - largest(b))[0] ?? null

  function asked(request: Counterexample, obligations: readonly string[]): Chosen {
    const decided = can.decidedOn(request, schema)
    const answers = policies.map((policy): Said => {
      const { decision, obligations: demanded } = decided(policy)
      return { decision, obligations: obligations.length === 0 || decision === 'deny' ? null : obligations.filter((name) => demanded.includes(name)) }
    })
    const sides = [...Map.groupBy(answers.keys(), (i) => canonical(answers[i])).values()].map((members) => ({ said: answers[members[0] as number] as Said, policies: members }))
    return { question: questionOf(request, schema, rules, obligations), sides: sides.sort((a, b) => (canonical(a.said) < canonical(b.said) ? -1 : 1)) }
  }

  /** What some demand on a request and others do not. */
  function differing(request: Counterexample): readonly string[] {
    const decided = can.decidedOn(request, schema)
    const all = policies.map((policy) => decided(policy).obligations)
    return [...new Set(all.flat())].filter((name) => !all.every((names) => names.includes(name))).sort()
  }
}

/** How many policies the worst answer leaves. */
export function largest({ sides }: Chosen): number {
  return Math.max(...sides.map(({ policies }) => policies.length))
}

/** What there is to read of a request: facts first, then everything. */
function sizeOf(request: Counterexample, schema: Schema, rules: readonly Rule[]): readonly (number | string)[] {
  const facts = factsOf(request, schema, regardOf(rules, request, schema))
  const whole = canonical(request)
  return [facts.join('').length, request.entities.length, whole.length, whole]
}

function compare(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  const at = a.findIndex((part, i) => part !== b[i])
  return at < 0 ? 0 : (a[at] as number | string) < (b[at] as number | string) ? -1 : 1
}
