import { globSync, statSync } from 'node:fs'
import { join, normalize } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { parseSchema, parseUnvalidated } from '#adapters/cedar/cedar.ts'
import { filesOfTar } from '#adapters/tar.ts'
import { Evaluator, type Evaluation } from '#core/decision/evaluator.ts'
import { readContext, readEntities } from '#core/decision/entity-graph.ts'
import { EntityValue } from '#core/decision/value.ts'
import { Failure } from '#core/failure.ts'
import { parseInput } from '#core/parse.ts'
import { uidText } from '#core/policy/policy.ts'
import { EXIT, finish, newCommand, progress, readBytes } from './terminal.ts'

type Options = { json?: boolean; quiet?: boolean }

export function command(): Command {
  return newCommand('conformance', 'the decision engine against labelled cases: decisions, determining rules and errors under Cedar’s semantics, well typed or not', './acgs conformance ../shared/bench/cedar-integration-tests --json')
    .argument('<place>', 'a folder or a .tar.gz with cases: a JSON file names its policies, entities and schema, and says of each request what is decided')
    .action((place: string, options: Options) => finish(run(place, options), options))
}

const UidBody = z.object({ type: z.string(), id: z.string() })
const Case = z.object({
  policies: z.string(),
  entities: z.string(),
  schema: z.string(),
  requests: z.array(z.object({
    description: z.string().default(''),
    principal: UidBody,
    action: UidBody,
    resource: UidBody,
    context: z.record(z.string(), z.unknown()).default({}),
    decision: z.enum(['allow', 'deny']),
    reason: z.array(z.string()),
    errors: z.array(z.string()),
  })),
})
type Case = z.infer<typeof Case>
const EntityFile = z.array(z.object({
  uid: UidBody,
  attrs: z.record(z.string(), z.unknown()).default({}),
  parents: z.array(UidBody).default([]),
  tags: z.record(z.string(), z.unknown()).default({}),
}))

/** Files that name each other: a folder, or an archive. */
type Files = { readonly names: readonly string[]; readonly read: (name: string) => Buffer | null }

type Said = { readonly decision: 'allow' | 'deny'; readonly determining: readonly string[]; readonly errors: readonly string[] }
type Disagreement = { readonly case: string; readonly request: string; readonly want: Said; readonly got: Said | { readonly failure: string } }

function run(place: string, options: Options) {
  const cases = filesAt(place).flatMap((files) => files.names.filter((name) => name.endsWith('.json') && !/(^|[/.])entities\.json$/.test(name)).sort().map((name) => ({ name, files })))
  const count = { cases: 0, decisions: 0, agree: 0, failClosedDiffers: 0, namingAbsent: 0 }
  const disagree: Disagreement[] = []
  const begun = Date.now()
  let noted = begun
  for (const { name, files } of cases) {
    const parsed = Case.safeParse(exactJson(files, name))
    if (!parsed.success) continue
    count.cases++
    for (const { request, want, got, failsClosed, namesAbsent } of answers(parsed.data, files)) {
      count.decisions++
      if ('failure' in got || !isSame(want, got)) disagree.push({ case: name, request, want, got })
      else count.agree++
      if (failsClosed) count.failClosedDiffers++
      if (namesAbsent) count.namingAbsent++
    }
    if (Date.now() - noted > 2_000) {
      noted = Date.now()
      progress(`${count.cases} of ${cases.length} cases, ${count.agree} of ${count.decisions} decisions agree`, options)
    }
  }
  if (count.decisions === 0) throw new Failure('FILE_UNREADABLE', `there is no labelled case at \`${place}\`: a case is a JSON file with policies, entities, schema and requests`)
  const first = disagree[0]
  return {
    json: { cases: count.cases, decisions: count.decisions, agree: count.agree, disagree, fail_closed_differs: count.failClosedDiffers, allowed_naming_absent: count.namingAbsent },
    text: `${count.agree} of ${count.decisions} decisions in ${count.cases} cases agree; failing closed, ${count.failClosedDiffers} would be denied that Cedar allows\n${count.namingAbsent} allowed requests name a principal or a resource that the entities lack; those of an enumerated type are there by the schema${first === undefined ? '' : `\nfirst disagreement: ${JSON.stringify(first)}`}`,
    exit: disagree.length === 0 ? EXIT.yes : EXIT.no,
  }
}

/** What is wanted and what the engine says of each request of a case; a case that cannot be read has that as its answer to all. */
function answers({ policies, entities, schema, requests }: Case, files: Files): readonly { readonly request: string; readonly want: Said; readonly got: Disagreement['got']; readonly failsClosed: boolean; readonly namesAbsent: boolean }[] {
  const wanted = requests.map(({ decision, reason, errors }): Said => ({ decision, determining: reason.toSorted(), errors: errors.toSorted() }))
  const all = (got: { failure: string }) => requests.map(({ description }, i) => ({ request: description, want: wanted[i] as Said, got, failsClosed: false, namesAbsent: false }))
  try {
    const vocabulary = parseSchema(required(files, schema).toString('utf8'))
    const evaluator = new Evaluator(parseUnvalidated(required(files, policies).toString('utf8'), { ids: 'positional' }).rules)
    const given = parseInput(EntityFile, exactJson(files, entities), entities)
    const store = readEntities(given, vocabulary)
    const isGiven = new Set(given.map(({ uid }) => uidText(uid)))
    return requests.map(({ description, principal, action, resource, context, decision }, i) => {
      const request = {
        principal: new EntityValue(principal.type, principal.id),
        action: new EntityValue(action.type, action.id),
        resource: new EntityValue(resource.type, resource.id),
        context: readContext(context, vocabulary, action),
      }
      const failsClosed = decision === 'allow' && evaluator.decide(request, store).decision === 'deny'
      const namesAbsent = decision === 'allow' && !(isGiven.has(uidText(principal)) && isGiven.has(uidText(resource)))
      return { request: description, want: wanted[i] as Said, got: said(evaluator.evaluate(request, store)), failsClosed, namesAbsent }
    })
  } catch (error) {
    if (error instanceof Failure) return all({ failure: error.message })
    throw error
  }
}

function said({ decision, determining, errors }: Evaluation): Said {
  return { decision, determining: determining.toSorted(), errors: errors.map(({ rule }) => rule).sort() }
}

function isSame(a: Said, b: Said): boolean {
  return a.decision === b.decision && a.determining.join() === b.determining.join() && a.errors.join() === b.errors.join()
}

/** Of a folder, what it holds itself, and the archives that lie directly in it. */
function filesAt(place: string): readonly Files[] {
  if (!isFolder(place)) return [filesIn(place)]
  const read = (name: string): Buffer | null => {
    // A case names its files from the root of the collection, which the place may be a part of.
    const file = [place, join(place, '..'), join(place, '..', '..')].map((root) => join(root, name)).find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true)
    return file === undefined ? null : readBytes(file)
  }
  return [{ names: globSync('**/*.json', { cwd: place }), read }, ...globSync(['*.tar', '*.tar.gz', '*.tgz'], { cwd: place }).sort().map((archive) => filesIn(join(place, archive)))]
}

function filesIn(archive: string): Files {
  const files = filesOfTar(readBytes(archive))
  return { names: [...files.keys()], read: (name) => files.get(normalize(name)) ?? null }
}

function isFolder(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function required(files: Files, name: string): Buffer {
  const bytes = files.read(name)
  if (bytes === null) throw new Failure('FILE_UNREADABLE', `cannot read \`${name}\`, which a case names: there is no such file`)
  return bytes
}

/** JSON as it stands, integers beyond 2⁵³ as bigint. Cases may hold the character U+0000, which no request may. */
function exactJson(files: Files, name: string): unknown {
  try {
    return JSON.parse(required(files, name).toString('utf8'), (_key, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '') ? BigInt(context?.source as string) : value)
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new Failure('REQUEST_MALFORMED', `\`${name}\` is not JSON: ${cause.message}`, { cause })
    throw cause
  }
}
