import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { Failure, type FailureCode } from '#core/failure.ts'
import { baseForms, wordsOf, type Pack, type PackRequest } from '#core/unit/pack.ts'
import { EntityBody, GenerateBody, QuestionBody } from '#core/unit/request.ts'
import { checkEntities, parseSchema } from './cedar/cedar.ts'

const About = z.strictObject({ name: z.string().regex(/^[a-z]+(-[a-z]+)*$/), title: z.string().min(1), words: z.array(z.string().min(1)) })

const RequestFile = z.strictObject({
  ...GenerateBody.shape,
  expect: z.strictObject({
    verdict: z.enum(['certified', 'refused']),
    refuted: z.array(z.string()).default([]),
    decisions: z
      .array(z.strictObject({ ...QuestionBody.omit({ entities: true }).shape, decision: z.enum(['allow', 'deny']), because: z.string().min(1) }))
      .min(1),
  }),
})

/**
 * Every pack in a folder, sorted by name: one folder each, with `pack.yaml`, `schema.cedarschema`, `entities.json` and
 * `requests/*.json`.
 *
 * @throws {Failure} `FILE_UNREADABLE`, or what is wrong in it (`SCHEMA_INVALID`, `ENTITIES_INVALID`, `REQUEST_MALFORMED`), naming the file.
 */
export function loadPacks(folder: string): readonly Pack[] {
  const names = reading(folder, 'FILE_UNREADABLE', () => readdirSync(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  return names.map(({ name }) => loadPack(join(folder, name))).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function loadPack(folder: string): Pack {
  const about = read(join(folder, 'pack.yaml'), 'REQUEST_MALFORMED', (text) => About.parse(parse(text)))
  const { text: schema, parsed } = read(join(folder, 'schema.cedarschema'), 'SCHEMA_INVALID', (text) => ({ text, parsed: parseSchema(text) }))
  const entities = read(join(folder, 'entities.json'), 'ENTITIES_INVALID', (text) => {
    const all = z.array(EntityBody).parse(JSON.parse(text))
    checkEntities(all, parsed)
    return all
  })
  const files = reading(folder, 'FILE_UNREADABLE', () => readdirSync(join(folder, 'requests'))).filter((file) => file.endsWith('.json')).sort()
  const requests = files.map((file) => read(join(folder, 'requests', file), 'REQUEST_MALFORMED', (text) => requestOf(file, text)))
  return { name: about.name, title: about.title, words: [...new Set([...baseForms(about.words), ...wordsOf(parsed)])].sort(), schema, entities, requests }
}

function requestOf(file: string, text: string): PackRequest {
  const { expect } = RequestFile.parse(JSON.parse(text))
  const { expect: _, ...body } = JSON.parse(text) as { expect: unknown }
  const decisions = expect.decisions.map(({ decision, because, ...request }) => ({ decision, because, request }))
  return { file, body, expect: { ...expect, decisions } }
}

function read<T>(file: string, code: FailureCode, use: (text: string) => T): T {
  const text = reading(file, 'FILE_UNREADABLE', () => readFileSync(file, 'utf8'))
  return reading(file, code, () => use(text))
}

/** Runs a step over a file; what goes wrong names the file. */
function reading<T>(file: string, code: FailureCode, step: () => T): T {
  try {
    return step()
  } catch (cause) {
    const problems = cause instanceof Failure ? cause.problems : cause instanceof z.ZodError ? cause.issues.map(({ path, message }) => ({ place: path.join('.'), message })) : []
    const detail = cause instanceof z.ZodError ? problems.map(({ place, message }) => `${place}: ${message}`).join('; ') : (cause as Error).message
    throw new Failure(cause instanceof Failure ? cause.code : code, `\`${file}\`: ${detail}`, { cause, problems })
  }
}
