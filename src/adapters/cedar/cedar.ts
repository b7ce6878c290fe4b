import assert from 'node:assert/strict'
import * as wasm from '@cedar-policy/cedar-wasm/nodejs'
import { Failure, type FailureCode, type Problem } from '#core/failure.ts'
import type { Uid } from '#core/policy/expression.ts'
import type { PolicySet, Rule } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { forCedar } from '#core/proof/exact.ts'
import { entityReader, Findings } from '#core/revision/entities.ts'
import type { CedarEntity, CedarRequest } from '#core/unit/semantic-unit.ts'
import { refuseExpansive, refuseTooDeep } from './bounds.ts'
import { readRule } from './rule.ts'
import { readSchema } from './schema.ts'
import { unresolvedIn } from './unresolved.ts'

/** The version of Cedar's own engine that parses, validates and authorizes here. */
export const CEDAR_VERSION = wasm.getCedarSDKVersion()

/**
 * The vocabulary that a schema's text describes.
 *
 * @throws {Failure} `SCHEMA_INVALID` with every problem and its place: it does not parse, names an unknown type, or has no
 *   request environment (no action applies to a principal and a resource), so that no policy over it could decide anything.
 */
export function parseSchema(text: string): Schema {
  refuseTooDeep(text, 'SCHEMA_INVALID')
  refuseExpansive(text)
  const answer = wasm.schemaToJsonWithResolvedTypes(text)
  if (answer.type === 'failure') refuseSchema(text, 'the schema does not parse', answer.errors)
  // Resolving names does not find every mistake (unknown types in appliesTo, cycles in groups): Cedar's full check does.
  const check = wasm.checkParseSchema(text)
  if (check.type === 'failure') refuseSchema(text, 'the schema is not valid', check.errors)
  const schema = readSchema(text, answer.json)
  if (schema.environments.length === 0) {
    throw new Failure('SCHEMA_INVALID', 'the schema has no request environment: give at least one action an `appliesTo` with a principal and a resource type', {
      problems: [{ place: 'schema', message: 'no action applies to any principal and resource' }],
    })
  }
  return schema
}

function refuseSchema(text: string, what: string, errors: readonly Detail[]): never {
  const unresolved = errors.some(({ message }) => message.startsWith('failed to resolve type')) ? unresolvedIn(text) : []
  if (unresolved.length === 0) refuse('SCHEMA_INVALID', what, text, errors)
  const problems = unresolved.map(({ name, offset }) => ({ place: placeAt('schema', text, offset), message: `there is no type \`${name}\`` }))
  throw new Failure('SCHEMA_INVALID', `the schema uses what it does not declare: ${summary(problems)}`, { problems })
}

/**
 * Reads a policy set, strictly validated against a schema: the rules in the order of the text.
 *
 * @throws {Failure} `POLICY_INVALID` with every problem and its line: it does not parse, does not type-check in strict mode,
 *   has a template, or gives two rules one id.
 */
export function parsePolicies(text: string, schema: Schema): PolicySet {
  const { parts, rules, problems } = readStatics(text)
  if (parts.templates.length > 0) throw new Failure('POLICY_INVALID', `the policy set has a template (\`?principal\` or \`?resource\`): link it first (on the command line with \`--links\`): ${summary(sorted(problems))}`, { problems: sorted(problems) })
  const answer = wasm.validate({ schema: bareSchema(schema), policies: { staticPolicies: text }, validationSettings: { mode: 'strict' } })
  if (answer.type === 'failure') refuse('POLICY_INVALID', 'the policy set cannot be validated', text, answer.errors)
  const nameOf = names(rules)
  problems.push(...answer.validationErrors.map(({ policyId, error }) => ({ place: `policies${at(text, error)}`, message: ofRule(nameOf(policyId), withHelp(error)) })))
  if (problems.length === 0) return { text, rules }
  const what = answer.validationErrors.length > 0 ? 'does not type-check against the schema' : 'gives several rules one id'
  throw new Failure('POLICY_INVALID', `the policy set ${what}: ${summary(sorted(problems))}`, { problems: sorted(problems) })
}

/**
 * The same for several texts at once, in their order. What takes the longest is done once: a rule that several have is read once, and Cedar, which reads the
 * schema for every validation, validates the different rules of all together.
 * Null: `parsePolicies` says what is wrong with this one, or with another.
 */
export function parseTogether(texts: readonly string[], schema: Schema): readonly (PolicySet | null)[] {
  const known = new Map<string, Rule>()
  const different = new Set<string>()
  const read = texts.map((text): PolicySet | null => {
    try {
      const { parts, rules, problems } = readStatics(text, known)
      if (problems.length > 0) return null
      for (const { part } of parts.statics) different.add(part)
      return { text, rules }
    } catch (error) {
      if (error instanceof Failure) return null
      throw error
    }
  })
  const answer = wasm.validate({ schema: bareSchema(schema), policies: { staticPolicies: [...different].join('\n') }, validationSettings: { mode: 'strict' } })
  return answer.type === 'success' && answer.validationErrors.length === 0 ? read : texts.map(() => null)
}

/**
 * The static rules of a text in their order, and what is wrong with the text before it is held against a schema: templates, two rules with one id.
 *
 * @param known Rules that were read before, by place and text.
 */
function readStatics(text: string, known = new Map<string, Rule>()): { readonly parts: Parts; readonly rules: readonly Rule[]; readonly problems: Problem[] } {
  const parts = partsOf(text)
  const rules = parts.statics.map(({ part, place }) => {
    const key = `${place} ${part}`
    const rule = known.get(key) ?? readPart(part, place)
    known.set(key, rule)
    return rule
  })
  return { parts, rules, problems: [...templatesIn(text, parts), ...duplicatesIn(text, parts, rules)] }
}

/** What Cedar says of a rule that it calls by its number, with its name in front. */
function ofRule(name: string, message: string): string {
  return `in rule \`${name}\`: ${message.replace(/(^|; )for policy `policy\d+`, /g, '$1').replaceAll(/__cedar::internal::(True|False)/g, 'Bool')}`
}

/**
 * A schema as JSON without its annotations, which say nothing about types. Cedar parses the schema anew for every validation, and this
 * form three times as fast as the text.
 */
function bareSchema(schema: Schema): wasm.SchemaJson<string> {
  const known = bareSchemas.get(schema)
  if (known !== undefined) return known
  const answer = wasm.schemaToJson(schema.text)
  if (answer.type === 'failure') refuse('SCHEMA_INVALID', 'the schema does not parse', schema.text, answer.errors)
  const made = withoutAnnotations(answer.json, true) as wasm.SchemaJson<string>
  bareSchemas.set(schema, made)
  return made
}
const bareSchemas = new WeakMap<Schema, wasm.SchemaJson<string>>()

/** @param areNames The members' names are the author's: one that is called `annotations` stays. */
function withoutAnnotations(part: unknown, areNames: boolean): unknown {
  if (typeof part !== 'object' || part === null) return part
  if (Array.isArray(part)) return part.map((item) => withoutAnnotations(item, false))
  const kept = Object.entries(part).filter(([name]) => areNames || name !== 'annotations')
  return Object.fromEntries(kept.map(([name, value]) => [name, withoutAnnotations(value, !areNames && MAPS.has(name))]))
}
const MAPS = new Set(['attributes', 'entityTypes', 'actions', 'commonTypes'])

export type AuthorizeQuestion = {
  readonly policies: PolicySet
  /** When given, request and entities are checked against it, and a Long written as a string of digits is that integer, to 64 bits. */
  readonly schema: Schema | null
  readonly request: CedarRequest
  readonly entities: readonly CedarEntity[]
}

export type CedarDecision = {
  readonly decision: 'allow' | 'deny'
  /** Ids of the rules that determined it, sorted. */
  readonly determining: readonly string[]
  /** Rules that failed to evaluate and were therefore skipped. */
  readonly errors: readonly { readonly rule: string; readonly message: string }[]
}

/**
 * What Cedar itself decides, under Cedar's own semantics: an erring rule is skipped.
 *
 * @throws {Failure} `REQUEST_MALFORMED` when the request or the entities do not fit the schema.
 */
export function authorize({ policies, schema, request, entities }: AuthorizeQuestion): CedarDecision {
  const exact = schema === null ? { context: request.context, entities } : forCedar(schema, request.action, { context: request.context, entities })
  const answer = wasm.statefulIsAuthorized({
    principal: parseUid(request.principal, 'principal'),
    action: parseUid(request.action, 'action'),
    resource: parseUid(request.resource, 'resource'),
    context: exact.context as wasm.Context,
    ...(schema === null ? {} : { preparsedSchemaName: parsedSchema(schema.text), validateRequest: true }),
    preparsedPolicySetId: parsedPolicies(policies.text),
    entities: exact.entities as unknown as wasm.Entities,
  })
  if (answer.type === 'failure') {
    const problems = answer.errors.map((error) => ({ place: 'request', message: withHelp(error) }))
    throw new Failure('REQUEST_MALFORMED', `Cedar refuses the request: ${summary(problems)}`, { problems })
  }
  const nameOf = names(policies.rules)
  const { decision, diagnostics } = answer.response
  return {
    decision: decision === 'allow' ? 'allow' : 'deny',
    determining: diagnostics.reason.map(nameOf).sort(),
    errors: diagnostics.errors.map(({ policyId, error }) => ({ rule: nameOf(policyId), message: error.message })),
  }
}

// Parsing a schema of a pack takes Cedar 10 ms, deciding over the parsed one a tenth of that.
const parsedSchema = keepParsed('schema', 16, (name, text) => wasm.preparseSchema(name, text))
const parsedPolicies = keepParsed('policies', 64, (name, text) => wasm.preparsePolicySet(name, { staticPolicies: text }))

/**
 * The name under which Cedar keeps a text parsed. Cedar never forgets a name, so that a few are used over and over: the text that was
 * not asked for the longest gives up its own.
 */
function keepParsed(kind: string, max: number, parse: (name: string, text: string) => wasm.CheckParseAnswer): (text: string) => string {
  const named = new Map<string, string>()
  return (text) => {
    const known = named.get(text)
    if (known !== undefined) named.delete(text)
    const oldest = known === undefined && named.size >= max ? (named.keys().next().value as string) : null
    const name = known ?? (oldest === null ? `${kind}${named.size}` : (named.get(oldest) as string))
    if (known === undefined) {
      const answer = parse(name, text)
      if (answer.type === 'failure') throw new Failure('REQUEST_MALFORMED', `Cedar refuses the ${kind}: ${answer.errors.map(({ message }) => message).join('; ')}`)
      if (oldest !== null) named.delete(oldest)
    }
    named.set(text, name)
    return name
  }
}

/**
 * The entity that a uid's text names, e.g. `User::"ana"`.
 *
 * @throws {Failure} `REQUEST_MALFORMED` naming the place when the text is none.
 */
export function parseUid(text: string, place: string): { type: string; id: string } {
  const match = /^((?:[A-Za-z_][A-Za-z0-9_]*::)*[A-Za-z_][A-Za-z0-9_]*)::("(?:[^"\\]|\\.)*")$/u.exec(text)
  const [, type, quoted] = match ?? []
  // Most ids are plain, and need not be read by Cedar's parser, which takes longer than a decision.
  if (type !== undefined && quoted !== undefined && /^"[ !#-[\]-~]*"$/.test(quoted)) return { type, id: quoted.slice(1, -1) }
  if (match !== null) {
    const parsed = wasm.policyToJson(`permit(principal == ${text}, action, resource);`)
    if (parsed.type === 'success') {
      const scope = parsed.json.principal as { entity: { type: string; id: string } }
      return { type: scope.entity.type, id: scope.entity.id }
    }
  }
  throw new Failure('REQUEST_MALFORMED', `\`${text}\` is not an entity uid: write it as \`Type::"id"\``, {
    problems: [{ place, message: 'not an entity uid of the form Type::"id"' }],
  })
}

/** Checks entities in Cedar's JSON format against a schema. @throws {Failure} `ENTITIES_INVALID` naming what is wrong. */
export function checkEntities(entities: readonly CedarEntity[], schema: Schema): void {
  const exact = forCedar(schema, null, { context: {}, entities })
  const answer = wasm.checkParseEntities({ entities: exact.entities as unknown as wasm.Entities, schema: schema.text })
  if (answer.type === 'success') return
  // Cedar names the first problem only; our own reader, if it finds any, all of them.
  const findings = new Findings()
  entityReader(schema, 'entities', findings)(entities)
  findings.refuse('the entities do not fit the schema')
  const problems = answer.errors.map((error) => ({ place: 'entities', message: withHelp(error) }))
  throw new Failure('ENTITIES_INVALID', `the entities do not fit the schema: ${summary(problems)}`, { problems })
}

/** A template that becomes a rule of its own, with an id of its own, by what stands in its slots. */
export type TemplateLink = { readonly template: string; readonly id: string; readonly principal?: Uid; readonly resource?: Uid }

/**
 * Reads a policy set that need not be well typed over any schema: the rules in the order of the text, then the linked templates in the order
 * of the links. Long literals are exact.
 *
 * @param links Templates of the text by their id; a template without a link is no rule.
 * @param ids `annotated`: a rule's id is its `@id`; `positional`: every policy of the text, template or not, is called by its place, `policy0`, `policy1` …, as
 *   Cedar itself calls it.
 * @throws {Failure} `POLICY_INVALID` with every problem and its line: it does not parse, gives two rules one id, or a link does not fit.
 */
export function parseUnvalidated(text: string, { links = [], ids = 'annotated' }: { readonly links?: readonly TemplateLink[]; readonly ids?: 'annotated' | 'positional' } = {}): PolicySet {
  const parts = partsOf(text)
  const { statics, templates } = parts
  const called = (rule: Rule, place: number): Rule => (ids === 'annotated' ? rule : { ...rule, id: `policy${place}` })
  const rules = statics.map(({ part, place }) => called(readPart(part, place), place))
  const templateOf = new Map(templates.map((part) => {
    const json = readTemplate(part)
    return [ids === 'annotated' ? idOf(json, part) : `policy${part.place}`, json] as const
  }))
  for (const { template, id, principal, resource } of links) {
    const json = templateOf.get(template)
    if (json === undefined) throw new Failure('POLICY_INVALID', `the link \`${id}\` names the template \`${template}\`, and the text has none of that id`, { problems: [{ place: `link ${id}`, message: 'names no template' }] })
    for (const [slot, uid] of [['?principal', principal], ['?resource', resource]] as const) {
      if (uid !== undefined && !JSON.stringify([json.principal, json.resource]).includes(`"slot":"${slot}"`)) throw new Failure('POLICY_INVALID', `the link \`${id}\` fills the slot \`${slot}\`, which \`${template}\` does not have`, { problems: [{ place: `link ${id}`, message: `fills ${slot} in vain` }] })
    }
    const rule = readRule(json, id, { ...(principal === undefined ? {} : { '?principal': principal }), ...(resource === undefined ? {} : { '?resource': resource }) })
    rules.push({ ...rule, id })
  }
  const problems = duplicatesIn(text, parts, rules)
  if (problems.length > 0) throw new Failure('POLICY_INVALID', `the policy set gives several rules one id: ${summary(problems)}`, { problems })
  return { text, rules }
}

type Part = { readonly part: string; readonly place: number }

type Parts = { readonly statics: readonly Part[]; readonly templates: readonly Part[] }

/** The policies and the templates of a text, each with its place among both. */
function partsOf(text: string): Parts {
  refuseTooDeep(text, 'POLICY_INVALID')
  const split = wasm.policySetTextToParts(text)
  if (split.type === 'failure') refuse('POLICY_INVALID', 'the policy set does not parse', text, split.errors)
  const { policies, policy_templates } = split
  const count = policies.length + policy_templates.length
  // Cedar names the parts policy0, policy1 … and sorts them by that name as text: 0, 1, 10, 11, 2.
  const order = Array.from({ length: count }, (_, index) => index).sort((a, b) => (`policy${a}` < `policy${b}` ? -1 : 1))
  const areTemplates = policy_templates.length === 0 ? order.map(() => false) : kindsByPlace(text, [...policies, ...policy_templates], new Set(policy_templates))
  const placed = (parts: readonly string[], isTemplate: boolean): readonly Part[] => {
    const places = order.filter((place) => areTemplates[place] === isTemplate)
    return parts.map((part, i) => ({ part, place: places[i] as number })).sort((a, b) => a.place - b.place)
  }
  return { statics: placed(policies, false), templates: placed(policy_templates, true) }
}

/** Where each rule of a text begins, in their order, and then the templates of the links: line and column, from 1. @throws {Failure} `POLICY_INVALID` */
export function placesOf(text: string, links: readonly TemplateLink[] = []): readonly { readonly line: number; readonly column: number }[] {
  const parts = partsOf(text)
  const starts = startsOf(text, parts)
  const templates = new Map(parts.templates.map((part) => [idOf(readTemplate(part), part), part]))
  const linked = links.flatMap(({ template }) => templates.get(template) ?? [])
  return [...parts.statics, ...linked].map((part) => lineAndColumn(text, starts.get(part) as number))
}

function readTemplate({ part, place }: Part) {
  const json = exactly(() => wasm.templateToJson(part))
  if (json.type === 'failure') refuse('POLICY_INVALID', `template ${place} does not parse`, part, json.errors)
  return json.json
}

function idOf({ annotations }: { readonly annotations?: { readonly [name: string]: string | null } }, { place }: Part): string {
  return annotations?.['id'] ?? `policy${place}`
}

/** Where each part begins in the text. */
function startsOf(text: string, { statics, templates }: Parts): ReadonlyMap<Part, number> {
  const starts = new Map<Part, number>()
  let end = 0
  for (const part of [...statics, ...templates].sort((a, b) => a.place - b.place)) {
    const start = endOfTrivia(text, end)
    assert(text.startsWith(part.part, start)) // Cedar has just taken the text apart into these.
    starts.set(part, start)
    end = start + part.part.length
  }
  return starts
}

function lineAndColumn(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}

function placeAt(of: 'policies' | 'schema', text: string, offset: number): string {
  const { line, column } = lineAndColumn(text, offset)
  return `${of} line ${line} column ${column}`
}

/** Which places of the text hold templates. Parts are exactly what stands in the text, so that they can be found again between comments. */
function kindsByPlace(text: string, parts: readonly string[], templates: ReadonlySet<string>): readonly boolean[] {
  const kinds: boolean[] = []
  const longestFirst = [...new Set(parts)].sort((a, b) => b.length - a.length)
  for (let at = endOfTrivia(text, 0); at < text.length; ) {
    const found = longestFirst.find((part) => text.startsWith(part, at))
    assert(found !== undefined) // Cedar has just taken the text apart into these.
    kinds.push(templates.has(found))
    at = endOfTrivia(text, at + found.length)
  }
  assert(kinds.length === parts.length)
  return kinds
}

/** Where blanks and comments end that begin at a place. */
function endOfTrivia(text: string, from: number): number {
  const trivia = /\p{White_Space}+|\/\/[^\n]*/uy
  let end = from
  for (trivia.lastIndex = from; trivia.test(text); ) end = trivia.lastIndex
  return end
}

/** 2⁵³ has sixteen digits; reading exactly takes twice as long. */
const HAS_LONG_NUMBER = /\d{16}/

function readPart(part: string, place: number): Rule {
  const answer = HAS_LONG_NUMBER.test(part) ? exactly(() => wasm.policyToJson(part)) : wasm.policyToJson(part)
  if (answer.type === 'failure') refuse('POLICY_INVALID', `rule ${place} does not parse`, part, answer.errors)
  return readRule(answer.json, `policy${place}`)
}

function templatesIn(text: string, parts: Parts): readonly Problem[] {
  if (parts.templates.length === 0) return []
  const starts = startsOf(text, parts)
  return parts.templates.map((part) => ({ place: placeAt('policies', text, starts.get(part) as number), message: 'is a template, which is no rule here' }))
}

/** Of every id that several rules have, the later ones; what stands nowhere in the text, because it is a link, by its id. */
function duplicatesIn(text: string, parts: Parts, rules: readonly Rule[]): Problem[] {
  const seen = new Set<string>()
  const again = rules.flatMap(({ id }, i) => (seen.size < seen.add(id).size ? [] : [{ id, part: parts.statics[i] }]))
  if (again.length === 0) return []
  const starts = startsOf(text, parts)
  return again.map(({ id, part }) => ({
    place: part === undefined ? `link ${id}` : placeAt('policies', text, starts.get(part) as number),
    message: `two rules have the id \`${id}\`: ids name rules in answers, so give each its own`,
  }))
}

/** Cedar's answers name rules policy0, policy1 … in the order of the text; ours by their id. */
function names(rules: readonly Rule[]): (policyId: string) => string {
  return (policyId) => rules[Number(policyId.replace('policy', ''))]?.id ?? policyId
}

/**
 * Runs a call whose result the binding makes by `JSON.parse`, keeping integers beyond 2⁵³ as strings of digits: with the
 * binding's own reading, a rule with 9007199254740993 would be proved as one with …992.
 */
export function exactly<T>(call: () => T): T {
  const parse = JSON.parse
  JSON.parse = (text: string) =>
    parse(text, (_key, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' && !Number.isSafeInteger(value) && context?.source !== undefined ? { __long: context.source } : value,
    )
  try {
    return call()
  } finally {
    JSON.parse = parse
  }
}

type Detail = { message: string; help?: string | null | undefined; sourceLocations?: readonly { label?: string | null; start: number }[]; related?: readonly Detail[] }

function refuse(code: FailureCode, what: string, text: string, errors: readonly Detail[]): never {
  const place = code === 'SCHEMA_INVALID' ? 'schema' : 'policies'
  const problems = errors
    .flatMap(withRelated)
    .map((error) => ({ place: `${place}${at(text, error)}`, message: withHelp(error) }))
  throw new Failure(code, `${what}: ${summary(problems)}`, { problems: sorted(problems) })
}

function withRelated(error: Detail): readonly Detail[] {
  return [error, ...(error.related ?? []).flatMap(withRelated)]
}

/** The line and column of an error, counted from 1; offsets are in UTF-8 bytes. */
function at(text: string, error: Detail): string {
  const start = error.sourceLocations?.[0]?.start
  if (start === undefined) return ''
  const { line, column } = lineAndColumn(text, Buffer.from(text).subarray(0, start).toString().length)
  return ` line ${line} column ${column}`
}

function withHelp({ message, help, sourceLocations }: Detail): string {
  const label = sourceLocations?.[0]?.label
  return [message, label === undefined || label === null ? '' : ` (${label})`, help === undefined || help === null ? '' : `; ${help}`].join('')
}

function summary(problems: readonly Problem[]): string {
  const first = problems[0]
  if (first === undefined) return 'no reason given'
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  return `${first.place}: ${first.message}${more}`
}

function sorted(problems: readonly Problem[]): readonly Problem[] {
  return [...problems].sort((a, b) => a.place.localeCompare(b.place, 'en', { numeric: true }))
}
