import { sha256 } from '#core/canonical.ts'
import type { Statement } from '#core/certificate/statement.ts'
import { Failure, type Problem } from '#core/failure.ts'
import type { PolicySet, Rule } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { RevisionContent } from './revision.ts'

/** A certificate that was opened: its signature and digests are right. */
export type OpenCertificate = { readonly id: string; readonly statement: Statement }

/** What a proposal does to the set that decides now: ids of certificates. */
export type Change = {
  readonly add: readonly string[]
  readonly remove: readonly string[]
  readonly replace: readonly { readonly certificate: string; readonly by: string }[]
}

/**
 * The certificates of the set after a change, in their order: what replaces stands where the replaced one stood, what is added comes last.
 *
 * @throws {Failure} `CERTIFICATE_UNUSABLE` naming every id that is removed without being there, or added although it is.
 */
export function changed(present: readonly string[], { add, remove, replace }: Change): readonly string[] {
  const problems: Problem[] = []
  const leaving = [...remove, ...replace.map(({ certificate }) => certificate)]
  for (const [at, id] of leaving.entries()) {
    if (!present.includes(id)) problems.push({ place: id, message: 'is not in the revision that decides now' })
    else if (leaving.indexOf(id) !== at) problems.push({ place: id, message: 'leaves twice' })
  }
  const staying = present.flatMap((id) => {
    const replacement = replace.find(({ certificate }) => certificate === id)
    return replacement !== undefined ? [replacement.by] : remove.includes(id) ? [] : [id]
  })
  const set = [...staying, ...add]
  for (const id of new Set(set.filter((each, at) => set.indexOf(each) !== at))) problems.push({ place: id, message: 'would be in the revision twice' })
  if (problems.length > 0) throw unusable(problems)
  return set
}

/**
 * The one policy that several certified ones make: all their rules, each id behind the first digits of its certificate, which it also
 * carries whole in an annotation. Deterministic: whoever has the certificates can compose it again.
 *
 * @throws {Failure} `CERTIFICATE_UNUSABLE` naming each certificate whose policy does not fit the schema.
 */
export function compose(certificates: readonly OpenCertificate[], schema: Schema, parse: (text: string, schema: Schema) => PolicySet): string {
  const length = [8, 16, 32].find((digits) => new Set(certificates.map(({ id }) => id.slice(0, digits))).size === certificates.length) ?? 32
  const problems: Problem[] = []
  const rules = certificates.flatMap(({ id, statement }): Rule[] => {
    try {
      const { rules } = parse(statement.predicate.bodies.policy, schema)
      return rules.map((rule) => ({ ...rule, id: `${id.slice(0, length)}.${rule.id}`, annotations: { ...withoutId(rule.annotations), certificate: id } }))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      problems.push({ place: id, message: `does not fit the application's schema: ${error.message}` })
      return []
    }
  })
  if (problems.length > 0) throw unusable(problems)
  return renderRules(rules)
}

/** How the content of a revision names a certificate. */
export function cite({ id, statement }: OpenCertificate): RevisionContent['certificates'][number] {
  return { id, policyDigest: sha256(statement.predicate.bodies.policy), author: statement.predicate.author }
}

/** Who may not approve: whoever proposed the content, and every author of a part of it. */
export function concerned({ proposedBy, certificates }: RevisionContent): ReadonlySet<string> {
  return new Set([proposedBy, ...certificates.map(({ author }) => author)])
}

function withoutId({ id: _, ...annotations }: Rule['annotations']): Rule['annotations'] {
  return annotations
}

export function unusable(problems: readonly Problem[]): Failure {
  return new Failure('CERTIFICATE_UNUSABLE', problems.map(({ place, message }) => `certificate \`${place}\` ${message}`).join('; '), { problems })
}
