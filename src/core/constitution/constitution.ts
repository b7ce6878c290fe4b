import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { digest as digestOf } from '#core/canonical.ts'
import { Failure, type Problem } from '#core/failure.ts'
import type { Article } from './article.ts'

/** Names something that articles speak about and schemas point at by `@concept`, e.g. `personal-data`. */
export const Concept = z.string().regex(/^[a-z]+(-[a-z]+)*$/, 'a concept is lower-case words joined by `-`')

/** One concept, or several of which any will do. */
const Concepts = z.union([Concept, z.array(Concept).min(1)]).transform((one) => (typeof one === 'string' ? [one] : one))

/**
 * What can be said about one request, in concepts. `bind.ts` turns it into an expression, or says that a schema has no
 * words for it. Where a schema carries one concept in several places, the stricter reading holds: any place makes an article
 * match, all places are needed to be excused from it.
 */
const Atom = z.union([
  /** A yes/no fact about the resource, what it belongs to, or the context. */
  z.strictObject({ holds: Concept }),
  /** A yes/no fact about whoever asks. */
  z.strictObject({ 'principal-holds': Concept }),
  /** Whoever asks is the one that the resource, what it belongs to, or the context names as this. */
  z.strictObject({ 'principal-is': Concept }),
  /** Whoever asks belongs to the same group (ward, team …) as the resource or what it belongs to. */
  z.strictObject({ shares: Concept }),
  /** A relation of this kind ties whoever asks to the resource or what it belongs to. */
  z.strictObject({ related: Concept }),
  /** The first number is no greater than the second; a number stands for itself. */
  z.strictObject({ 'at-most': z.tuple([Concept, z.union([Concept, z.int()])]) }),
  /** The two values are the same. */
  z.strictObject({ equal: z.tuple([Concept, Concept]) }),
  /** The kind of whoever asks, of what is done, of what it is done to. */
  z.strictObject({ principal: Concepts }),
  z.strictObject({ action: Concepts }),
  z.strictObject({ resource: Concepts }),
])
export type Atom = z.infer<typeof Atom>

/** One excuse: a single fact, or several that must hold together. */
const Alternative = z.union([Atom, z.strictObject({ all: z.array(Atom).min(2) })])
export type Alternative = z.infer<typeof Alternative>

const Matching = z
  .strictObject({ principal: Concepts.optional(), action: Concepts.optional(), resource: Concepts.optional(), and: z.array(Atom).min(1).optional() })
  .refine((when) => Object.values(when).some((part) => part !== undefined), 'name at least one of principal, action, resource, and')
export type Matching = z.infer<typeof Matching>

const ARTICLE = {
  id: z.string().regex(/^[a-z]+(-[a-z]+)*\.[a-z0-9]+(-[a-z0-9]+)*$/, 'an article is named `principle.article`, in lower-case words joined by `-`'),
  text: z.string().trim().min(1),
  hard: z.boolean().optional(),
  weight: z.number().positive().max(1000).default(1),
}

const ArticleText = z.discriminatedUnion('kind', [
  z.strictObject({ ...ARTICLE, kind: z.literal('never-permit'), when: Matching, unless: z.array(Alternative).min(1).optional() }),
  z.strictObject({ ...ARTICLE, kind: z.literal('must-permit'), when: Matching, unless: z.array(Alternative).min(1).optional() }),
  z.strictObject({ ...ARTICLE, kind: z.literal('independent-of'), of: Concept, when: Matching.optional() }),
  z.strictObject({ ...ARTICLE, kind: z.literal('must-record'), when: Matching, record: z.string().regex(/^[a-z]+(-[a-z]+)*$/) }),
  z.strictObject({ ...ARTICLE, kind: z.literal('never-error') }),
])

const PrincipleText = z.strictObject({
  id: z.string().regex(/^[a-z]+(-[a-z]+)*$/, 'a principle is named in lower-case words joined by `-`'),
  title: z.string().trim().min(1),
  text: z.string().trim().min(1),
  weight: z.number().positive().max(1000),
  hard: z.boolean(),
  articles: z.array(ArticleText).min(1),
})

const ConstitutionText = z.strictObject({
  title: z.string().trim().min(1),
  version: z.string().regex(/^\d+\.\d+\.\d+$/, 'a version is three numbers, e.g. `1.0.0`'),
  preamble: z.string().trim().min(1).optional(),
  /** So many members of the council must approve a revision before it may decide. */
  approvals: z.int().min(1).max(100).default(1),
  principles: z.array(PrincipleText).min(1),
})

export type Principle = { readonly id: string; readonly title: string; readonly text: string; readonly weight: number; readonly hard: boolean }

/** An article with its theorem, still over concepts. */
export type Clause = Article & {
  /** Null: every request. */
  readonly when: Matching | null
  /** Any of them excuses. Empty: nothing does. */
  readonly unless: readonly Alternative[]
  /** For independent-of: the concept of what must not matter. */
  readonly of: string | null
  /** For must-record: what every permit must oblige to. */
  readonly record: string | null
}

export type Constitution = {
  readonly title: string
  readonly version: string
  readonly preamble: string
  /** So many members of the council must approve a revision before it may decide; at least 1. */
  readonly approvals: number
  readonly principles: readonly Principle[]
  /** In the order of the document. */
  readonly clauses: readonly Clause[]
  /** SHA-256 of the document's canonical bytes (RFC 8785), 64 hex digits: comments and layout do not matter, every value does. */
  readonly digest: string
  /** The document as a value, as it was written, defaults left out: `parseConstitution(canonical(document))` gives this constitution again. */
  readonly document: unknown
}

const CHARACTERS_MAX = 1_000_000

/**
 * Reads a constitution's text. An article's weight is its principle's times its own; it is hard when it says so, else when its
 * principle is.
 *
 * @throws {Failure} `CONSTITUTION_INVALID` with every problem and its place: broken YAML by line, an unknown key, a wrong
 *   value, two principles or articles of one name, an article under another principle's name.
 */
export function parseConstitution(yamlText: string): Constitution {
  const document = readYaml(yamlText)
  const parsed = ConstitutionText.safeParse(document)
  if (!parsed.success) refuse(problemsOf(parsed.error))
  const { title, version, preamble, approvals, principles } = parsed.data
  const problems = misnamed(principles)
  if (problems.length > 0) refuse(problems)
  return {
    title,
    version,
    preamble: preamble ?? '',
    approvals,
    principles: principles.map(({ articles: _, ...principle }) => principle),
    clauses: principles.flatMap((principle) => principle.articles.map((article) => clauseOf(principle, article))),
    digest: digestOf(document),
    document,
  }
}

/**
 * The principles that a request names, by id or title, case ignored; without repeats, in the order of the constitution.
 *
 * @throws {Failure} `PRINCIPLE_UNKNOWN` naming each unknown one and listing those there are.
 */
export function findPrinciples(constitution: Constitution, names: readonly string[]): readonly Principle[] {
  const same = (principle: Principle, name: string) => [principle.id, principle.title].some((known) => normal(known) === normal(name))
  const unknown = names.filter((name) => !constitution.principles.some((principle) => same(principle, name)))
  if (unknown.length > 0) {
    const known = constitution.principles.map((principle) => `\`${principle.id}\``).join(', ')
    throw new Failure('PRINCIPLE_UNKNOWN', `the constitution in force has no principle ${unknown.map((name) => `\`${name}\``).join(', ')}: it has ${known}`, {
      problems: unknown.map((name) => ({ place: 'constitutional_principles', message: `unknown principle \`${name}\`` })),
    })
  }
  return constitution.principles.filter((principle) => names.some((name) => same(principle, name)))
}

function normal(name: string): string {
  return name.trim().toLowerCase().replaceAll(/[\s_-]+/g, ' ')
}

function readYaml(text: string): unknown {
  if (text.length > CHARACTERS_MAX) refuse([{ place: 'document', message: `longer than ${CHARACTERS_MAX} characters` }])
  const lines = new LineCounter()
  // YAML 1.2's core schema: `no` and `on` stay words. Unknown tags and repeated keys are mistakes, not variants.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true, version: '1.2' })
  const problems = [...document.errors, ...document.warnings].map(({ pos: [start], message }) => {
    const { line, col } = lines.linePos(start)
    return { place: `line ${line} column ${col}`, message }
  })
  if (problems.length > 0) refuse(problems)
  try {
    return document.toJS({ maxAliasCount: 0 }) as unknown
  } catch {
    return refuse([{ place: 'document', message: 'aliases (`*name`) are not allowed: write the value out' }])
  }
}

function misnamed(principles: z.infer<typeof ConstitutionText>['principles']): Problem[] {
  const principleIds = principles.map(({ id }) => id)
  const articleIds = principles.flatMap(({ articles }) => articles.map(({ id }) => id))
  const repeated = (ids: readonly string[]) => [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))]
  return [
    ...repeated(principleIds).map((id) => ({ place: `principle ${id}`, message: 'two principles have this id' })),
    ...repeated(articleIds).map((id) => ({ place: `article ${id}`, message: 'two articles have this id' })),
    ...principles.flatMap(({ id: principle, articles }) =>
      articles
        .filter(({ id }) => id.split('.')[0] !== principle)
        .map(({ id }) => ({ place: `article ${id}`, message: `stands under principle \`${principle}\`: name it \`${principle}.${id.split('.')[1] ?? ''}\`` })),
    ),
  ]
}

function clauseOf(principle: Principle, article: z.infer<typeof ArticleText>): Clause {
  const { id, kind, text } = article
  return {
    id,
    principle: principle.id,
    kind,
    text,
    hard: article.hard ?? principle.hard,
    weight: principle.weight * article.weight,
    when: kind === 'never-error' ? null : (article.when ?? null),
    unless: kind === 'never-permit' || kind === 'must-permit' ? (article.unless ?? []) : [],
    of: kind === 'independent-of' ? article.of : null,
    record: kind === 'must-record' ? article.record : null,
  }
}

function problemsOf(error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue) => {
    const place = placeOf(issue.path)
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ place, message: `unknown key \`${key}\`` }))
    if (issue.code === 'invalid_union' && issue.path.includes('and')) return [{ place, message: ATOMS }]
    if (issue.code === 'invalid_union' && issue.path.includes('unless')) return [{ place, message: ATOMS }]
    return [{ place, message: issue.message }]
  })
}

const ATOMS =
  'not a condition: write one of `holds`, `principal-holds`, `principal-is`, `shares`, `related` (each with a concept), `at-most` (a concept and a concept or whole number), `equal` (two concepts), `principal`, `action`, `resource`; under `unless` also `all` with a list of them'

function placeOf(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return text === '' ? 'document' : text.replace(/^\./, '')
}

function refuse(problems: readonly Problem[]): never {
  const first = problems[0] as Problem
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  throw new Failure('CONSTITUTION_INVALID', `the constitution cannot be used: ${first.place}: ${first.message}${more}`, {
    problems: [...problems].sort((a, b) => a.place.localeCompare(b.place, 'en', { numeric: true })),
  })
}
