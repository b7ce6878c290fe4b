import { z } from 'zod'
import { parseUid, parsePolicies, placesOf, parseUnvalidated, type TemplateLink } from '#adapters/cedar/cedar.ts'
import { parseLinked } from '#adapters/cedar/link.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { readCedar, readShaped } from './terminal.ts'

/** The option of every command that reads policies with templates. */
export const LINKS = ['--links <file>', 'links of the templates (`?principal`, `?resource`), as Cedar’s own command line has them: [{"template_id", "link_id", "args": {"?principal": "User::\\"ann\\""}}]'] as const

const LinksFile = z.array(z.strictObject({ template_id: z.string(), link_id: z.string(), args: z.strictObject({ '?principal': z.string().optional(), '?resource': z.string().optional() }) }))

/** @throws {Failure} naming the file, and the place within it. */
export function readLinks(file: string): readonly TemplateLink[] {
  return readShaped(LinksFile, file).map(({ template_id, link_id, args: { '?principal': principal, '?resource': resource } }) => ({
    template: template_id, id: link_id,
    ...(principal === undefined ? {} : { principal: parseUid(principal, `link ${link_id}`) }), ...(resource === undefined ? {} : { resource: parseUid(resource, `link ${link_id}`) }),
  }))
}

/**
 * Reads policies, each template as one rule for each of its links, and where each rule stands in the file.
 *
 * @param schema Null: they are not validated.
 */
export function readPolicies(file: string, schema: Schema | null, links: readonly TemplateLink[] | null): { readonly policies: PolicySet; readonly places: () => ReturnType<typeof placesOf> } {
  return readCedar(file, (text) => ({
    policies: schema === null ? parseUnvalidated(text, { links: links ?? [] }) : links === null ? parsePolicies(text, schema) : parseLinked(text, links, schema),
    places: () => placesOf(text, links ?? []),
  }))
}
