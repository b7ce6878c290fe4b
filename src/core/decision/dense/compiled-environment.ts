import { compileExpression } from '../compile-expression.ts'
import type { Decision } from '../decide.ts'
import { Situation, type Entities } from '../situation.ts'
import type { EntityValue, RecordValue } from '../value.ts'
import { mentionsOf } from './conjuncts.ts'
import type { Interned } from './interned.ts'
import { Leader, Limits } from './leaders.ts'
import { DOUBTFUL, Masks } from './masks.ts'
import type { Compiling, Program, Step } from './program.ts'
import { isSure, type Room, type Watch } from './recording.ts'
import { DOUBT, limitOf, NO, YES, type Answer, type Ground, type Limit } from './relation.ts'
import type { Rows } from './rows.ts'
import { SharedDecisions } from './shared-decisions.ts'
import type { Slots } from './slots.ts'
import { NO_OBLIGATIONS, NOTHING, type SplitRule } from './split-rules.ts'

/** What an environment is compiled with: where what rules read of its principals and resources is kept, what is stored, who wants to know of what was read. */
export type Use = { readonly action: EntityValue; readonly principals: Slots; readonly resources: Slots; readonly interned: Interned; readonly program: Program; readonly entities: Entities; readonly room: Room; readonly watch: Watch }

const NOT_PERMITTED: Decision = Object.freeze({ decision: 'deny', verdict: 'not_permitted', determining: Object.freeze([]), obligations: NO_OBLIGATIONS, ...NOTHING })
const WORD = 32
/** Up to here every mask has all words of the environment. */
const WORDS_MAX = 2

/** The rules that can fit one action, type of principal and type of resource, compiled. */
export class CompiledEnvironment {
  readonly principals: Masks
  readonly resources: Masks
  readonly #slotsOfPrincipals: Slots
  readonly #slotsOfResources: Slots
  // Where masks are, again: they are looked at without what makes them, which lies elsewhere for every environment.
  readonly #rowsOfPrincipals: Rows
  readonly #rowsOfResources: Rows
  readonly #principalsAt: number
  readonly #resourcesAt: number
  /** Of masks that have all; 0: they are lists. */
  readonly #words: number
  /** By place in the masks; there are places without a rule, whose bits are never set. */
  readonly #rules: (SplitRule | undefined)[] = []
  /** By place. */
  readonly #alone: Decision[] = []
  /** Of rules that demand nothing of either side, where masks are lists: pairs of a word's number and its bits. */
  readonly #unconditional: number[] = []
  readonly #program: Program
  /** Where the program keeps, by word, the places of rules of which something remains to be asked. */
  readonly #related: number
  /** Where it keeps, by place, where it begins with that. */
  readonly #steps: number
  /** Where masks have all words: what rules begin with, asked for all of them before any is looked at. */
  readonly #leaders: readonly Leader[]
  readonly #limits: readonly Limits[]
  /** Whether there are any of these. */
  readonly #isLed: boolean
  /** The rules that hold: pairs of a word's number and its bits. */
  readonly #hits: Int32Array
  #count = 0
  readonly #shared = new SharedDecisions()
  readonly #concluded = () => this.#together()

  constructor(rules: readonly SplitRule[], use: Use) {
    const words = Math.ceil((rules.length + 1) / WORD)
    this.#words = words <= WORDS_MAX ? words : 0
    this.principals = new Masks(use.principals.rows, this.#words, use)
    this.resources = new Masks(use.resources.rows, this.#words, use)
    this.#slotsOfPrincipals = use.principals
    this.#slotsOfResources = use.resources
    this.#rowsOfPrincipals = this.principals.rows
    this.#rowsOfResources = this.resources.rows
    this.#principalsAt = this.principals.at
    this.#resourcesAt = this.resources.at
    this.#place(rules)
    this.#hits = new Int32Array(2 * Math.ceil(this.#rules.length / WORD))
    this.#program = use.program

    const [principals, resources] = [use.principals.rows.table.entities, use.resources.rows.table.entities]
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
    const compiling: Compiling = { ground, instructions: new Map(), relations: new Map() }
    const uses = new Map<string, number>()
    for (const { relations } of rules) for (const { key } of relations) uses.set(key, (uses.get(key) ?? 0) + 1)
    const led = new Map<Step, number[]>()
    const limited = new Map<string, [number, Limit][]>()
    const related = new Int32Array(Math.ceil(this.#rules.length / WORD))
    const steps = new Int32Array(this.#rules.length).fill(YES)
    for (const [place, rule] of this.#rules.entries()) {
      const [first, ...others] = rule?.relations ?? []
      if (first === undefined) continue
      let step = others.reduceRight((next, { expression }) => use.program.add(expression, compiling, next), YES)
      const limit = this.#words > 0 ? limitOf(first.expression) : null
      if (limit !== null) limited.set(limit.name, [...(limited.get(limit.name) ?? []), [place, limit]])
      else if (this.#words > 0 && (uses.get(first.key) ?? 0) > 1) append(led, use.program.add(first.expression, compiling), place)
      else step = use.program.add(first.expression, compiling, step)
      if (step === YES) continue
      steps[place] = step
      related[place >>> 5] = (related[place >>> 5] as number) | (1 << (place & 31))
    }
    this.#related = use.program.append(related)
    this.#steps = use.program.append(steps)
    this.#leaders = [...led].map(([step, places]) => new Leader(step, places))
    this.#limits = [...limited].map(([name, limits]) => new Limits(name, limits))
    this.#isLed = led.size + limited.size > 0
  }

  /** Gives every rule its place, in order; where masks are lists, side by side and each from a word of its own, the principals' own, those of both sides, the resources' own. */
  #place(rules: readonly SplitRule[]): void {
    const put = (rule: SplitRule) => {
      const place = this.#rules.push(rule) - 1
      this.#alone[place] = rule.alone
      this.principals.add(place, rule.principal)
      this.resources.add(place, rule.resource)
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
    const starts = kinds.map((kind) => {
      while (this.#rules.length % WORD !== 0) this.#rules.push(undefined)
      const start = this.#rules.length / WORD
      for (const rule of kind) put(rule)
      return start
    }) as [number, number, number, number]
    this.principals.seal({ from: starts[0], to: starts[1] })
    this.resources.seal({ from: starts[2], to: starts[3] })
    for (let place = starts[3] * WORD; place < this.#rules.length; place += WORD) this.#unconditional.push(place / WORD, this.#rules.length - place >= WORD ? -1 : (1 << (this.#rules.length - place)) - 1)
  }

  /** What is decided about two entities by their rows in their tables; null: in doubt, which the general evaluator settles. */
  decide(principal: number, resource: number, context: RecordValue): Decision | null {
    this.#count = 0
    this.#program.begin()
    const isTold = this.#words > 0 ? this.#lookInWords(principal, resource, context) : this.#lookInLists(principal, resource, context)
    return isTold ? this.#conclude() : null
  }

  /** Finds the rules that hold; false in doubt. */
  #lookInWords(principal: number, resource: number, context: RecordValue): boolean {
    const [principals, resources] = [this.#rowsOfPrincipals, this.#rowsOfResources]
    const p = principal * principals.stride + this.#principalsAt
    const r = resource * resources.stride + this.#resourcesAt
    if (((principals.ints[p] as number) & (resources.ints[r] as number) & 1) === 0) {
      if (this.principals.made(principal) === DOUBTFUL || this.resources.made(resource) === DOUBTFUL) return false
    }
    const inP = principals.ints
    const inR = resources.ints
    let low = (inP[p] as number) & (inR[r] as number) & ~1
    let high = this.#words > 1 ? (inP[p + 1] as number) & (inR[r + 1] as number) : 0
    if (this.#isLed) {
      for (const limits of this.#limits) {
        if (((low & limits.low) | (high & limits.high)) === 0) continue
        const at = limits.at(context)
        if (at < 0) return false
        low &= limits.met[at] as number
        high &= limits.met[at + 1] as number
      }
      for (const leader of this.#leaders) {
        if (((low & leader.low) | (high & leader.high)) === 0) continue
        const answer = this.#run(leader.step, principal, resource, context)
        if (answer === DOUBT) return false
        if (answer === YES) continue
        low &= ~leader.low
        high &= ~leader.high
      }
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
    const always = this.#unconditional
    for (let i = 0; i < always.length; i += 2) if (!this.#look(always[i] as number, always[i + 1] as number, principal, resource, context)) return false
    return true
  }

  /** Looks at the rules of a word's bits; false in doubt. */
  #look(word: number, bits: number, principal: number, resource: number, context: RecordValue): boolean {
    const kept = this.#program.ints
    let left = bits & (kept[this.#related + word] as number)
    let holding = bits
    for (; left !== 0; left &= left - 1) {
      const bit = left & -left
      const answer = this.#run(kept[this.#steps + (word << 5) + 31 - Math.clz32(bit)] as number, principal, resource, context)
      if (answer === DOUBT) return false
      if (answer === NO) holding &= ~bit
    }
    if (holding !== 0) {
      this.#hits[this.#count++] = word
      this.#hits[this.#count++] = holding
    }
    return true
  }

  #run(step: Step, principal: number, resource: number, context: RecordValue): Answer {
    const [principals, resources] = [this.#slotsOfPrincipals.rows, this.#slotsOfResources.rows]
    const [p, r] = [principal * principals.stride, resource * resources.stride]
    if (principals.ints[p] !== principal) this.#slotsOfPrincipals.make(principal)
    if (resources.ints[r] !== resource) this.#slotsOfResources.make(resource)
    return this.#program.run(step, principals.ints, p, resources.ints, r, context)
  }

  tidy(): void {
    this.principals.tidy()
    this.resources.tidy()
  }

  #conclude(): Decision {
    if (this.#count === 0) return NOT_PERMITTED
    const bits = this.#hits[1] as number
    if (this.#count > 2 || (bits & (bits - 1)) !== 0) return this.#shared.of(this.#hits, this.#count, this.#concluded)
    return this.#alone[((this.#hits[0] as number) << 5) + 31 - Math.clz32(bits)] as Decision
  }

  /** The hits of the effect that wins, in the order of the rules. */
  #together(): Decision {
    const winning: SplitRule[] = []
    let isForbidden = false
    for (let i = 0; i < this.#count; i += 2) {
      for (let left = this.#hits[i + 1] as number; left !== 0; left &= left - 1) {
        const rule = this.#rules[((this.#hits[i] as number) << 5) + 31 - Math.clz32(left & -left)] as SplitRule
        if (!rule.isPermit && !isForbidden) {
          isForbidden = true
          winning.length = 0
        }
        if (rule.isPermit !== isForbidden) winning.push(rule)
      }
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
