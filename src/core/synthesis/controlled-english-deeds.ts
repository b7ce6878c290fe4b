import { lemmas } from '#core/unit/morphology.ts'
import { noun, type Deed, type Noun, type Tail } from '#core/unit/statement.ts'
import { IT, nounLists, nounPhrases, SELF } from './controlled-english-nouns.ts'
import { eat, eatAny, hit, type Hit, lowerAt, maybe, reach, remember, type Text, then } from './controlled-english-tokens.ts'
import { ACCESS, FUNCTION_WORDS, SAME_PARTICIPLE } from './controlled-english-words.ts'

export const EXCEPT = [
  'except',
  'except for',
  'other than',
  'apart from',
  'but not',
  'excluding',
  'with the exception of',
  'besides',
  'save for',
]

// ---- Who ----

export type Who = {
  readonly nouns: readonly Noun[]; readonly except: readonly Noun[]; readonly kind: 'some' | 'no' | 'only'; readonly isAll: boolean,
}

export function whos(text: Text, at: number): readonly Hit<Who>[] {
  return remember(text, 'whos', at, () => {
    const pronoun = eatAny(text, at, ['they', 'it', 'he', 'she', 'he or she', 'these'])
    if (pronoun !== null) return [hit({ nouns: [noun([IT])], except: [], kind: 'some', isAll: false }, pronoun)]
    const only = eat(text, at, 'only')
    const no = eatAny(text, at, ['no', 'none of the', 'none of their'])
    const nobody = eatAny(text, at, ['nobody', 'no one', 'noone', 'no-one'])
    const nobodyElse = eatAny(text, at, ['nobody else', 'no one else'])
    const neither = eat(text, at, 'neither')
    const isAll = ['all', 'every', 'each', 'everyone', 'everybody', 'both'].includes(lowerAt(text, at))
    const but = (nouns: readonly Noun[], to: number, kind: Who['kind'], isQuantified: boolean): readonly Hit<Who>[] => {
      const except = eatAny(text, to, isQuantified ? [...EXCEPT, 'but'] : EXCEPT)
      const comma = eat(text, to, ',')
      const apart = comma === null ? null : eatAny(text, comma, EXCEPT)
      return [
        hit({ nouns, except: [], kind, isAll }, to),
        ...(
          except === null
            ? []
            : then(nounLists(text, except, 'subject'), (others, end) => [hit({ nouns, except: others, kind, isAll }, end)])
        ),
        ...(apart === null ? [] : then(nounLists(text, apart, 'subject'), (others, end) => {
          const closed = eat(text, end, ',')
          return closed === null ? [] : [hit({ nouns, except: others, kind, isAll }, closed)]
        })),
      ]
    }
    if (only !== null) return then(
      nounLists(text, only, 'subject'),
      (nouns, to) => [hit({ nouns, except: [], kind: 'only', isAll: false }, to)],
    )
    if (nobodyElse !== null) return []
    if (nobody !== null) return [
      ...but([], nobody, 'no', true),
      ...then(furnishedNobody(text, nobody), (one, to) => but([one], to, 'no', true)),
    ]
    if (no !== null) return then(nounLists(text, no, 'none'), (nouns, to) => but(nouns, to, 'no', true))
    if (neither !== null) {
      return then(nounPhrases(text, neither, 'subject'), (first, to) => {
        const nor = eat(text, to, 'nor')
        return nor === null ? [] : then(
          nounPhrases(text, nor, 'subject'),
          (second, end) => [hit({ nouns: [first, second], except: [], kind: 'no', isAll: false }, end)],
        )
      })
    }
    return then(
      nounLists(text, at, 'subject'),
      (nouns, to) => but(nouns, to, 'some', isAll || ['any', 'anyone', 'anybody'].includes(lowerAt(text, at))),
    )
  })
}

/** "nobody in finance", "no one who is blocked": as "anyone" would be. */
function furnishedNobody(text: Text, at: number): readonly Hit<Noun>[] {
  const before = text.tokens[at - 1]
  if (before === undefined) return []
  return then(nounPhrases({ ...text, memo: new Map(), tokens: text.tokens.map((token, index) => (index === at - 1 ? { kind: 'word', text: 'anyone', lower: 'anyone', words: ['anyone'] } : token)) }, at - 1, 'subject'), (one, to) =>
    one.modifiers.length > 0 ? [hit(one, to)] : [],
  )
}

// ---- May, must not ----

/** `isStrict`: "must not", which behind "all" denies each; "may not" can deny all of them together. */
export type Modal = { readonly force: 'permit' | 'forbid' | 'must'; readonly isOnly: boolean; readonly form: 'base' | 'ing'; readonly isStrict?: true }

const LAWFUL = ['allowed', 'permitted', 'authorized', 'authorised', 'entitled', 'free', 'able']
export const UNLAWFUL = ['forbidden', 'prohibited', 'banned', 'barred', 'prevented', 'disallowed']

export function modals(text: Text, at: number): readonly Hit<Modal>[] {
  return remember(text, 'modals', at, () => {
    const found: Hit<Modal>[] = []
    const add = (force: Modal['force'], to: number, form: Modal['form'] = 'base', isOnly = false, isStrict = false) => {
      const only = eat(text, to, 'only')
      // "May always" is may; "may not always" is another thing.
      found.push(hit({ force, form, isOnly: isOnly || only !== null, ...(isStrict ? { isStrict } : {}) }, maybe(text, only ?? to, 'also', ...(force === 'permit' ? ['always'] : []))))
    }
    const never = eatAny(text, at, ['never', 'not'])
    const start = never ?? at
    const word = lowerAt(text, start)
    const isModal = ['may', 'can', 'must', 'shall', 'should'].includes(word)
    if (isModal) {
      const to = reach(text, start + 1)
      const only = eat(text, to, 'only')
      const not = eatAny(text, to, ['not', 'never', 'not ever'])
      const allowed = only !== null ? null : eatAny(text, not ?? to, ['be allowed to', 'be permitted to', 'be able to'])
      if (allowed !== null && never === null && ((not === null && word !== 'may' && word !== 'can') || not !== null)) {
        found.push(hit({ force: not === null ? 'permit' : 'forbid', form: 'base', isOnly: false }, allowed))
      } else if (not !== null) {
        if (never === null && lowerAt(text, not) !== 'only') add('forbid', not, 'base', false, word !== 'may' && word !== 'can')
      } else if (never !== null) add('forbid', to)
      else if (word === 'may' || word === 'can') add('permit', only ?? to, 'base', only !== null)
      else if (only === null) add('must', to)
      return found
    }
    const be = eatAny(text, at, ['is', 'are'])
    if (be !== null) {
      const not = eatAny(text, be, ['not', 'never'])
      const only = eat(text, not ?? be, 'only')
      const middle = maybe(text, only ?? not ?? be, 'strictly', 'also', 'hereby')
      const state = lowerAt(text, middle)
      const to = reach(text, middle + 1)
      const onlyTo = eat(text, to, 'only to')
      const end = onlyTo ?? eat(text, to, 'to')
      if (LAWFUL.includes(state) && end !== null && !(not !== null && (only !== null || onlyTo !== null))) add(not === null ? 'permit' : 'forbid', end, 'base', only !== null || onlyTo !== null)
      if (UNLAWFUL.includes(state) && not === null && only === null) {
        const from = eat(text, to, 'from')
        if (end !== null && onlyTo === null) add('forbid', end, 'base', false, true)
        if (from !== null) add('forbid', from, 'ing', false, true)
      }
      const notTo = not === null ? null : eat(text, not, 'to')
      if (notTo !== null) add('forbid', notTo)
      if (['required', 'obliged'].includes(state) && not === null && only === null && end !== null) add('must', end)
    }
    const right = eatAny(
      text,
      at,
      [
        'have the right to',
        'has the right to',
        'have permission to',
        'has permission to',
        'have the permission to',
        'have a right to',
        'has a right to',
      ],
    )
    if (right !== null) add('permit', right)
    const noRight = eatAny(
      text,
      at,
      [
        'have no right to',
        'has no right to',
        'do not have the right to',
        'does not have the right to',
        'do not have permission to',
        'have no permission to',
        'has no permission to',
      ],
    )
    if (noRight !== null) add('forbid', noRight)
    const must = eatAny(text, at, ['have to', 'has to', 'need to', 'needs to', 'ought to'])
    if (must !== null) add('must', must)
    return found
  })
}

/** Subject and modal together: what is ruled; "nobody may" forbids, "no one may not" rules nothing that is clear. */
export function forceOf(text: Text, who: Who, modal: Modal): 'permit' | 'forbid' | 'must' | null {
  if (who.kind === 'no') {
    if (modal.isOnly) return null
    if (modal.force === 'forbid') text.effort.hint ??= 'it denies twice: say who may, or who must not'
    return modal.force === 'forbid' ? null : 'forbid'
  }
  if (modal.force === 'forbid' && who.isAll && modal.isStrict !== true) {
    text.effort.open ??= '`all … may not` can mean that none may, or that not every one may: say `no …` for none, or who may not'
    return null
  }
  if (who.kind === 'only' && (modal.force !== 'permit' || modal.isOnly)) return null
  return modal.force
}

// ---- What is done ----

type Form = 'base' | 'ing' | 's' | 'participle'

const VERB_WORDS_MAX = 5
const PARTICLES = new Set('on off in out up down over back away through'.split(' '))

/** A verb of the schema, of one word or several, in the form that the place asks for. */
function verbs(text: Text, at: number, form: Form): readonly Hit<readonly string[]>[] {
  return remember(text, `verb:${form}`, at, () => {
    const first = lowerAt(text, at)
    if (first === '' || !hasForm(text, first, form)) return []
    const found: Hit<readonly string[]>[] = []
    let words: readonly string[] = []
    for (let to = at; to < at + VERB_WORDS_MAX; to++) {
      const token = text.tokens[to]
      if (token?.kind !== 'word') break
      words = [...words, ...token.words]
      if (!text.lexicon.isVerb(words) && !(words.length === 1 && ACCESS.has(first))) continue
      // "turn on" is one verb: "turn" alone is not meant.
      if (words.length > 1 && PARTICLES.has(token.lower)) found.length = 0
      found.push(hit(words, reach(text, to + 1)))
    }
    return found
  })
}

function hasForm({ lexicon }: Text, word: string, form: Form): boolean {
  const isKnown = (one: string) => lexicon.knows(one) || ACCESS.has(one)
  const bases = lemmas(word).filter((one) => one !== word && isKnown(one))
  const isBase = bases.length === 0 || lexicon.entries.some(({ kind, phrase }) => kind === 'action' && phrase[0] === word)
  switch (form) {
    case 'base': return isBase
    case 'ing': return word.endsWith('ing') && !(isBase && bases.length === 0)
    case 's': return word.endsWith('s')
    case 'participle': return (bases.length > 0 && !word.endsWith('ing') && !/[^s]s$/.test(word)) || SAME_PARTICIPLE.has(word)
  }
}

/** "view, edit and export": verbs that share what follows. */
export function verbLists(text: Text, at: number, form: Form): readonly Hit<readonly (readonly string[])[]>[] {
  return remember(text, `verbs:${form}`, at, () => {
    const start = maybe(text, at, 'both', 'either')
    return then(
      verbs(text, start, form),
      (first, to) => [
        ...(start === at ? [hit([first], to)] : []),
        ...then(moreVerbs(text, to, form), (rest, end) => [hit([first, ...rest], end)]),
      ],
    )
  })
}

function moreVerbs(text: Text, at: number, form: Form): readonly Hit<readonly (readonly string[])[]>[] {
  const and = eatAny(text, at, ['and', 'or', ', and', ', or', 'and then'])
  const comma = eat(text, at, ',')
  return [
    ...(and === null ? [] : verbs(text, and, form).map(({ value, to }) => hit([value], to))),
    ...(
      comma === null
        ? []
        : then(verbs(text, comma, form), (one, to) => then(moreVerbs(text, to, form), (rest, end) => [hit([one, ...rest], end)]))
    ),
  ]
}

/** `isAll`: of all or every one of them. */
type Deeds = { readonly deeds: readonly Deed[]; readonly isOnly: boolean; readonly isAll?: true }

const ANYTHING = [
  'do anything with',
  'do anything to',
  'do everything with',
  'do anything on',
  'perform any action on',
  'perform any operation on',
  'take any action on',
  'perform all actions on',
  'do anything',
]

/** One or more verbs with their object and what follows it. */
export function deed(text: Text, at: number, form: Form): readonly Hit<Deeds>[] {
  return remember(text, `deed:${form}`, at, () => {
    const any = form === 'base' ? eatAny(text, at, ANYTHING) : null
    const lists = any === null ? verbLists(text, at, form) : [hit<readonly (readonly string[] | null)[]>([null], any)]
    return then<readonly (readonly string[] | null)[], Deeds>(lists, (list, to) => {
      const only = eat(text, to, 'only')
      const of = form === 'ing' ? maybe(text, only ?? to, 'of') : (only ?? to)
      const objects = [...(only === null ? [hit<readonly Noun[]>([], to)] : []), ...nounLists(text, of, 'object')]
      return then(objects, (object, behind) =>
        [behind, ...(only === null && lowerAt(text, behind) === 'only' ? [behind + 1] : [])].flatMap((from) =>
          then(tails(text, from), (ends, end) => {
            // "send payments only to verified accounts".
            const isNarrow = from > behind
            return isNarrow && ends.length === 0 ? [] : [
              hit<Deeds>({ deeds: list.map((verb) => ({ verb, object, tails: ends })), isOnly: only !== null || isNarrow, ...(object.length > 0 && ['all', 'every'].includes(lowerAt(text, of)) ? { isAll: true } : {}) }, end),
            ]
          }),
        ),
      )
    })
  })
}

const TAILS = ['to', 'from', 'on', 'with', 'for', 'in', 'at', 'via', 'through', 'into', 'onto']

export function tails(text: Text, at: number): readonly Hit<readonly Tail[]>[] {
  return remember(text, 'tails', at, () => {
    const preposition = lowerAt(text, at)
    if (!TAILS.includes(preposition)) return [hit<readonly Tail[]>([], at)]
    return [
      hit<readonly Tail[]>([], at),
      ...then(
        nounPhrases(text, reach(text, at + 1), 'object'),
        (one, to) => (
          (one.words[0] === IT && lowerAt(text, to - 1) !== 'it') || one.words[0] === SELF
            ? []
            : then(tails(text, to), (rest, end) => [hit([{ preposition, noun: one }, ...rest], end)])
        ),
      ),
    ]
  })
}

/** "open their own folders and view public documents": several deeds, each with an object of its own. */
export function deedLists(text: Text, at: number, form: Form): readonly Hit<Deeds & { readonly isApart: boolean }>[] {
  return remember(text, `deeds:${form}`, at, () =>
    then(deed(text, at, form), (first, to) => {
      const found = [hit({ ...first, isApart: false }, to)]
      const next = eatAny(text, to, ['and', ', and', 'or', ','])
      if (next === null || first.isOnly || !hasObject(first)) return found
      for (const { value, to: end } of deedLists(text, next, form)) {
        if (!value.isOnly && hasObject(value)) found.push(
          hit({ deeds: [...first.deeds, ...value.deeds], isOnly: false, isApart: true }, end),
        )
      }
      return found
    }),
  )
}

function hasObject({ deeds }: Deeds): boolean {
  return deeds.every(({ object, tails: ends, verb }) => object.length > 0 || ends.length > 0 || (verb !== null && verb.length > 1 && !FUNCTION_WORDS.has((verb[verb.length - 1] as string).toLowerCase()) && !PARTICLES.has((verb[verb.length - 1] as string).toLowerCase())))
}
