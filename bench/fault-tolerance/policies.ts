import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { authorize, parsePolicies, parseUid, type TemplateLink } from '#adapters/cedar/cedar.ts'
import { parseLinked } from '#adapters/cedar/link.ts'
import type { Examiner } from '#adapters/examiner.ts'
import { loadPacks } from '#adapters/packs.ts'
import { standingOf } from '#core/compliance/judge.ts'
import { examine } from '#core/generate.ts'
import { assemble } from '#core/policy/assemble.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import { normsOf } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import { GenerateBody } from '#core/unit/request.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { toUnit, type Setting } from '#core/unit/to-unit.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Third-party applications, which are no part of this repository: policies, templates with links, entities and requests. */
export const APPLICATIONS = join(ROOT, '../shared/bench/cedar-examples')

/** The share of applicable articles from which on the constitution lets a policy through, as in the shipped configuration. */
export const THRESHOLD = 0.8

/** A policy that is right, as far as anybody knows: it decides what a person wrote beside it as that person did. */
export type KnownGood = { readonly name: string; readonly from: 'packs' | 'applications'; readonly policy: PolicySet; readonly schema: Schema; /** The constitution does; else candidates alone decide, for nothing could come out right. */ readonly isLetThrough: boolean }

/** A text of a pack, read whole by the reader of controlled English, whose policy is {@link KnownGood}. */
export type KnownText = KnownGood & { readonly unit: SemanticUnit; readonly examples: SemanticUnit['request']['examples'] }

/** Every policy of the packs that is wanted certified, with the text that it was read from. */
export async function knownTexts(examiner: Examiner): Promise<readonly KnownText[]> {
  const packs = loadPacks(join(ROOT, 'packs'))
  const setting: Setting = { packs, constitution: examiner.constitution, parseSchema: examiner.parseSchema, threshold: THRESHOLD }
  const texts: KnownText[] = []
  for (const { name, requests, entities } of packs) {
    for (const { file, body, expect } of requests) {
      if (expect.verdict !== 'certified') continue
      const unit = toUnit(`${name}/${file}`, GenerateBody.parse(body), setting)
      const readings = readControlledEnglish(unit)
      if (readings.some(({ kind }) => kind === 'unread')) continue
      const policy = parsePolicies(renderRules(assemble(normsOf(readings), unit.schema)), unit.schema)
      const isRight = expect.decisions.every(({ request, decision }) => authorize({ policies: policy, schema: unit.schema, request, entities }).decision === decision)
      if (!isRight || standingOf(await examine(policy, unit.schema, examiner.examining(unit.schema)), THRESHOLD).kind !== 'proved') continue
      const examples = expect.decisions.map(({ request, decision, because }) => ({ name: because, request: { ...request, context: request.context ?? {} }, entities, decision }))
      texts.push({ name: `${name}/${file.replace(/\.json$/, '')}`, from: 'packs', policy, schema: unit.schema, isLetThrough: true, unit, examples })
    }
  }
  return texts
}

/** The policies of the third-party applications; none where they are not there. */
export async function applications(examiner: Examiner, folder = APPLICATIONS): Promise<readonly KnownGood[]> {
  if (!existsSync(folder)) return []
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(({ name }) => name === 'policies.cedarschema').map(({ parentPath }) => parentPath).sort()
  return Promise.all(paths.map(async (path) => {
    const read = (file: string) => readFileSync(join(path, file), 'utf8')
    const schema = examiner.parseSchema(read('policies.cedarschema'))
    const policy = existsSync(join(path, 'linked')) ? parseLinked(read('policies.cedar'), linksIn(read('linked')), schema) : parsePolicies(read('policies.cedar'), schema)
    const isLetThrough = standingOf(await examine(policy, schema, examiner.examining(schema)), THRESHOLD).kind === 'proved'
    return { name: relative(folder, path), from: 'applications', policy, schema, isLetThrough }
  }))
}

function linksIn(text: string): readonly TemplateLink[] {
  const links = JSON.parse(text) as readonly { readonly template_id: string; readonly link_id: string; readonly args: { readonly [slot: string]: string } }[]
  return links.map(({ template_id, link_id, args: { '?principal': principal, '?resource': resource } }) => ({
    template: template_id, id: link_id,
    ...(principal === undefined ? {} : { principal: parseUid(principal, '?principal') }), ...(resource === undefined ? {} : { resource: parseUid(resource, '?resource') }),
  }))
}
