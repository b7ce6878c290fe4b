import { describe } from '#core/compliance/explain.ts'
import type { Generation } from '#core/generate.ts'
import type { Norm } from '#core/unit/norm.ts'
import { list, spaced } from './policy/english.ts'
import { capital, sayNorms, sayRules } from './policy/norm-sections.ts'
import { uidText } from './policy/policy.ts'

export type Section = { readonly title: string; readonly content: string; readonly constitutionalBasis: readonly string[] }

export type PolicyDocument = { readonly title: string; readonly sections: readonly Section[]; readonly markdown: string }

/**
 * The document that people read, rendered from the verified meaning and never the other way round. Deterministic: it holds no clock and
 * no measurement. Each section names the articles of the constitution that it rests on.
 */
export function renderDocument(generation: Omit<Generation, 'certificate' | 'askedAgain'>): PolicyDocument {
  const { unit, corrections: [{ norms, policy, unread, independentWitnesses, setAside, vote }], examination, verdict, diagnosis } = generation
  const articles = (kinds: readonly string[]) => examination.proofs.filter(({ article }) => kinds.includes(article.kind)).map(({ article }) => article.id)
  const total = examination.proofs.length + examination.inapplicable.length

  const sections: Section[] = [
    { title: 'Purpose', content: `${unit.request.title}.${unit.request.stakeholders.length === 0 ? '' : ` For: ${unit.request.stakeholders.join(', ')}.`}`, constitutionalBasis: [] },
    { title: 'Scope', content: scopeOf(generation), constitutionalBasis: [] },
    { title: 'Definitions', content: paragraphs(definitionsOf(generation), 'The schema defines no term by `@doc`.'), constitutionalBasis: [] },
    {
      title: 'Constitutional basis',
      content: [
        `${examination.proofs.length} of ${total} articles apply.`,
        ...examination.proofs.map(({ article, proof }) => `- ${article.id}: ${proof.answer.kind}. ${article.text}`),
        ...examination.inapplicable.map(({ article, missing }) => `- ${article.id}: does not apply; the schema has nothing for ${missing.join(', ')}`),
      ].join('\n'),
      constitutionalBasis: examination.proofs.map(({ article }) => article.id),
    },
    { title: 'Permissions', content: paragraphs(sayNorms(norms, 'permit'), 'Nothing is permitted.'), constitutionalBasis: articles(['never-permit', 'must-permit', 'independent-of']) },
    { title: 'Prohibitions', content: paragraphs(sayNorms(norms, 'forbid'), 'Nothing is forbidden beyond what is not permitted: what no rule permits is denied.'), constitutionalBasis: articles(['never-permit']) },
    { title: 'Obligations', content: paragraphs(sayNorms(norms, 'oblige'), 'None.'), constitutionalBasis: articles(['must-record']) },
    {
      title: 'Oversight and appeal',
      content: paragraphs(
        examination.proofs.filter(({ article }) => OVERSIGHT.includes(article.principle)).map(({ article, proof }) => `- ${article.id}: ${proof.answer.kind}. ${article.text}`),
        'No article on oversight or appeal applies to this schema.',
      ),
      constitutionalBasis: examination.proofs.filter(({ article }) => OVERSIGHT.includes(article.principle)).map(({ article }) => article.id),
    },
    { title: 'What was not understood', content: paragraphs(unread.map(({ sentence, text, because }) => `- Sentence ${sentence}, “${text}”: ${because}`), 'Nothing was left unread.'), constitutionalBasis: [] },
    { title: 'Enforceable rules', content: sayRules(policy.text), constitutionalBasis: articles(['never-error']) },
    {
      title: 'Evidence',
      content: [
        `Verdict: ${verdict.kind}. Readers that read every sentence: ${independentWitnesses}. Diagnosis: ${diagnosis.kind}.`,
        ...(setAside.length === 0 ? [] : [`- Set aside, wholly or where others agree against it: ${setAside.join(', ')}.`]),
        ...(vote === null ? [] : [`- ${VOTED[vote.from]} It is proved to decide as most of ${list(vote.voters.map(({ method }) => method), 'and')} at every request.`]),
        ...(verdict.kind === 'violates' ? verdict.violations.map(({ article, counterexample, mentions }) => `- ${article} is broken by: ${describe(counterexample, mentions)}`) : []),
        // Why a sentence was not read is said above.
        ...(verdict.kind === 'undetermined' ? verdict.doubts.map(({ about, sentence, message, remedy }) => `- ${about === 'unread' && sentence !== undefined ? `Sentence ${sentence} was not read` : capital(message)}. To settle it: ${remedy}.`) : []),
      ].join('\n'),
      constitutionalBasis: [],
    },
  ]
  const markdown = [`# ${unit.request.title}`, ...sections.map(({ title, content }, i) => `## ${i + 1}. ${title}\n\n${content}`)].join('\n\n')
  return { title: unit.request.title, sections, markdown: `${markdown}\n` }
}

/** From what a policy was taken that readers voted for. */
const VOTED = {
  sentences: 'Readers disagreed; each sentence stands as most of them read it.',
  candidate: 'Readers disagreed; the policy is that of one of them.',
  rules: 'Readers disagreed; the policy has the rules that most of them have, which not every norm above says.',
  composed: 'Readers disagreed; the policy was put together from their rules, which the norms above do not say.',
} as const

/** Principles of the shipped constitution that speak of people in charge and of having a decision reviewed. */
const OVERSIGHT: readonly string[] = ['human-oversight', 'due-process']

function scopeOf({ unit: { schema }, corrections: [{ norms }] }: Omit<Generation, 'certificate' | 'askedAgain'>): string {
  const said = (names: readonly string[], every: string) => (names.length === 0 ? every : list([...new Set(names.map(spaced))].sort(), 'and'))
  const isOpen = (part: (norm: Norm) => readonly unknown[]) => norms.some((norm) => part(norm).length === 0)
  const who = said(isOpen(({ principals }) => principals) ? [] : norms.flatMap(({ principals }) => principals), 'everyone who asks')
  const what = said(isOpen(({ actions }) => actions) ? [] : norms.flatMap(({ actions }) => actions.map(({ id }) => id)), 'every action')
  const which = said(isOpen(({ resources }) => resources) ? [] : norms.flatMap(({ resources }) => resources), 'every resource')
  return `Who: ${who}. What: ${what}. On which: ${which}. The schema allows ${schema.environments.length} ${schema.environments.length === 1 ? 'kind' : 'kinds'} of request; what no rule permits is denied.`
}

function definitionsOf({ unit: { schema }, corrections: [{ norms }] }: Omit<Generation, 'certificate' | 'askedAgain'>): readonly string[] {
  const types = [...new Set(norms.flatMap(({ principals, resources }) => [...principals, ...resources]))].sort()
  const actions = [...new Set(norms.flatMap((norm) => norm.actions.map(uidText)))].sort()
  const define = (name: string, doc: string | undefined) => (doc === undefined || doc === '' ? [] : [`- ${capital(spaced(name))}: ${doc}`])
  return [
    ...types.flatMap((type) => define(type, schema.entityTypes.get(type)?.annotations['doc'])),
    ...actions.flatMap((action) => define(schema.actions.get(action)?.uid.id ?? action, schema.actions.get(action)?.annotations['doc'])),
  ]
}

function paragraphs(items: readonly string[], none: string): string {
  return items.length === 0 ? none : items.join('\n')
}
