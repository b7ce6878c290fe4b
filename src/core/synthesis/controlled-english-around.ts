import { statement, type Condition, type Noun, type Statement } from '#core/unit/statement.ts'
import { bare, conditions } from './controlled-english-conditions.ts'
import { EXCEPT, type Who } from './controlled-english-deeds.ts'
import { quantities, states } from './controlled-english-modifiers.ts'
import { nounLists } from './controlled-english-nouns.ts'
import { eat, eatAny, hit, type Hit, lowerAt, maybe, remember, type Text, then } from './controlled-english-tokens.ts'

/** What stands around a rule. */
export type Around = {
  readonly when: readonly Condition[]; readonly unless: readonly Condition[]; readonly except: readonly Noun[]; readonly isOnly: boolean,
}

export const NOTHING: Around = { when: [], unless: [], except: [], isOnly: false }

/**
 * One rule, its statements each under everything around it; `who` is ruled, when a next rule may be about them too. `isApart`: a comma
 * or "but" sets it apart from the one before; `isShared`: its object stands behind a later verb.
 */
export type Main = { readonly statements: readonly Statement[]; readonly who?: Who; readonly isApart?: true; readonly isShared?: true }

const IF = [
  'if',
  'when',
  'whenever',
  'where',
  'provided that',
  'provided',
  'as long as',
  'so long as',
  'on condition that',
  'on the condition that',
  'while',
  'once',
  'in case',
  'given that',
  'assuming that',
  'after',
]

/** "If the patient has not given consent, …", "Except in an emergency, …", "In an emergency, …". */
export function leads(text: Text, at: number): readonly Hit<Around>[] {
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
    ...(
      subordinate === null
        ? []
        : comma(then(spoken(text, subordinate), (one, to) => [hit({ ...NOTHING, when: [one], isOnly: isOnlyBy(text, at) }, to)]))
    ),
    ...(unless === null ? [] : comma(then(spoken(text, unless), (one, to) => [hit({ ...NOTHING, unless: [one] }, to)]))),
    ...(except === null ? [] : comma(then(spoken(text, except), (one, to) => [hit({ ...NOTHING, unless: [one] }, to)]))),
    ...(
      without === null
        ? []
        : comma(
          then(
            states(text, without),
            (words, to) => [hit({ ...NOTHING, when: [{ kind: 'not', of: { kind: 'is', of: null, words } } as Condition] }, to)],
          ),
        )
    ),
    ...(
      ['in', 'during', 'with', 'under'].includes(lowerAt(text, at))
        ? comma(then(circumstances(text, at), (one, to) => [hit({ ...NOTHING, when: [one] }, to)]))
        : []
    ),
  ]
}

/** A condition, whole or a mere word. */
function spoken(text: Text, at: number): readonly Hit<Condition>[] {
  return [...conditions(text, at), ...bare(text, at)]
}

/** "in an emergency", "during an emergency", "with consent", "in case of emergency". */
function circumstances(text: Text, at: number): readonly Hit<Condition>[] {
  const to = eatAny(
    text,
    at,
    ['in case of', 'in the case of', 'in the event of', 'during', 'in', 'with', 'under', 'via', 'through', 'over'],
  )
  if (to === null) return []
  // "With auditors" is in company, and nobody's role.
  const preposition = ['in', 'under', 'via', 'over', 'with'].includes(lowerAt(text, to - 1)) ? [lowerAt(text, to - 1)] : []
  return then(states(text, to), (words, end) => [hit<Condition>({ kind: 'is', of: null, words: [...preposition, ...words] }, end)])
}

/** What follows a rule; several may. */
export function trails(text: Text, at: number): readonly Hit<Around>[] {
  return remember(
    text,
    'trails',
    at,
    () => [hit(NOTHING, at), ...then(trail(text, at), (first, to) => then(trails(text, to), (rest, end) => [hit(both(first, rest), end)]))],
  )
}

function both(a: Around, b: Around): Around {
  return {
    when: [...a.when, ...b.when],
    unless: [...a.unless, ...b.unless],
    except: [...a.except, ...b.except],
    isOnly: a.isOnly || b.isOnly,
  }
}

export function trail(text: Text, at: number): readonly Hit<Around>[] {
  const start = maybe(text, at, ',')
  const only = eatAny(text, start, ['only', 'but only'])
  const onlyIf = eatAny(text, start, ['if and only if', 'if , and only if ,', 'if , and only if', 'when and only when'])
  const from = only ?? start
  const subordinate = onlyIf ?? eatAny(text, from, IF)
  const when = (one: Condition): Around => ({ ...NOTHING, when: [one], isOnly: only !== null || onlyIf !== null || isOnlyBy(text, from) })
  const unless = (one: Condition): Around => ({ ...NOTHING, unless: [one] })
  const excepted = eatAny(text, start, EXCEPT)
  const unlessAt = eatAny(
    text,
    start,
    ['unless', 'unless and until', ...IF.map((word) => `except ${word}`), ...IF.map((word) => `but not ${word}`)],
  )
  const exceptIn = eatAny(
    text,
    start,
    [
      'except in',
      'except during',
      'except with',
      'except under',
      'except via',
      'except through',
      'but not in',
      'other than in',
      'except for in',
    ],
  )
  const without = eat(text, start, 'without')
  const vacuous = eatAny(
    text,
    start,
    ['under any circumstances', 'in any circumstances', 'in any case', 'at any time', 'ever', 'for any reason', 'at all'],
  )
  return [
    ...(vacuous === null ? [] : [hit(NOTHING, vacuous)]),
    // "to at most 5 recipients".
    ...(lowerAt(text, from) === 'to' ? then(quantities(text, from + 1, null), (one, to) => [hit(when(one), to)]) : []),
    ...(subordinate === null ? [] : then(spoken(text, subordinate), (one, to) => [hit(when(one), to)])),
    ...(unlessAt === null ? [] : then(spoken(text, unlessAt), (one, to) => [hit(unless(one), to)])),
    ...(exceptIn === null ? [] : then(circumstances(text, exceptIn - 1), (one, to) => [hit(unless(one), to)])),
    ...(excepted === null ? [] : then(nounLists(text, excepted, 'object'), (nouns, to) => [hit({ ...NOTHING, except: nouns }, to)])),
    ...(without === null ? [] : then(states(text, without), (words, to) => [hit(unless({ kind: 'is', of: null, words }), to)])),
    ...(
      only !== null || ['with', 'during', 'in', 'via'].includes(lowerAt(text, from))
        ? then(circumstances(text, from), (one, to) => [hit(when(one), to)])
        : []
    ),
  ]
}

/** "provided that" and "as long as" mean "only if" (docs/concepts/reading.md). */
function isOnlyBy(text: Text, at: number): boolean {
  return eatAny(text, at, ['provided', 'as long as', 'so long as', 'on condition that', 'on the condition that']) !== null
}

/** The statement with everything around it; an object shared by several deeds stays whole, of several deeds apart the last may be meant alone. */
export function around(parts: Parameters<typeof statement>[0], { when, unless, except, isOnly }: Around): Statement | null {
  if (isOnly && (parts.force !== 'permit' || parts.only === 'subject')) return null
  // "may export without consent" allows more, not less.
  return statement({ ...parts, only: isOnly ? 'condition' : (parts.only ?? null), when: allOf(when), unless: anyOf(unless), except })
}

export function allOf(parts: readonly Condition[]): Condition | null {
  return parts.length < 2 ? (parts[0] ?? null) : { kind: 'all', parts }
}

export function anyOf(parts: readonly Condition[]): Condition | null {
  return parts.length < 2 ? (parts[0] ?? null) : { kind: 'any', parts }
}

/** A rule in the words of one subject, with what follows it. */
export function ruled(text: Text, at: number, parts: Parameters<typeof statement>[0], isApart = false): readonly Hit<Main>[] {
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

export function merged(main: Main, { when, unless, except }: Around): readonly Main[] {
  if (when.length + unless.length + except.length === 0) return [main]
  return [{
    statements: main.statements.map((one) => ({
      ...one, when: allOf([...when, ...(one.when === null ? [] : [one.when])]), unless: anyOf(
        [...unless, ...(one.unless === null ? [] : [one.unless])],
      ), except: [...except, ...one.except],
    })),
  }]
}
