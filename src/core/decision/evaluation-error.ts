import { typeName, type Value } from './value.ts'

/**
 * Why an expression has no value. It is returned like a value and passed on unseen by whatever would have used one: a request can make rules
 * fail at will, and a thrown error would cost more than the decision.
 */
export class EvaluationError {
  readonly kind: 'type' | 'overflow' | 'attribute' | 'tag' | 'entity' | 'extension' | 'arguments'
  readonly message: string

  constructor(kind: EvaluationError['kind'], message: string) {
    this.kind = kind
    this.message = message
  }
}

export type Outcome = Value | EvaluationError

/** For an outcome that is not what was wanted: its own error, or that its type is the wrong one. */
export function notA(wanted: string, outcome: Outcome): EvaluationError {
  return outcome instanceof EvaluationError ? outcome : new EvaluationError('type', `expected ${wanted}, got ${typeName(outcome)}`)
}
