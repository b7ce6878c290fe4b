import { isForm, lemmas } from '#core/unit/morphology.ts'
import { noun, type Modifier, type Noun } from '#core/unit/statement.ts'
import { modifiers } from './controlled-english-modifiers.ts'
import { contentAt, eat, eatAny, hit, lowerAt, maybe, reach, remember, then, type Hit, type Text } from './controlled-english-tokens.ts'

/**
 * Where a noun phrase stands, which decides what may follow it. "Without consent" narrows a subject; behind an object it is about
 * the deed. Behind "no", a singular stands without an article.
 */
export type Role = 'subject' | 'object' | 'condition' | 'none'

/** Stands for "it" and "them" as an object, and for "themselves", until the sentence is whole. */
export const IT = 'it'
export const SELF = 'themselves'

/** A noun phrase, and whether it says "a", "any", "no" … of a singular, or is a plural: only then a mere adjective can be its head. */
export function nounPhrases(text: Text, at: number, role: Role): readonly Hit<Noun>[] {
  return remember(
    text,
    `noun:${role}`,
    at,
    () => [...pronouns(text, at, role), ...quantified(text, at, role), ...described(text, at, role)],
  )
}

/** "a, b and c", "both a and b", "either a or b": all that is named. */
export function nounLists(text: Text, at: number, role: Role): readonly Hit<readonly Noun[]>[] {
  return remember(text, `nouns:${role}`, at, () => {
    const start = maybe(text, at, 'both', 'either')
    return [...adjectiveLists(text, start, role), ...then(nounPhrases(text, start, role), (first, to) => [
      ...(start === at ? [hit([first], to)] : []),
      ...then(
        rest(text, to, role),
        (others, end) => (isApart(text, to, others) ? [[first, ...others]] : spreads([first, ...others])).map((nouns) => hit(nouns, end)),
      ),
    ])]
  })
}

/**
 * "public or internal files", "internal and public files": each kind. "Sealed and archived charts" can be what is both, or what is
 * one of them: both are tried, unless they are values of one attribute, which has only one at a time.
 */
function adjectiveLists(text: Text, at: number, role: Role): readonly Hit<readonly Noun[]>[] {
  const { lexicon } = text
  return determiners(text, at).flatMap(({ to }) => {
    const first = contentAt(text, to)
    if (first === null || isNounHead(text, first)) return []
    const conjunction = eatAny(text, to + 1, ['and', 'or', ','])
    if (conjunction === null) return []
    return then(nounLists(text, conjunction, role), (rest, end) => {
      const next = rest[0] as Noun
      if (next.words.length < 2 || next.modifiers.some((modifier) => modifier.kind === 'own') || next.isDefinite !== undefined || isNounHead(text, next.words.slice(0, 1))) return []
      const determined = determiners(text, at).find((one) => one.to === to)
      const own: readonly Modifier[] = determined?.own === undefined ? [] : [{ kind: 'own', ...determined.own }]
      const of = (one: Noun, words: readonly string[]): Noun => ({ ...one, words, other: determined?.other === true, modifiers: [...own, ...one.modifiers], ...(determined?.isDefinite === undefined ? {} : { isDefinite: determined.isDefinite }) })
      const kinds = [of(next, [...first, ...next.words.slice(1)]), ...rest.map((one) => of(one, one.words))]
      const types = lexicon.values(first).map(({ type }) => type)
      const isValue = lexicon.values(next.words.slice(0, 1)).some(({ type }) => types.includes(type))
      const isOr = lowerAt(text, to + 1) === 'or' || text.tokens[to + 1]?.kind === 'comma'
      return [hit(kinds, end), ...(isOr || isValue ? [] : [hit([of(next, [...first, ...next.words]), ...kinds.slice(2)], end)])]
    })
  })
}

/** "admins, and users who …,": two that a comma keeps apart. */
function isApart(text: Text, at: number, others: readonly Noun[]): boolean {
  return others.length === 1 && text.tokens[at]?.kind === 'comma'
}

/** "Orders that are paid and not shipped": "not shipped" goes on with what they are, and is no other thing. */
function isDenial({ lexicon }: Text, { words }: Noun): boolean {
  return words[0]?.toLowerCase() === 'not' && words.every((_, start) => lexicon.types(words.slice(start)).length === 0)
}

/** ", b and c", "and c": ends with the one behind the conjunction. */
function rest(text: Text, at: number, role: Role): readonly Hit<readonly Noun[]>[] {
  return remember(text, `rest:${role}`, at, () => {
    const last = eatAny(text, at, ['and', 'or', ', and', ', or', 'as well as', ', as well as'])
    const comma = eat(text, at, ',')
    return [
      ...(
        last === null
          ? []
          : then(
            nounPhrases(text, last, role).filter(({ value }) => !isDenial(text, value)),
            (one, to) => [hit([one], to), ...then(rest(text, to, role), (others, end) => [hit([one, ...others], end)])],
          )
      ),
      ...(
        comma === null
          ? []
          : then(nounPhrases(text, comma, role), (one, to) => then(rest(text, to, role), (others, end) => [hit([one, ...others], end)]))
      ),
    ]
  })
}

/**
 * What "their own charts and records" and "nurses and doctors who are on duty" can mean: what is said of the first or the last
 * is said of it alone, or of all. Both are tried; where both mean something, and not the same, the sentence is open.
 */
function spreads(nouns: readonly Noun[]): readonly (readonly Noun[])[] {
  const first = nouns[0] as Noun
  const last = nouns[nouns.length - 1] as Noun
  const found = [nouns]
  const isOwn = (modifier: Modifier) => modifier.kind === 'own'
  const behind = last.modifiers.filter((modifier) => !isOwn(modifier))
  if (behind.length > 0 && nouns.slice(0, -1).every((one) => one.modifiers.every(isOwn))) {
    found.push(nouns.map((one) => (one === last ? one : { ...one, modifiers: [...one.modifiers, ...behind] })))
  }
  const own = first.modifiers.filter(isOwn)
  if (own.length > 0 && nouns.slice(1).some((one) => one.isDefinite === undefined && !one.modifiers.some(isOwn))) {
    found.push(
      ...found.map(
        (list) => list.map(
          (one) => (one.modifiers.some(isOwn) || one.isDefinite !== undefined ? one : { ...one, modifiers: [...own, ...one.modifiers] }),
        ),
      )
    )
  }
  if (first.words.length > 1 && nouns.slice(1).every((one) => one.words.length === 1)) {
    const before = first.words.slice(0, -1)
    found.push(...found.map((list) => list.map((one, index) => (index === 0 ? one : { ...one, words: [...before, ...one.words] }))))
  }
  return found
}

function pronouns(text: Text, at: number, role: Role): readonly Hit<Noun>[] {
  if (role === 'condition') return []
  const self = eatAny(text, at, ['themselves', 'himself', 'herself', 'itself'])
  if (self !== null) return [hit(noun([SELF]), self)]
  const it = role === 'object' ? eatAny(text, at, ['it', 'them', 'these']) : null
  return it === null ? [] : [hit(noun([IT]), it)]
}

const EVERYONE = ['anyone', 'anybody', 'everyone', 'everybody', 'any one', 'every one', 'anything', 'everything']

function quantified(text: Text, at: number, role: Role): readonly Hit<Noun>[] {
  const someone = eatAny(text, at, ['someone else', 'somebody else', 'anyone else', 'anybody else'])
  if (someone !== null) return possessor(text, noun([], { other: true }), someone, role)
  const others = eat(text, at, 'others')
  if (others !== null) return [hit(noun([], { other: true }), others)]
  const anyone = eatAny(text, at, [...EVERYONE, 'those', 'the ones', 'ones'])
  if (anyone === null) return []
  return furnished(text, anyone, role, noun([])).filter(({ to }) => !['those', 'the', 'ones'].includes(lowerAt(text, at)) || to > anyone)
}

type Own = { readonly isSaid: boolean; readonly isIts?: true }

type Determiner = {
  readonly to: number; readonly isDefinite?: boolean; readonly own?: Own; readonly other: boolean; readonly isIndefinite: boolean,
}

const OWN = ['their own', 'his own', 'her own', 'its own', 'his or her own']
const THEIR = ['their', 'his', 'her', 'its', 'his or her']
const EVERY = ['any', 'all', 'every', 'each', 'all the', 'all of the', 'any of the', 'each of the', 'every one of the', 'no', 'none of the']
const ANOTHER = ['another', 'other', 'any other', 'all other', 'every other', 'the other', 'no other', 'all the other']

function determiners(text: Text, at: number): readonly Determiner[] {
  const found: Determiner[] = [{ to: at, other: false, isIndefinite: false }]
  const add = (to: number | null, rest: Omit<Determiner, 'to' | 'other' | 'isIndefinite'> & { other?: boolean; isIndefinite?: boolean }) => {
    if (to !== null) found.push({ other: false, isIndefinite: false, ...rest, to })
  }
  add(eatAny(text, at, ['a', 'an']), { isDefinite: false, isIndefinite: true })
  add(eat(text, at, 'the'), { isDefinite: true })
  add(eatAny(text, at, EVERY.filter((word) => word !== 'no' && word !== 'none of the')), { isDefinite: false, isIndefinite: true })
  add(eatAny(text, at, ANOTHER.filter((word) => word !== 'no other')), { isDefinite: false, other: true, isIndefinite: true })
  const all = maybe(text, at, 'all', 'any of', 'all of', 'each of', 'any')
  const own = eatAny(text, all, OWN)
  add(own, { own: { isSaid: true } })
  if (own === null) add(eatAny(text, all, THEIR), { own: { isSaid: false, ...(lowerAt(text, all) === 'its' ? { isIts: true } : {}) } })
  return found
}

/** Determiner, adjectives and head, an id in quotation marks, and what narrows it. */
function described(text: Text, at: number, role: Role): readonly Hit<Noun>[] {
  const found: Hit<Noun>[] = []
  for (const { to, isDefinite, own, other, isIndefinite } of determiners(text, at)) {
    const base = noun(
      [],
      {
        other,
        modifiers: own === undefined ? [] : [{ kind: 'own', ...own }],
        ...(isDefinite === undefined ? {} : { isDefinite }),
      },
    )
    const ones = maybe(text, to, 'one', 'ones')
    if (ones > to && to > at) found.push(...furnished(text, ones, role, base))
    const quotedAlone = text.tokens[to]
    if (quotedAlone?.kind === 'quoted' && to === at) found.push(
      ...furnished(text, reach(text, to + 1), role, { ...base, quoted: quotedAlone.text })
    )
    if (own?.isSaid === true && contentAt(text, to) === null) found.push(hit(base, to))
    for (const { value: words, to: end } of heads(text, to)) {
      const isHead = isIndefinite || isDefinite === true || own !== undefined || role === 'condition' || role === 'none' || isNounHead(text, words)
      const next = text.tokens[end]
      if (next?.kind === 'possessive') found.push(...possessor(text, { ...base, words }, end, role))
      if (!isHead) continue
      const quoted = next?.kind === 'quoted' ? next.text : null
      found.push(...furnished(text, quoted === null ? end : reach(text, end + 1), role, { ...base, words, quoted }))
    }
  }
  return found
}

/** "the patient's charts", "another user's documents": of the one who is named first. */
function possessor(text: Text, owner: Noun, at: number, role: Role): readonly Hit<Noun>[] {
  if (text.tokens[at]?.kind !== 'possessive') return furnished(text, at, role, owner)
  const own = reach(text, maybe(text, at + 1, 'own'))
  return heads(text, own).flatMap(({ value: words, to }) => {
    const owned = noun(words, { modifiers: [{ kind: 'of', preposition: 'of', noun: owner }], isDefinite: true })
    return text.tokens[to]?.kind === 'possessive' ? possessor(text, owned, to, role) : furnished(text, to, role, owned)
  })
}

const WORDS_MAX = 6

/** Every run of content words from here; "trained, escorted people" is one too. */
export function heads(text: Text, at: number): readonly Hit<readonly string[]>[] {
  return remember(text, 'heads', at, () => {
    const found: Hit<readonly string[]>[] = []
    let words: readonly string[] = []
    let to = at
    while (words.length < WORDS_MAX) {
      const not = words.length === 0 ? eat(text, to, 'not') : null
      const comma = words.length > 0 && text.tokens[to]?.kind === 'comma' && contentAt(text, to + 1) !== null && isAdjective(text, words) ? to + 1 : to
      const next = contentAt(text, not ?? comma)
      if (next === null) break
      words = [...words, ...(not === null ? [] : ['not']), ...next]
      to = reach(text, (not ?? comma) + 1)
      found.push(hit(words, to))
    }
    return found.reverse()
  })
}

function isAdjective(text: Text, words: readonly string[]): boolean {
  return !isNounHead(text, words)
}

/** A type's name, a plural or a role that people bear: not a mere adjective such as "public". */
function isNounHead({ lexicon }: Text, words: readonly string[]): boolean {
  if (words.some((_, start) => lexicon.types(words.slice(start)).length > 0)) return true
  const last = (words[words.length - 1] as string).toLowerCase()
  return lemmas(last).some((form) => form !== last && !/(?:ed|ing)$/.test(last)) || lexicon.entries.some(
    ({ kind, phrase }) => kind === 'action' && phrase.slice(1).some((word) => isForm(word, last)),
  ) || lexicon.isVerb([last])
}

/** A noun with none, one or more of what can follow it. */
function furnished(text: Text, at: number, role: Role, base: Noun): readonly Hit<Noun>[] {
  const found: Hit<Noun>[] = [hit(base, at)]
  for (const { value, to } of modifiers(text, at, role)) found.push(hit({ ...base, modifiers: [...base.modifiers, ...value] }, to))
  return found
}
