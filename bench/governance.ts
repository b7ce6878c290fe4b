import { readFileSync } from 'node:fs'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { bind } from '#core/constitution/bind.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { RESOURCE, type Expression } from '#core/policy/expression.ts'
import { uidText, type PolicySet, type Rule } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import { pick, seeded, type Random } from '#core/proof/random-world.ts'
import { prohibitions } from '#core/synthesis/principles.ts'
import { reworded } from '#core/injection/reword.ts'

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

/** The schema of the pack `data-protection`, with the constitution that ships, and governance rules over it. */
export const schema: Schema = parseSchema(read('packs/data-protection/schema.cedarschema'))
export const bound: readonly BoundArticle[] = bind(parseConstitution(read('constitutions/acgs.yaml')), schema).bound

/** Rules as people write them, each with a number or a name of its own: permissions, confined mostly to one action, and prohibitions. */
const FORMS: readonly ((n: number, random: Random) => string)[] = [
  (n) => `permit(principal is Nurse, action == Action::"viewChart", resource) when { principal.ward == resource.patient.ward && principal.ward == Ward::"ward${n}" && principal.onDuty };`,
  (n) => `permit(principal is Doctor, action in [Action::"viewChart", Action::"editChart"], resource) when { principal.treats.contains(resource.patient) && principal.ward == Ward::"ward${n}" };`,
  (n) => `permit(principal is Doctor, action == Action::"viewChart", resource) when { context.emergency && resource.patient.ward == Ward::"ward${n}" };`,
  (n) => `@obligation("notify") permit(principal is Employee, action == Action::"shareRecord", resource) when { resource.consent && principal in Department::"department${n}" };`,
  (n, random) => `permit(principal is Employee, action == Action::"viewRecord", resource) when { principal.trained && principal.region == Region::"${pick(random, ['EU', 'UK', 'US'])}" && resource.balance < ${n * 10} };`,
  (n) => `@obligation("log") permit(principal is Employee, action == Action::"exportRecord", resource) when { principal in Department::"department${n}" && resource.consent && context.encrypted };`,
  (n, random) => `permit(principal is Employee, action == Action::"analyzeRecord", resource) when { context.declaredPurpose == resource.purpose && principal.role == Role::"${pick(random, ['clerk', 'analyst', 'auditor'])}" && resource.balance >= ${n} };`,
  (n) => `permit(principal is Employee, action == Action::"deleteRecord", resource) when { resource.archived && context.approved && resource.balance <= ${n} };`,
  (n) => `permit(principal is Employee, action == Action::"viewLog", resource) when { principal in Department::"department${n}" };`,
  (n) => `permit(principal is Customer, action == Action::"viewRecord", resource) when { resource.customer == principal && resource.balance < ${n * 100} };`,
  (n) => `forbid(principal is Employee, action == Action::"updateRecord", resource) when { resource.region != principal.region && resource.customer.vip && resource.balance > ${n} };`,
  (n) => `permit(principal is Employee, action == Action::"updateRecord", resource) when { principal.region == resource.region && principal in Department::"department${n}" } unless { resource.archived };`,
  (n) => `forbid(principal, action == Action::"exportChart", resource) when { resource.sealed && resource.patient.ward == Ward::"ward${n}" };`,
  (n) => `permit(principal is Researcher, action == Action::"viewChart", resource) when { principal.accredited && resource.anonymized && resource.patient.ward != Ward::"ward${n}" };`,
]

/** A policy of so many rules, the prohibitions that the constitution demands among them where there is room for as many others. */
export function policyOf(count: number, seed: number): PolicySet {
  const random = seeded(seed)
  const demanded = bound.filter(({ article }) => article.kind === 'never-permit').flatMap((article) => prohibitions(article, schema))
  const kept = demanded.slice(0, Math.floor(count / 2))
  const written = Array.from({ length: count - kept.length }, (_, i) => `@id("rule${i}") ${pick(random, FORMS)(Math.floor(random() * count * 2), random)}`)
  return parsePolicies([renderRules(kept), ...written].join('\n'), schema)
}

/**
 * The same policy in other words, and every rule about one action cut in two: for one certain resource, and for all others. That no
 * folding of terms sees.
 */
export function rewordedOf(policy: PolicySet, seed: number): PolicySet {
  const rules = reworded(policy.rules, seeded(seed)).flatMap((rule): readonly Rule[] => {
    const [uid] = rule.action.kind === 'eq' ? [rule.action.uid] : rule.action.kind === 'in' ? rule.action.uids : []
    const [type] = uid === undefined ? [] : schema.actions.get(uidText(uid))?.resources ?? []
    if (type === undefined) return [rule]
    const isCertain: Expression = { kind: 'eq', left: RESOURCE, right: { kind: 'entity', uid: { type, id: 'certain' } } }
    return [{ ...rule, when: [isCertain, ...rule.when] }, { ...rule, id: `${rule.id} otherwise`, unless: [...rule.unless, isCertain] }]
  })
  return { text: renderRules(rules), rules }
}

/** The policy with one of its permissions gone. */
export function mutantOf(policy: PolicySet, seed: number): PolicySet {
  const gone: Rule = pick(seeded(seed), policy.rules.filter(({ effect }) => effect === 'permit'))
  const rules = policy.rules.filter((rule) => rule !== gone)
  return { text: renderRules(rules), rules }
}
