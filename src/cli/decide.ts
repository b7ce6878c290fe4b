import type { Command } from 'commander'
import { z } from 'zod'
import { authorize, checkEntities, parsePolicies, parseSchema, parseUid } from '#adapters/cedar/cedar.ts'
import { decide } from '#core/decision/decide.ts'
import { uidText } from '#core/policy/policy.ts'
import { EntityBody, QuestionBody } from '#core/unit/request.ts'
import { EXIT, finish, newCommand, readShaped, readText } from './terminal.ts'

type Options = { policies: string; schema: string; entities?: string; request: string; json?: boolean; quiet?: boolean }

export function command(): Command {
  return newCommand('decide', 'one decision by the decision point: any evaluation error and any missing entity denies', './acgs decide --policies out/policy.cedar --schema out/schema.cedarschema --request out/counterexample.json')
    .requiredOption('--policies <file>', 'Cedar policies')
    .requiredOption('--schema <file>', 'Cedar schema')
    .option('--entities <file>', 'entities in Cedar’s JSON format; not needed when the request brings its own')
    .requiredOption('--request <file>', 'the request: principal, action, resource, context (a counterexample is one)')
    .action((options: Options) => finish(run(options), options))
}

/** A counterexample has more members than a request (`other`, for what must not matter): they are not part of the question. */
const RequestFile = z.looseObject(QuestionBody.shape)

function run(options: Options) {
  const schema = parseSchema(readText(options.schema))
  const policies = parsePolicies(readText(options.policies), schema)
  const question = readShaped(RequestFile, options.request)
  const entities = [...(question.entities ?? []), ...(options.entities === undefined ? [] : readShaped(z.array(EntityBody), options.entities))]
  checkEntities(entities, schema)
  const request = {
    principal: uidText(parseUid(question.principal, 'principal')),
    action: uidText(parseUid(question.action, 'action')),
    resource: uidText(parseUid(question.resource, 'resource')),
    context: question.context,
  }
  const decision = decide({ policies, schema, request, entities }, authorize)
  const because = {
    permitted: `permitted by ${decision.determining.join(', ')}`,
    forbidden: `forbidden by ${decision.determining.join(', ')}`,
    not_permitted: 'no rule permits it',
    error: [...decision.errors.map(({ rule, message }) => `${rule} could not be evaluated: ${message}`), ...decision.missing.map((uid) => `${uid} is missing from the entities`)].join('; '),
  }[decision.verdict]
  const duties = decision.obligations.length === 0 ? '' : `\nobligations: ${decision.obligations.join(', ')}`
  return { json: decision, text: `${decision.decision}\n${because}${duties}`, exit: decision.decision === 'allow' ? EXIT.yes : EXIT.no }
}
