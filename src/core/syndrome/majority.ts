import type { Decision } from '#core/decision/decide.ts'
import { all, any, not, type Expression } from '#core/policy/expression.ts'
import { obligations, renamed, type PolicySet, type Rule } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import { semanticHash } from '#core/policy/semantic-hash.ts'
import type { Halves, Voter } from '#core/proof/majority.ts'
import type { Counterexample, Proof } from '#core/proof/proof.ts'
import { comparingByClasses } from '#core/stabilizers/meaning-classes.ts'

/** What finding a majority asks of the world. */
export type Jury = {
  /** @throws {Failure} `POLICY_INVALID` */
  readonly parse: (cedar: string, schema: Schema) => PolicySet
  readonly sameMeaning: (a: PolicySet, b: PolicySet, schema: Schema) => Promise<Proof>
  /** What policies decide on one counterexample. */
  readonly decidedOn: (counterexample: Counterexample, schema: Schema) => (policy: PolicySet) => Pick<Decision, 'decision' | 'obligations'>
  readonly isMajority: (policy: PolicySet, voters: readonly Voter[], schema: Schema, halves?: Halves) => Promise<Proof>
}

/** Candidates of proven equal meaning, by index, the first one first. */
export type Classes = { readonly kind: 'told'; readonly classes: readonly (readonly number[])[] } | { readonly kind: 'untold'; readonly because: string }

/** Groups candidates by what they mean. A comparison that gives no answer leaves it untold: nobody is taken to agree. */
export async function classesOf(candidates: readonly PolicySet[], schema: Schema, jury: Pick<Jury, 'sameMeaning' | 'decidedOn'>): Promise<Classes> {
  const compare = comparingByClasses(jury, schema)
  const classes: number[][] = []
  for (const [i, candidate] of candidates.entries()) {
    let home: number[] | null = null
    for (const members of classes) {
      const first = members[0] as number
      const { answer } = await compare(candidates[first] as PolicySet, candidate, schema)
      if (answer.kind === 'unknown') return { kind: 'untold', because: `whether candidates ${first + 1} and ${i + 1} mean the same is not known` }
      if (answer.kind === 'refuted') continue
      home = members
      break
    }
    if (home === null) classes.push([i])
    else home.push(i)
  }
  return { kind: 'told', classes }
}

export type Majority =
  /** Proved to decide as the majority; from which it was taken: a candidate (which), rules that candidates have, or rules put together from theirs. */
  | { readonly kind: 'found'; readonly policy: PolicySet; readonly from: 'candidate' | 'rules' | 'composed'; readonly candidate: number | null; readonly proof: Proof }
  | { readonly kind: 'none'; readonly because: string }

/**
 * The pointwise weighted majority of independent candidates as one readable policy. It can be right though every candidate is wrong somewhere, as
 * long as no request is wrong in most of them.
 *
 * Tried in this order, and each only believed once it is proved: the candidate whose class has more than half of the weight; the rules that more
 * than half have, by meaning; any other candidate; rules composed from those of every smallest majority. Where on some request one half stands against the other, there
 * is no majority, and nothing is found.
 */
export async function majorityOf(voters: readonly Voter[], classes: readonly (readonly number[])[], schema: Schema, jury: Jury): Promise<Majority> {
  const weightOf = (members: Iterable<number>) => [...members].reduce((sum, i) => sum + (voters[i] as Voter).weight, 0)
  const needed = weightOf(voters.keys()) / 2
  const ruling = classes.find((members) => weightOf(members) > needed)
  const candidates = voters.map(({ policy }) => policy)
  const candidateWay = (i: number) => ({ from: 'candidate' as const, candidate: i, rulesOf: async () => (candidates[i] as PolicySet).rules })
  const ways: { readonly from: Exclude<Majority, { kind: 'none' }>['from']; readonly candidate: number | null; readonly rulesOf: () => Promise<readonly Rule[] | null> }[] = [
    ...(ruling === undefined ? [] : [candidateWay(ruling[0] as number)]),
    { from: 'rules', candidate: null, rulesOf: () => commonRules(candidates, (members) => weightOf(members) > needed, schema, jury) },
    ...(ruling === undefined ? classes.map(([first]) => candidateWay(first as number)) : []),
    { from: 'composed', candidate: null, rulesOf: async () => composed(candidates, (members) => weightOf(members) > needed) },
  ]
  let because = 'no majority can be written down'
  for (const { from, candidate, rulesOf } of ways) {
    const rules = await rulesOf()
    if (rules === null) continue
    const policy = jury.parse(renderRules(named(rules)), schema)
    const proof = await jury.isMajority(policy, voters, schema)
    if (proof.answer.kind === 'proved') {
      // It decides as the majority whichever way halves count, or some request is a tie.
      const { answer } = ruling === undefined ? await jury.isMajority(policy, voters, schema, 'permit') : proof
      if (answer.kind === 'proved') return { kind: 'found', policy, from, candidate, proof }
      return { kind: 'none', because: answer.kind === 'refuted' ? 'on some request one half of the candidates stands against the other' : `whether one half stands against the other anywhere is not known: ${answer.reason}` }
    }
    if (proof.answer.kind === 'unknown') because = `whether a policy decides as the majority is not known: ${proof.answer.reason}`
  }
  return { kind: 'none', because }
}

/** Each rule that enough candidates have, once. */
async function commonRules(candidates: readonly PolicySet[], isEnough: (members: Iterable<number>) => boolean, schema: Schema, jury: Jury): Promise<readonly Rule[]> {
  const groups: { readonly rule: Rule; readonly alone: PolicySet; readonly hash: string; readonly members: Set<number> }[] = []
  for (const [i, { rules }] of candidates.entries()) {
    for (const rule of rules) {
      // As a permit of its own, so that what it applies to is what it decides.
      const alone = parsedAlone(rule, schema, jury)
      const hash = semanticHash(alone.rules, schema)
      let home = groups.find((group) => group.hash === hash && isAlike(group.rule, rule))
      for (const group of groups) {
        if (home !== undefined) break
        if (isAlike(group.rule, rule) && !group.members.has(i) && (await isSame(group.alone, alone, schema, jury)) === true) home = group
      }
      if (home === undefined) groups.push({ rule, alone, hash, members: new Set([i]) })
      else home.members.add(i)
    }
  }
  return groups.filter(({ members }) => isEnough(members)).map(({ rule }) => rule)
}

function parsedAlone(rule: Rule, schema: Schema, jury: Jury): PolicySet {
  return jury.parse(renderRules([{ ...rule, effect: 'permit', annotations: {} }]), schema)
}

function isAlike(a: Rule, b: Rule): boolean {
  return a.effect === b.effect && obligations(a).join() === obligations(b).join() && canMeet(a, b)
}

/** Rules for other actions are not compared. */
function canMeet(a: Rule, b: Rule): boolean {
  const key = ({ action }: Rule) => (action.kind === 'eq' ? JSON.stringify([action.uid]) : action.kind === 'in' && action.uids.length === 1 ? JSON.stringify(action.uids) : null)
  const [one, other] = [key(a), key(b)]
  return one === null || other === null || one === other
}

/** More rules than this nobody reads. */
const COMPOSED_MAX = 60

/**
 * What every smallest majority permits together: of each of its members one permit, and none of their prohibitions. Null when that would be more
 * rules than anybody reads.
 */
function composed(candidates: readonly PolicySet[], isEnough: (members: Iterable<number>) => boolean): readonly Rule[] | null {
  const rules: Rule[] = []
  for (const members of smallest(candidates.length, isEnough)) {
    const permits = members.map((i) => (candidates[i] as PolicySet).rules.filter(({ effect }) => effect === 'permit'))
    if (rules.length + permits.reduce((product, { length }) => product * length, 1) > COMPOSED_MAX) return null
    const forbids = members.flatMap((i) => (candidates[i] as PolicySet).rules.filter(({ effect }) => effect === 'forbid'))
    for (const chosen of product(permits)) {
      const [first] = chosen
      if (first === undefined) continue
      const shared = obligations(first).filter((name) => chosen.every((rule) => obligations(rule).includes(name)))
      rules.push({
        id: first.id, effect: 'permit', annotations: shared.length === 0 ? {} : { obligation: shared.join(', ') },
        principal: { kind: 'any' }, action: first.action, resource: { kind: 'any' },
        when: chosen.map(conditionOf), unless: forbids.map(conditionOf),
      })
    }
  }
  return rules
}

/** Scope and bodies of a rule as one condition. */
function conditionOf({ principal, action, resource, when, unless }: Rule): Expression {
  const of = (name: 'principal' | 'resource', scope: Rule['principal']): readonly Expression[] => {
    const of: Expression = { kind: 'var', name }
    switch (scope.kind) {
      case 'any': return []
      case 'eq':
      case 'in': return [{ kind: scope.kind, left: of, right: { kind: 'entity', uid: scope.uid } }]
      case 'is': return [{ kind: 'is', of, type: scope.type, in: scope.in === null ? null : { kind: 'entity', uid: scope.in } }]
    }
  }
  const isAction: Expression = { kind: 'var', name: 'action' }
  const actions: readonly Expression[] = action.kind === 'any' ? [] : action.kind === 'eq' ? [{ kind: 'eq', left: isAction, right: { kind: 'entity', uid: action.uid } }]
    : [{ kind: 'in', left: isAction, right: { kind: 'set', items: action.uids.map((uid): Expression => ({ kind: 'entity', uid })) } }]
  return all([...of('principal', principal), ...actions, ...of('resource', resource), ...when, ...(unless.length === 0 ? [] : [not(any(unless))])])
}

/** Sets of members that are enough and would not be without any of them. */
function smallest(count: number, isEnough: (members: Iterable<number>) => boolean): readonly (readonly number[])[] {
  const found: number[][] = []
  for (let bits = 1; bits < 2 ** count; bits++) {
    const members = Array.from({ length: count }, (_, i) => i).filter((i) => (bits & (1 << i)) !== 0)
    if (isEnough(members) && members.every((left) => !isEnough(members.filter((i) => i !== left)))) found.push(members)
  }
  return found
}

function product<T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] {
  return lists.reduce<readonly (readonly T[])[]>((made, list) => made.flatMap((each) => list.map((item) => [...each, item])), [[]])
}

/** Null when it is not known. */
async function isSame(a: PolicySet, b: PolicySet, schema: Schema, jury: Pick<Jury, 'sameMeaning'>): Promise<boolean | null> {
  if (semanticHash(a.rules, schema) === semanticHash(b.rules, schema)) return true
  const { answer } = await jury.sameMeaning(a, b, schema)
  return answer.kind === 'unknown' ? null : answer.kind === 'proved'
}

/** With ids of their own, which those of several candidates may not be. */
function named(rules: readonly Rule[]): readonly Rule[] {
  const ids = new Set(rules.map(({ id }) => id))
  return ids.size === rules.length ? rules : rules.map((rule, i) => renamed(rule, `rule${i + 1}`))
}
