import type { Expression } from '#core/policy/expression.ts'
import { obligations as obligationsOf, type Rule } from '#core/policy/policy.ts'
import { compileExpression } from '../compile-expression.ts'
import type { Decision } from '../decide.ts'
import { Situation, type Entities } from '../situation.ts'
import type { EntityValue, RecordValue } from '../value.ts'
import { conjunctsOf, mentionsOf } from './conjuncts.ts'
import { Interned } from './interned.ts'
import { compileRelation, DOUBT, NO, YES, type Ground, type Relation } from './relation.ts'
import { DOUBTFUL, isSure, Rows, SideRows, type Demand } from './side.ts'
import { SharedDecisions } from './shared-decisions.ts'
import type { TypeTable } from './type-table.ts'

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

/**
 * Conjuncts of one side come before the others as masks, up to the first that is neither side's alone: from there on the rule's own order decides
 * whether one fails, and all is left to decision time.
 */
export function splitRule(rule: Rule, order: number): SplitRule {
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
    principal: { scope: rule.principal, conjuncts: before.filter(({ resource }) => !resource).map(({ expression }) => expression) },
    resource: { scope: rule.resource, conjuncts: before.filter(({ resource }) => resource).map(({ expression }) => expression) },
    relations: mixed < 0 ? [] : conjuncts.slice(mixed),
  }
}

type Use = { readonly action: EntityValue; readonly principals: TypeTable; readonly resources: TypeTable; readonly entities: Entities; readonly watch: (key: string, side: SideRows, row: number) => void }

const WORD = 32
/** Up to here the masks are one word. */
const SMALL_MAX = 31

/** The rules that can fit one action, type of principal and type of resource, compiled. */
export class CompiledEnvironment {
  readonly principals: SideRows
  readonly resources: SideRows
  readonly #rows = new Rows()
  readonly #interned = new Interned()
  readonly #isSmall: boolean
  /** By place in the masks; there are places without a rule, whose bits are never set. */
  readonly #rules: (SplitRule | undefined)[] = []
  /** By place. */
  readonly #alone: Decision[] = []
  /** Places of rules that demand nothing of either side, in a large environment. */
  readonly #unconditional: number[] = []
  /** By place: where its relations begin in the list of their numbers. What one rule alone has is noted as its complement. */
  readonly #first: Int32Array
  readonly #numbers: Int32Array
  readonly #relations: Relation[]
  /** By relation: the decision that it was last answered in, four times, and its answer. */
  readonly #answered: Int32Array
  #decision = 0
  #hits: Int32Array
  #count = 0
  readonly #shared = new SharedDecisions()
  readonly #concluded = () => this.#together()

  constructor(rules: readonly SplitRule[], use: Use) {
    const interned = this.#interned
    const sideUse = { ...use, rows: this.#rows, interned }
    this.principals = new SideRows(use.principals, sideUse)
    this.resources = new SideRows(use.resources, sideUse)
    this.#isSmall = rules.length <= SMALL_MAX
    this.#place(rules)
    this.#hits = new Int32Array(rules.length)

    const ground: Ground = {
      interned,
      principal: { slotOf: (expression) => this.principals.slotOf(expression), entities: use.principals.entities },
      resource: { slotOf: (expression) => this.resources.slotOf(expression), entities: use.resources.entities },
      sideOf: (expression) => {
        const { principal, resource, context } = mentionsOf(expression)
        return context || (principal && resource) ? null : resource ? 'resource' : 'principal'
      },
      general: (expression) => {
        const evaluate = compileExpression(expression)
        return (rows, p, r, context) => {
          const [principal, resource] = [use.principals.entities[rows[p] as number], use.resources.entities[rows[r] as number]]
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
  }

  /** Gives every rule its place: one word has all, or, side by side and each from a word of its own, the principals' own, those of both sides, the resources' own. */
  #place(rules: readonly SplitRule[]): void {
    const put = (rule: SplitRule) => {
      const place = this.#rules.push(rule) - 1
      this.#alone[place] = rule.alone
      this.principals.add(place, rule.principal)
      this.resources.add(place, rule.resource)
      return place
    }
    if (this.#isSmall) {
      for (const rule of rules) put(rule)
      this.principals.seal(null)
      this.resources.seal(null)
      return
    }
    const kinds: [SplitRule[], SplitRule[], SplitRule[], SplitRule[]] = [[], [], [], []]
    for (const rule of rules) {
      const [anyone, anything] = [SideRows.demandsNothing(rule.principal), SideRows.demandsNothing(rule.resource)]
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
    const p = this.principals.offsetOf(principal)
    const r = this.resources.offsetOf(resource)
    if (p === DOUBTFUL || r === DOUBTFUL) return null
    const rows = this.#rows.ints
    this.#count = 0
    if (++this.#decision === 1 << 29) {
      this.#decision = 1
      this.#answered.fill(0)
    }
    let atP = p + this.principals.maskAt
    let atR = r + this.resources.maskAt
    if (this.#isSmall) {
      const bits = (rows[atP] as number) & (rows[atR] as number)
      if (bits !== 0 && !this.#word(0, bits, rows, p, r, context)) return null
      return this.#conclude()
    }
    for (let left = rows[atP++] as number; left > 0; left--, atP += 2) if (!this.#word(rows[atP] as number, rows[atP + 1] as number, rows, p, r, context)) return null
    for (let left = rows[atR++] as number; left > 0; left--, atR += 2) if (!this.#word(rows[atR] as number, rows[atR + 1] as number, rows, p, r, context)) return null
    const endP = atP + 1 + 2 * (rows[atP] as number)
    const endR = atR + 1 + 2 * (rows[atR] as number)
    atP++
    atR++
    while (atP < endP && atR < endR) {
      const wordP = rows[atP] as number
      const wordR = rows[atR] as number
      if (wordP === wordR) {
        const bits = (rows[atP + 1] as number) & (rows[atR + 1] as number)
        if (bits !== 0 && !this.#word(wordP, bits, rows, p, r, context)) return null
        atP += 2
        atR += 2
      } else if (wordP < wordR) atP += 2
      else atR += 2
    }
    for (const place of this.#unconditional) if (!this.#look(place, rows, p, r, context)) return null
    return this.#conclude()
  }

  /** Gives back the room of rows that were dropped, or drops all; never while something is being decided. */
  tidy(all: boolean): void {
    if (!all && (this.#rows.dropped < DROPPED_MAX || this.#rows.dropped * 2 < this.#rows.end)) return
    this.#rows.clear()
    this.#interned.clear()
    this.principals.forget()
    this.resources.forget()
  }

  /** Looks at the rules of a word's bits; false in doubt. */
  #word(word: number, bits: number, rows: Int32Array, p: number, r: number, context: RecordValue): boolean {
    for (let left = bits; left !== 0; left &= left - 1) {
      if (!this.#look((word << 5) + 31 - Math.clz32(left & -left), rows, p, r, context)) return false
    }
    return true
  }

  #look(place: number, rows: Int32Array, p: number, r: number, context: RecordValue): boolean {
    const end = this.#first[place + 1] as number
    for (let i = this.#first[place] as number; i < end; i++) {
      const number = this.#numbers[i] as number
      const answer = number < 0 ? (this.#relations[~number] as Relation)(rows, p, r, context) : this.#answer(number, rows, p, r, context)
      if (answer === NO) return true
      if (answer === DOUBT) return false
    }
    this.#hits[this.#count++] = place
    return true
  }

  /** Each relation that rules share is answered once a decision. */
  #answer(number: number, rows: Int32Array, p: number, r: number, context: RecordValue): number {
    const known = this.#answered[number] as number
    if (known >> 2 === this.#decision) return known & 3
    const answer = (this.#relations[number] as Relation)(rows, p, r, context)
    this.#answered[number] = (this.#decision << 2) | answer
    return answer
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
    if (!this.#isSmall) winning.sort((a, b) => a.order - b.order)
    const determining = winning.map(({ rule }) => rule.id)
    if (isForbidden) return { decision: 'deny', verdict: 'forbidden', determining, obligations: NO_OBLIGATIONS, ...NOTHING }
    const obligations = winning.some(({ obligations }) => obligations.length > 0) ? [...new Set(winning.flatMap(({ obligations }) => obligations))].sort() : NO_OBLIGATIONS
    return { decision: 'allow', verdict: 'permitted', determining, obligations, ...NOTHING }
  }
}

const DROPPED_MAX = 1 << 16
