import type { Rule } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Decision } from '../decide.ts'
import { DenseEvaluator, type Question } from './dense-evaluator.ts'
import { LiveEntities } from './live-entities.ts'

/** Entities of one schema and the rules in force over them: both may change between two decisions, and none sees half of a change. */
export class LiveRules {
  readonly entities: LiveEntities
  readonly #schema: Schema | null
  #active: DenseEvaluator

  constructor(rules: readonly Rule[], schema: Schema | null) {
    this.#schema = schema
    this.entities = new LiveEntities(schema)
    this.#active = new DenseEvaluator(rules, this.entities, schema)
  }

  decide(question: Question): Decision {
    return this.#active.decide(question)
  }

  /** Compiles other rules while those in force go on deciding, then puts them in their place. */
  replace(rules: readonly Rule[]): void {
    const next = new DenseEvaluator(rules, this.entities, this.#schema)
    next.prepare()
    const before = this.#active
    this.#active = next
    before.close()
  }
}
