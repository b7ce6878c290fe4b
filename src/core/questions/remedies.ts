import type { Doubt, Verdict, Violation } from '#core/compliance/judge.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { renderNorm, spaced, verb } from '#core/policy/english.ts'
import type { Schema } from '#core/policy/schema.ts'
import { evidenceOf } from '#core/stabilizers/check.ts'
import { prohibitingNorms } from '#core/synthesis/principles.ts'
import type { Measurement } from '#core/syndrome/measure.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Inquiry } from './inquire.ts'
import { askInWords, factsOf } from './words.ts'

/**
 * The same verdict, in which every doubt and every violation says what would settle it: the question to answer, the example to take back, the sentence
 * to write. A text that is still to be asked about is never compliant. A sentence that is asked about is one doubt, however many readers left it open.
 */
export function withRemedies(verdict: Verdict, inquiry: Inquiry | null, given: { readonly unit: SemanticUnit; readonly measurements: readonly Measurement[]; readonly bound: readonly BoundArticle[] }): Verdict {
  const { unit, measurements, bound } = given
  if (verdict.kind === 'violates') return { ...verdict, violations: verdict.violations.map((violation) => ({ ...violation, remedy: remedyOf(violation, bound, unit.schema) })) }
  const asked = inquiry === null ? null : doubtOf(inquiry)
  const doubts = verdict.kind === 'compliant' ? [] : verdict.doubts
  // That nothing is ruled yet is no doubt of its own while there is a question, nor is that a sentence was left open.
  const others = doubts.filter((doubt) => asked === null || (doubt.about !== 'ambiguous' && !isSaidOf(doubt, inquiry) && !(doubt.about === 'diagnosis' && inquiry?.kind === 'contradicted') && !(doubt.about === 'empty' && inquiry?.kind === 'open')))
  const all = [...(asked === null ? [] : [asked]), ...others.map((doubt) => (doubt.about === 'diagnosis' ? contradicting(doubt, unit, measurements) : doubt))]
  return all.length === 0 ? verdict : { kind: 'undetermined', doubts: all }
}

/** Whether a doubt is that nobody read a sentence of which the inquiry says in how many ways it can be understood. */
function isSaidOf({ about, sentence }: Doubt, inquiry: Inquiry | null): boolean {
  return about === 'unread' && sentence !== undefined && (inquiry?.kind === 'open' || inquiry?.kind === 'unknown') && inquiry.sentences.includes(sentence)
}

/** Null once it is settled. */
function doubtOf(inquiry: Inquiry): Doubt | null {
  const { sentences } = inquiry
  const which = `sentence${sentences.length === 1 ? '' : 's'} ${sentences.join(', ')}`
  switch (inquiry.kind) {
    case 'settled': return null
    case 'open': return {
      about: 'ambiguous',
      message: `${which} can be understood in several ways, which come to ${inquiry.meanings} meanings`,
      remedy: `answer question ${inquiry.question.id}: ${inquiry.question.words} ${inquiry.atMost === 1 ? 'It is the only one' : `At most ${inquiry.atMost} questions come, this one included`}; or reword ${sentences.length === 1 ? 'it' : 'them'}`,
    }
    case 'contradicted': return {
      about: 'example',
      message: `no way to understand ${which} decides ${inquiry.examples.join(', ')} as wanted`,
      remedy: `take ${inquiry.examples.length === 1 ? 'it' : 'one of them'} back, or write a sentence that decides ${inquiry.examples.length === 1 ? 'it' : 'them'} so`,
    }
    case 'unknown': return { about: 'ambiguous', message: `${which} can be understood in several ways: ${inquiry.because}`, remedy: inquiry.remedy }
  }
}

/** Names what stands against which example. */
function contradicting(doubt: Doubt, unit: SemanticUnit, measurements: readonly Measurement[]): Doubt {
  const against = measurements.flatMap((measurement) => evidenceOf('decides', measurement) ?? [])
  const byExample = Map.groupBy(against, ({ example }) => example)
  const said = [...byExample].map(([example, all]) => {
    const sentences = [...new Set(all.flatMap((each) => each.against))].sort((a, b) => a - b)
    const quoted = sentences.map((number) => `sentence ${number} (“${unit.sentences[number - 1]?.text ?? ''}”)`)
    const wanted = all[0]?.wanted ?? ''
    return sentences.length === 0 ? `${example} wants ${wanted}, and no sentence ${wanted === 'allow' ? 'permits' : 'forbids'} it: write one that does, or take the example back`
      : `${example} wants ${wanted}, against ${quoted.join(' and ')}: reword ${sentences.length === 1 ? 'it' : 'one of them'}, or take the example back`
  })
  return said.length === 0 ? doubt : { ...doubt, remedy: said.join('; ') }
}

function remedyOf({ article: id, counterexample, mentions }: Violation, bound: readonly BoundArticle[], schema: Schema): string {
  const found = bound.find(({ article }) => article.id === id)
  const request = askInWords(counterexample, factsOf(counterexample, schema, { attributes: new Set(mentions), hierarchy: false }), schema)
  switch (found?.article.kind) {
    case 'never-permit': {
      const concerned = prohibitingNorms(found, schema).filter(({ actions, resources, principals }) =>
        actions.some((uid) => counterexample.action === `${uid.type}::"${uid.id}"`) && (resources.length === 0 || resources.includes(typeIn(counterexample.resource))) && (principals.length === 0 || principals.includes(typeIn(counterexample.principal))))
      const [norm] = concerned
      return norm === undefined ? `${request} Let the answer be no` : added(renderNorm(norm))
    }
    case 'must-permit': return `${request} Let the answer be yes: add a sentence that permits it, or narrow the one that forbids it`
    case 'must-record': {
      const resource = typeIn(counterexample.resource)
      const [does = '', ...rest] = verb(spaced(schema.actions.get(counterexample.action)?.uid.id ?? counterexample.action), [resource]).split(' ')
      const what = spaced(resource)
      return added(`whoever ${[thirdPerson(does), ...rest].join(' ')} ${/^[aeiou]/.test(what) ? 'an' : 'a'} ${what} must ${found.obligation ?? 'do what the article demands'} it`)
    }
    case 'independent-of': return `let no condition depend on ${mentions.length === 0 ? 'what is protected' : mentions.join(', ')}`
    case 'never-error': return `let the rule look only at what is always there, or ask first whether it is there: ${request}`
    case undefined: return `${request} Let it be decided as the article demands`
  }
}

function typeIn(uid: string): string {
  return uid.slice(0, uid.indexOf('::"'))
}

function added(sentence: string): string {
  return `add a sentence, such as “${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.”`
}

function thirdPerson(verb: string): string {
  return /[^aeiou]y$/.test(verb) ? `${verb.slice(0, -1)}ies` : /(?:s|x|z|ch|sh|o)$/.test(verb) ? `${verb}es` : `${verb}s`
}
