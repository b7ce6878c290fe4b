import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Decided } from './look.ts'
import type { Proof } from './proof.ts'
import type { Engines, Options } from './questions.ts'
import { settle } from './settle.ts'
import { Study } from './study.ts'
import type { Term, Terms } from './terms.ts'

/** A policy with a say: how much it counts. */
export type Voter = { readonly policy: PolicySet; /** Positive. */ readonly weight: number }

export type Halves = 'deny' | 'permit'

/**
 * Whether a policy decides every request as more than half of the voters do, by weight, and demands of a permit what more than half permit with.
 * Where the halves are equal nobody has more than half: `halves` says whether that denies or permits.
 *
 * Cost: that of an equivalence, over as many rules as all of them have.
 */
export async function proveMajority(policy: PolicySet, voters: readonly Voter[], schema: Schema, engines: Engines, options: Options & { readonly halves?: Halves } = {}): Promise<Proof> {
  const { halves = 'deny' } = options
  const study = new Study(schema, options)
  const [proof] = await settle(study, [{
    name: 'majority',
    inputs: { policy: policy.text, voters: voters.map(({ policy: { text }, weight }) => ({ text, weight })), halves },
    environments: study.select(schema.environments),
    rules: [policy, ...voters.map((voter) => voter.policy)].flatMap(({ rules }) => rules),
    claim: (environment) => {
      const { terms } = study.place(environment)
      const own = study.policy(environment, policy)
      const each = voters.map((voter) => ({ weight: voter.weight, encoded: study.policy(environment, voter.policy) }))
      const names = [...new Set([own, ...each.map(({ encoded }) => encoded)].flatMap(({ obligations }) => [...obligations.keys()]))]
      const differs = (mine: Term, theirs: (encoded: typeof own) => Term) => terms.xor(mine, more(terms, each.map(({ weight, encoded }) => ({ weight, term: theirs(encoded) })), halves))
      return {
        goal: terms.or(differs(own.allow, ({ allow }) => allow), ...names.map((name) => differs(own.obligations.get(name) ?? terms.false, ({ obligations }) => obligations.get(name) ?? terms.false))),
        mentions: [],
        fails: (scene, look) => {
          const said = majority(voters.map((voter) => ({ weight: voter.weight, decided: look.decided(voter.policy, scene) })), halves)
          const { isAllowed, obligations } = look.decided(policy, scene)
          return isAllowed !== said.isAllowed || obligations.join() !== said.obligations.join()
        },
      }
    },
  }], engines)
  return proof as Proof
}

/** What more than half decide about one request. */
export function majority(votes: readonly { readonly weight: number; readonly decided: Pick<Decided, 'isAllowed' | 'obligations'> }[], halves: Halves = 'deny'): Pick<Decided, 'isAllowed' | 'obligations'> {
  const all = votes.reduce((sum, { weight }) => sum + weight, 0)
  const isMore = (holds: (decided: Pick<Decided, 'isAllowed' | 'obligations'>) => boolean) => isEnough(votes.reduce((sum, { weight, decided }) => (holds(decided) ? sum + weight : sum), 0), all, halves)
  const isAllowed = isMore((decided) => decided.isAllowed)
  const names = [...new Set(votes.flatMap(({ decided }) => decided.obligations))].sort()
  return { isAllowed, obligations: isAllowed ? names.filter((name) => isMore((decided) => decided.isAllowed && decided.obligations.includes(name))) : [] }
}

function isEnough(weight: number, all: number, halves: Halves): boolean {
  return halves === 'deny' ? 2 * weight > all : 2 * weight >= all
}

/** That the terms that hold weigh more than half of all. */
function more(terms: Terms, parts: readonly { readonly weight: number; readonly term: Term }[], halves: Halves): Term {
  const all = parts.reduce((sum, { weight }) => sum + weight, 0)
  const known = new Map<string, Term>()
  const from = (at: number, holding: number): Term => {
    const part = parts[at]
    if (part === undefined) return terms.bool(isEnough(holding, all, halves))
    const key = `${at} ${holding}`
    const found = known.get(key) ?? terms.ite(part.term, from(at + 1, holding + part.weight), from(at + 1, holding))
    known.set(key, found)
    return found
  }
  return from(0, 0)
}
