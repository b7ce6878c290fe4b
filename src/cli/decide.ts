import { Option, type Command } from 'commander'
import { z } from 'zod'
import { parsePolicies, parseSchema, parseUid, parseUnvalidated } from '#adapters/cedar/cedar.ts'
import { conclude, type Decision } from '#core/decision/decide.ts'
import { readContext, readEntities } from '#core/decision/entity-graph.ts'
import { Evaluator, type Evaluation } from '#core/decision/evaluator.ts'
import { EntityValue } from '#core/decision/value.ts'
import type { Problem } from '#core/failure.ts'
import { malformed } from '#core/json.ts'
import { uidText, type PolicySet } from '#core/policy/policy.ts'
import type { Uid } from '#core/policy/expression.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Semantics } from '#core/proof/encode.ts'
import { EntityBody, QuestionBody } from '#core/unit/request.ts'
import { LINKS, readLinks, readPolicies } from './linked.ts'
import { EXIT, finish, newCommand, readCedar, readShaped } from './terminal.ts'

type Options = { policies?: string; links?: string; schema?: string; entities?: string; request: string; semantics: Semantics; json?: boolean; quiet?: boolean }

export function command(): Command {
  return newCommand('decide', 'one decision by the decision point: any evaluation error and any missing entity denies', './acgs decide --policies out/policy.cedar --schema out/schema.cedarschema --request out/counterexample.json')
    .option('--policies <file>', 'Cedar policies; not needed when the request brings its own, as what the oracle wrote out does')
    .option(...LINKS)
    .option('--schema <file>', 'Cedar schema; without it the policies are not validated, and entities in the JSON are marked as such (`__entity`, `__extn`)')
    .option('--entities <file>', 'entities in Cedar’s JSON format; not needed when the request brings its own')
    .requiredOption('--request <file>', 'the request: principal, action, resource, context (a counterexample is one)')
    .addOption(new Option('--semantics <which>', 'decision-point: any evaluation error denies; cedar: an erring rule is skipped').choices(['decision-point', 'cedar']).default('decision-point'))
    .action((options: Options) => finish(run(options), options))
}

/** A counterexample has more members than a request (`other`, for what must not matter): they are not part of the question. */
const RequestFile = z.looseObject({ ...QuestionBody.shape, policies: z.string().optional() })

function run(options: Options) {
  const question = readShaped(RequestFile, options.request, 'bigint')
  const schema = options.schema === undefined ? null : readCedar(options.schema, parseSchema)
  // A counterexample that is read without its schema has strings for its large integers, and records for its entities.
  if (schema === null && options.policies !== undefined && !options.quiet) process.stderr.write('acgs: without --schema no type is known: policies are not validated, and values are what the JSON says they are\n')
  const policies = policiesFrom(options, question, schema)
  const entities = [...(question.entities ?? []), ...(options.entities === undefined ? [] : readShaped(z.array(EntityBody), options.entities, 'bigint'))]
  const [principal, action, resource] = (['principal', 'action', 'resource'] as const).map((part) => parseUid(question[part], part)) as [Uid, Uid, Uid]
  if (schema !== null) refuseForeign({ principal, action, resource }, schema)
  const request = { principal: valueOf(principal), action: valueOf(action), resource: valueOf(resource), context: readContext(question.context, schema, action) }
  const store = readEntities(entities, schema)
  const evaluator = new Evaluator(policies.rules)
  const decision = options.semantics === 'cedar' ? byCedar(evaluator.evaluate(request, store), policies) : evaluator.decide(request, store)
  return { json: decision, text: textOf(decision), exit: decision.decision === 'allow' ? EXIT.yes : EXIT.no }
}

/** The same answer in the decision point's terms: where an erring rule is skipped, there is no verdict `error`. */
function byCedar({ errors, missing, ...decided }: Evaluation, policies: PolicySet): Decision {
  return { ...conclude(policies, { ...decided, errors: [] }, []), errors, missing }
}

function textOf({ decision, verdict, determining, obligations: duties, errors, missing }: Decision): string {
  const doubts = [...errors.map(({ rule, message }) => (rule === '' ? message : `${rule} could not be evaluated: ${message}`)), ...missing.map((what) => `${what} is missing`)]
  const because = { permitted: `permitted by ${determining.join(', ')}`, forbidden: `forbidden by ${determining.join(', ')}`, not_permitted: 'no rule permits it', error: doubts.join('; ') }[verdict]
  return [decision, because, ...(verdict === 'error' ? [] : doubts), ...(duties.length === 0 ? [] : [`obligations: ${duties.join(', ')}`])].join('\n')
}

function policiesFrom(options: Options, question: z.output<typeof RequestFile>, schema: Schema | null): PolicySet {
  if (options.policies !== undefined) return readPolicies(options.policies, schema, options.links === undefined ? null : readLinks(options.links)).policies
  if (question.policies === undefined) throw malformed([{ place: '--policies', message: 'is missing: name a file with Cedar policies' }])
  return schema === null ? parseUnvalidated(question.policies) : parsePolicies(question.policies, schema)
}

/** @throws {Failure} `REQUEST_MALFORMED` when no request of the schema is like that: it would be denied, and nobody would see why. */
function refuseForeign({ principal, action, resource }: { readonly principal: Uid; readonly action: Uid; readonly resource: Uid }, schema: Schema): void {
  const found = schema.actions.get(uidText(action))
  if (found === undefined) throw malformed([{ place: 'action', message: `\`${uidText(action)}\` is none of the actions: there are ${listed([...schema.actions.keys()])}` }])
  const problems: Problem[] = []
  for (const [place, uid, types] of [['principal', principal, found.principals], ['resource', resource, found.resources]] as const) {
    const ids = schema.entityTypes.get(uid.type)?.ids ?? null
    if (!types.includes(uid.type)) problems.push({ place, message: `is a \`${uid.type}\`, and \`${uidText(action)}\` applies to ${listed(types)}` })
    else if (ids !== null && !ids.includes(uid.id)) problems.push({ place, message: `\`${uid.id}\` is none of the ids of its type: there are ${listed(ids)}` })
  }
  if (problems.length > 0) throw malformed(problems)
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.slice(0, 50).map((name) => `\`${name}\``).join(', ') + (names.length > 50 ? ` and ${names.length - 50} more` : '')
}

function valueOf({ type, id }: Uid): EntityValue {
  return new EntityValue(type, id)
}
