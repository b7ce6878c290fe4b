import { lemmas } from '#core/unit/morphology.ts'
import type { Condition, Noun, Statement } from '#core/unit/statement.ts'
import { allOf, anyOf, type Around, type Main } from './controlled-english-around.ts'
import { IT, SELF } from './controlled-english-nouns.ts'
import type { Text } from './controlled-english-tokens.ts'

/** The rules with what stands before them, and every noun that "it" can stand for in its place. */
export function resolved(text: Text, lead: Around, said: readonly Main[]): readonly (readonly Statement[])[] {
  const list = shared(said)
  const isLead = lead.when.length + lead.unless.length > 0
  const apply = (main: Main): readonly Statement[] =>
    main.statements.map((one) => ({ ...one, only: lead.isOnly && one.force === 'permit' ? (one.only ?? 'condition') : one.only, when: allOf([...lead.when, ...(one.when === null ? [] : [one.when])]), unless: anyOf([...lead.unless, ...(one.unless === null ? [] : [one.unless])]) }))
  const whole = list.flatMap(apply)
  const first = list.flatMap((main, index) => (index === 0 ? apply(main) : main.statements))
  const ways = isLead && list.length > 1 ? [whole, first] : [whole]
  return [...ways, ...trailing(text, list, isLead)].flatMap((statements) => withAntecedents(text, statements, [...lead.when, ...lead.unless]))
}

/** "Nurses may view but must not edit sealed charts": what stands behind the last verb alone is the object of those before it. */
function shared(list: readonly Main[]): readonly Main[] {
  return list.reduceRight<readonly Main[]>((rest, main) => {
    const object = rest[0]?.statements[0]?.deeds[0]?.object ?? []
    const isBare = main.statements.every(({ deeds }) => deeds.every((deed) => deed.object.length === 0 && deed.tails.length === 0 && deed.verb?.length === 1))
    const whole: Main = !isBare || object.length === 0 ? main : { ...main, isShared: true, statements: main.statements.map((one) => ({ ...one, deeds: one.deeds.map((deed) => ({ ...deed, object })) })) }
    return [whole, ...rest]
  }, [])
}

/** "…, and managers may freeze accounts if …": what follows the last rule may be about all. */
function trailing(text: Text, list: readonly Main[], isLead: boolean): readonly (readonly Statement[])[] {
  const last = list[list.length - 1]?.statements[0]
  if (isLead || list.length < 2 || last === undefined || isPlain(last)) return []
  // A comma or "but" sets the last apart, unless its object is that of the others too.
  if (list.some(({ isApart }) => isApart) && !list.some(({ isShared }) => isShared)) return []
  const before = list.slice(0, -1).flatMap(({ statements }) => statements)
  if (!before.every(isPlain)) return []
  // "may view charts and must not export them without consent": no permission is without something.
  const marks = text.tokens.map((token) => (token.kind === 'word' ? token.lower : ''))
  if (marks.lastIndexOf('without') > Math.max(marks.lastIndexOf('unless'), marks.lastIndexOf('if')) && before.some(({ force }) => force === 'permit')) return []
  return [[...before.map((one) => ({ ...one, when: last.when, unless: last.unless, except: last.except, only: one.only ?? (last.only === 'condition' && one.force === 'permit' ? ('condition' as const) : null) })), ...(list[list.length - 1] as Main).statements]]
}

function isPlain({ when, unless, except }: Statement): boolean {
  return when === null && unless === null && except.length === 0
}

function withAntecedents(text: Text, statements: readonly Statement[], lead: readonly Condition[]): readonly (readonly Statement[])[] {
  let ways: readonly (readonly Statement[])[] = [[]]
  for (const one of statements) ways = ways.flatMap(
    (before) => named(text, one, before, lead).map((whole) => [...before, anyone(oneself(whole))]),
  )
  return ways
}

/** One statement with every noun that its pronouns can stand for. */
export function named(text: Text, one: Statement, before: readonly Statement[], lead: readonly Condition[]): readonly Statement[] {
  const isIt = (noun: Noun) => noun.words[0] === IT
  const isSubject = one.subject.some(isIt)
  const isObject = one.deeds.some(({ object, tails }) => object.some(isIt) || tails.some((tail) => isIt(tail.noun)))
  if (!isSubject && !isObject) return [one]
  const things = antecedents(text, one, before, lead)
  const people = isSubject ? antecedents(text, one, [], lead) : [null]
  if (things.length === 0 || people.length === 0) text.effort.hint ??= '`it` or `they` stands for nothing that was named before: name it'
  return people.flatMap((who) =>
    (isObject ? things : [null]).filter((thing) => thing === null || thing !== who).map((thing) => ({
      ...one,
      subject: who === null ? one.subject : one.subject.map((noun) => (isIt(noun) ? who : noun)),
      deeds: thing === null ? one.deeds : one.deeds.map(
        (deed) => ({
          ...deed,
          object: deed.object.map((noun) => (isIt(noun) ? thing : noun)),
          tails: deed.tails.map((tail) => (isIt(tail.noun) ? { ...tail, noun: thing } : tail)),
        }),
      ),
    })),
  )
}

/** "by anyone": no subject in particular. */
function anyone(one: Statement): Statement {
  const isAnyone = ({ words, quoted, other, modifiers }: Noun) => words.length === 0 && quoted === null && !other && modifiers.length === 0
  return one.exceptSubject.length + one.except.length === 0 && one.subject.some(isAnyone) ? { ...one, subject: [] } : one
}

/** "themselves" is the subject, as its own object. */
function oneself(one: Statement): Statement {
  const own = (noun: Noun): readonly Noun[] => (
    noun.words[0] === SELF
      ? one.subject.map(({ words }) => ({ words, quoted: null, other: false, modifiers: [{ kind: 'own', isSaid: true }] }))
      : [noun]
  )
  return { ...one, deeds: one.deeds.map((deed) => ({ ...deed, object: deed.object.flatMap(own) })) }
}

/** What "it" can stand for: what an earlier rule acts on, what the leading condition speaks about, whose owner the subject is. */
function antecedents({ lexicon }: Text, one: Statement, before: readonly Statement[], lead: readonly Condition[]): readonly Noun[] {
  const earlier = before.flatMap(({ deeds }) => deeds.flatMap(({ object }) => object))
  const inLead = nounsIn(lead)
  const ofSubject = [...one.subject, ...one.exceptSubject].flatMap(({ modifiers }) => nounsIn(modifiers))
  const plain = [...inLead, ...ofSubject].map((noun) => ({ words: noun.words, quoted: null, other: false, modifiers: [] }))
  const isThing = (noun: Noun) => noun.words.some((_, start) => lexicon.types(noun.words.slice(start)).length > 0)
  const seen = new Set<string>()
  return [...earlier, ...plain].filter((noun) => noun.words[0] !== IT && isThing(noun)).filter((noun) => {
    const key = JSON.stringify([noun.words.map((word) => lemmas(word).at(-1)), noun.modifiers])
    return !seen.has(key) && seen.add(key)
  })
}

function nounsIn(part: unknown): readonly Noun[] {
  if (Array.isArray(part)) return part.flatMap(nounsIn)
  if (typeof part !== 'object' || part === null) return []
  const own = 'words' in part && 'modifiers' in part ? [part as Noun] : []
  return [...own, ...Object.values(part).flatMap(nounsIn)]
}
