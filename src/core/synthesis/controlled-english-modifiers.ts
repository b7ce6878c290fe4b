import { lemmas } from '#core/unit/morphology.ts'
import { noun, type Condition, type Modifier, type Noun, type Operand, type Ref } from '#core/unit/statement.ts'
import { comparisons, predicates, type Speaker } from './controlled-english-conditions.ts'
import { heads, nounPhrases, type Role } from './controlled-english-nouns.ts'
import { contentAt, eat, eatAny, hit, lowerAt, maybe, numberAt, reach, remember, then, type Hit, type Text } from './controlled-english-tokens.ts'

export function modifiers(text: Text, at: number, role: Role): readonly Hit<readonly Modifier[]>[] {
  return remember(text, `modifiers:${role}`, at, () =>
    then(
      modifier(text, at, role),
      (first, to) => [hit([first], to), ...then(modifiers(text, to, role), (others, end) => [hit([first, ...others], end)])],
    ),
  )
}

function modifier(text: Text, at: number, role: Role): readonly Hit<Modifier>[] {
  return [...placed(text, at, role), ...equipped(text, at, role), ...measured(text, at), ...relatives(text, at), ...reduced(text, at)]
}

const PLACES = ['of', 'in', 'for', 'from', 'on', 'at', 'to', 'into', 'onto']

/** "of patients", "in the same department as the owner", "on duty". */
function placed(text: Text, at: number, role: Role): readonly Hit<Modifier>[] {
  const outside = eatAny(text, at, ['outside', 'outside of'])
  if (outside !== null) return then(
    nounPhrases(text, outside, 'condition'),
    // "Share records outside the EU" says where they go, and "employees outside the EU" where these are.
    (one, end) => [hit<Modifier>(role === 'object' ? { kind: 'of', preposition: 'outside', noun: one } : { kind: 'such', condition: { kind: 'not', of: { kind: 'within', of: THIS, noun: one } } }, end)],
  )
  const preposition = lowerAt(text, at)
  if (!PLACES.includes(preposition)) return []
  const to = reach(text, at + 1)
  // "To the same region" leads there.
  const same = ['to', 'into', 'onto', 'for'].includes(preposition) ? [] : then(sames(text, to), ({ words, as }, end) => [hit<Modifier>({ kind: 'same', words, as }, end)])
  return [
    ...same,
    ...then(
      nounPhrases(text, to, role === 'condition' ? 'condition' : 'subject'),
      (one, end) => [hit<Modifier>({ kind: 'of', preposition, noun: one }, end)],
    ),
    // "in the EU or UK", "in room "A" and "B"": any of these places.
    ...then(
      nounPhrases(text, to, 'condition'),
      (one, end) => (one.modifiers.length > 0 || ['to', 'into', 'onto', 'for'].includes(preposition) ? [] : furtherPlaces(text, end, one)).map(({ value, to: last }) => hit<Modifier>(
        { kind: 'such', condition: { kind: 'any', parts: [one, ...value].map((place) => ({ kind: 'within', of: THIS, noun: place })) } },
        last,
      )),
    ),
    // "on duty", "in production": a state.
    ...then(heads(text, to), (words, end) => [hit<Modifier>({ kind: 'of', preposition, noun: noun(words) }, end)]),
    // "of grade 3 or above": a quantity by its name.
    ...then(
      heads(text, to),
      (words, end) => (
        numberAt(text, end) === null
          ? []
          : then(
            comparisons(text, end),
            (compare, last) => [hit<Modifier>({ kind: 'such', condition: compare({ kind: 'attribute', words, of: THIS }) }, last)],
          )
      ),
    ),
  ]
}

/** What goes on behind a value or an id, and is one of the same kind. */
function furtherPlaces(text: Text, at: number, first: Noun): readonly Hit<readonly Noun[]>[] {
  const next = eatAny(text, at, ['or', 'and', ', or', ', and', ','])
  if (next === null) return []
  const types = text.lexicon.values(first.words).map(({ type }) => type)
  const start = maybe(text, next, 'the')
  const token = text.tokens[start]
  const isId = first.quoted !== null && token?.kind === 'quoted'
  const places = isId ? [hit<Noun>({ ...first, quoted: token.text }, reach(text, start + 1))] : first.quoted === null && types.length > 0 ? heads(text, start)
    .filter(({ value }) => text.lexicon.types(value).length === 0 && text.lexicon.values(value).some(({ type }) => types.includes(type)))
    .map(({ value, to }) => hit(noun(value), to)) : []
  return then(places, (one, end) => {
    const more = furtherPlaces(text, end, first).map(({ value, to }) => hit<readonly Noun[]>([one, ...value], to))
    // "the EU, UK": a list ends with its conjunction.
    return [...(text.tokens[at]?.kind === 'comma' && text.tokens[at + 1] === text.tokens[next] ? [] : [hit<readonly Noun[]>([one], end)]), ...more]
  })
}

type Same = { readonly words: readonly string[]; readonly as: Ref | null }

/** "the same department [as the owner]". */
export function sames(text: Text, at: number): readonly Hit<Same>[] {
  const to = eat(text, at, 'the same')
  if (to === null) return []
  return then<readonly string[], Same>(heads(text, to), (words, end) => {
    const as = eat(text, end, 'as')
    return [hit({ words, as: null }, end), ...(as === null ? [] : then(refs(text, as), (ref, last) => [hit({ words, as: ref }, last)]))]
  })
}

const THIS: Ref = { kind: 'this' }

/** "with a balance above 0", "with more than 100 pages", "with clearance", "without clearance". */
function equipped(text: Text, at: number, role: Role): readonly Hit<Modifier>[] {
  const to = eatAny(text, at, ['with', 'having'])
  const without = role === 'object' ? null : eat(text, at, 'without')
  return [
    ...(to === null ? [] : then(quantities(text, to, THIS), (condition, end) => [hit<Modifier>({ kind: 'such', condition }, end)])),
    ...(
      to === null || role === 'object'
        ? []
        : then(states(text, to), (words, end) => [hit<Modifier>({ kind: 'such', condition: { kind: 'is', of: THIS, words } }, end)])
    ),
    // "with the enterprise plan".
    ...(
      to === null
        ? []
        : then(
          heads(text, maybe(text, to, 'a', 'an', 'the')),
          (words, end) => (words.length < 2 ? [] : [hit<Modifier>({ kind: 'of', preposition: 'with', noun: noun(words) }, end)]),
        )
    ),
    ...(
      without === null
        ? []
        : then(
          states(text, without),
          (words, end) => [hit<Modifier>({ kind: 'such', condition: { kind: 'not', of: { kind: 'is', of: THIS, words } } }, end)],
        )
    ),
  ]
}

/** What someone or something has: "at least 2 approvals", "a balance of less than 3", "a priority of 5 or more". */
export function quantities(text: Text, at: number, of: Ref | null): readonly Hit<Condition>[] {
  const named = then(heads(text, maybe(text, at, 'a', 'an', 'the')), (words, to) =>
    then(
      comparisons(text, maybe(text, to, 'of', 'that is', 'which is')),
      (compare, end) => [hit(compare({ kind: 'attribute', words, of }), end)],
    ),
  )
  const counted = then(
    comparisons(text, at, false),
    (compare, to) => then(heads(text, to), (words, end) => [hit(compare({ kind: 'attribute', words, of }), end)]),
  )
  return [...named, ...counted]
}

/** The words of a state behind "with", "has" or "requires": "ethics approval", "the consent of the patient". */
export function states(text: Text, at: number): readonly Hit<readonly string[]>[] {
  return remember(text, 'states', at, () =>
    then(heads(text, maybe(text, at, 'a', 'an', 'the', 'any')), (words, to) => [
      hit(words, to),
      ...(['of', 'by', 'from', 'for', 'in', 'on', 'to'].includes(lowerAt(text, to))
        ? then(states(text, reach(text, to + 1)), (others, end) => [hit([...words, lowerAt(text, to), ...others], end)])
        : []),
      // "the patient's consent".
      ...(
        text.tokens[to]?.kind === 'possessive'
          ? then(heads(text, reach(text, to + 1)), (others, end) => [hit([...words, ...others], end)])
          : []
      ),
    ]),
  )
}

/** "of up to 500", "above 1,000", "of 500 or less": its one quantity. */
function measured(text: Text, at: number): readonly Hit<Modifier>[] {
  const of = eat(text, at, 'of')
  if (of === null && numberAt(text, at) !== null) return []
  return then(
    comparisons(text, of ?? at, of !== null),
    (compare, to) => [hit<Modifier>({ kind: 'such', condition: compare({ kind: 'attribute', words: [], of: THIS }) }, to)],
  )
}

/** The quantity of the deed itself: "transfers above 1,000". */
export function measures(text: Text, at: number): readonly Hit<Condition>[] {
  const of = eat(text, at, 'of')
  if (of === null && numberAt(text, at) !== null) return []
  return then(
    comparisons(text, of ?? at, of !== null),
    (compare, to) => [hit(compare({ kind: 'attribute', words: [], of: null } satisfies Operand), to)],
  )
}

/** "that are sealed", "who are on duty", "whose status is open", "that they do not own", "they treat". */
function relatives(text: Text, at: number): readonly Hit<Modifier>[] {
  return then(clauses(text, at), (condition, to) => [hit<Modifier>({ kind: 'such', condition }, to)])
}

function clauses(text: Text, at: number): readonly Hit<Condition>[] {
  return remember(text, 'clauses', at, () =>
    then(clause(text, at), (first, to) => {
      const found = [hit(first, to)]
      for (const [kind, ...words] of [['all', 'and', 'and also', 'but', ', and'], ['any', 'or', ', or']] as const) {
        const next = eatAny(text, to, words)
        if (next === null) continue
        for (const { value, to: end } of clauses(text, next)) {
          // "that a or b and c" is open: every grouping is tried, here from the right, in `groups` from the left.
          found.push(...groups(first, kind, value).map((condition) => hit(condition, end)))
        }
      }
      return found
    }),
  )
}

/**
 * "a and b or c": every grouping that a mixture of conjunctions can have; one when it is none. What stands in `first` and `rest`
 * was read before, without anything that closes it.
 */
export function groups(first: Condition, kind: 'all' | 'any', rest: Condition): readonly Condition[] {
  const other = kind === 'all' ? 'any' : 'all'
  const isOpen = (one: Condition): one is Condition & { kind: 'all' | 'any' } => one.kind === other && !isRange(one)
  const found: Condition[] = [{ kind, parts: [first, ...(rest.kind === kind && !isRange(rest) ? rest.parts : [rest])] }]
  if (isOpen(rest)) found.push({ kind: other, parts: [{ kind, parts: [first, rest.parts[0] as Condition] }, ...rest.parts.slice(1)] })
  if (isOpen(first)) found.push(
    { kind: other, parts: [...first.parts.slice(0, -1), { kind, parts: [first.parts[first.parts.length - 1] as Condition, rest] }] },
  )
  return found
}

/** "between 1 and 9" is one thing. */
function isRange(condition: Condition): boolean {
  return (condition.kind === 'all' || condition.kind === 'any') && condition.parts.length === 2 && condition.parts.every(
    (part) => part.kind === 'compare' && part.left === (condition.parts[0] as { left?: unknown }).left,
  )
}

function clause(text: Text, at: number): readonly Hit<Condition>[] {
  const pronoun = eatAny(text, at, ['who', 'that', 'which'])
  const speaker: Speaker = { ref: THIS, operand: { words: [], of: THIS } }
  const whose = eat(text, at, 'whose')
  const of = eatAny(text, at, ['of which', 'of whom', 'for which', 'for whom'])
  const owner = eatAny(text, at, ['that', 'which']) ?? at
  return [
    ...(pronoun === null ? [] : predicates(text, pronoun, speaker)),
    ...(
      whose === null
        ? []
        : then(heads(text, whose), (words, to) => predicates(text, to, { ref: THIS, operand: { words, of: THIS }, of: words }))
    ),
    ...objectRelative(text, eatAny(text, at, ['that', 'which', 'whom', 'who']) ?? at),
    // "of which they are the author", "they are a member of".
    ...(of === null ? [] : then(refs(text, of), (ref, to) => positions(text, to, ref))),
    ...then(refs(text, owner), (ref, to) => then(positions(text, to, ref), (condition, end) => {
      const behind = eat(text, end, 'of')
      return behind === null ? [] : [hit(condition, behind)]
    })),
  ]
}

function positions(text: Text, at: number, of: Ref): readonly Hit<Condition>[] {
  const not = eatAny(text, at, ['is not', 'are not'])
  const is = not ?? eatAny(text, at, ['is', 'are'])
  if (is === null) return []
  return then(heads(text, maybe(text, is, 'the', 'a', 'an')), (words, to) => {
    const isa: Condition = { kind: 'isa', of, noun: noun(words), whose: THIS }
    return [hit<Condition>(not === null ? isa : { kind: 'not', of: isa }, to)]
  })
}

/** "[that] they treat", "they have approved", "they do not own", "they created or approved", "they are assigned to". */
function objectRelative(text: Text, at: number): readonly Hit<Condition>[] {
  return then(refs(text, at), (subject, to) => {
    const not = eatAny(text, to, ['do not', 'does not', 'did not', 'have not', 'has not', 'had not', 'have never', 'has never'])
    const passive = eatAny(text, to, ['are', 'is', 'were', 'was', 'have been', 'has been'])
    const start = not ?? maybe(text, to, 'have', 'has', 'had')
    const relates = (verb: readonly string[]): Condition => ({ kind: 'relates', subject, verb, object: THIS })
    return [
      ...then(relationVerbs(text, start), (verbs, end) => {
        const any: Condition = verbs.length === 1 ? relates(verbs[0] as readonly string[]) : { kind: 'any', parts: verbs.map(relates) }
        return [hit<Condition>(not === null ? any : { kind: 'not', of: any }, maybe(text, end, 'themselves', 'himself', 'herself'))]
      }),
      ...(
        passive === null
          ? []
          : then(
            relationVerbs(text, passive),
            (verbs, end) => (
              verbs.length === 1 && (verbs[0] as readonly string[]).length > 1 && (verbs[0] as readonly string[])[1] !== 'by'
                ? [hit(relates(verbs[0] as readonly string[]), end)]
                : []
            ),
          )
      ),
    ]
  })
}

/** "created", "created or approved", "work on". */
function relationVerbs(text: Text, at: number): readonly Hit<readonly (readonly string[])[]>[] {
  return then(relationVerb(text, at), (first, to) => {
    const or = eat(text, to, 'or')
    return [hit([first], to), ...(or === null ? [] : then(relationVerb(text, or), (second, end) => [hit([first, second], end)]))]
  })
}

const LIGHT = new Set('give gives gave given grant granted obtained provided exist exists present true false'.split(' '))

/** A verb that relates two things: of the schema, or "own" and "belong". */
export function relationVerb(text: Text, at: number): readonly Hit<readonly string[]>[] {
  const word = lowerAt(text, at)
  const isPlain = ['own', 'owns', 'owned', 'belong', 'belongs'].includes(word)
  if (!isPlain && (contentAt(text, at) === null || LIGHT.has(word))) return []
  const to = reach(text, at + 1)
  const preposition = lowerAt(text, to)
  return [
    hit([word], to),
    ...(['to', 'for', 'with', 'on', 'of', 'by', 'in', 'from'].includes(preposition) ? [hit([word, preposition], reach(text, to + 1))] : []),
  ]
}

/** "marked confidential": it is. */
export const MARKED = [
  'marked',
  'labelled',
  'labeled',
  'flagged',
  'classified',
  'designated',
  'tagged',
].flatMap((word) => [word, `${word} as`])

/** "assigned to them", "owned by the patient", "not approved by a manager". */
function reduced(text: Text, at: number): readonly Hit<Modifier>[] {
  const not = eat(text, at, 'not')
  const marked = eatAny(text, at, MARKED)
  if (marked !== null) return then(
    heads(text, marked),
    (words, to) => [hit<Modifier>({ kind: 'such', condition: { kind: 'is', of: THIS, words } }, to)],
  )
  // "treating the patient".
  const doing = lowerAt(text, at).endsWith('ing') && not === null ? then(
    relationVerb(text, at),
    (verb, to) => then(
      refs(text, to),
      (object, end) => [hit<Modifier>({ kind: 'such', condition: { kind: 'relates', subject: THIS, verb, object } }, end)],
    ),
  ) : []
  if (doing.length > 0) return doing
  return then(
    participles(text, not ?? at, THIS),
    (condition, to) => [hit<Modifier>({ kind: 'such', condition: not === null ? condition : { kind: 'not', of: condition } }, to)],
  )
}

/** A participle with what it is related to: "by" turns it around. */
export function participles(text: Text, at: number, of: Ref): readonly Hit<Condition>[] {
  const isParticiple = /(?:ed|en|wn|de|lt|ld|ght|pt)$/.test(lowerAt(text, at)) || lemmas(lowerAt(text, at)).length > 1
  if (!isParticiple) return []
  return then(relationVerb(text, at), (verb, to) => {
    const preposition = verb[1]
    if (preposition === undefined) return []
    return then(
      refs(text, to),
      (ref, end) => [
        hit<Condition>(
          preposition === 'by' ? { kind: 'relates', subject: ref, verb, object: of } : { kind: 'relates', subject: of, verb, object: ref },
          end,
        ),
      ],
    )
  })
}

/** What a condition can speak about. */
export function refs(text: Text, at: number): readonly Hit<Ref>[] {
  return remember(text, 'refs', at, () => {
    const they = eatAny(text, at, ['they', 'them'])
    if (they !== null) return [hit<Ref>({ kind: 'they' }, they)]
    const she = eatAny(text, at, ['he or she', 'she or he', 'he', 'she', 'him', 'him or her', 'themselves', 'himself', 'herself'])
    if (she !== null) return [hit<Ref>({ kind: 'subject' }, she)]
    const it = eat(text, at, 'it')
    if (it !== null) return [hit<Ref>({ kind: 'it' }, it)]
    return then(nounPhrases(text, at, 'condition'), (one, to) => [hit<Ref>({ kind: 'noun', noun: one }, to)])
  })
}
