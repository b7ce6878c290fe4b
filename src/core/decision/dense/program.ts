import type { Expression } from '#core/policy/expression.ts'
import type { RecordValue, Value } from '../value.ts'
import { FALSE, TRUE } from './interned.ts'
import { lengthened } from './lengthened.ts'
import { compileRelation, DOUBT, limitOf, NO, slotOf, YES, type Answer, type Ground, type Relation } from './relation.ts'

// An instruction is six integers: what it asks, of what (two), which relation to ask where that does not tell, and where to go on after yes and after no.
const RELATION_AT = 3
const YES_AT = 4

// What is asked. Slots are numbers in rows; those that two sides have are always the principal's, then the resource's.
const TRUTH_OF_PRINCIPAL = 0
const TRUTH_OF_RESOURCE = 1
/** Of an attribute of the context, by the number of its name. */
const TRUTH_OF_CONTEXT = 2
const SAME = 3
const LESS = 4
const GREATER = 5
/** An attribute of the context against a bound. */
const BELOW = 6
const ABOVE = 7
/** A relation. */
const ASK = 8

/** At so many decisions they are counted from 1 again: four times as many is an integer of 32 bits still. */
const DECISIONS = 1 << 29
const LENGTH_MIN = 64

/** Where in a program to go on, or the answer. */
export type Step = number

/** The conditions of one environment, while they are compiled: what is there already is used again. */
export type Compiling = { readonly ground: Ground; readonly instructions: Map<string, number>; readonly relations: Map<string, number> }

/**
 * What remains of rules for decision time, as branching instructions of small integers: nothing is called for what rules ask most, comparing what two
 * rows have, and reading a truth or a limit. Everything else is a {@link Relation}, asked at most once a decision.
 */
export class Program {
  readonly #values: readonly (Value | undefined)[]
  #code = new Int32Array(0)
  #end = 0
  readonly #relations: Relation[] = []
  /** By relation: the decision that it was last asked in, four times, and its answer. */
  #answered = new Int32Array(0)
  #decision = 1
  readonly #names: string[] = []
  readonly #numberOf = new Map<string, number>()
  readonly #bounds: number[] = []

  /** @param values By the numbers that rows have. */
  constructor(values: readonly (Value | undefined)[]) {
    this.#values = values
  }

  /** Another decision begins: nothing that was answered counts any more. */
  begin(): void {
    if (++this.#decision < DECISIONS) return
    this.#decision = 1
    this.#answered.fill(0)
  }

  /** Of instructions, and of whoever appends some. */
  get ints(): Int32Array {
    return this.#code
  }

  /**
   * Keeps integers beside the instructions, with which they are read.
   *
   * @returns Where they begin.
   */
  append(ints: ArrayLike<number>): number {
    const at = this.#end
    this.#end += ints.length
    this.#code = lengthened(this.#code, this.#end, LENGTH_MIN)
    this.#code.set(ints, at)
    return at
  }

  /** Where to begin for a condition, to go on as it is answered. */
  add(expression: Expression, compiling: Compiling, yes: Step = YES, no: Step = NO): Step {
    const { ground } = compiling
    const slot = slotOf(expression, ground)
    if (slot !== null) return this.#put(compiling, [slot.side === 'principal' ? TRUTH_OF_PRINCIPAL : TRUTH_OF_RESOURCE, slot.at, 0, 0, yes, no])
    switch (expression.kind) {
      case 'not': return this.add(expression.of, compiling, no, yes)
      case 'and': return this.add(expression.left, compiling, this.add(expression.right, compiling, yes, no), no)
      case 'or': return this.add(expression.left, compiling, yes, this.add(expression.right, compiling, yes, no))
      case 'if': return this.add(expression.condition, compiling, this.add(expression.then, compiling, yes, no), this.add(expression.else, compiling, yes, no))
      case 'get': {
        if (expression.of.kind !== 'var' || expression.of.name !== 'context') break
        return this.#put(compiling, [TRUTH_OF_CONTEXT, this.#nameNumber(expression.attribute), 0, 0, yes, no])
      }
      case 'eq':
      case 'neq': {
        const slots = slotsOf(expression, ground)
        if (slots === null) break
        return this.#put(compiling, [SAME, slots.principal, slots.resource, 0, ...(expression.kind === 'eq' ? [yes, no] as const : [no, yes] as const)])
      }
      case 'less': return this.#addOrder(LESS, expression, compiling, yes, no)
      case 'greater': return this.#addOrder(GREATER, expression, compiling, yes, no)
      case 'lessEq': return this.#addOrder(GREATER, { ...expression, kind: 'greater' }, compiling, no, yes)
      case 'greaterEq': return this.#addOrder(LESS, { ...expression, kind: 'less' }, compiling, no, yes)
      default:
    }
    return this.#put(compiling, [ASK, 0, 0, this.#relationNumber(expression, compiling), yes, no])
  }

  /** An order of integers is asked here; that of other values, and of what is no value, as a relation. */
  #addOrder(order: typeof LESS | typeof GREATER, expression: Comparison, compiling: Compiling, yes: Step, no: Step): Step {
    const otherwise = this.#relationNumber(expression, compiling)
    const limit = limitOf(expression)
    if (limit !== null) return this.#put(compiling, [order === LESS ? BELOW : ABOVE, this.#nameNumber(limit.name), this.#bounds.push(limit.bound) - 1, otherwise, yes, no])
    const slots = slotsOf(expression, compiling.ground)
    if (slots === null) return this.#put(compiling, [ASK, 0, 0, otherwise, yes, no])
    const turned = order === LESS ? GREATER : LESS
    return this.#put(compiling, [slots.isPrincipalFirst ? order : turned, slots.principal, slots.resource, otherwise, yes, no])
  }

  #put({ instructions }: Compiling, instruction: readonly [ask: number, a: number, b: number, otherwise: number, yes: Step, no: Step]): Step {
    const key = instruction.join()
    const known = instructions.get(key)
    if (known !== undefined) return known
    const at = this.append(instruction)
    instructions.set(key, at)
    return at
  }

  #relationNumber(expression: Expression, { relations, ground }: Compiling): number {
    const key = JSON.stringify(expression)
    const known = relations.get(key)
    if (known !== undefined) return known
    const number = this.#relations.push(compileRelation(expression, ground)) - 1
    this.#answered = lengthened(this.#answered, number + 1, LENGTH_MIN)
    relations.set(key, number)
    return number
  }

  #nameNumber(name: string): number {
    const number = this.#numberOf.get(name) ?? this.#names.push(name) - 1
    this.#numberOf.set(name, number)
    return number
  }

  /** Goes from a step to the answer. The slots of the principal begin at `p` of `ps`, those of the resource at `r` of `rs`. */
  run(step: Step, ps: Int32Array, p: number, rs: Int32Array, r: number, context: RecordValue): Answer {
    const code = this.#code
    let at = step
    while (at >= 0) {
      const a = code[at + 1] as number
      switch (code[at]) {
        case TRUTH_OF_PRINCIPAL:
        case TRUTH_OF_RESOURCE: {
          const truth = code[at] === TRUTH_OF_PRINCIPAL ? ps[p + a] as number : rs[r + a] as number
          at = truth === TRUE || truth === FALSE ? code[at + YES_AT - TRUE + truth] as number : DOUBT
          break
        }
        case SAME: {
          const [one, other] = [ps[p + a] as number, rs[r + (code[at + 2] as number)] as number]
          const bits = one ^ other
          // 0 where no bit differs, else 1.
          at = one === 0 || other === 0 ? DOUBT : code[at + YES_AT + ((bits | -bits) >>> 31)] as number
          break
        }
        case LESS:
        case GREATER: {
          const [one, other] = [this.#values[ps[p + a] as number], this.#values[rs[r + (code[at + 2] as number)] as number]]
          if (typeof one !== 'number' || typeof other !== 'number') at = this.#ask(at, ps, p, rs, r, context)
          else at = code[at + YES_AT + ((code[at] === LESS ? one < other : one > other) ? 0 : 1)] as number
          break
        }
        case TRUTH_OF_CONTEXT: {
          const truth = context.fields.get(this.#names[a] as string)
          at = typeof truth === 'boolean' ? code[at + YES_AT + (truth ? 0 : 1)] as number : DOUBT
          break
        }
        case BELOW:
        case ABOVE: {
          const value = context.fields.get(this.#names[a] as string)
          const bound = this.#bounds[code[at + 2] as number] as number
          if (typeof value !== 'number') at = this.#ask(at, ps, p, rs, r, context)
          else at = code[at + YES_AT + ((code[at] === BELOW ? value < bound : value > bound) ? 0 : 1)] as number
          break
        }
        default: at = this.#ask(at, ps, p, rs, r, context)
      }
    }
    return at as Answer
  }

  /** Where to go on after an instruction's relation. */
  #ask(at: number, ps: Int32Array, p: number, rs: Int32Array, r: number, context: RecordValue): Step {
    const number = this.#code[at + RELATION_AT] as number
    const known = this.#answered[number] as number
    let answer = ~(known & 3) as Answer
    if (known >> 2 !== this.#decision) {
      answer = (this.#relations[number] as Relation)(ps, p, rs, r, context)
      this.#answered[number] = (this.#decision << 2) | ~answer
    }
    return answer === DOUBT ? DOUBT : this.#code[at + YES_AT + (answer === YES ? 0 : 1)] as number
  }
}

type Comparison = Extract<Expression, { readonly left: Expression; readonly right: Expression }>

/** Where two sides of a comparison are, when one depends on the principal alone and the other on the resource alone. */
function slotsOf({ left, right }: Comparison, ground: Ground): { readonly principal: number; readonly resource: number; readonly isPrincipalFirst: boolean } | null {
  const [one, other] = [slotOf(left, ground), slotOf(right, ground)]
  if (one === null || other === null || one.side === other.side) return null
  const isPrincipalFirst = one.side === 'principal'
  return { principal: isPrincipalFirst ? one.at : other.at, resource: isPrincipalFirst ? other.at : one.at, isPrincipalFirst }
}
