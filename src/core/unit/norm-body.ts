import { z } from 'zod'
import type { BinaryKind, Expression } from '#core/policy/expression.ts'
import type { Norm } from './norm.ts'

const Uid = z.strictObject({ type: z.string().min(1), id: z.string() })

const BINARY = [
  'and', 'or', 'eq', 'neq', 'less', 'lessEq', 'greater', 'greaterEq', 'add', 'sub', 'mul', 'in', 'contains', 'containsAll', 'containsAny', 'getTag', 'hasTag',
] as const satisfies readonly BinaryKind[]

/** An expression as another process sends it: exactly the shapes there are, and none besides. */
export const ExpressionBody: z.ZodType<Expression> = z.lazy(() => z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('bool'), value: z.boolean() }),
  z.strictObject({ kind: z.literal('long'), value: z.string().regex(/^-?\d{1,19}$/) }),
  z.strictObject({ kind: z.literal('string'), value: z.string() }),
  z.strictObject({ kind: z.literal('entity'), uid: Uid }),
  z.strictObject({ kind: z.literal('var'), name: z.enum(['principal', 'action', 'resource', 'context']) }),
  z.strictObject({ kind: z.literal('get'), of: ExpressionBody, attribute: z.string() }),
  z.strictObject({ kind: z.literal('has'), of: ExpressionBody, attribute: z.string() }),
  z.strictObject({ kind: z.enum(['not', 'neg', 'isEmpty']), of: ExpressionBody }),
  z.strictObject({ kind: z.enum(BINARY), left: ExpressionBody, right: ExpressionBody }),
  z.strictObject({ kind: z.literal('is'), of: ExpressionBody, type: z.string(), in: ExpressionBody.nullable() }),
  z.strictObject({ kind: z.literal('if'), condition: ExpressionBody, then: ExpressionBody, else: ExpressionBody }),
  z.strictObject({ kind: z.literal('set'), items: z.array(ExpressionBody) }),
  z.strictObject({ kind: z.literal('record'), fields: z.record(z.string(), ExpressionBody) }),
  z.strictObject({ kind: z.literal('like'), of: ExpressionBody, pattern: z.array(z.string().nullable()) }),
  z.strictObject({ kind: z.literal('call'), name: z.string(), args: z.array(ExpressionBody) }),
]))

/** A norm as another process sends it. */
export const NormBody: z.ZodType<Norm> = z.strictObject({
  id: z.string().min(1),
  sentence: z.int().min(0),
  source: z.string(),
  modality: z.enum(['permit', 'forbid', 'oblige']),
  principals: z.array(z.string()),
  actions: z.array(Uid),
  resources: z.array(z.string()),
  when: ExpressionBody.nullable(),
  unless: ExpressionBody.nullable(),
  obligation: z.string().nullable(),
})
