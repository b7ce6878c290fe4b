import { lemmas } from '#core/unit/morphology.ts'
import { noun, statement, type Condition, type Deed, type Noun, type Ref, type Statement, type Tail } from '#core/unit/statement.ts'
import { bare, conditions, predicates } from './controlled-english-conditions.ts'
import { IT, measures, nounLists, nounPhrases, quantities, SELF, states } from './controlled-english-nouns.ts'
import { contentAt, eat, eatAny, hit, lowerAt, maybe, reach, remember, then, type Hit, type Text } from './controlled-english-tokens.ts'
import { ACCESS, DUTY_VERBS, FUNCTION_WORDS, SAME_PARTICIPLE } from './controlled-english-words.ts'

/** Every list of statements that a clause can be, with all its tokens used. */
export function clausesAs(text: Text): readonly (readonly Statement[])[] {
  const found = then(leads(text, 0), (lead, to) => compound(text, to).map((hit) => ({ ...hit, value: { lead, mains: hit.value } })))
  return found
    .filter(({ to }) => to === text.tokens.length)
    .flatMap(({ value: { lead, mains } }) => resolved(text, lead, mains))
}

/** What stands around a rule. */
type Around = { readonly when: readonly Condition[]; readonly unless: readonly Condition[]; readonly except: readonly Noun[]; readonly isOnly: boolean }

const NOTHING: Around = { when: [], unless: [], except: [], isOnly: false }

/** One rule, its statements each under everything around it; `who` is ruled, when a next rule may be about them too. */
type Main = { readonly statements: readonly Statement[]; readonly who?: Who }

const IF = ['if', 'when', 'whenever', 'where', 'provided that', 'provided', 'as long as', 'so long as', 'on condition that', 'on the condition that', 'while', 'once', 'in case', 'given that', 'assuming that', 'after']
const EXCEPT = ['except', 'except for', 'other than', 'apart from', 'but not', 'excluding', 'with the exception of', 'besides', 'save for']

/** "If the patient has not given consent, …", "Except in an emergency, …", "In an emergency, …". */
function leads(text: Text, at: number): readonly Hit<Around>[] {
  const comma = (hits: readonly Hit<Around>[]) => then(hits, (around, to) => {
    const behind = eat(text, to, ',')
    return behind === null ? [] : [hit(around, maybe(text, behind, 'then'))]
  })
  const subordinate = eatAny(text, at, IF)
  const unless = eat(text, at, 'unless')
  const except = eatAny(text, at, ['except', 'except when', 'except if'])
  const without = eat(text, at, 'without')
  return [
    hit(NOTHING, at),
    ...(subordinate === null ? [] : comma(then(spoken(text, subordinate), (one, to) => [hit({ ...NOTHING, when: [one], isOnly: isOnlyBy(text, at) }, to)]))),
    ...(unless === null ? [] : comma(then(spoken(text, unless), (one, to) => [hit({ ...NOTHING, unless: [one] }, to)]))),
    ...(except === null ? [] : comma(then(spoken(text, except), (one, to) => [hit({ ...NOTHING, unless: [one] }, to)]))),
    ...(without === null ? [] : comma(then(states(text, without), (words, to) => [hit({ ...NOTHING, when: [{ kind: 'not', of: { kind: 'is', of: null, words } } as Condition] }, to)]))),
    ...(['in', 'during', 'with', 'under'].includes(lowerAt(text, at)) ? comma(then(circumstances(text, at), (one, to) => [hit({ ...NOTHING, when: [one] }, to)])) : []),
  ]
}

/** A condition, whole or a mere word. */
function spoken(text: Text, at: number): readonly Hit<Condition>[] {
  return [...conditions(text, at), ...bare(text, at)]
}

/** "in an emergency", "during an emergency", "with consent", "in case of emergency". */
function circumstances(text: Text, at: number): readonly Hit<Condition>[] {
  const to = eatAny(text, at, ['in case of', 'in the case of', 'in the event of', 'during', 'in', 'with', 'under', 'via', 'through', 'over'])
  if (to === null) return []
  const preposition = ['in', 'under', 'via', 'over'].includes(lowerAt(text, to - 1)) ? [lowerAt(text, to - 1)] : []
  return then(states(text, to), (words, end) => [hit<Condition>({ kind: 'is', of: null, words: [...preposition, ...words] }, end)])
}

/** What follows a rule; several may. */
function trails(text: Text, at: number): readonly Hit<Around>[] {
  return remember(text, 'trails', at, () => [hit(NOTHING, at), ...then(trail(text, at), (first, to) => then(trails(text, to), (rest, end) => [hit(both(first, rest), end)]))])
}

function both(a: Around, b: Around): Around {
  return { when: [...a.when, ...b.when], unless: [...a.unless, ...b.unless], except: [...a.except, ...b.except], isOnly: a.isOnly || b.isOnly }
}

function trail(text: Text, at: number): readonly Hit<Around>[] {
  const start = maybe(text, at, ',')
  const only = eatAny(text, start, ['only', 'but only'])
  const onlyIf = eatAny(text, start, ['if and only if', 'if , and only if ,', 'if , and only if', 'when and only when'])
  const from = only ?? start
  const subordinate = onlyIf ?? eatAny(text, from, IF)
  const when = (one: Condition): Around => ({ ...NOTHING, when: [one], isOnly: only !== null || onlyIf !== null || isOnlyBy(text, from) })
  const unless = (one: Condition): Around => ({ ...NOTHING, unless: [one] })
  const excepted = eatAny(text, start, EXCEPT)
  const unlessAt = eatAny(text, start, ['unless', 'unless and until', ...IF.map((word) => `except ${word}`), ...IF.map((word) => `but not ${word}`)])
  const exceptIn = eatAny(text, start, ['except in', 'except during', 'except with', 'except under', 'except via', 'except through', 'but not in', 'other than in', 'except for in'])
  const without = eat(text, start, 'without')
  const vacuous = eatAny(text, start, ['under any circumstances', 'in any circumstances', 'in any case', 'at any time', 'ever', 'for any reason', 'at all'])
  return [
    ...(vacuous === null ? [] : [hit(NOTHING, vacuous)]),
    ...(subordinate === null ? [] : then(spoken(text, subordinate), (one, to) => [hit(when(one), to)])),
    ...(unlessAt === null ? [] : then(spoken(text, unlessAt), (one, to) => [hit(unless(one), to)])),
    ...(exceptIn === null ? [] : then(circumstances(text, exceptIn - 1), (one, to) => [hit(unless(one), to)])),
    ...(excepted === null ? [] : then(nounLists(text, excepted, 'object'), (nouns, to) => [hit({ ...NOTHING, except: nouns }, to)])),
    ...(without === null ? [] : then(states(text, without), (words, to) => [hit(unless({ kind: 'is', of: null, words }), to)])),
    ...(only !== null || ['with', 'during', 'in', 'via'].includes(lowerAt(text, from)) ? then(circumstances(text, from), (one, to) => [hit(when(one), to)]) : []),
  ]
}

/** "provided that" and "as long as" mean "only if" (docs/concepts/reading.md). */
function isOnlyBy(text: Text, at: number): boolean {
  return eatAny(text, at, ['provided', 'as long as', 'so long as', 'on condition that', 'on the condition that']) !== null
}

/** Rules joined by "and" or "but"; the next may leave its subject out: "nurses may view charts but not export them". */
function compound(text: Text, at: number): readonly Hit<readonly Main[]>[] {
  return remember(text, 'compound', at, () => then(mains(text, at), (first, to) => continued(text, to, first)))
}

function continued(text: Text, at: number, first: Main): readonly Hit<readonly Main[]>[] {
  const found: Hit<readonly Main[]>[] = [hit([first], at)]
  const next = eatAny(text, at, ['and', ', and', 'but', ', but', ', whereas', 'whereas', ', while'])
  if (next === null) return found
  found.push(...then(compound(text, next), (rest, end) => [hit([first, ...rest], end)]))
  const { who } = first
  if (who === undefined) return found
  const not = eat(text, next, 'not')
  const elided = [...modals(text, next), ...(not === null ? [] : [hit<Modal>({ force: 'forbid', form: 'base', isOnly: false }, not)])]
  found.push(...then(elided, (modal, verb) => then(underModal(text, who, modal, verb), (main, to) => then(continued(text, to, main), (rest, end) => [hit([first, ...rest], end)]))))
  return found
}

function mains(text: Text, at: number): readonly Hit<Main>[] {
  return remember(text, 'mains', at, () => [
    ...actives(text, at), ...passives(text, at), ...impersonals(text, at), ...gerunds(text, at), ...duties(text, at), ...whoevers(text, at), ...occasions(text, at), ...requirements(text, at), ...approvals(text, at), ...accesses(text, at),
  ])
}

// ---- Who ----

type Who = { readonly nouns: readonly Noun[]; readonly except: readonly Noun[]; readonly kind: 'some' | 'no' | 'only'; readonly isAll: boolean }

function whos(text: Text, at: number): readonly Hit<Who>[] {
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
        ...(except === null ? [] : then(nounLists(text, except, 'subject'), (others, end) => [hit({ nouns, except: others, kind, isAll }, end)])),
        ...(apart === null ? [] : then(nounLists(text, apart, 'subject'), (others, end) => {
          const closed = eat(text, end, ',')
          return closed === null ? [] : [hit({ nouns, except: others, kind, isAll }, closed)]
        })),
      ]
    }
    if (only !== null) return then(nounLists(text, only, 'subject'), (nouns, to) => [hit({ nouns, except: [], kind: 'only', isAll: false }, to)])
    if (nobodyElse !== null) return []
    if (nobody !== null) return [...but([], nobody, 'no', true), ...then(furnishedNobody(text, nobody), (one, to) => but([one], to, 'no', true))]
    if (no !== null) return then(nounLists(text, no, 'none'), (nouns, to) => but(nouns, to, 'no', true))
    if (neither !== null) {
      return then(nounPhrases(text, neither, 'subject'), (first, to) => {
        const nor = eat(text, to, 'nor')
        return nor === null ? [] : then(nounPhrases(text, nor, 'subject'), (second, end) => [hit({ nouns: [first, second], except: [], kind: 'no', isAll: false }, end)])
      })
    }
    return then(nounLists(text, at, 'subject'), (nouns, to) => but(nouns, to, 'some', isAll || ['any', 'anyone', 'anybody'].includes(lowerAt(text, at))))
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

type Modal = { readonly force: 'permit' | 'forbid' | 'must'; readonly isOnly: boolean; readonly form: 'base' | 'ing' }

const LAWFUL = ['allowed', 'permitted', 'authorized', 'authorised', 'entitled', 'free', 'able']
const UNLAWFUL = ['forbidden', 'prohibited', 'banned', 'barred', 'prevented', 'disallowed']

function modals(text: Text, at: number): readonly Hit<Modal>[] {
  return remember(text, 'modals', at, () => {
    const found: Hit<Modal>[] = []
    const add = (force: Modal['force'], to: number, form: Modal['form'] = 'base', isOnly = false) => {
      const only = eat(text, to, 'only')
      found.push(hit({ force, form, isOnly: isOnly || only !== null }, maybe(text, only ?? to, 'also')))
    }
    const never = eatAny(text, at, ['never', 'not'])
    const start = never ?? at
    const word = lowerAt(text, start)
    const isModal = ['may', 'can', 'must', 'shall', 'should'].includes(word)
    if (isModal) {
      const to = reach(text, start + 1)
      const only = eat(text, to, 'only')
      const not = eatAny(text, to, ['not', 'never', 'not ever'])
      if (not !== null) {
        if (never === null && lowerAt(text, not) !== 'only') add('forbid', not)
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
        if (end !== null && onlyTo === null) add('forbid', end)
        if (from !== null) add('forbid', from, 'ing')
      }
      const notTo = not === null ? null : eat(text, not, 'to')
      if (notTo !== null) add('forbid', notTo)
      if (['required', 'obliged'].includes(state) && not === null && only === null && end !== null) add('must', end)
    }
    const right = eatAny(text, at, ['have the right to', 'has the right to', 'have permission to', 'has permission to', 'have the permission to', 'have a right to', 'has a right to'])
    if (right !== null) add('permit', right)
    const noRight = eatAny(text, at, ['have no right to', 'has no right to', 'do not have the right to', 'does not have the right to', 'do not have permission to', 'have no permission to', 'has no permission to'])
    if (noRight !== null) add('forbid', noRight)
    const must = eatAny(text, at, ['have to', 'has to', 'need to', 'needs to', 'ought to'])
    if (must !== null) add('must', must)
    return found
  })
}

/** Subject and modal together: what is ruled; "nobody may" forbids, "no one may not" rules nothing that is clear. */
function forceOf(text: Text, who: Who, modal: Modal): 'permit' | 'forbid' | 'must' | null {
  if (who.kind === 'no') {
    if (modal.isOnly) return null
    if (modal.force === 'forbid') text.effort.hint ??= 'it denies twice: say who may, or who must not'
    return modal.force === 'forbid' ? null : 'forbid'
  }
  if (modal.force === 'forbid' && who.isAll) {
    text.effort.hint ??= '`all … not` can mean none, or not every one: say `no …` for none'
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
function verbLists(text: Text, at: number, form: Form): readonly Hit<readonly (readonly string[])[]>[] {
  return remember(text, `verbs:${form}`, at, () => {
    const start = maybe(text, at, 'both', 'either')
    return then(verbs(text, start, form), (first, to) => [...(start === at ? [hit([first], to)] : []), ...then(moreVerbs(text, to, form), (rest, end) => [hit([first, ...rest], end)])])
  })
}

function moreVerbs(text: Text, at: number, form: Form): readonly Hit<readonly (readonly string[])[]>[] {
  const and = eatAny(text, at, ['and', 'or', ', and', ', or', 'and then'])
  const comma = eat(text, at, ',')
  return [
    ...(and === null ? [] : verbs(text, and, form).map(({ value, to }) => hit([value], to))),
    ...(comma === null ? [] : then(verbs(text, comma, form), (one, to) => then(moreVerbs(text, to, form), (rest, end) => [hit([one, ...rest], end)]))),
  ]
}

type Deeds = { readonly deeds: readonly Deed[]; readonly isOnly: boolean }

const ANYTHING = ['do anything with', 'do anything to', 'do everything with', 'do anything on', 'perform any action on', 'perform any operation on', 'take any action on', 'perform all actions on', 'do anything']

/** One or more verbs with their object and what follows it. */
function deed(text: Text, at: number, form: Form): readonly Hit<Deeds>[] {
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
            return isNarrow && ends.length === 0 ? [] : [hit<Deeds>({ deeds: list.map((verb) => ({ verb, object, tails: ends })), isOnly: only !== null || isNarrow }, end)]
          }),
        ),
      )
    })
  })
}

const TAILS = ['to', 'from', 'on', 'with', 'for', 'in', 'at', 'via', 'through', 'into', 'onto']

function tails(text: Text, at: number): readonly Hit<readonly Tail[]>[] {
  return remember(text, 'tails', at, () => {
    const preposition = lowerAt(text, at)
    if (!TAILS.includes(preposition)) return [hit<readonly Tail[]>([], at)]
    return [
      hit<readonly Tail[]>([], at),
      ...then(nounPhrases(text, reach(text, at + 1), 'object'), (one, to) => (one.words[0] === IT || one.words[0] === SELF ? [] : then(tails(text, to), (rest, end) => [hit([{ preposition, noun: one }, ...rest], end)]))),
    ]
  })
}

/** "open their own folders and view public documents": several deeds, each with an object of its own. */
function deedLists(text: Text, at: number, form: Form): readonly Hit<Deeds & { readonly isApart: boolean }>[] {
  return remember(text, `deeds:${form}`, at, () =>
    then(deed(text, at, form), (first, to) => {
      const found = [hit({ ...first, isApart: false }, to)]
      const next = eatAny(text, to, ['and', ', and', 'or', ','])
      if (next === null || first.isOnly || !hasObject(first)) return found
      for (const { value, to: end } of deedLists(text, next, form)) {
        if (!value.isOnly && hasObject(value)) found.push(hit({ deeds: [...first.deeds, ...value.deeds], isOnly: false, isApart: true }, end))
      }
      return found
    }),
  )
}

function hasObject({ deeds }: Deeds): boolean {
  return deeds.every(({ object, tails: ends, verb }) => object.length > 0 || ends.length > 0 || (verb !== null && verb.length > 1 && !FUNCTION_WORDS.has((verb[verb.length - 1] as string).toLowerCase()) && !PARTICLES.has((verb[verb.length - 1] as string).toLowerCase())))
}

// ---- Rules ----

/** The statement with everything around it; an object shared by several deeds stays whole, of several deeds apart the last may be meant alone. */
function around(parts: Parameters<typeof statement>[0], { when, unless, except, isOnly }: Around): Statement | null {
  if (isOnly && (parts.force !== 'permit' || parts.only === 'subject')) return null
  // "may export without consent" allows more, not less.
  return statement({ ...parts, only: isOnly ? 'condition' : (parts.only ?? null), when: allOf(when), unless: anyOf(unless), except })
}

function allOf(parts: readonly Condition[]): Condition | null {
  return parts.length < 2 ? (parts[0] ?? null) : { kind: 'all', parts }
}

function anyOf(parts: readonly Condition[]): Condition | null {
  return parts.length < 2 ? (parts[0] ?? null) : { kind: 'any', parts }
}

/** A rule in the words of one subject, with what follows it. */
function ruled(text: Text, at: number, parts: Parameters<typeof statement>[0], isApart = false): readonly Hit<Main>[] {
  return then(trails(text, at), (trail, to) => {
    const isPermit = parts.force === 'permit'
    if (isPermit && usesWithout(text, at, to)) {
      text.effort.hint ??= '`may … without` can mean that it is not needed, or that it must not be: say `if` or `unless`'
      return []
    }
    const whole = around(parts, trail)
    const found = whole === null ? [] : [hit<Main>({ statements: [whole] }, to)]
    const isBare = trail.when.length + trail.unless.length + trail.except.length === 0
    if (isApart && !isBare) {
      const deeds = parts.deeds ?? []
      const last = around({ ...parts, deeds: deeds.slice(-1) }, trail)
      if (last !== null) found.push(hit<Main>({ statements: [statement({ ...parts, deeds: deeds.slice(0, -1) }), last] }, to))
    }
    return found
  })
}

function usesWithout(text: Text, at: number, to: number): boolean {
  return text.tokens.slice(at, to).some((token) => token.kind === 'word' && token.lower === 'without')
}

/** "Nurses may read charts"; "nurses, unless they are on duty, must not …"; "under no circumstances may nurses …". */
function actives(text: Text, at: number): readonly Hit<Main>[] {
  const never = eatAny(text, at, ['under no circumstances', 'in no case', 'at no time', 'never', 'on no account'])
  const inverted = never === null ? null : eatAny(text, never, ['may', 'can', 'must', 'shall', 'should'])
  return [
    ...(inverted === null ? [] : then(whos(text, inverted), (who, to) => (who.kind === 'some' ? underModal(text, { ...who, isAll: false }, { force: 'forbid', isOnly: false, form: 'base' }, to) : []))),
    ...then(whos(text, at), (who, to) =>
      then(between(text, to), (around, next) =>
        then(modals(text, next), (modal, verb) => then(underModal(text, who, modal, verb), (main, end) => merged(main, around).map((one) => hit(one, end)))),
      ),
    ),
  ]
}

/** What a subject and a modal rule. */
function underModal(text: Text, who: Who, modal: Modal, at: number): readonly Hit<Main>[] {
  const force = forceOf(text, who, modal)
  if (force === null || force === 'must') return []
  return then(deedLists(text, at, modal.form), ({ deeds, isOnly, isApart }, end) => {
    const isCondition = modal.isOnly || isOnly
    if (isCondition && (force !== 'permit' || who.kind === 'only')) return []
    const only = who.kind === 'only' ? 'subject' : isCondition ? 'condition' : null
    const found = ruled(text, end, { force, only, subject: who.nouns, exceptSubject: who.except, deeds }, isApart)
    return who.kind === 'some' && only === null ? found.map(({ value, to }) => hit({ ...value, who }, to)) : found
  })
}

/** ", unless they are reviewed," between the subject and its verb. */
function between(text: Text, at: number): readonly Hit<Around>[] {
  const comma = eat(text, at, ',')
  if (comma === null) return [hit(NOTHING, at)]
  return [hit(NOTHING, comma), ...then(trail(text, at), (around, to) => {
    const closed = eat(text, to, ',')
    return closed === null || around.isOnly ? [] : [hit(around, closed)]
  })]
}

function merged(main: Main, { when, unless, except }: Around): readonly Main[] {
  if (when.length + unless.length + except.length === 0) return [main]
  return [{
    statements: main.statements.map((one) => ({
      ...one, when: allOf([...when, ...(one.when === null ? [] : [one.when])]), unless: anyOf([...unless, ...(one.unless === null ? [] : [one.unless])]), except: [...except, ...one.except],
    })),
  }]
}

/** "Charts may be read by nurses", "Charts must not be exported". */
function passives(text: Text, at: number): readonly Hit<Main>[] {
  return then(whos(text, at), (what, to) =>
    then(modals(text, maybe(text, to, ',')), (modal, be) => {
      const start = eat(text, be, 'be')
      if (start === null || what.except.length > 0 || what.kind === 'only') return []
      const force = forceOf(text, what, modal)
      if (force === null || force === 'must') return []
      return then(verbLists(text, start, 'participle'), (list, done) =>
        then(tails(text, done), (ends, behind) => {
          const deeds = list.map((verb): Deed => ({ verb, object: what.nouns, tails: ends }))
          return then(agents(text, behind), ({ who, isOnly }, end) => {
            const isSubjectOnly = who !== null && (isOnly || modal.isOnly)
            const isConditionOnly = modal.isOnly && !isOnly
            const by = who === null ? { subject: [], exceptSubject: [] } : { subject: who.nouns.map(without), exceptSubject: who.except }
            if (force === 'forbid' && (isSubjectOnly || isConditionOnly)) return []
            const found: Hit<Main>[] = []
            const hasTrail = then(trails(text, end), (_, last) => (last > end ? [hit(true, last)] : [])).length > 0
            if (isSubjectOnly) found.push(...ruled(text, end, { force, only: 'subject', ...by, deeds }))
            else if (!isConditionOnly) found.push(...ruled(text, end, { force, only: null, ...by, deeds }))
            // "may only be approved by managers if …": what "only" is about stays open.
            if (isConditionOnly && (who === null || hasTrail)) found.push(...ruled(text, end, { force, only: 'condition', ...by, deeds }).filter(({ to: last }) => who === null || last > end))
            return found
          })
        }),
      )
    }),
  )
}

/** "by their owner" is by the owner of what is spoken about. */
function without(one: Noun): Noun {
  return { ...one, modifiers: one.modifiers.filter((modifier) => modifier.kind !== 'own') }
}

function agents(text: Text, at: number): readonly Hit<{ readonly who: Who | null; readonly isOnly: boolean }>[] {
  const only = eat(text, at, 'only by')
  const by = only ?? eat(text, at, 'by')
  if (by === null) return [hit({ who: null, isOnly: false }, at)]
  return then(whos(text, by), (who, to) => {
    if (who.kind !== 'some') return []
    const more = eatAny(text, to, ['and by', 'or by', ', and by'])
    return [
      hit({ who, isOnly: only !== null }, to),
      ...(more === null ? [] : then(nounLists(text, more, 'subject'), (nouns, end) => [hit({ who: { ...who, nouns: [...who.nouns, ...nouns] }, isOnly: only !== null }, end)])),
    ]
  })
}

/** "It is forbidden [for nurses] to export charts". */
function impersonals(text: Text, at: number): readonly Hit<Main>[] {
  const is = eat(text, at, 'it is')
  if (is === null) return []
  return then(verdicts(text, is), ({ force, isOnly }, to) =>
    then(audiences(text, to), (subject, end) => {
      const start = eat(text, end, 'to')
      return start === null ? [] : then(deedLists(text, start, 'base'), ({ deeds, isOnly: isNarrow, isApart }, last) =>
        isNarrow && force === 'forbid' ? [] : ruled(text, last, { force, only: isOnly || isNarrow ? 'condition' : null, subject, deeds }, isApart),
      )
    }),
  )
}

function verdicts(text: Text, at: number): readonly Hit<{ readonly force: 'permit' | 'forbid'; readonly isOnly: boolean }>[] {
  const not = eatAny(text, at, ['not', 'never'])
  const only = eat(text, not ?? at, 'only')
  const word = maybe(text, only ?? not ?? at, 'strictly', 'also')
  const to = reach(text, word + 1)
  if (['allowed', 'permitted', 'authorized', 'authorised'].includes(lowerAt(text, word)) && !(not !== null && only !== null)) {
    const later = not === null && only === null ? eat(text, to, 'only') : null
    return [hit({ force: not === null ? 'permit' : 'forbid', isOnly: only !== null }, to), ...(later === null ? [] : [hit({ force: 'permit' as const, isOnly: true }, later)])]
  }
  return UNLAWFUL.includes(lowerAt(text, word)) && not === null && only === null ? [hit({ force: 'forbid', isOnly: false }, to)] : []
}

function audiences(text: Text, at: number): readonly Hit<readonly Noun[]>[] {
  const to = eat(text, at, 'for')
  return [hit<readonly Noun[]>([], at), ...(to === null ? [] : nounLists(text, to, 'subject'))]
}

/** "Exporting charts is forbidden", "Deletion of documents is not permitted". */
function gerunds(text: Text, at: number): readonly Hit<Main>[] {
  return then(acts(text, at), ({ deeds, subject, when }, to) => {
    const be = eatAny(text, to, ['is', 'are'])
    if (be === null) return []
    const reserved = eatAny(text, be, ['reserved for', 'reserved to', 'restricted to', 'limited to'])
    if (reserved !== null && subject.length === 0) return then(nounLists(text, reserved, 'subject'), (nouns, last) => then(ruled(text, last, { force: 'permit', only: 'subject', subject: nouns, deeds }), (main, over) => [hit(under(main, when), over)]))
    return then(verdicts(text, be), ({ force, isOnly }, end) =>
      then(audiences(text, end), (forWhom, last) => {
        if (forWhom.length > 0 && subject.length > 0) return []
        const who = forWhom.length > 0 ? forWhom : subject
        const only = isOnly ? (forWhom.length > 0 ? 'subject' : 'condition') : null
        return then(ruled(text, last, { force, only, subject: who, deeds }), (main, over) => [hit(under(main, when), over)])
      }),
    )
  })
}

function under(main: Main, when: Condition | null): Main {
  return when === null ? main : { statements: main.statements.map((one) => ({ ...one, when: allOf([when, ...(one.when === null ? [] : [one.when])]) })) }
}

type Act = { readonly deeds: readonly Deed[]; readonly subject: readonly Noun[]; readonly when: Condition | null }

/** A deed as a thing: "exporting a chart", "every export of a chart", "transfers above 1,000", "chart exports by nurses". */
function acts(text: Text, at: number): readonly Hit<Act>[] {
  return remember(text, 'acts', at, () => {
    const gerund = then(deedLists(text, maybe(text, at, 'the'), 'ing'), ({ deeds, isOnly }, to) => (isOnly ? [] : [hit<Act>({ deeds, subject: [], when: null }, to)]))
    const start = maybe(text, at, 'every', 'each', 'all', 'any', 'the', 'a', 'an', 'all the')
    const named = then(nominals(text, start), ({ verb, object }, to) => {
      const of = eat(text, to, 'of')
      const by = (behind: number, things: readonly Noun[]): readonly Hit<Act>[] =>
        then(tails(text, behind), (ends, end) => {
          const agent = eat(text, end, 'by')
          const deeds = verb.map((one): Deed => ({ verb: one, object: things, tails: ends }))
          return [hit<Act>({ deeds, subject: [], when: null }, end), ...(agent === null ? [] : then(nounLists(text, agent, 'subject'), (subject, last) => [hit<Act>({ deeds, subject, when: null }, last)]))]
        })
      return [
        ...by(to, object),
        ...(of === null || object.length > 0 ? [] : then(nounLists(text, of, 'object'), (things, end) => by(end, things))),
        ...then(measures(text, to), (when, end) => [hit<Act>({ deeds: verb.map((one) => ({ verb: one, object, tails: [] })), subject: [], when }, end)]),
      ]
    })
    // "every access", "access to charts": any action on it.
    const access = eatAny(text, start, ['access', 'accesses'])
    const to = access === null ? null : eat(text, access, 'to')
    const accessing = (object: readonly Noun[]): Act => ({ deeds: [{ verb: ['access'], object, tails: [] }], subject: [], when: null })
    const accessed = access === null ? [] : [...(start > at && to === null ? [hit(accessing([]), access)] : []), ...(to === null ? [] : then(nounLists(text, to, 'object'), (object, end) => [hit(accessing(object), end)]))]
    return [...gerund, ...named, ...accessed]
  })
}

/** "export", "deletion", "chart exports"; "exports and deletions". */
function nominals(text: Text, at: number): readonly Hit<{ readonly verb: readonly (readonly string[])[]; readonly object: readonly Noun[] }>[] {
  return then(nominal(text, at), ({ verb, object }, to) => {
    const and = eatAny(text, to, ['and', 'or'])
    return [
      hit({ verb: [verb], object }, to),
      ...(and === null || object.length > 0 ? [] : then(nominal(text, maybe(text, and, 'every', 'each', 'all', 'any')), (second, end) => (second.object.length > 0 ? [] : [hit({ verb: [verb, second.verb], object }, end)]))),
    ]
  })
}

function nominal(text: Text, at: number): readonly Hit<{ readonly verb: readonly string[]; readonly object: readonly Noun[] }>[] {
  const found: Hit<{ verb: readonly string[]; object: readonly Noun[] }>[] = []
  let words: readonly string[] = []
  for (let to = at; to < at + 4; to++) {
    const content = contentAt(text, to)
    if (content === null) break
    const verb = content
    if (text.lexicon.isVerb(verb) && !/ing$/i.test(verb[0] as string)) found.push(hit({ verb, object: words.length === 0 ? [] : [noun(words)] }, reach(text, to + 1)))
    words = [...words, ...content]
  }
  return found
}

/** "Every export must be logged", "Exports are logged", "Exports require consent". */
function duties(text: Text, at: number): readonly Hit<Main>[] {
  return then(acts(text, at), (act, to) => {
    const must = eatAny(text, to, ['must be', 'must always be', 'shall be', 'shall always be', 'should be', 'should always be', 'has to be', 'have to be', 'needs to be', 'need to be', 'must also be', 'are to be', 'is to be'])
    // "the export is encrypted" tells of one export; "exports are encrypted" of what is done with each.
    const is = lowerAt(text, at) === 'the' ? null : eatAny(text, to, ['is', 'are', 'is always', 'are always', 'gets', 'get'])
    const require = eatAny(text, to, ['require', 'requires', 'need', 'needs', 'must have', 'presuppose', 'presupposes'])
    const make = (behind: number, parts: Parameters<typeof statement>[0]): readonly Hit<Main>[] =>
      then(ruled(text, behind, { ...parts, subject: act.subject, deeds: act.deeds }), (main, end) => [hit(under(main, act.when), end)])
    return [
      ...(must === null ? [] : then(dutyLists(text, must), (list, end) => split(make, end, list, (words) => ({ force: 'require', requirement: { kind: 'is', of: null, words }, duty: words })))),
      ...(is === null ? [] : then(dutyLists(text, is), (list, end) => (list.every(([verb]) => DUTY_VERBS.has((verb as string).toLowerCase())) ? split(make, end, list, (duty) => ({ force: 'oblige', duty })) : []))),
      ...(require === null ? [] : [
        ...then(states(text, require), (words, end) => make(end, { force: 'require', requirement: { kind: 'is', of: null, words } })),
        ...then(quantities(text, require, null), (requirement, end) => make(end, { force: 'require', requirement })),
      ]),
    ]
  })
}

/** Several duties are as many statements. */
function split(make: (at: number, parts: Parameters<typeof statement>[0]) => readonly Hit<Main>[], at: number, list: readonly (readonly string[])[], parts: (words: readonly string[]) => Parameters<typeof statement>[0]): readonly Hit<Main>[] {
  const each = list.map((words) => make(at, parts(words)))
  const [first, ...others] = each
  return (first ?? []).flatMap((main) => {
    const same = others.map((hits) => hits.find(({ to }) => to === main.to))
    return same.some((one) => one === undefined) ? [] : [hit({ statements: [main, ...(same as Hit<Main>[])].flatMap(({ value }) => value.statements) }, main.to)]
  })
}

/** "logged", "logged and reviewed", "approved by a human". */
function dutyLists(text: Text, at: number): readonly Hit<readonly (readonly string[])[]>[] {
  const verb: readonly Hit<readonly string[]>[] = DUTY_VERBS.has(lowerAt(text, at)) ? [hit([lowerAt(text, at)], reach(text, at + 1))] : []
  const firsts = verb.length > 0 && contentAt(text, at) === null ? verb : states(text, at)
  return then(firsts, (first, to) => {
    const and = eatAny(text, to, ['and', ', and'])
    return [hit([first], to), ...(and === null ? [] : then(dutyLists(text, and), (rest, end) => [hit([first, ...rest], end)]))]
  })
}

/** "Whoever exports a chart must notify the council", "Anyone who exports a chart must …", "Managers who export charts must …". */
function whoevers(text: Text, at: number): readonly Hit<Main>[] {
  const whoever = eatAny(text, at, ['whoever', 'anyone who', 'anybody who', 'everyone who', 'everybody who', 'any person who', 'a person who', 'those who', 'all who'])
  const anyone = whoever === null ? [] : (['s', 'base'] as const).flatMap((form) => deedLists(text, whoever, form)).map(({ value, to }) => hit({ subject: [] as readonly Noun[], value }, to))
  const named = then(nounLists(text, at, 'subject'), (subject, to) => {
    const who = eatAny(text, to, ['who', 'that', 'which'])
    return who === null ? [] : (['s', 'base'] as const).flatMap((form) => deedLists(text, who, form)).map(({ value, to: end }) => hit({ subject, value }, end))
  })
  return then([...anyone, ...named], ({ subject, value: { deeds, isOnly } }, to) => {
    const must = eatAny(text, maybe(text, to, ','), ['must', 'must always', 'shall', 'should', 'has to', 'have to', 'must also', 'is required to', 'are required to'])
    if (must === null || isOnly) return []
    return then(orders(text, must), (list, end) => split((behind, parts) => ruled(text, behind, { ...parts, subject, deeds }), end, list, (duty) => ({ force: 'oblige', duty })))
  })
}

/** "When a chart is exported, it must be logged"; "whenever an agent deletes a file, the owner must be notified". */
function occasions(text: Text, at: number): readonly Hit<Main>[] {
  const start = eatAny(text, at, ['when', 'whenever', 'if', 'each time', 'every time'])
  if (start === null) return []
  const passive = then(nounLists(text, start, 'object'), (object, to) => {
    const be = eatAny(text, to, ['is', 'are', 'has been', 'have been'])
    return be === null ? [] : then(verbLists(text, be, 'participle'), (list, end) => {
      const by = eat(text, end, 'by')
      const act = (subject: readonly Noun[]): Act => ({ deeds: list.map((verb) => ({ verb, object, tails: [] })), subject, when: null })
      return [hit(act([]), end), ...(by === null ? [] : then(nounLists(text, by, 'subject'), (subject, last) => [hit(act(subject), last)]))]
    })
  })
  const active = then(nounLists(text, start, 'subject'), (subject, to) => (['s', 'base'] as const).flatMap((form) => deedLists(text, to, form)).map(({ value, to: end }) => hit<Act>({ deeds: value.deeds, subject, when: null }, end)))
  return then([...passive, ...active], (act, to) => {
    const comma = eat(text, to, ',')
    if (comma === null) return []
    const it = eatAny(text, comma, ['it', 'this', 'that'])
    const named = it !== null ? [hit<readonly string[] | null>(null, it)] : [
      ...then(nominal(text, maybe(text, comma, 'the', 'this', 'that', 'each', 'every')), ({ object }, end) => (object.length === 0 ? [hit<readonly string[] | null>(null, end)] : [])),
      ...then(states(text, comma), (words, end) => [hit<readonly string[] | null>(words, end)]),
    ]
    return then(named, (whom, next) => {
      const must = eatAny(text, next, ['must be', 'must always be', 'shall be', 'should be', 'has to be', 'have to be', 'must also be'])
      if (must === null) return []
      return then(dutyLists(text, must), (list, end) => {
        const isNotice = list.every((words) => words.length === 1 && /^(?:notified|informed)$/i.test(words[0] as string))
        if (isNotice !== (whom !== null)) return []
        return split((behind, parts) => ruled(text, behind, { ...parts, subject: act.subject, deeds: act.deeds }), end, list, (words) =>
          whom !== null ? { force: 'oblige', duty: [...words, ...whom] } : { force: 'require', requirement: { kind: 'is', of: null, words }, duty: words },
        )
      })
    })
  })
}

/** "A human must approve every deployment": it is forbidden unless one has. */
function approvals(text: Text, at: number): readonly Hit<Main>[] {
  return then(nounPhrases(text, at, 'subject'), (who, to) => {
    const must = eatAny(text, to, ['must', 'has to', 'have to', 'must first', 'needs to'])
    if (must === null || who.modifiers.length > 0 || who.quoted !== null || who.other || contentAt(text, must) === null) return []
    const verb = lowerAt(text, must)
    return then(acts(text, reach(text, must + 1)), (act, end) =>
      then(ruled(text, end, { force: 'require', subject: act.subject, deeds: act.deeds, requirement: { kind: 'is', of: null, words: [...who.words, verb] } }), (main, last) => [hit(under(main, act.when), last)]),
    )
  })
}

/** "notify the council", "log it", "log the export and notify the patient". */
function orders(text: Text, at: number): readonly Hit<readonly (readonly string[])[]>[] {
  const verb = lowerAt(text, at)
  if (!DUTY_VERBS.has(verb)) return []
  const to = reach(text, at + 1)
  const ends: Hit<readonly string[]>[] = [hit([verb], to)]
  const object = eatAny(text, to, ['it', 'this', 'that'])
  if (object !== null) ends.push(hit([verb], object))
  // Whom to notify need not be of the schema: up to three words behind an article, all of the schema or none.
  const isOurs = (index: number) => contentAt(text, index) !== null
  let words: readonly string[] = []
  const start = maybe(text, to, 'the', 'a', 'an', 'their', 'its')
  for (let index = start; index < start + 3; index++) {
    const token = text.tokens[index]
    if (token?.kind !== 'word' || (start === to && !isOurs(index)) || isOurs(index) !== isOurs(start) || ['if', 'when', 'unless', 'and', 'or', 'who', 'that', 'not', 'only', 'except', 'of', 'in', 'on', 'to', 'for', 'before', 'after', 'within', 'by', 'with', 'without', 'until', 'where'].includes(token.lower)) break
    words = [...words, ...token.words]
    ends.push(hit([verb, ...words], reach(text, index + 1)))
  }
  return then(ends, (duty, end) => {
    const and = eatAny(text, end, ['and', ', and'])
    return [hit([duty], end), ...(and === null ? [] : then(orders(text, and), (rest, last) => [hit([duty, ...rest], last)]))]
  })
}

/** "Nurses must be on duty to read charts", "Orders have to be paid to be shipped", "Agents need approval to send payments". */
function requirements(text: Text, at: number): readonly Hit<Main>[] {
  return then(whos(text, at), (who, to) => {
    if (who.kind !== 'some' || who.except.length > 0) return []
    const must = eatAny(text, to, ['must', 'shall', 'should', 'have to', 'has to', 'need to', 'needs to'])
    const need = eatAny(text, to, ['need', 'needs', 'require', 'requires', 'must have', 'should have'])
    const purpose = (end: number): number | null => eatAny(text, end, ['to', 'in order to', 'before they may', 'before they can', 'before they', 'before it can', 'before it may', 'if they want to', 'if they are to'])
    const active = (requirement: Condition, end: number): readonly Hit<Main>[] => {
      const start = purpose(end)
      return start === null ? [] : then(deedLists(text, start, 'base'), ({ deeds, isOnly, isApart }, last) => (isOnly ? [] : ruled(text, last, { force: 'require', subject: who.nouns, deeds, requirement }, isApart)))
    }
    const passive = (requirement: Condition, end: number): readonly Hit<Main>[] => {
      const start = purpose(end)
      const be = start === null ? null : eat(text, start, 'be')
      return be === null ? [] : then(verbLists(text, be, 'participle'), (list, last) => ruled(text, last, { force: 'require', deeds: list.map((verb) => ({ verb, object: who.nouns, tails: [] })), requirement }))
    }
    const said = (ref: Ref): readonly Hit<Condition>[] => {
      if (must === null || !['be', 'have'].includes(lowerAt(text, must))) return []
      const finite = lowerAt(text, must) === 'be' ? 'are' : 'have'
      const tokens = text.tokens.map((token, index) => (index === must ? { kind: 'word' as const, text: finite, lower: finite, words: [finite] } : token))
      return predicates({ ...text, tokens, memo: new Map() }, must, { ref, operand: { words: [], of: ref } })
    }
    return [
      ...then(said({ kind: 'subject' }), active),
      ...then(said({ kind: 'it' }), passive),
      ...(need === null ? [] : then(states(text, need), (words, end) => [...active({ kind: 'is', of: null, words }, end), ...passive({ kind: 'is', of: null, words }, end)])),
      ...(need === null ? [] : then(quantities(text, need, { kind: 'subject' }), active)),
    ]
  })
}

/** "Tellers have access to accounts", "Nobody has access to sealed charts". */
function accesses(text: Text, at: number): readonly Hit<Main>[] {
  return then(whos(text, at), (who, to) => {
    const no = eatAny(text, to, ['have no access to', 'has no access to', 'do not have access to', 'does not have access to', 'must not have access to', 'may not have access to'])
    const only = eatAny(text, to, ['only have access to', 'have access only to', 'may only have access to', 'has access only to'])
    const yes = no ?? only ?? eatAny(text, to, ['have access to', 'has access to', 'may have access to', 'can have access to', 'are granted access to', 'is granted access to', 'are given access to'])
    if (yes === null) return []
    const force = forceOf(text, who, { force: no === null ? 'permit' : 'forbid', isOnly: only !== null, form: 'base' })
    if (force === null || force === 'must') return []
    return then(nounLists(text, yes, 'object'), (object, end) =>
      ruled(text, end, { force, only: who.kind === 'only' ? 'subject' : only === null ? null : 'condition', subject: who.nouns, exceptSubject: who.except, deeds: [{ verb: ['access'], object, tails: [] }] }),
    )
  })
}

// ---- It, them, themselves ----

/** The rules with what stands before them, and every noun that "it" can stand for in its place. */
function resolved(text: Text, lead: Around, list: readonly Main[]): readonly (readonly Statement[])[] {
  const isLead = lead.when.length + lead.unless.length > 0
  const apply = (main: Main): readonly Statement[] =>
    main.statements.map((one) => ({ ...one, only: lead.isOnly && one.force === 'permit' ? (one.only ?? 'condition') : one.only, when: allOf([...lead.when, ...(one.when === null ? [] : [one.when])]), unless: anyOf([...lead.unless, ...(one.unless === null ? [] : [one.unless])]) }))
  const whole = list.flatMap(apply)
  const first = list.flatMap((main, index) => (index === 0 ? apply(main) : main.statements))
  const ways = isLead && list.length > 1 ? [whole, first] : [whole]
  return [...ways, ...trailing(list, isLead)].flatMap((statements) => withAntecedents(text, statements, [...lead.when, ...lead.unless]))
}

/** "…, and managers may freeze accounts if …": what follows the last rule may be about all. */
function trailing(list: readonly Main[], isLead: boolean): readonly (readonly Statement[])[] {
  const last = list[list.length - 1]?.statements[0]
  if (isLead || list.length < 2 || last === undefined || (last.when === null && last.unless === null)) return []
  const before = list.slice(0, -1).flatMap(({ statements }) => statements)
  if (before.some((one) => one.when !== null || one.unless !== null)) return []
  return [[...before.map((one) => ({ ...one, when: last.when, unless: last.unless, only: one.only ?? (last.only === 'condition' && one.force === 'permit' ? ('condition' as const) : null) })), ...(list[list.length - 1] as Main).statements]]
}

function withAntecedents(text: Text, statements: readonly Statement[], lead: readonly Condition[]): readonly (readonly Statement[])[] {
  let ways: readonly (readonly Statement[])[] = [[]]
  for (const one of statements) ways = ways.flatMap((before) => named(text, one, before, lead).flatMap((whole) => theOnes(text, oneself(whole))).map((whole) => [...before, whole]))
  return ways
}

/** One statement with every noun that its pronouns can stand for. */
function named(text: Text, one: Statement, before: readonly Statement[], lead: readonly Condition[]): readonly Statement[] {
  const isIt = (noun: Noun) => noun.words[0] === IT
  const isSubject = one.subject.some(isIt)
  const isObject = one.deeds.some(({ object }) => object.some(isIt))
  if (!isSubject && !isObject) return [one]
  const things = antecedents(text, one, before, lead)
  const people = isSubject ? antecedents(text, one, [], lead) : [null]
  if (things.length === 0 || people.length === 0) text.effort.hint ??= '`it` or `they` stands for nothing that was named before: name it'
  return people.flatMap((who) =>
    (isObject ? things : [null]).filter((thing) => thing === null || thing !== who).map((thing) => ({
      ...one,
      subject: who === null ? one.subject : one.subject.map((noun) => (isIt(noun) ? who : noun)),
      deeds: thing === null ? one.deeds : one.deeds.map((deed) => ({ ...deed, object: deed.object.map((noun) => (isIt(noun) ? thing : noun)) })),
    })),
  )
}

/** "The patient may view the chart": any patient, or the one that the chart names. Both are tried. */
function theOnes({ lexicon }: Text, one: Statement): readonly Statement[] {
  const object = one.deeds[0]?.object[0]?.words ?? []
  const start = object.findIndex((_, index) => lexicon.types(object.slice(index)).length > 0)
  if (start < 0) return [one]
  const isTheOne = ({ isDefinite, words, modifiers, quoted }: Noun) =>
    isDefinite === true && modifiers.length === 0 && quoted === null && lexicon.types(words).length > 0 && lemmas(words[words.length - 1] as string).length === 1
  const named = (noun: Noun): Noun => (isTheOne(noun) ? { ...noun, modifiers: [{ kind: 'of', preposition: 'of', noun: { words: object.slice(start), quoted: null, other: false, modifiers: [] } }] } : noun)
  return [...one.subject, ...one.exceptSubject].some(isTheOne) ? [one, { ...one, subject: one.subject.map(named), exceptSubject: one.exceptSubject.map(named) }] : [one]
}

/** "themselves" is the subject, as its own object. */
function oneself(one: Statement): Statement {
  const own = (noun: Noun): readonly Noun[] => (noun.words[0] === SELF ? one.subject.map(({ words }) => ({ words, quoted: null, other: false, modifiers: [{ kind: 'own', isSaid: true }] })) : [noun])
  return { ...one, deeds: one.deeds.map((deed) => ({ ...deed, object: deed.object.flatMap(own) })) }
}

/** What "it" can stand for: what an earlier rule acts on, what the leading condition speaks about, whose owner the subject is. */
function antecedents({ lexicon }: Text, one: Statement, before: readonly Statement[], lead: readonly Condition[]): readonly Noun[] {
  const earlier = before.flatMap(({ deeds }) => deeds.flatMap(({ object }) => object))
  const inLead = nounsIn(lead)
  const ofSubject = one.subject.flatMap(({ modifiers }) => modifiers.flatMap((modifier) => (modifier.kind === 'of' ? [modifier.noun] : [])))
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
