import { canonical } from '#core/canonical.ts'
import type { Lexicon } from '#core/unit/lexicon.ts'
import type { Condition, Deed, Modifier, Noun, Ref, Statement } from '#core/unit/statement.ts'
import { lowerAt, type Text } from './controlled-english-tokens.ts'

/**
 * What else the statements of a clause can say, by forms that English leaves open: each with all statements. The schema decides which of them
 * can be said; a form whose usual meaning is the only one that people have is not here (docs/concepts/reading.md).
 */
export function otherwise(way: readonly Statement[], text: Text): readonly (readonly Statement[])[] {
  return [
    ...(CONDITIONAL.has(lowerAt(text, 0)) ? [] : antecedents(way)).map((who) => way.map((one) => ({ ...one, when: spokenOf(one.when, who), unless: spokenOf(one.unless, who) }))),
    ...(isTrailing(text) ? [...each(way, nearest), ...each(way, waived)] : []),
    ...each(way, (one) => onlyOther(one, text.lexicon)),
    ...onlyOnward(way, text),
  ]
}

/** One statement said otherwise, the others as they are. */
function each(way: readonly Statement[], change: (one: Statement) => readonly (readonly Statement[])[]): readonly (readonly Statement[])[] {
  return way.flatMap((one, at) => change(one).map((others) => [...way.slice(0, at), ...others, ...way.slice(at + 1)]))
}

/** "Payslips of their manager if they are …": those of whom the object is, beside who acts and the object itself. */
function antecedents(way: readonly Statement[]): readonly Noun[] {
  const owners = (noun: Noun): readonly Noun[] => noun.modifiers.flatMap((modifier) => (modifier.kind === 'of' ? [modifier.noun, ...owners(modifier.noun)] : []))
  const found = way.flatMap(({ deeds }) => deeds.flatMap(({ object }) => object.flatMap(owners)))
  const named = found.filter(({ words, quoted, other }) => words.length > 0 && quoted === null && !other)
  return [...new Map(named.map(({ words, modifiers }) => {
    const who: Noun = { words, quoted: null, other: false, isDefinite: true, modifiers: modifiers.filter(({ kind }) => kind === 'own') }
    return [canonical(who), who]
  })).values()]
}

/** The condition with "they", of whom something is said, as someone named; what they have to do with others stays. */
function spokenOf(condition: Condition | null, who: Noun): Condition | null {
  if (condition === null) return null
  const ref = (of: Ref | null): Ref | null => (of?.kind === 'they' ? { kind: 'noun', noun: who } : of)
  switch (condition.kind) {
    case 'all':
    case 'any': return { ...condition, parts: condition.parts.map((part) => spokenOf(part, who) as Condition) }
    case 'not': return { ...condition, of: spokenOf(condition.of, who) as Condition }
    case 'is': return { ...condition, of: ref(condition.of) }
    case 'compare': return condition.left.kind === 'attribute' ? { ...condition, left: { ...condition.left, of: ref(condition.left.of) } } : condition
    default: return condition
  }
}

const CONDITIONAL = new Set('if when whenever where while once unless except provided as so in on during with under without given assuming'.split(' '))

/** Conditions stand behind the rule, and no comma sets them apart. */
function isTrailing(text: Text): boolean {
  return !CONDITIONAL.has(lowerAt(text, 0)) && !text.tokens.some(({ kind }, at) => kind === 'comma' && CONDITIONAL.has(lowerAt(text, at + 1)))
}

/** "Repositories that are private or archived if …": the condition can be of the last alternative alone. */
function nearest(one: Statement): readonly (readonly Statement[])[] {
  const { when } = one
  if (when === null || one.unless !== null || one.only !== null) return []
  const behindLast = (noun: Noun): Noun | null => {
    const last = noun.modifiers[noun.modifiers.length - 1]
    if (last?.kind !== 'such' || last.condition.kind !== 'any') return null
    const { parts } = last.condition
    const nearer: Modifier = { kind: 'such', condition: { kind: 'any', parts: [...parts.slice(0, -1), { kind: 'all', parts: [parts[parts.length - 1] as Condition, when] }] } }
    return { ...noun, modifiers: [...noun.modifiers.slice(0, -1), nearer] }
  }
  const deeds = one.deeds.map((deed): Deed | null => {
    const tail = deed.tails[deed.tails.length - 1]
    const last = tail?.noun ?? deed.object[deed.object.length - 1]
    const changed = last === undefined ? null : behindLast(last)
    if (changed !== null && tail !== undefined) return { ...deed, tails: [...deed.tails.slice(0, -1), { ...tail, noun: changed }] }
    return changed === null ? null : { ...deed, object: [...deed.object.slice(0, -1), changed] }
  })
  return deeds.every((deed) => deed !== null) ? [[{ ...one, deeds, when: null }]] : []
}

/** "If the amount is at most 500 unless …": the exception can be that of the condition, which then need not hold. */
function waived(one: Statement): readonly (readonly Statement[])[] {
  const { when, unless } = one
  if (one.force !== 'permit' || when === null || unless === null) return []
  return [[{ ...one, when: { kind: 'any', parts: [when, unless] }, unless: null }]]
}

/**
 * "May only view archived documents": nothing else with them, or nothing else at all. A clause behind the object and "their own" have the stress,
 * and are what "only" is about.
 */
function onlyOther(one: Statement, lexicon: Lexicon): readonly (readonly Statement[])[] {
  if (one.only !== 'condition' || one.isOnlyOfVerb !== true || one.when !== null || one.unless !== null || one.except.length > 0) return []
  const isStressed = ({ modifiers }: Noun): boolean => modifiers.some((modifier) => modifier.kind === 'such' || (modifier.kind === 'own' && modifier.isSaid) || (modifier.kind === 'of' && isStressed(modifier.noun)))
  const isNarrow = ({ words, quoted, modifiers }: Noun) => quoted !== null || modifiers.length > 0 || (words.length > 1 && lexicon.types(words).length === 0)
  const objects = one.deeds.flatMap(({ object }) => object)
  if (!objects.some(isNarrow) || objects.some(isStressed) || one.deeds.some(({ tails }) => tails.length > 0)) return []
  return [[{ ...one, only: 'deed' }], [{ ...one, only: 'all' }]]
}

/** "Only mechanics may repair and drivers may drive …": "only" can go on. */
function onlyOnward(way: readonly Statement[], text: Text): readonly (readonly Statement[])[] {
  const [first, ...rest] = way
  const isApart = text.tokens.some((token, at) => token.kind === 'comma' || ['but', 'whereas'].includes(lowerAt(text, at)))
  if (first?.only !== 'subject' || isApart) return []
  const follows = (one: Statement) => one.force === 'permit' && one.only === null && one.subject.length > 0 && canonical(one.subject) !== canonical(first.subject)
  return rest.length > 0 && rest.every(follows) ? [[first, ...rest.map((one): Statement => ({ ...one, only: 'subject' }))]] : []
}
