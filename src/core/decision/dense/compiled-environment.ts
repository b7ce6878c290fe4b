import type { Expression } from '#core/policy/expression.ts'
import { obligations as obligationsOf, type Rule } from '#core/policy/policy.ts'
import { compileExpression, type Evaluate } from '../compile-expression.ts'
import type { Decision } from '../decide.ts'
import { Situation, type Entities } from '../situation.ts'
import type { EntityValue, RecordValue } from '../value.ts'
import { conjunctsOf, mentionsOf } from './conjuncts.ts'
import type { Interned } from './interned.ts'
import { Leader, Limits } from './leaders.ts'
import { DOUBTFUL, Masks, type Demand } from './masks.ts'
import { isSure, type Room, type Watch } from './recording.ts'
import { compileRelation, DOUBT, limitOf, NO, YES, type Ground, type Limit, type Relation } from './relation.ts'
import { SharedDecisions } from './shared-decisions.ts'
import type { Slots } from './slots.ts'

/** A rule, taken apart once for all environments. */
export type SplitRule = {
  readonly rule: Rule
  readonly order: number
  readonly isPermit: boolean
  readonly obligations: readonly string[]
  /** What is decided when it alone determines. Shared by all such decisions. */
  readonly alone: Decision
  readonly principal: Demand
  readonly resource: Demand
  /** What remains for decision time, in order. */
  readonly relations: readonly { readonly key: string; readonly expression: Expression }[]
}

const NOTHING = Object.freeze({ errors: Object.freeze([]), missing: Object.freeze([]) })
const NO_OBLIGATIONS: readonly string[] = Object.freeze([])
const NOT_PERMITTED: Decision = Object.freeze({ decision: 'deny', verdict: 'not_permitted', determining: Object.freeze([]), obligations: NO_OBLIGATIONS, ...NOTHING })

/** Rules, each taken apart when it is first asked for. */
export class SplitRules {
  readonly #rules: readonly Rule[]
  readonly #split: SplitRule[] = []
  readonly #compiled = new Map<string, Evaluate>()

  constructor(rules: readonly Rule[]) {
    this.#rules = rules
  }

  /** Those of the rules that are wanted, in order. */
  filter(isWanted: (rule: Rule) => boolean): readonly SplitRule[] {
    const found: SplitRule[] = []
    for (const [order, rule] of this.#rules.entries()) if (isWanted(rule)) found.push(this.#split[order] ??= this.#splitRule(rule, order))
    return found
  }

  /**
   * Conjuncts of one side come before the others as masks, up to the first that is neither side's alone: from there on the rule's own order decides
   * whether one fails, and all is left to decision time.
   */
  #splitRule(rule: Rule, order: number): SplitRule {
    const conjuncts = conjunctsOf(rule).map((expression) => ({ expression, key: JSON.stringify(expression), ...mentionsOf(expression) }))
    const mixed = conjuncts.findIndex(({ principal, resource, context }) => context || (principal && resource))
    const before = mixed < 0 ? conjuncts : conjuncts.slice(0, mixed)
    const isPermit = rule.effect === 'permit'
    const obligations = Object.freeze([...obligationsOf(rule)])
    const determining = Object.freeze([rule.id])
    return {
      rule,
      order,
      isPermit,
      obligations,
      alone: Object.freeze(isPermit ? { decision: 'allow', verdict: 'permitted', determining, obligations, ...NOTHING } : { decision: 'deny', verdict: 'forbidden', determining, obligations: NO_OBLIGATIONS, ...NOTHING }),
      principal: { scope: rule.principal, conjuncts: before.filter(({ resource }) => !resource).map((each) => this.#compile(each)) },
      resource: { scope: rule.resource, conjuncts: before.filter(({ resource }) => resource).map((each) => this.#compile(each)) },
      relations: mixed < 0 ? [] : conjuncts.slice(mixed),
    }
  }

  #compile({ key, expression }: { readonly key: string; readonly expression: Expression }): Demand['conjuncts'][number] {
    const evaluate = this.#compiled.get(key) ?? compileExpression(expression)
    this.#compiled.set(key, evaluate)
    return { key, evaluate }
  }
}

/** What an environment is compiled with: where what rules read of its principals and resources is kept, what is stored, who wants to know of what was read. */
export type Use = { readonly action: EntityValue; readonly principals: Slots; readonly resources: Slots; readonly interned: Interned; readonly entities: Entities; readonly room: Room; readonly watch: Watch }

const WORD = 32
/** Up to here every mask has all words of the environment. */
const WORDS_MAX = 2

/** The rules that can fit one action, type of principal and type of resource, compiled. */
export class CompiledEnvironment {
  readonly principals: Masks
  readonly resources: Masks
  readonly #slotsOfPrincipals: Slots
  readonly #slotsOfResources: Slots
  /** Of masks that have all; 0: they are lists. */
  readonly #words: number
  /** By place in the masks; there are places without a rule, whose bits are never set. */
  readonly #rules: (SplitRule | undefined)[] = []
  /** By place. */
  readonly #alone: Decision[] = []
  /** Places of rules that demand nothing of either side, where masks are lists. */
  readonly #unconditional: number[] = []
  /** By place: where its relations begin in the list of their numbers. What one rule alone has is noted as its complement. */
  readonly #first: Int32Array
  /** By place: where the relations begin that are left once those are answered that rules begin with. */
  readonly #start: Int32Array
  readonly #numbers: Int32Array
  readonly #relations: Relation[]
  /** By relation: the decision that it was last answered in, four times, and its answer. */
  readonly #answered: Int32Array
  #decision = 0
  /** Where masks have all words: what rules begin with, asked for all of them before any is looked at. */
  readonly #leaders: readonly Leader[]
  readonly #limits: readonly Limits[]
  readonly #hits: Int32Array
  #count = 0
  readonly #shared = new SharedDecisions()
  readonly #concluded = () => this.#together()

  constructor(rules: readonly SplitRule[], use: Use) {
    const words = Math.ceil((rules.length + 1) / WORD)
    this.#words = words <= WORDS_MAX ? words : 0
    this.principals = new Masks(use.principals.table, this.#words, use)
    this.resources = new Masks(use.resources.table, this.#words, use)
    this.#slotsOfPrincipals = use.principals
    this.#slotsOfResources = use.resources
    this.#place(rules)
    this.#hits = new Int32Array(rules.length)

    const [principals, resources] = [use.principals.table.entities, use.resources.table.entities]
    const ground: Ground = {
      interned: use.interned,
      principal: { slotOf: (expression) => use.principals.slotOf(expression, use.action), entities: principals },
      resource: { slotOf: (expression) => use.resources.slotOf(expression, use.action), entities: resources },
      sideOf: (expression) => {
        const { principal, resource, context } = mentionsOf(expression)
        return context || (principal && resource) ? null : resource ? 'resource' : 'principal'
      },
      general: (expression) => {
        const evaluate = compileExpression(expression)
        return (ps, p, rs, r, context) => {
          const [principal, resource] = [principals[ps[p] as number], resources[rs[r] as number]]
          if (principal === undefined || resource === undefined) return DOUBT
          const situation = new Situation({ principal: principal.name, action: use.action, resource: resource.name, context }, use.entities)
          const value = evaluate(situation)
          return typeof value !== 'boolean' || !isSure(situation) ? DOUBT : value ? YES : NO
        }
      },
    }
    const uses = new Map<string, number>()
    for (const { relations } of rules) for (const { key } of relations) uses.set(key, (uses.get(key) ?? 0) + 1)
    const numberOf = new Map<string, number>()
    this.#relations = []
    this.#first = new Int32Array(this.#rules.length + 1)
    const numbers: number[] = []
    for (const [place, rule] of this.#rules.entries()) {
      for (const { key, expression } of rule?.relations ?? []) {
        const number = numberOf.get(key) ?? this.#relations.push(compileRelation(expression, ground)) - 1
        numberOf.set(key, number)
        numbers.push(uses.get(key) === 1 ? ~number : number)
      }
      this.#first[place + 1] = numbers.length
    }
    this.#numbers = Int32Array.from(numbers)
    this.#answered = new Int32Array(this.#relations.length)

    this.#start = this.#first.slice()
    const led = new Map<number, number[]>()
    const limited = new Map<string, [number, Limit][]>()
    if (this.#words > 0) {
      for (const [place, rule] of this.#rules.entries()) {
        const first = rule?.relations[0]
        if (first === undefined) continue
        const limit = limitOf(first.expression)
        if (limit !== null) limited.set(limit.name, [...(limited.get(limit.name) ?? []), [place, limit]])
        else if ((uses.get(first.key) ?? 0) > 1) append(led, numberOf.get(first.key) as number, place)
        else continue
        this.#start[place] = (this.#first[place] as number) + 1
      }
    }
    this.#leaders = [...led].map(([number, places]) => new Leader(number, places))
    this.#limits = [...limited].map(([name, limits]) => new Limits(name, limits))
  }

  /** Gives every rule its place, in order; where masks are lists, side by side and each from a word of its own, the principals' own, those of both sides, the resources' own. */
  #place(rules: readonly SplitRule[]): void {
    const put = (rule: SplitRule) => {
      const place = this.#rules.push(rule) - 1
      this.#alone[place] = rule.alone
      this.principals.add(place, rule.principal)
      this.resources.add(place, rule.resource)
      return place
    }
    if (this.#words > 0) {
      this.#rules.push(undefined) // Whose bit says that masks are made.
      for (const rule of rules) put(rule)
      this.principals.seal(NO_WORDS)
      this.resources.seal(NO_WORDS)
      return
    }
    const kinds: [SplitRule[], SplitRule[], SplitRule[], SplitRule[]] = [[], [], [], []]
    for (const rule of rules) {
      const [anyone, anything] = [Masks.demandsNothing(rule.principal), Masks.demandsNothing(rule.resource)]
      kinds[anyone ? (anything ? 3 : 2) : anything ? 0 : 1].push(rule)
    }
    const starts = kinds.map((kind, i) => {
      while (this.#rules.length % WORD !== 0) this.#rules.push(undefined)
      const start = this.#rules.length / WORD
      for (const rule of kind) {
        const place = put(rule)
        if (i === 3) this.#unconditional.push(place)
      }
      return start
    }) as [number, number, number, number]
    this.principals.seal({ from: starts[0], to: starts[1] })
    this.resources.seal({ from: starts[2], to: starts[3] })
  }

  /** What is decided about two entities by their rows in their tables; null: in doubt, which the general evaluator settles. */
  decide(principal: number, resource: number, context: RecordValue): Decision | null {
    this.#count = 0
    if (++this.#decision === 1 << 29) {
      this.#decision = 1
      this.#answered.fill(0)
    }
    const isTold = this.#words > 0 ? this.#lookInWords(principal, resource, context) : this.#lookInLists(principal, resource, context)
    return isTold ? this.#conclude() : null
  }

  /** Finds the rules that hold; false in doubt. */
  #lookInWords(principal: number, resource: number, context: RecordValue): boolean {
    const words = this.#words
    const [p, r] = [principal * words, resource * words]
    if (((this.principals.ints[p] as number) & (this.resources.ints[r] as number) & 1) === 0) {
      if (this.principals.made(principal) === DOUBTFUL || this.resources.made(resource) === DOUBTFUL) return false
    }
    const inP = this.principals.ints
    const inR = this.resources.ints
    let low = (inP[p] as number) & (inR[r] as number) & ~1
    let high = words > 1 ? (inP[p + 1] as number) & (inR[r + 1] as number) : 0
    for (const limits of this.#limits) {
      if (((low & limits.low) | (high & limits.high)) === 0) continue
      const at = limits.at(context)
      if (at < 0) return false
      low &= limits.met[at] as number
      high &= limits.met[at + 1] as number
    }
    for (const leader of this.#leaders) {
      if (((low & leader.low) | (high & leader.high)) === 0) continue
      const answer = this.#ask(leader.relation, principal, resource, context)
      if (answer === DOUBT) return false
      if (answer === YES) continue
      low &= ~leader.low
      high &= ~leader.high
    }
    return (low === 0 || this.#look(0, low, principal, resource, context)) && (high === 0 || this.#look(1, high, principal, resource, context))
  }

  #lookInLists(principal: number, resource: number, context: RecordValue): boolean {
    let p = this.principals.made(principal)
    let r = this.resources.made(resource)
    if (p === DOUBTFUL || r === DOUBTFUL) return false
    const inP = this.principals.lists.ints
    const inR = this.resources.lists.ints
    for (let left = inP[p++] as number; left > 0; left--, p += 2) if (!this.#look(inP[p] as number, inP[p + 1] as number, principal, resource, context)) return false
    for (let left = inR[r++] as number; left > 0; left--, r += 2) if (!this.#look(inR[r] as number, inR[r + 1] as number, principal, resource, context)) return false
    const endP = p + 1 + 2 * (inP[p] as number)
    const endR = r + 1 + 2 * (inR[r] as number)
    p++
    r++
    while (p < endP && r < endR) {
      const [wordP, wordR] = [inP[p] as number, inR[r] as number]
      if (wordP === wordR) {
        const bits = (inP[p + 1] as number) & (inR[r + 1] as number)
        if (bits !== 0 && !this.#look(wordP, bits, principal, resource, context)) return false
        p += 2
        r += 2
      } else if (wordP < wordR) p += 2
      else r += 2
    }
    for (const place of this.#unconditional) if (!this.#look(place >>> 5, 1 << (place & 31), principal, resource, context)) return false
    return true
  }

  /** Looks at the rules of a word's bits; false in doubt. */
  #look(word: number, bits: number, principal: number, resource: number, context: RecordValue): boolean {
    for (let left = bits; left !== 0; left &= left - 1) {
      const place = (word << 5) + 31 - Math.clz32(left & -left)
      const answer = this.#start[place] === this.#first[place + 1] ? YES : this.#relate(place, principal, resource, context)
      if (answer === DOUBT) return false
      if (answer === YES) this.#hits[this.#count++] = place
    }
    return true
  }

  /** Whether all relations of a rule hold. */
  #relate(place: number, principal: number, resource: number, context: RecordValue): number {
    const [principals, resources] = [this.#slotsOfPrincipals, this.#slotsOfResources]
    const [p, r] = [principal * principals.stride, resource * resources.stride]
    if (principals.ints[p] !== principal) principals.make(principal)
    if (resources.ints[r] !== resource) resources.make(resource)
    const [ps, rs] = [principals.ints, resources.ints]
    const end = this.#first[place + 1] as number
    for (let i = this.#start[place] as number; i < end; i++) {
      const number = this.#numbers[i] as number
      const answer = number < 0 ? (this.#relations[~number] as Relation)(ps, p, rs, r, context) : this.#answer(number, ps, p, rs, r, context)
      if (answer !== YES) return answer
    }
    return YES
  }

  /** Answers a relation that rules share. */
  #ask(number: number, principal: number, resource: number, context: RecordValue): number {
    const [principals, resources] = [this.#slotsOfPrincipals, this.#slotsOfResources]
    const [p, r] = [principal * principals.stride, resource * resources.stride]
    if (principals.ints[p] !== principal) principals.make(principal)
    if (resources.ints[r] !== resource) resources.make(resource)
    return this.#answer(number, principals.ints, p, resources.ints, r, context)
  }

  /** Each relation that rules share is answered once a decision. */
  #answer(number: number, ps: Int32Array, p: number, rs: Int32Array, r: number, context: RecordValue): number {
    const known = this.#answered[number] as number
    if (known >> 2 === this.#decision) return known & 3
    const answer = (this.#relations[number] as Relation)(ps, p, rs, r, context)
    this.#answered[number] = (this.#decision << 2) | answer
    return answer
  }

  tidy(): void {
    this.principals.tidy()
    this.resources.tidy()
  }

  #conclude(): Decision {
    if (this.#count === 0) return NOT_PERMITTED
    return this.#count === 1 ? this.#alone[this.#hits[0] as number] as Decision : this.#shared.of(this.#hits, this.#count, this.#concluded)
  }

  /** The hits of the effect that wins, in the order of the rules. */
  #together(): Decision {
    const winning: SplitRule[] = []
    let isForbidden = false
    for (let i = 0; i < this.#count; i++) {
      const rule = this.#rules[this.#hits[i] as number] as SplitRule
      if (!rule.isPermit && !isForbidden) {
        isForbidden = true
        winning.length = 0
      }
      if (rule.isPermit !== isForbidden) winning.push(rule)
    }
    if (winning.length === 1) return (winning[0] as SplitRule).alone
    if (this.#words === 0) winning.sort((a, b) => a.order - b.order)
    const determining = winning.map(({ rule }) => rule.id)
    if (isForbidden) return { decision: 'deny', verdict: 'forbidden', determining, obligations: NO_OBLIGATIONS, ...NOTHING }
    const obligations = winning.some(({ obligations }) => obligations.length > 0) ? [...new Set(winning.flatMap(({ obligations }) => obligations))].sort() : NO_OBLIGATIONS
    return { decision: 'allow', verdict: 'permitted', determining, obligations, ...NOTHING }
  }
}

function append<K>(lists: Map<K, number[]>, key: K, place: number): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [place])
  else list.push(place)
}

const NO_WORDS = { from: 0, to: 0 }
