import { Failure } from '#core/failure.ts'
import type { Expression } from '#core/policy/expression.ts'
import { obligationsOfAll, type PolicySet, type Rule } from '#core/policy/policy.ts'
import { written } from '#core/policy/render.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { merged, type Described } from './conditions-merged.ts'
import { asExpression, atomsOf, conditionOf, conditionTerm, guardsOf, literalTerm, permitting, reads, type Atom, type Condition, type Literal, type Standing } from './conditions.ts'
import type { EncodedPolicy } from './encode.ts'
import { ground, simplify } from './ground.ts'
import { lookWith, probe, type Decided, type Look } from './look.ts'
import type { Answer, Counterexample, Proof } from './proof.ts'
import { settle, type Engines } from './settle.ts'
import { emit } from './smtlib.ts'
import { Study, type Options } from './study.ts'
import type { Term, Terms } from './terms.ts'

/** What a new policy does otherwise than an old one, in every environment that was asked about. */
export type Difference = {
  /** Whether they mean the same everywhere; null: that is not known. */
  readonly isEquivalent: boolean | null
  readonly environments: readonly EnvironmentDifference[]
  readonly engines: Proof['engines']
}

/** Only what there is: an environment without parts is one in which both mean the same. */
export type EnvironmentDifference = {
  readonly environment: Environment
  readonly parts: readonly Part[]
  /** Whether any rule that concerns it reads the context of a request. */
  readonly readsContext: boolean
}

/** One way in which the new policy differs. */
export type Part = {
  /**
   * gains: the new one permits what the old one did not. loses: the other way round. demands: both permit, and only the new one puts `obligation`
   * on it. waives: only the old one did.
   */
  readonly kind: 'gains' | 'loses' | 'demands' | 'waives'
  readonly obligation: string | null
  /** Each of these conditions, wherever it holds, makes this difference; each with a request that Cedar decides so. */
  readonly conditions: readonly Described[]
  /** Why the conditions may not cover the whole difference; null: they do, and it is proved. */
  readonly open: string | null
  /** Where the difference is open: a request that makes it and meets none of the conditions, when one was seen. */
  readonly uncovered: Counterexample | null
}

export type DiffOptions = Options & {
  /** Asked again and again, and awaited, so that others get their turn. False: time is over, and what is not known by then is open. */
  readonly goOn?: () => Promise<boolean>
}

/** More conditions than these are told in fewer where that can be done, however long those get; so many are looked for at most. */
const CONDITIONS_READABLE = 12
export const CONDITIONS_MAX = 48
/** So many questions are asked together, so that those that are the same script are asked once. */
const LOT = 16
export const OUT_OF_TIME = 'the time for looking was over'

/**
 * What changes from one policy to another, as conditions that people can read.
 *
 * A request that is decided otherwise is taken, and everything that is known of it in terms of the rules is dropped as long as what remains still
 * makes the difference; then one that no condition covers yet. What the conditions say is proved at the end as every answer is: each
 * implies the difference, and nothing of the difference is outside of all of them. Where the two policies mean the same, that is what is proved.
 *
 * Cost: for each condition some 2·log₂ as many looks as there are atoms, and three proofs.
 */
export async function diff(before: PolicySet, after: PolicySet, schema: Schema, engines: Engines, options: DiffOptions = {}): Promise<Difference> {
  const { goOn = async () => true } = options
  const study = new Study(schema, options)
  const sides = ways(before, after)
  const asked = study.select(schema.environments).flatMap((environment) => sides.map((side) => ({ environment, side })))
  const firsts: Answer[] = []
  for (let from = 0; from < asked.length && (await goOn()); from += LOT) {
    const proofs = await settle(study, asked.slice(from, from + LOT).map(({ environment, side }) => question(study, before, after, environment, side, [])), engines)
    firsts.push(...proofs.map(({ answer }) => answer))
  }
  const parts: (Part | null)[] = []
  for (const [i, { environment, side }] of asked.entries()) {
    const answer = firsts[i] ?? { kind: 'unknown', reason: OUT_OF_TIME }
    parts.push(answer.kind === 'proved' ? null : await new Search(study, before, after, environment, side, engines, goOn).describe(answer))
  }
  const environments = study.select(schema.environments).map((environment) => ({
    environment,
    parts: parts.filter((part, i): part is Part => part !== null && asked[i]?.environment === environment),
    readsContext: [before, after].some((policy) => looking(study, environment, policy).some((rule) => reads(asExpression(rule), 'context'))),
  }))
  const all = environments.flatMap((each) => each.parts)
  const differs = all.some(({ conditions, uncovered }) => conditions.length > 0 || uncovered !== null)
  return { isEquivalent: differs ? false : all.length > 0 || environments.length === 0 ? null : true, environments, engines: engines.versions }
}

// ---- The ways to differ ----

type Way = Pick<Part, 'kind' | 'obligation'>
type Side = Way & { readonly term: (terms: Terms, before: EncodedPolicy, after: EncodedPolicy) => Term }

/** Whether what two policies decide about a request is this way to differ. */
export function isSo({ kind, obligation }: Way, before: Effect, after: Effect): boolean {
  const demands = ({ obligations }: Effect) => obligation !== null && obligations.includes(obligation)
  switch (kind) {
    case 'gains': return after.isAllowed && !before.isAllowed
    case 'loses': return before.isAllowed && !after.isAllowed
    case 'demands': return before.isAllowed && after.isAllowed && demands(after) && !demands(before)
    case 'waives': return before.isAllowed && after.isAllowed && demands(before) && !demands(after)
  }
}
type Effect = Pick<Decided, 'isAllowed' | 'obligations'>

function ways(before: PolicySet, after: PolicySet): readonly Side[] {
  const moved = (kind: 'gains' | 'loses'): Side => ({
    kind, obligation: null,
    term: (terms, one, two) => (kind === 'gains' ? terms.and(two.allow, terms.not(one.allow)) : terms.and(one.allow, terms.not(two.allow))),
  })
  const put = (kind: 'demands' | 'waives', obligation: string): Side => ({
    kind, obligation,
    term: (terms, one, two) => {
      const [with_, without] = (kind === 'demands' ? [two, one] : [one, two]).map(({ obligations }) => obligations.get(obligation) ?? terms.false) as [Term, Term]
      return terms.and(one.allow, two.allow, with_, terms.not(without))
    },
  })
  const names = obligationsOfAll([...before.rules, ...after.rules])
  return [moved('gains'), moved('loses'), ...names.flatMap((name) => [put('demands', name), put('waives', name)])]
}

/** Whether anything of the difference is outside of some conditions. */
function question(study: Study, before: PolicySet, after: PolicySet, environment: Environment, side: Side, conditions: readonly Condition[]) {
  const place = study.place(environment)
  return {
    name: ['difference', side.kind, ...(side.obligation === null ? [] : [side.obligation])].join(':'),
    inputs: { before: before.text, after: after.text, conditions },
    environments: [environment],
    rules: [...before.rules, ...after.rules],
    claim: () => ({
      goal: place.terms.and(
        side.term(place.terms, study.policy(environment, before), study.policy(environment, after)),
        ...conditions.map((each) => place.terms.not(conditionTerm(place, each))),
      ),
      mentions: [],
      fails: (scene: Counterexample, look: Look) => isSo(side, look.decided(before, scene), look.decided(after, scene)) && !conditions.some((each) => meets(each, scene, look)),
    }),
  }
}

/** Whether a request meets a condition, in Cedar’s eyes. */
function meets({ when, failing }: Condition, scene: Counterexample, look: Look): boolean {
  const standings = standingsOf([when, ...failing], scene, look)
  return standings.every((standing, i) => standing === (i === 0 ? 'holds' : 'fails'))
}

function standingsOf(expressions: readonly Expression[], scene: Counterexample, look: Look): readonly Standing[] {
  const rules = expressions.map((each, i) => probe(String(i), each))
  const { satisfied, erring } = look.permits(written(rules), scene)
  return rules.map(({ id }) => (satisfied.includes(id) ? 'holds' : erring.includes(id) ? 'fails' : 'does not hold'))
}

/** The rules that concern an environment; all of them where one of them is not encoded, so that nothing can be said. */
function looking(study: Study, environment: Environment, policy: PolicySet): readonly Rule[] {
  try {
    return study.policy(environment, policy).rules.map(({ rule }) => rule)
  } catch (error) {
    if (error instanceof Failure && error.code === 'UNSUPPORTED_CONSTRUCT') return policy.rules
    throw error
  }
}

// ---- From a difference to conditions ----

/** The conditions for one way to differ in one environment. */
class Search {
  readonly #study: Study
  readonly #before: PolicySet
  readonly #after: PolicySet
  readonly #environment: Environment
  readonly #side: Side
  readonly #engines: Engines
  readonly #goOn: () => Promise<boolean>

  constructor(study: Study, before: PolicySet, after: PolicySet, environment: Environment, side: Side, engines: Engines, goOn: () => Promise<boolean>) {
    this.#study = study
    this.#before = before
    this.#after = after
    this.#environment = environment
    this.#side = side
    this.#engines = engines
    this.#goOn = goOn
  }

  async describe(first: Answer): Promise<Part> {
    const { kind, obligation } = this.#side
    const part = (conditions: readonly Described[], open: string | null, uncovered: Counterexample | null = null): Part => ({ kind, obligation, conditions, open, uncovered })
    const found: Described[] = []
    let answer = first
    for (; answer.kind === 'refuted'; answer = await this.#uncovered(found)) {
      const { counterexample } = answer
      if (found.length === CONDITIONS_MAX) {
        const whole = await this.#whole(counterexample)
        return whole !== null ? part([whole], null) : part(found, `more than ${CONDITIONS_MAX} conditions`, counterexample)
      }
      const next = (await this.#goOn()) ? await this.#around(counterexample) : null
      if (next === null) return part(found, OUT_OF_TIME, counterexample)
      const implies = await this.#implies(next)
      if (implies.kind !== 'proved') return part(found, implies.kind === 'unknown' ? implies.reason : 'a condition does not make the difference, which is a bug of the prover', counterexample)
      found.push({ condition: next, witness: counterexample })
    }
    if (answer.kind === 'unknown') return part(found, answer.reason)
    return (await this.#fewer(found)) ?? part(found, null)
  }

  /** The conditions that are needed, told in as few as can be; null where that is all of them, or where it cannot be proved that they cover what the others do. */
  async #fewer(found: readonly Described[]): Promise<Part | null> {
    if (!(await this.#goOn())) return null
    const needed = await this.#needed(found)
    const few = merged(needed, CONDITIONS_READABLE)
    if (few === found) return null // Which cover everything: that is proved.
    const made = few.filter((each) => !needed.includes(each))
    for (const { condition } of made) if ((await this.#implies(condition)).kind !== 'proved') return null
    if ((await this.#uncovered(few)).kind !== 'proved') return null
    return { kind: this.#side.kind, obligation: this.#side.obligation, conditions: few, open: null, uncovered: null }
  }

  /** Everything that is known of a request, less whatever the difference does not need; null when time is over. */
  async #around(witness: Counterexample): Promise<Condition | null> {
    const place = this.#place
    const atoms = this.#atoms()
    const guards = atoms.flatMap(({ expression }) => guardsOf(place, expression))
    const standings = standingsOf([...atoms.map(({ expression }) => expression), ...guards], witness, lookWith(this.#study, this.#engines.replay))
    const literals = atoms.map((atom, i): Literal => ({ atom, standing: standings[i] as Standing }))
    const held = new Set(guards.filter((_, i) => standings[atoms.length + i] === 'holds').map((guard) => JSON.stringify(guard)))
    const needed = await this.#smallest([], literals.toSorted((a, b) => clarity(a) - clarity(b)), false)
    if (needed === null) return null
    return conditionOf(place, literals.filter((each) => needed.includes(each)), (guard) => held.has(JSON.stringify(guard)))
  }

  /** Of literals that, with others, make the difference, as few as needed, where those in front rather stay; null when time is over. */
  async #smallest(others: readonly Literal[], literals: readonly Literal[], isNew: boolean): Promise<readonly Literal[] | null> {
    if (!(await this.#goOn())) return null
    if (isNew && await this.#suffice(others)) return []
    if (literals.length <= 1) return isNew ? literals : await this.#suffice(others) ? [] : literals
    const half = Math.ceil(literals.length / 2)
    const [front, back] = [literals.slice(0, half), literals.slice(half)]
    const ofBack = await this.#smallest([...others, ...front], back, true)
    const ofFront = ofBack === null ? null : await this.#smallest([...others, ...ofBack], front, ofBack.length > 0)
    return ofBack === null || ofFront === null ? null : [...ofFront, ...ofBack]
  }

  #suffice(literals: readonly Literal[]): Promise<boolean> {
    const place = this.#place
    return this.#excluded(place.terms.and(...literals.map((each) => literalTerm(place, each)), place.terms.not(this.#goal)))
  }

  async #needed(found: readonly Described[]): Promise<readonly Described[]> {
    const place = this.#place
    let kept = found
    for (const each of found) {
      const rest = kept.filter((other) => other !== each)
      if (rest.length === 0) break
      const terms = rest.map(({ condition }) => place.terms.not(conditionTerm(place, condition)))
      if (await this.#excluded(place.terms.and(conditionTerm(place, each.condition), ...terms))) kept = rest
    }
    return kept
  }

  /** The whole difference as one condition: long, and exact where no rule can fail. */
  async #whole(witness: Counterexample): Promise<Described | null> {
    if (this.#side.obligation !== null) return null
    const [from, to] = this.#side.kind === 'gains' ? [this.#before, this.#after] : [this.#after, this.#before]
    const rules = (policy: PolicySet) => looking(this.#study, this.#environment, policy)
    const condition: Condition = { when: { kind: 'and', left: permitting(rules(to)), right: { kind: 'not', of: permitting(rules(from)) } }, failing: [] }
    const whole = { condition, witness }
    try {
      return (await this.#implies(condition)).kind === 'proved' && (await this.#uncovered([whole])).kind === 'proved' ? whole : null
    } catch (error) {
      if (error instanceof Failure && error.code === 'UNSUPPORTED_CONSTRUCT') return null
      throw error
    }
  }

  async #uncovered(found: readonly Described[]): Promise<Answer> {
    const [proof] = await settle(this.#study, [question(this.#study, this.#before, this.#after, this.#environment, this.#side, found.map(({ condition }) => condition))], this.#engines)
    return (proof as Proof).answer
  }

  async #implies(condition: Condition): Promise<Answer> {
    const asked = question(this.#study, this.#before, this.#after, this.#environment, this.#side, [])
    const [proof] = await settle(this.#study, [{
      ...asked,
      name: `${asked.name}:implied`,
      inputs: { ...asked.inputs, condition },
      claim: () => ({
        goal: this.#place.terms.and(conditionTerm(this.#place, condition), this.#place.terms.not(this.#goal)),
        mentions: [],
        fails: (scene, look) => meets(condition, scene, look) && !isSo(this.#side, look.decided(this.#before, scene), look.decided(this.#after, scene)),
      }),
    }], this.#engines)
    return (proof as Proof).answer
  }

  /** Whether nothing satisfies a goal: for looking around only, by whichever engine is faster; what is not known is no. */
  async #excluded(goal: Term): Promise<boolean> {
    const { terms, schema } = this.#place
    const simple = simplify(terms, goal)
    if (simple === terms.false) return true
    const assertions = ground(terms, schema, simple)
    const known = this.#engines.sat?.(assertions)
    if (known?.kind === 'sat' || known?.kind === 'unsat') return known.kind === 'unsat'
    const { text } = emit(assertions)
    const [reply] = await this.#engines.solve([{ text, values: [] }], this.#study.limits)
    return reply?.kind === 'unsat'
  }

  /** Those of rules that only one of the policies has come first: what changed is rather told in what was written anew. */
  #atoms(): readonly Atom[] {
    const [before, after] = [looking(this.#study, this.#environment, this.#before), looking(this.#study, this.#environment, this.#after)]
    const text = (rule: Rule) => JSON.stringify([rule.effect, asExpression(rule)])
    const both = new Set(before.map(text).filter((each) => after.some((rule) => text(rule) === each)))
    const rules = [...after, ...before]
    return atomsOf(this.#place, [...rules.filter((rule) => !both.has(text(rule))), ...rules.filter((rule) => both.has(text(rule)))])
  }

  get #place() {
    return this.#study.place(this.#environment)
  }

  get #goal(): Term {
    return this.#side.term(this.#place.terms, this.#study.policy(this.#environment, this.#before), this.#study.policy(this.#environment, this.#after))
  }
}

/** What is, reads better than what is not; presences last, since reading what is there says them too. */
function clarity({ atom: { expression }, standing }: Literal): number {
  const isGuard = expression.kind === 'has' || expression.kind === 'hasTag'
  return (isGuard && standing === 'holds' ? 4 : 0) + (standing === 'holds' ? 0 : standing === 'does not hold' ? 1 : 2)
}
