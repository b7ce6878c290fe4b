import { noun, type Condition, type Noun, type Operand, type Operator, type Ref } from '#core/unit/statement.ts'
import { groups, MARKED, participles, quantities, refs, relationVerb, sames, states } from './controlled-english-modifiers.ts'
import { heads, nounPhrases } from './controlled-english-nouns.ts'
import {
  contentAt,
  eat,
  eatAny,
  hit,
  lowerAt,
  maybe,
  numberAt,
  reach,
  remember,
  then,
  type Hit,
  type Text,
} from './controlled-english-tokens.ts'
import { FUNCTION_WORDS } from './controlled-english-words.ts'

/** Whom or what a predicate is about: as such, and as the left side of a comparison. `of`: an attribute of it, "whose patient …". */
export type Speaker = { readonly ref: Ref; readonly operand: Operand; readonly of?: readonly string[] } | {
  readonly ref: Ref; readonly operand: { readonly words: readonly string[]; readonly of: Ref | null }; readonly of?: readonly string[],
}

/** One or more clauses: "the chart is not sealed or they treat the patient". */
export function conditions(text: Text, at: number): readonly Hit<Condition>[] {
  return remember(text, 'conditions', at, () => {
    const start = maybe(text, at, 'either', 'both')
    return joined(text, start)
  })
}

const SUBORDINATORS = ['if', 'when', 'where', 'that', 'unless']

function joined(text: Text, at: number): readonly Hit<Condition>[] {
  return remember(text, 'joined', at, () =>
    then(simple(text, at), (first, to) => {
      const found = [hit(first, to)]
      for (const [kind, words] of [['all', ['and', 'but', ', and', ', but', 'and also']], ['any', ['or', ', or']]] as const) {
        const next = eatAny(text, to, words)
        if (next === null) continue
        const isApart = text.tokens[to]?.kind === 'comma'
        const start = maybe(text, next, ...SUBORDINATORS.slice(0, 4))
        for (const { value, to: end } of joined(text, start)) {
          // A comma before the conjunction tells how a mixture is grouped.
          const ways = groups(first, kind, value)
          found.push(...(isApart ? ways.slice(0, 1) : ways).map((condition) => hit(condition, end)))
        }
      }
      // "a, b and c".
      const comma = eat(text, to, ',')
      if (comma !== null) {
        for (const { value, to: end } of joined(text, comma)) {
          if (value.kind === 'all' || value.kind === 'any') found.push(
            hit<Condition>({ kind: value.kind, parts: [first, ...value.parts] }, end),
          )
        }
      }
      return found
    }),
  )
}

function simple(text: Text, at: number): readonly Hit<Condition>[] {
  return remember(
    text,
    'simple',
    at,
    () => [...existence(text, at), ...then(speakers(text, at), (speaker, to) => predicates(text, to, speaker))],
  )
}

/** "there is an emergency", "there is no consent". */
function existence(text: Text, at: number): readonly Hit<Condition>[] {
  const no = eatAny(
    text,
    at,
    ['there is no', 'there are no', 'there is not', 'there is not any', 'there has been no', 'there was no', 'there were no'],
  )
  const yes = no === null ? eatAny(
    text,
    at,
    ['there is', 'there are', 'there has been', 'there have been', 'there was', 'there were'],
  ) : null
  const to = no ?? yes
  if (to === null) return []
  return [
    ...then(states(text, to), (words, end) => {
      const is: Condition = { kind: 'is', of: null, words }
      return [hit<Condition>(no === null ? is : { kind: 'not', of: is }, end)]
    }),
    ...(no === null ? quantities(text, to, null) : []),
  ]
}

function speakers(text: Text, at: number): readonly Hit<Speaker>[] {
  return remember(text, 'speakers', at, () => [...counts(text, at), ...then(refs(text, at), (ref, to) => [hit(speakerOf(ref), to)])])
}

/** "the number of recipients": an attribute of that name, or "recipients" counted. */
function counts(text: Text, at: number): readonly Hit<Speaker>[] {
  const to = eat(text, at, 'the number of')
  if (to === null) return []
  return then(heads(text, maybe(text, to, 'its', 'their', 'the')), (words, end) =>
    [words, ['number', 'of', ...words]].map(
      (name) => hit<Speaker>(
        { ref: { kind: 'noun', noun: { words: name, quoted: null, other: false, modifiers: [] } }, operand: { words: name, of: null } },
        end,
      ),
    ),
  )
}

function speakerOf(ref: Ref): Speaker {
  if (ref.kind !== 'noun') return { ref, operand: { words: [], of: ref } }
  return { ref, operand: operandOf(ref.noun) ?? { words: [], of: ref } }
}

/** A noun as an attribute: "the amount", "the amount of the payment", "their limit"; null when it is narrowed in another way. */
function operandOf({ words, quoted, other, modifiers }: Noun): { words: readonly string[]; of: Ref | null } | null {
  if (quoted !== null || other || modifiers.length > 1 || words.length === 0) return null
  const modifier = modifiers[0]
  if (modifier === undefined) return { words, of: null }
  if (modifier.kind === 'own') return { words, of: { kind: modifier.isIts === true ? 'it' : modifier.isSaid ? 'subject' : 'they' } }
  return modifier.kind === 'of' && ['of', 'for', 'in', 'on'].includes(modifier.preposition) ? {
    words,
    of: { kind: 'noun', noun: modifier.noun },
  } : null
}

/** What is said of someone: "is sealed", "has given consent and is not archived", "treat the patient", "exceeds 500". */
export function predicates(text: Text, at: number, speaker: Speaker): readonly Hit<Condition>[] {
  return remember(text, `predicates:${JSON.stringify(speaker)}`, at, () =>
    then(predicate(text, at, speaker), (first, to) => {
      const found = [hit(first, to)]
      for (const [kind, words] of [['all', ['and', 'but', ', and']], ['any', ['or', ', or']]] as const) {
        const next = eatAny(text, to, words)
        if (next === null) continue
        for (const { value, to: end } of predicates(text, next, speaker)) found.push(
          ...groups(first, kind, value).map((condition) => hit(condition, end))
        )
      }
      return found
    }),
  )
}

const BE = ['is', 'are', 'was', 'were', 'has been', 'have been', 'had been']
const BE_NOT = [
  'is not',
  'are not',
  'was not',
  'were not',
  'has not been',
  'have not been',
  'is never',
  'are never',
  'has never been',
  'have never been',
]

function predicate(text: Text, at: number, speaker: Speaker): readonly Hit<Condition>[] {
  const be = eatAny(text, at, [...BE, ...BE_NOT])
  return [
    ...(be === null ? [] : complements(text, eatAny(text, at, BE_NOT) ?? be, speaker, eatAny(text, at, BE_NOT) !== null)),
    ...having(text, at, speaker),
    ...acting(text, at, speaker),
  ]
}

/** "has given consent", "has at least 1 point", "has not approved it", "has no owner". */
function having(text: Text, at: number, speaker: Speaker): readonly Hit<Condition>[] {
  const not = eatAny(text, at, ['has not', 'have not', 'had not', 'does not have', 'do not have', 'has no', 'have no'])
  const to = not ?? eatAny(text, at, ['has', 'have', 'had'])
  if (to === null || lowerAt(text, to) === 'been') return []
  const isDone = not === null || !['no', 'have'].includes(lowerAt(text, to - 1)) || lowerAt(text, to - 2) !== 'not'
  const negate = (condition: Condition): Condition => (not === null ? condition : { kind: 'not', of: condition })
  return [
    ...quantities(text, to, speaker.ref).map(({ value, to: end }) => hit(not === null ? value : negation(value), end)),
    ...stateOf(text, to, speaker).map(({ value, to: end }) => hit(negate(value), end)),
    ...(isDone ? relating(text, to, speaker).map(({ value, to: end }) => hit(negate(value), end)) : []),
  ]
}

/** Words that say a state: "given consent", "approved". */
function stateOf(text: Text, at: number, speaker: Speaker): readonly Hit<Condition>[] {
  return then(spoken(text, at, POSSESSIVES), (words, to) => [is(speaker, words)].map((condition) => hit(condition, to)))
}

function is({ ref, of }: Speaker, words: readonly string[]): Condition {
  return { kind: 'is', of: ref, words: of === undefined ? words : [...of, ...words] }
}

const POSSESSIVES = ['their', 'its', 'his', 'her']

/**
 * Content words with prepositions and articles among them: "approved by a human", "given their consent", "in production".
 *
 * @param before What may stand before them beside an article: "is its driver" is no state of anyone.
 */
function spoken(text: Text, at: number, before: readonly string[] = []): readonly Hit<readonly string[]>[] {
  return remember(text, `spoken:${before.length}`, at, () =>
    then(heads(text, maybe(text, at, 'a', 'an', 'the', ...before)), (words, to) => {
      const preposition = lowerAt(text, to)
      const isJoined = ['by', 'in', 'on', 'of', 'for', 'to', 'from', 'with', 'at', 'as', 'under'].includes(preposition)
      const article = ['a', 'an', 'the', 'their', 'its'].includes(preposition) && /(?:ed|en)$/i.test(words[words.length - 1] as string)
      return [
        hit(words, to),
        ...(isJoined ? then(spoken(text, reach(text, to + 1), POSSESSIVES), (others, end) => [hit([...words, preposition, ...others], end)]) : []),
        ...(article ? then(spoken(text, to, POSSESSIVES), (others, end) => [hit([...words, ...others], end)]) : []),
      ]
    }),
  )
}

/** "do not own it", "does not exceed 500", "treats the patient", "belongs to them", "consents". */
function acting(text: Text, at: number, speaker: Speaker): readonly Hit<Condition>[] {
  const not = eatAny(text, at, ['do not', 'does not', 'did not', 'never'])
  const to = not ?? at
  const exceeds = eatAny(text, to, ['exceeds', 'exceed', 'exceeded'])
  const equals = eatAny(text, to, ['equals', 'equal', 'matches', 'match'])
  const compared = [
    ...(exceeds === null ? [] : values(text, exceeds).map(({ value, to: end }) => hit(compare(speaker.operand, '>', [value]), end))),
    ...(equals === null ? [] : values(text, equals).map(({ value, to: end }) => hit(compare(speaker.operand, '==', [value]), end))),
  ]
  const related = eatAny(text, to, ['exceeds', 'exceed', 'equals', 'equal']) === null ? relating(text, to, speaker) : []
  return [
    ...compared.map(({ value, to: end }) => hit(not === null ? value : negation(value), end)),
    ...related.map(({ value, to: end }) => hit(not === null ? value : ({ kind: 'not', of: value } as Condition), end)),
  ]
}

/** A verb with what it relates to; "they own or manage the document" too. Without an object it is a state: "a human approved". */
function relating(text: Text, at: number, speaker: Speaker): readonly Hit<Condition>[] {
  if (speaker.of !== undefined) return []
  return then(relationVerb(text, at), (verb, to) => {
    const or = eat(text, to, 'or')
    const verbs = [hit([verb], to), ...(or === null ? [] : then(relationVerb(text, or), (second, end) => [hit([verb, second], end)]))]
    const withObject = then(verbs, (all, end) =>
      then(refs(text, end), (object, last) => {
        const parts = all.map((one): Condition => ({ kind: 'relates', subject: speaker.ref, verb: one, object }))
        return [hit<Condition>(parts.length === 1 ? (parts[0] as Condition) : { kind: 'any', parts }, last)]
      }),
    )
    return verb.length > 1 || verb[0] === 'own' ? withObject : [...withObject, hit(is(speaker, verb), to)]
  })
}

/** What stands behind "is": one or several, each with its own "not" or all under one. */
function complements(text: Text, at: number, speaker: Speaker, isNegated: boolean): readonly Hit<Condition>[] {
  const neither = eat(text, at, 'neither')
  if (neither !== null) {
    return then(complement(text, neither, speaker), (first, to) => {
      const nor = eat(text, to, 'nor')
      return nor === null || isNegated ? [] : then(
        complement(text, nor, speaker),
        (second, end) => [hit<Condition>({ kind: 'all', parts: [negation(first), negation(second)] }, end)],
      )
    })
  }
  const start = maybe(text, at, 'either', 'both')
  return remember(text, `complements:${isNegated}:${JSON.stringify(speaker)}`, start, () =>
    then(complement(text, start, speaker), (first, to) => {
      const signed = isNegated ? negation(first) : first
      const found = [hit(signed, to)]
      for (const [kind, words] of [['all', ['and', ', and', 'but', 'and also']], ['any', ['or', ', or']]] as const) {
        const next = eatAny(text, to, words)
        if (next === null) continue
        const not = eat(text, next, 'not')
        // "not a or b": nothing of both, or b after all. Both are tried.
        for (const { value, to: end } of complements(text, not ?? next, speaker, not !== null)) {
          found.push(...groups(signed, kind, value).map((condition) => hit(condition, end)))
          if (isNegated && not === null) found.push(...groups(first, kind, value).map((condition) => hit(negation(condition), end)))
        }
      }
      const comma = eat(text, to, ',')
      if (comma !== null && !isNegated) {
        for (const { value, to: end } of complements(text, comma, speaker, false)) {
          if (value.kind === 'all' || value.kind === 'any') found.push(
            hit<Condition>({ kind: value.kind, parts: [first, ...value.parts] }, end),
          )
        }
      }
      return found
    }),
  )
}

const WITHIN = ['in', 'of', 'from', 'at', 'on', 'inside', 'within']

function complement(text: Text, at: number, speaker: Speaker): readonly Hit<Condition>[] {
  const { ref, operand, of } = speaker
  const preposition = lowerAt(text, at)
  const isPlace = WITHIN.includes(preposition)
  const found: Hit<Condition>[] = []
  found.push(...comparisons(text, at).map(({ value, to }) => hit(value(operand), to)))
  found.push(...oneOf(text, at, speaker))
  const token = text.tokens[at]
  if (token?.kind === 'quoted') found.push(
    hit(compare(operand, '==', [{ kind: 'text', value: token.text, quoted: true }]), reach(text, at + 1)),
  )
  // "is open", of a status; a name may stand without quotation marks when it is written as one.
  if (of !== undefined) found.push(...then(namedValues(text, at), (value, to) => [hit(compare(operand, '==', [value]), to)]))
  else found.push(...capitals(text, at).map(({ value, to }) => hit(compare(operand, '==', [value]), to)))
  found.push(...then(spoken(text, at), (words, to) => [hit(is(speaker, words), to)]))
  // "on duty", "in production", "under age".
  if (isPlace || ['under', 'over', 'off'].includes(preposition)) found.push(
    ...then(states(text, at + 1), (words, to) => [hit(is(speaker, [preposition, ...words]), to)])
  )
  // "whose location is their site", "whose supervisor is the handler": two values.
  if (of !== undefined && ['their', 'his', 'her', 'the'].includes(preposition)) found.push(
    ...values(text, at).map(({ value, to }) => hit(compare(operand, '==', [value]), to))
  )
  if (of !== undefined) return found
  if (isPlace) {
    const to = reach(text, at + 1)
    found.push(...then(sames(text, to), ({ words, as }, end) => [hit<Condition>({ kind: 'same', of: ref, words, as }, end)]))
    found.push(...then(nounPhrases(text, to, 'condition'), (one, end) => [hit<Condition>({ kind: 'within', of: ref, noun: one }, end)]))
  }
  const outside = eatAny(text, at, ['outside', 'outside of'])
  if (outside !== null) found.push(
    ...then(
      nounPhrases(text, outside, 'condition'),
      (one, end) => [hit<Condition>({ kind: 'not', of: { kind: 'within', of: ref, noun: one } }, end)],
    )
  )
  const isArticle = ['a', 'an', 'the', 'their', 'his', 'her', 'its', 'any', 'another'].includes(preposition)
  const isMember = ['member', 'members', 'owner', 'owners'].includes(preposition)
  const isOwn = token?.kind === 'word' && token.lower === 'own'
  if (isArticle || isMember || isOwn || text.tokens.slice(at, at + 4).some((one) => one.kind === 'possessive')) {
    found.push(...then(nounPhrases(text, at, 'condition'), (one, to) => [hit<Condition>({ kind: 'isa', of: ref, noun: one }, to)]))
  }
  // "is theirs" is "is their own".
  const theirs = eatAny(text, at, ['theirs', 'hers'])
  if (theirs !== null) found.push(hit<Condition>({ kind: 'isa', of: ref, noun: noun([], { modifiers: [{ kind: 'own', isSaid: true }] }) }, theirs))
  const marked = eatAny(text, at, MARKED)
  if (marked !== null) found.push(...then(heads(text, marked), (words, to) => [hit(is(speaker, words), to)]))
  found.push(...participles(text, at, ref))
  return found
}

/** "one of a, b and c". */
function oneOf(text: Text, at: number, speaker: Speaker): readonly Hit<Condition>[] {
  const to = eatAny(text, at, ['one of', 'any of', 'either of'])
  if (to === null) return []
  return then(valueList(text, to), (list, end) => [hit(compare(speaker.operand, '==', list), end)])
}

function valueList(text: Text, at: number): readonly Hit<readonly Operand[]>[] {
  return then(namedValues(text, at), (first, to) => {
    const next = eatAny(text, to, ['or', 'and', ', or', ', and', ','])
    return [hit([first], to), ...(next === null ? [] : then(valueList(text, next), (rest, end) => [hit([first, ...rest], end)]))]
  })
}

/** A value as words that the schema has, a name with a capital, or a text in quotation marks. */
function namedValues(text: Text, at: number): readonly Hit<Operand>[] {
  const token = text.tokens[at]
  if (token?.kind === 'quoted') return [hit<Operand>({ kind: 'text', value: token.text, quoted: true }, reach(text, at + 1))]
  return [
    ...then(heads(text, at), (words, to) => [hit<Operand>({ kind: 'text', value: words.join(' '), quoted: false }, to)]),
    ...capitals(text, at),
  ]
}

/** `EU`, `France`: a name that no schema lists is a value as it is written. */
function capitals(text: Text, at: number): readonly Hit<Operand>[] {
  const token = text.tokens[at]
  if (token?.kind !== 'word' || at === 0 || !/^\p{Lu}/u.test(token.text) || FUNCTION_WORDS.has(token.lower) || contentAt(text, at) !== null) return []
  return [hit<Operand>({ kind: 'text', value: token.text, quoted: false }, reach(text, at + 1))]
}

const BEFORE: readonly (readonly [Operator, readonly string[]])[] = [
  [
    '<=',
    [
      'at most',
      'no more than',
      'not more than',
      'up to',
      'a maximum of',
      'no greater than',
      'not greater than',
      'no higher than',
      'not higher than',
      'no larger than',
      'not above',
      'not over',
      'less than or equal to',
      'at or below',
    ],
  ],
  [
    '>=',
    [
      'at least',
      'no less than',
      'not less than',
      'no fewer than',
      'not fewer than',
      'a minimum of',
      'no lower than',
      'not below',
      'not under',
      'greater than or equal to',
      'more than or equal to',
      'at or above',
    ],
  ],
  ['<', ['below', 'under', 'less than', 'fewer than', 'lower than', 'smaller than']],
  ['>', ['over', 'above', 'more than', 'greater than', 'higher than', 'larger than', 'exceeding', 'in excess of', 'beyond']],
  ['==', ['equal to', 'exactly', 'the same as']],
  ['!=', ['different from', 'not equal to']],
]

const AFTER: readonly (readonly [Operator, readonly string[]])[] = [
  ['>=', ['or more', 'or above', 'or higher', 'or greater', 'or over']],
  ['<=', ['or less', 'or fewer', 'or lower', 'or below', 'or under']],
]

/** What compares: "at most 500", "between 1 and 9", "5 or more", and a plain number where `isPlain`. */
export function comparisons(text: Text, at: number, isPlain = true): readonly Hit<(left: Operand | { words: readonly string[]; of: Ref | null }) => Condition>[] {
  type Compare = (left: Operand | { words: readonly string[]; of: Ref | null }) => Condition
  const found: Hit<Compare>[] = []
  for (const [operator, phrases] of BEFORE) {
    const to = eatAny(text, at, phrases)
    if (to === null) continue
    // "no more than" is not "more than" with something before it; the longest phrase here is the one that counts.
    if (BEFORE.some(([other, list]) => other !== operator && (eatAny(text, at, list) ?? -1) > to)) continue
    found.push(...values(text, to).map(({ value, to: end }) => hit<Compare>((left) => compare(left, operator, [value]), end)))
  }
  const between = eat(text, at, 'between')
  if (between !== null) {
    found.push(
      ...then(values(text, between), (low, to) => {
        const and = eat(text, to, 'and')
        return and === null ? [] : then(values(text, and), (high, end) => [hit<Compare>((left) => range(left, low, high), end)])
      }),
    )
  }
  for (const { value, to } of numbers(text, at)) {
    const after = AFTER.flatMap(([operator, phrases]) => {
      const end = eatAny(text, to, phrases)
      return end === null ? [] : [hit<Compare>((left) => compare(left, operator, [value]), end)]
    })
    found.push(...after)
    if (isPlain && after.length === 0) found.push(hit<Compare>((left) => compare(left, '==', [value]), to))
  }
  return found
}

function values(text: Text, at: number): readonly Hit<Operand>[] {
  return [...numbers(text, at), ...then(refs(text, at), (ref, to) => {
    const operand = ref.kind === 'noun' ? operandOf(ref.noun) : null
    return operand === null ? [] : [hit<Operand>({ kind: 'attribute', ...operand }, to)]
  })]
}

/** `500`, `EUR 500`, `500 euros`, `$500`. */
function numbers(text: Text, at: number): readonly Hit<Operand>[] {
  const before = /^[A-Z]{3}$/.exec(text.tokens[at]?.text ?? '')?.[0]
  const start = before !== undefined && numberAt(text, at + 1) !== null ? at + 1 : at
  const number = numberAt(text, start)
  if (number === null) return []
  const to = reach(text, start + 1)
  const unit = start > at ? (before as string) : number.unit
  const plain = hit<Operand>({ kind: 'number', digits: number.digits, unit }, to)
  const after = text.tokens[to]
  const isUnit = after?.kind === 'word' && unit === null && !FUNCTION_WORDS.has(after.lower)
  return isUnit ? [plain, hit<Operand>({ kind: 'number', digits: number.digits, unit: after.text }, reach(text, to + 1))] : [plain]
}

function compare(left: Operand | { words: readonly string[]; of: Ref | null }, operator: Operator, list: readonly Operand[]): Condition {
  return { kind: 'compare', left: 'kind' in left ? left : { kind: 'attribute', ...left }, operator, values: list }
}

/** Both ends have the very same left side, which tells it from two comparisons that the text joins. */
function range(left: Operand | { words: readonly string[]; of: Ref | null }, low: Operand, high: Operand): Condition {
  const one: Operand = 'kind' in left ? left : { kind: 'attribute', ...left }
  return { kind: 'all', parts: [compare(one, '>=', [low]), compare(one, '<=', [high])] }
}

const OPPOSITE: { readonly [operator in Operator]: Operator } = { '<': '>=', '<=': '>', '>': '<=', '>=': '<', '==': '!=', '!=': '==' }

/** "not more than 500" is "at most 500", which an absent amount is not either. */
export function negation(condition: Condition): Condition {
  if (condition.kind === 'compare' && (condition.values.length === 1 || condition.operator === '==')) return { ...condition, operator: OPPOSITE[condition.operator] }
  return condition.kind === 'not' ? condition.of : { kind: 'not', of: condition }
}

/** What a bare word behind "if" or "unless" says of the whole request: "unless approved", "in an emergency", "with consent". */
export function bare(text: Text, at: number): readonly Hit<Condition>[] {
  const not = eat(text, at, 'not')
  const preposition = ['in', 'on', 'under', 'during', 'via', 'off'].includes(lowerAt(text, not ?? at)) ? lowerAt(text, not ?? at) : null
  // "if the manager" breaks off.
  if (preposition === null && contentAt(text, not ?? at) === null) return []
  return then(states(text, (not ?? at) + (preposition === null ? 0 : 1)), (words, to) => {
    const condition: Condition = { kind: 'is', of: null, words: preposition === null ? words : [preposition, ...words] }
    return [hit<Condition>(not === null ? condition : { kind: 'not', of: condition }, to)]
  })
}
