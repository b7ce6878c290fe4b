import { z } from 'zod'

const Uid = z.strictObject({ type: z.string().min(1), id: z.string() })

/** An entity in Cedar's JSON format. */
export const EntityBody = z.strictObject({
  uid: z.union([Uid, z.strictObject({ __entity: Uid }).transform(({ __entity }) => __entity)]),
  attrs: z.record(z.string(), z.unknown()).default({}),
  parents: z.array(z.union([Uid, z.strictObject({ __entity: Uid }).transform(({ __entity }) => __entity)])).default([]),
  tags: z.record(z.string(), z.unknown()).exactOptional(),
})

/** A request as Cedar's tools write it, with the entities it is about. */
export const QuestionBody = z.strictObject({
  principal: z.string().min(1),
  action: z.string().min(1),
  resource: z.string().min(1),
  context: z.record(z.string(), z.unknown()).default({}),
  entities: z.array(EntityBody).optional(),
})

export const ExampleBody = z.strictObject({
  name: z.string().min(1).max(200).optional(),
  request: QuestionBody.omit({ entities: true }),
  entities: z.array(EntityBody).default([]),
  decision: z.enum(['allow', 'deny']),
  obligations: z.record(z.string().min(1).max(200), z.boolean()).exactOptional().describe('Of what is allowed: which obligations must be demanded (true), and which must not (false)'),
})

/** So many examples of one request, answers to its questions among them. */
export const EXAMPLES_MAX = 100

/**
 * The body of `POST /api/v1/generate-policy`, and the file that `acgs generate` reads.
 *
 * `context` keeps what it does not know as metadata; what it knows is checked.
 */
export const GenerateBody = z.strictObject({
  title: z.string().trim().min(5).max(500).describe('What the policy is called'),
  description: z.string().trim().min(20).max(100_000).describe('The rules, in sentences: who may, must not or must do what, on which, when, unless'),
  stakeholders: z.array(z.string().min(1).max(200)).max(100).default([]),
  constitutional_principles: z.array(z.string().min(1).max(200)).max(100).default([]).describe('Ids or names of principles of the constitution in force; each must bind something in the schema'),
  priority: z.enum(['low', 'medium', 'high', 'critical']).default('medium'),
  context: z
    .looseObject({
      domain: z.string().max(100).optional().describe('Name of a shipped domain pack'),
      application: z.string().max(200).optional(),
      schema: z.string().max(500_000).optional().describe('A Cedar schema of your own, as text'),
      examples: z.array(ExampleBody).max(EXAMPLES_MAX).default([]).describe('Decisions you expect: every candidate is measured against them'),
      revises: z.string().max(200).optional().describe('Set by the answers to a generation’s questions: that generation. A request of your own leaves it out'),
      explanations: z.array(z.number().int().min(1)).max(1_000).default([]).describe('Numbers of sentences that explain and rule nothing'),
    })
    .default({ examples: [], explanations: [] }),
  requirements: z
    .strictObject({
      compliance_threshold: z.number().min(0).max(1).optional().describe('Raises the configured threshold for this request; never lowers it'),
      consensus_required: z.boolean().default(false).describe('Two independent readers must have read every sentence'),
      multi_model_validation: z.boolean().default(false).describe('Several language models must agree; undetermined where none is configured'),
    })
    .default({ consensus_required: false, multi_model_validation: false }),
})

export type GenerateBody = z.infer<typeof GenerateBody>
