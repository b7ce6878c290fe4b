import { FAULT_CLASSES, type FaultClass } from '#core/injection/faults.ts'
import { tally, tallyOf, type Tally } from '#core/injection/tally.ts'
import { KNOWN, planFor, Rotation, runTrial, type Known, type Trial } from '#core/injection/trial.ts'
import { pick, seeded, type Random } from '#core/proof/random-world.ts'
import type { Context } from './context.ts'
import type { KnownGood } from './policies.ts'

/** One experiment with candidates and the constitution alone. */
export type Setting = {
  readonly id: string
  readonly candidates: number
  /** So many of them are broken, or each with this probability. */
  readonly faulty: { readonly count: number } | { readonly rate: number }
  readonly isCorrelated: boolean
  readonly known: Known
  /** Which share of the wanted instances of each class is made. */
  readonly share: number
}

const independent = (candidates: number, count: number, share: number): Setting => ({ id: `${candidates}-${count}`, candidates, faulty: { count }, isCorrelated: false, known: 'independent', share })
const uncompared = (candidates: number, count: number): Setting => ({ ...independent(candidates, count, 0.2), id: `uncompared-${candidates}-${count}`, known: 'uncompared' })
const correlated = (candidates: number, count: number, known: Known): Setting => ({ id: `correlated-${candidates}-${count}-${known}`, candidates, faulty: { count }, isCorrelated: true, known, share: 0.2 })

export const SETTINGS: readonly Setting[] = [
  independent(3, 1, 1), independent(4, 1, 0.2), independent(5, 1, 0.2), independent(5, 2, 0.5), independent(6, 1, 0.2), independent(6, 2, 0.2), independent(7, 1, 0.2), independent(7, 2, 0.2), independent(7, 3, 0.5),
  ...([[3, 2], [5, 3], [7, 4]] as const).flatMap(([candidates, count]) => KNOWN.map((known) => correlated(candidates, count, known))),
  uncompared(3, 1), uncompared(5, 2), uncompared(7, 3),
  ...[3, 5, 7].flatMap((candidates) => [0.05, 0.1, 0.2, 0.3].map((rate): Setting => ({ id: `rate-${candidates}-${rate}`, candidates, faulty: { rate }, isCorrelated: false, known: 'independent', share: 0.1 }))),
]

type Judged = { readonly ours: Tally; readonly voting: Tally; readonly text_voting: Tally; readonly single: Tally }

export type Measured = {
  readonly setting: Setting
  readonly all: Judged
  readonly by_class: { readonly [id: string]: Judged }
  /** Trials in which more than half of the candidates decide as the original at every request, which was proved; what came of these. */
  readonly majority_right: Tally
  readonly from: { readonly [from: string]: number }
  readonly diagnoses: { readonly [kind: string]: number }
  readonly equivalent_mutants: number
  /** For the reliability table: what was found, without policies. */
  readonly graded: readonly Pick<Trial, 'faulty' | 'classes' | 'kept' | 'outcome'>[]
  readonly policies: readonly { readonly name: string; readonly from: KnownGood['from']; readonly isLetThrough: boolean; readonly rules: number; readonly trials: number }[]
}

/** @param instances So many of each fault class are wanted, times the setting's share. */
export async function measureSetting(setting: Setting, { instances, seed }: { readonly instances: number; readonly seed: number }, { court, policies: known, canBreak }: Context, limit = FAULT_CLASSES): Promise<Measured> {
  const random = seeded(seed)
  const policies = await known()
  const wanted = Math.max(1, Math.ceil(instances * setting.share))
  const trials: { readonly trial: Trial; readonly policy: KnownGood; readonly fault: string }[] = []
  for (const [k, fault] of limit.entries()) {
    const able = await filtered(policies, (policy) => canBreak(policy, fault))
    for (let [made, tried] = [0, k]; made < wanted && able.length > 0; tried++) {
      const policy = able[tried % able.length] as KnownGood
      const others = await filtered(limit, async (other) => other !== fault && (await canBreak(policy, other)))
      const trial = await runTrial(policy.policy, policy.schema, planFor(setting, random), new Rotation([fault, ...shuffled(others, random)]), random, policy.isLetThrough ? court : { ...court, standing: async () => 'proved' })
      if (trial === null) continue
      trials.push({ trial, policy, fault: fault.id })
      made++
    }
  }
  const judged = (some: readonly Trial[]): Judged => ({ ours: tally(some), voting: tallyOf(some, 'voting'), text_voting: tallyOf(some, 'textVoting'), single: tallyOf(some, 'single') })
  const all = trials.map(({ trial }) => trial)
  const counted = (of: (trial: Trial) => string) => Object.fromEntries([...Map.groupBy(all, of)].map(([key, some]) => [key, some.length]))
  return {
    setting, all: judged(all),
    by_class: 'rate' in setting.faulty ? {} : Object.fromEntries(limit.map(({ id }) => [id, judged(trials.filter(({ fault }) => fault === id).map(({ trial }) => trial))])),
    majority_right: tally(all.filter(({ isMajorityRight, faulty }) => isMajorityRight && faulty.length > 0)),
    from: counted(({ from }) => from ?? 'refused'), diagnoses: counted(({ diagnosis }) => diagnosis ?? 'not compared'),
    equivalent_mutants: all.reduce((sum, { equivalent }) => sum + equivalent, 0),
    graded: 'rate' in setting.faulty ? all.map(({ faulty, classes, kept, outcome }) => ({ faulty, classes, kept, outcome })) : [],
    policies: policies.map(({ name, from, isLetThrough, policy }) => ({ name, from, isLetThrough, rules: policy.rules.length, trials: trials.filter((each) => each.policy.name === name).length })),
  }
}

function shuffled(classes: readonly FaultClass[], random: Random): readonly FaultClass[] {
  const left = [...classes]
  return classes.map(() => left.splice(left.indexOf(pick(random, left)), 1)[0] as FaultClass)
}

async function filtered<T>(some: readonly T[], isWanted: (one: T) => Promise<boolean>): Promise<readonly T[]> {
  const kept: T[] = []
  for (const one of some) if (await isWanted(one)) kept.push(one)
  return kept
}
