import { canonical } from '#core/canonical.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { ask, interpreter } from './differential.ts'
import { alwaysDenies, proveEquivalent, type Engines } from './questions.ts'
import { POOL, randomScene, seeded } from './random-world.ts'

/** What the self-test found: counts of what was done, and every way in which it did not come out as it must. */
export type SelfTest = {
  /** Random requests on which terms were compared with Cedar, how many of them Cedar allowed, and in how many a rule failed. */
  readonly worlds: number
  readonly allowed: number
  readonly erring: number
  /** Questions whose answer is known: refuted ones, and proved ones. */
  readonly refuted: number
  readonly proved: number
  /** Empty when all is well. */
  readonly failures: readonly string[]
}

/** Every kind of construct that the prover decides, in few lines. */
export const SELF_TEST_SCHEMA = `
entity Level enum ["low", "high"];
entity Company;
entity Team in [Company];
entity Person in [Team] { age: Long, level: Level, friends: Set<Person>, tags: Set<String>, boss?: Person, home: { city: String, floor?: Long },
  from: ipaddr, nets: Set<ipaddr>, born: datetime, ttl: duration, score: decimal, stays: Set<{ at: String, days: Long }>, stay: { at: String, days: Long } } tags Set<String>;
entity Thing in [Team] { owner: Person, price: Long, label?: String, levels: Set<Level> };
action manage;
action read, write in [manage] appliesTo { principal: Person, resource: Thing, context: { urgent: Bool, count?: Long } };
`

const POLICY = `
@id("own") permit (principal, action in Action::"manage", resource) when { resource.owner == principal };
@id("team") permit (principal in Team::"a", action == Action::"read", resource) when { resource in [Team::"a", Team::"b"] || resource in Company::"b" };
@id("friend") permit (principal, action, resource) when { principal.friends.contains(resource.owner) && !principal.friends.isEmpty() };
@id("boss") permit (principal, action, resource) when { principal has boss && principal.boss.level == Level::"high" && resource.levels.containsAll([Level::"high"]) };
@id("sum") permit (principal, action, resource) when { principal.age + resource.price > 3 && resource.price * 2 < 100 };
@id("city") permit (principal, action, resource) when { if principal.home has floor then principal.home.floor < 2 else principal.home.city == "x" };
@id("label") permit (principal, action, resource) unless { resource has label && resource.label != "x" };
@id("tags") forbid (principal, action, resource) when { principal.tags.containsAny(["x", "yes"]) && principal.friends == resource.owner.friends };
@id("count") forbid (principal, action == Action::"write", resource) when { context has count && -context.count > 0 };
@id("urgent") forbid (principal, action, resource) when { context.urgent && resource.price - principal.age < 0 };
@id("like") permit (principal, action, resource) when { resource has label && resource.label like "*y*" };
@id("tagged") permit (principal, action, resource) when { principal.hasTag("x") && principal.getTag("x").contains("yes") };
@id("net") forbid (principal, action, resource) when { principal.from.isInRange(ip("10.0.0.0/8")) && !principal.nets.contains(principal.from) };
@id("age") forbid (principal, action, resource) when { principal.born.offset(principal.ttl).toDate() > datetime("2024-01-01") };
@id("score") permit (principal, action, resource) when { principal.score.lessThan(decimal("0.5")) && principal.ttl.toDays() == -1 };
@id("stays") permit (principal, action, resource) when { principal.stays.contains(if principal.age > 1 then principal.stay else { at: "x", days: 1 }) };
@id("inner") forbid (principal is Person in Company::"a", action, resource) when { principal in resource.owner.friends };
`

/** Two entities of a type are enough for rules that name one, and most of the time goes into Cedar's reading of entities. */
const FEW = { ...POOL, idsOf: () => ['a', 'b'] }

/** The first is permitted to someone, the second to no one; the second and the third decide alike. */
const OPEN = 'permit (principal, action, resource) when { principal.age > 3 && resource.owner != principal };'
const CLOSED = 'permit (principal, action, resource) when { principal.age > 3 && principal.age < 4 };'
const EMPTY = 'forbid (principal, action, resource);'

/**
 * Whether the prover still does what its tests say, here and now: terms against Cedar on random worlds, and each engine on
 * questions whose answers are known, both ways. Deterministic.
 */
export async function selfTest(use: {
  readonly parseSchema: (text: string) => Schema
  readonly parsePolicies: (text: string, schema: Schema) => PolicySet
  readonly engines: Engines
  readonly worlds?: number
}): Promise<SelfTest> {
  const failures: string[] = []
  const schema = use.parseSchema(SELF_TEST_SCHEMA)
  const parse = (text: string) => use.parsePolicies(text, schema)
  const [policy, open, closed, empty] = [parse(POLICY), parse(OPEN), parse(CLOSED), parse(EMPTY)]
  // The solver starts in its own thread while the worlds are compared.
  const known = Promise.all(alone(use.engines).map(([engine, engines]) => Promise.all([
    alwaysDenies(open, schema, engines, { agreement: 'either' }),
    alwaysDenies(closed, schema, engines, { agreement: 'either' }),
    proveEquivalent(closed, empty, schema, engines, { agreement: 'either' }),
    proveEquivalent(open, empty, schema, engines, { agreement: 'either' }),
  ]).then((proofs) => ({ engine, proofs }))))
  known.catch(() => undefined) // Awaited below; until then its failure must not end the process.

  const random = seeded(8)
  const counts = { worlds: 0, allowed: 0, erring: 0 }
  const each = Math.ceil((use.worlds ?? 200) / schema.environments.length)
  for (const environment of schema.environments) {
    const interpret = interpreter(schema, environment, policy)
    for (let i = 0; i < each; i++) {
      const scene = randomScene(schema, environment, random, FEW)
      const [ours, theirs] = [interpret(scene), ask(schema, environment, policy, scene, use.engines.replay)]
      counts.worlds++
      if (theirs.decision === 'allow') counts.allowed++
      if (theirs.erring.length > 0) counts.erring++
      if (canonical(ours) === canonical(theirs)) continue
      failures.push(`terms say ${canonical(ours)} and Cedar says ${canonical(theirs)} about ${canonical(scene)}`)
    }
  }

  const wanted = ['refuted', 'proved', 'proved', 'refuted']
  const all = await known
  const count = (kind: string) => wanted.filter((want, i) => want === kind && all.every(({ proofs }) => proofs[i]?.answer.kind === kind)).length
  for (const { engine, proofs } of all) {
    for (const [i, { question, answer }] of proofs.entries()) {
      const reason = answer.kind === 'unknown' ? `: ${answer.reason}` : ''
      if (answer.kind !== wanted[i]) failures.push(`${question} must be ${wanted[i]} and is ${answer.kind} by ${engine}${reason}`)
    }
  }
  return { ...counts, refuted: count('refuted'), proved: count('proved'), failures }
}

/** Each engine by itself: together, one would hide that the other no longer answers. */
function alone({ sat, ...engines }: Engines): readonly (readonly [name: string, engines: Engines])[] {
  const silent: Engines['solve'] = async (asks) => asks.map(() => ({ kind: 'unknown', reason: 'is not asked here' }))
  return [['the solver', engines], ...(sat === undefined ? [] : [['the SAT engine', { ...engines, sat, solve: silent }] as const])]
}
