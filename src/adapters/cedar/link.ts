import * as wasm from '@cedar-policy/cedar-wasm/nodejs'
import { Failure } from '#core/failure.ts'
import type { Uid } from '#core/policy/expression.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { exactly, parsePolicies } from './cedar.ts'

/** A template that becomes a rule of its own, with an id of its own, by what stands in its slots. */
export type Link = { readonly template: string; readonly id: string; readonly principal?: Uid; readonly resource?: Uid }

/**
 * Reads a policy set with templates, strictly validated: the static rules in the order of the text, then one rule for each link. Its
 * text has no templates left: it is the one that is proved about, replayed and signed.
 *
 * @param links Templates of the text by their `@id`; a template without a link is no rule.
 * @throws {Failure} `POLICY_INVALID`: as `parsePolicies`, and where a link names no template, leaves a slot open or fills one that is not
 *   there.
 * @see https://docs.cedarpolicy.com/policies/templates.html
 */
export function parseLinked(text: string, links: readonly Link[], schema: Schema): PolicySet {
  const split = wasm.policySetTextToParts(text)
  // The text does not parse: what is wrong with it is told where any text is read.
  if (split.type === 'failure') return parsePolicies(text, schema)
  const templates = new Map(split.policy_templates.map((part) => {
    const answer = exactly(() => wasm.templateToJson(part))
    if (answer.type === 'failure') throw new Failure('POLICY_INVALID', `a template does not parse: ${answer.errors.map(({ message }) => message).join('; ')}`)
    return [answer.json.annotations?.['id'] ?? '', answer.json as Template] as const
  }))
  // Cedar gives the parts sorted by generated names as text: 0, 1, 10, 11, 2.
  const order = split.policies.map((_, index) => index).sort((a, b) => (`policy${a}` < `policy${b}` ? -1 : 1))
  const statics = split.policies.map((part, k) => ({ part, index: order[k] as number })).sort((a, b) => a.index - b.index)
  const linked = links.map((link) => {
    const template = templates.get(link.template)
    if (template === undefined) throw refuse(link, `names the template \`${link.template}\`, and the text has none with that @id`)
    return linkedText(template, link)
  })
  return parsePolicies([...statics.map(({ part }) => part), ...linked].join('\n\n'), schema)
}

type Slot = '?principal' | '?resource'
type Scope = { readonly op: string; readonly slot?: Slot; readonly in?: { readonly slot?: Slot } }
type Template = { readonly principal: Scope; readonly resource: Scope; readonly annotations?: { readonly [name: string]: string | null } }

function linkedText(template: Template, link: Link): string {
  const open = new Map<Slot, Uid>()
  if (link.principal !== undefined) open.set('?principal', link.principal)
  if (link.resource !== undefined) open.set('?resource', link.resource)
  const fill = (slot: Slot) => {
    const uid = open.get(slot)
    if (uid === undefined) throw refuse(link, `leaves the slot \`${slot}\` of \`${link.template}\` open`)
    open.delete(slot)
    return { type: uid.type, id: uid.id }
  }
  const filled = (scope: Scope) => {
    const { slot, ...rest } = scope
    if (slot !== undefined) return { ...rest, entity: fill(slot) }
    return scope.in?.slot === undefined ? scope : { ...scope, in: { entity: fill(scope.in.slot) } }
  }
  const rule = { ...template, principal: filled(template.principal), resource: filled(template.resource), annotations: { ...template.annotations, id: link.id } }
  for (const slot of open.keys()) throw refuse(link, `fills the slot \`${slot}\`, which \`${link.template}\` does not have`)
  const answer = wasm.policyToText(withLongs(rule) as wasm.Policy)
  if (answer.type === 'failure') throw refuse(link, `does not fit: ${answer.errors.map(({ message }) => message).join('; ')}`)
  return answer.text
}

const { rawJSON } = JSON as unknown as { readonly rawJSON: (digits: string) => unknown }

/** Integers beyond 2⁵³, kept as digits so far, as the binding must get them. */
function withLongs(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (Array.isArray(json)) return json.map(withLongs)
  if ('__long' in json && typeof json.__long === 'string') return rawJSON(json.__long)
  return Object.fromEntries(Object.entries(json).map(([name, part]) => [name, withLongs(part)]))
}

function refuse({ id }: Link, what: string): Failure {
  return new Failure('POLICY_INVALID', `the link \`${id}\` ${what}`, { problems: [{ place: `link ${id}`, message: what }] })
}
