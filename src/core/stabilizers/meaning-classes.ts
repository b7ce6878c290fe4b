import type { Decision } from '#core/decision/decide.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { semanticHash } from '#core/policy/semantic-hash.ts'
import type { Counterexample, Proof } from '#core/proof/proof.ts'

/** Whether two policies mean the same: as {@link Proof} says it, by whatever shows it. */
export type Comparison = Pick<Proof, 'answer'>

/** What telling meanings apart asks of the world: a proof, and what a policy decides on one request. */
export type Telling = {
  readonly sameMeaning: (a: PolicySet, b: PolicySet, schema: Schema) => Promise<Comparison>
  readonly decidedOn: (request: Counterexample, schema: Schema) => (policy: PolicySet) => Pick<Decision, 'decision' | 'obligations'>
  /** Lets others have their turn, before each comparison. */
  readonly turn?: () => Promise<void>
}

/**
 * Compares policies over one schema, and proves no more than it has to: what means the same as one of two that were compared is told by what they were
 * told by. So n candidates that agree take n − 1 proofs, and a request that told two apart is put to the others before anyone is asked.
 *
 * One comparison waits for the other, so that it can follow from it.
 */
export function comparingByClasses({ sameMeaning, decidedOn, turn }: Telling, schema: Schema): Telling['sameMeaning'] {
  /** By semantic hash, the hash of the first of its class. */
  const classOf = new Map<string, string>()
  const scenes: { readonly counterexample: Counterexample; readonly said: (policy: PolicySet) => string }[] = []
  /** By both classes: why it is not known whether they are one. */
  const unknown = new Map<string, string>()
  let last: Promise<unknown> = Promise.resolve()

  const home = (hash: string): string => {
    const above = classOf.get(hash) ?? hash
    return above === hash ? hash : home(above)
  }
  const compare = async (a: PolicySet, b: PolicySet): Promise<Comparison> => {
    const [one, other] = [home(hashOf(a, schema)), home(hashOf(b, schema))]
    if (one === other) return { answer: { kind: 'proved' } }
    const scene = scenes.find(({ said }) => said(a) !== said(b))
    if (scene !== undefined) return { answer: { kind: 'refuted', counterexample: scene.counterexample } }
    const pair = [one, other].sort().join()
    const reason = unknown.get(pair)
    if (reason !== undefined) return { answer: { kind: 'unknown', reason } }
    const { answer } = await sameMeaning(a, b, schema)
    if (answer.kind === 'proved') classOf.set(other, one)
    if (answer.kind === 'unknown') unknown.set(pair, answer.reason)
    if (answer.kind === 'refuted') scenes.push({ counterexample: answer.counterexample, said: saidOn(answer.counterexample) })
    return { answer }
  }
  const saidOn = (counterexample: Counterexample) => {
    const decided = decidedOn(counterexample, schema)
    const known = new Map<PolicySet, string>()
    return (policy: PolicySet) => {
      const found = known.get(policy)
      if (found !== undefined) return found
      const { decision, obligations } = decided(policy)
      const said = `${decision} ${obligations.join()}`
      known.set(policy, said)
      return said
    }
  }
  return (a, b) => {
    const next = last.then(async () => (await turn?.(), compare(a, b)))
    last = next.catch(() => {})
    return next
  }
}

/** The semantic hash of a policy, worked out once. */
export function hashOf(policy: PolicySet, schema: Schema): string {
  const known = hashes.get(policy)
  if (known?.schema === schema) return known.hash
  const hash = semanticHash(policy.rules, schema)
  hashes.set(policy, { schema, hash })
  return hash
}
const hashes = new WeakMap<PolicySet, { readonly schema: Schema; readonly hash: string }>()
