import { findPrinciples, type Constitution } from '#core/constitution/constitution.ts'
import { Failure } from '#core/failure.ts'
import type { Schema } from '#core/policy/schema.ts'
import { refuseContradictions } from './example.ts'
import { choosePack, type Pack } from './pack.ts'
import type { GenerateBody } from './request.ts'
import type { SemanticUnit } from './semantic-unit.ts'
import { sentencesOf } from './sentences.ts'

/** A policy of more rules than this nobody can check, and nothing can prove quickly. */
const SENTENCES_MAX = 200

/** What a request is understood against. */
export type Setting = {
  readonly packs: readonly Pack[]
  readonly constitution: Constitution
  readonly parseSchema: (text: string) => Schema
  /** The configured score from which on a policy can be certified; a request may raise it, never lower it. */
  readonly threshold: number
}

/**
 * The unit that a request means: its sentences, over the schema it brings, else that of the pack it names, else that of the pack
 * whose words fit its text best.
 *
 * @throws {Failure} `PRINCIPLE_UNKNOWN`, `DOMAIN_UNKNOWN`, `SCHEMA_INVALID`, `EXAMPLES_CONTRADICT`, or `REQUEST_MALFORMED` for an explanation that is no sentence.
 */
export function toUnit(id: string, body: GenerateBody, setting: Setting): SemanticUnit {
  const { context, requirements } = body
  const schema = setting.parseSchema(context.schema ?? choosePack(setting.packs, { domain: context.domain, text: `${body.title}\n${body.description}` }).schema)
  const sentences = sentencesOf(body.description, schema, context.explanations)
  if (sentences.length > SENTENCES_MAX) {
    throw new Failure('REQUEST_MALFORMED', `the description has ${sentences.length} sentences, and ${SENTENCES_MAX} are the most: divide it into several requests`, {
      problems: [{ place: 'description', message: `${sentences.length} sentences` }],
    })
  }
  const beyond = context.explanations.filter((number) => number > sentences.length)
  if (beyond.length > 0) {
    throw new Failure('REQUEST_MALFORMED', `there is no sentence ${beyond.join(', ')}: the description has ${sentences.length}`, {
      problems: [{ place: 'context.explanations', message: `sentence numbers run from 1 to ${sentences.length}` }],
    })
  }
  const examples = context.examples.map(({ name, ...example }, i) => ({ name: name ?? `example ${i + 1}`, ...example }))
  refuseContradictions(examples, 'context.examples')
  return {
    id,
    request: {
      title: body.title,
      description: body.description,
      stakeholders: body.stakeholders,
      principles: findPrinciples(setting.constitution, body.constitutional_principles).map(({ id }) => id),
      priority: body.priority,
      examples,
      explanations: context.explanations,
      complianceThreshold: Math.max(setting.threshold, requirements.compliance_threshold ?? 0),
      consensusRequired: requirements.consensus_required,
      multiModelValidation: requirements.multi_model_validation,
      ...(context.revises === undefined ? {} : { revises: context.revises }),
    },
    schema,
    sentences,
  }
}
