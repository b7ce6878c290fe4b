import { noun, type Condition, type Deed, type Noun, type Ref, type statement } from '#core/unit/statement.ts'
import { ruled, type Main } from './controlled-english-around.ts'
import { predicates } from './controlled-english-conditions.ts'
import { deedLists, tails, verbLists, whos } from './controlled-english-deeds.ts'
import { measures, quantities, states } from './controlled-english-modifiers.ts'
import { nounLists, nounPhrases } from './controlled-english-nouns.ts'
import { under } from './controlled-english-rules.ts'
import { contentAt, eat, eatAny, hit, type Hit, lowerAt, maybe, reach, remember, type Text, then } from './controlled-english-tokens.ts'
import { DUTY_VERBS } from './controlled-english-words.ts'

type Act = { readonly deeds: readonly Deed[]; readonly subject: readonly Noun[]; readonly when: Condition | null }

/** A deed as a thing: "exporting a chart", "every export of a chart", "transfers above 1,000", "chart exports by nurses". */
export function acts(text: Text, at: number): readonly Hit<Act>[] {
  return remember(text, 'acts', at, () => {
    const gerund = then(
      deedLists(text, maybe(text, at, 'the'), 'ing'),
      ({ deeds, isOnly }, to) => (isOnly ? [] : [hit<Act>({ deeds, subject: [], when: null }, to)]),
    )
    const start = maybe(text, at, 'every', 'each', 'all', 'any', 'the', 'a', 'an', 'all the')
    const named = then(nominals(text, start), ({ verb, object }, to) => {
      const of = eat(text, to, 'of')
      const by = (behind: number, things: readonly Noun[]): readonly Hit<Act>[] =>
        then(tails(text, behind), (ends, end) => {
          const agent = eat(text, end, 'by')
          const deeds = verb.map((one): Deed => ({ verb: one, object: things, tails: ends }))
          return [
            hit<Act>({ deeds, subject: [], when: null }, end),
            ...(
              agent === null
                ? []
                : then(nounLists(text, agent, 'subject'), (subject, last) => [hit<Act>({ deeds, subject, when: null }, last)])
            ),
          ]
        })
      return [
        ...by(to, object),
        ...(of === null || object.length > 0 ? [] : then(nounLists(text, of, 'object'), (things, end) => by(end, things))),
        ...then(
          measures(text, to),
          (when, end) => [hit<Act>({ deeds: verb.map((one) => ({ verb: one, object, tails: [] })), subject: [], when }, end)],
        ),
      ]
    })
    // "every access", "access to charts": any action on it.
    const access = eatAny(text, start, ['access', 'accesses'])
    const to = access === null ? null : eat(text, access, 'to')
    const accessing = (object: readonly Noun[]): Act => ({ deeds: [{ verb: ['access'], object, tails: [] }], subject: [], when: null })
    const accessed = access === null ? [] : [
      ...(start > at && to === null ? [hit(accessing([]), access)] : []),
      ...(to === null ? [] : then(nounLists(text, to, 'object'), (object, end) => [hit(accessing(object), end)])),
    ]
    return [...gerund, ...named, ...accessed]
  })
}

/** "export", "deletion", "chart exports"; "exports and deletions". */
function nominals(text: Text, at: number): readonly Hit<{ readonly verb: readonly (readonly string[])[]; readonly object: readonly Noun[] }>[] {
  return then(nominal(text, at), ({ verb, object }, to) => {
    const and = eatAny(text, to, ['and', 'or'])
    return [
      hit({ verb: [verb], object }, to),
      ...(
        and === null || object.length > 0
          ? []
          : then(
            nominal(text, maybe(text, and, 'every', 'each', 'all', 'any')),
            (second, end) => (second.object.length > 0 ? [] : [hit({ verb: [verb, second.verb], object }, end)]),
          )
      ),
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
    if (text.lexicon.isVerb(verb) && !/ing$/i.test(verb[0] as string)) found.push(
      hit({ verb, object: words.length === 0 ? [] : [noun(words)] }, reach(text, to + 1)),
    )
    words = [...words, ...content]
  }
  return found
}

/** "Every export must be logged", "Exports are logged", "Exports require consent". */
export function duties(text: Text, at: number): readonly Hit<Main>[] {
  return then(acts(text, at), (act, to) => {
    const must = eatAny(
      text,
      to,
      [
        'must be',
        'must always be',
        'shall be',
        'shall always be',
        'should be',
        'should always be',
        'has to be',
        'have to be',
        'needs to be',
        'need to be',
        'must also be',
        'are to be',
        'is to be',
      ],
    )
    // "the export is encrypted" tells of one export; "exports are encrypted" of what is done with each.
    const is = lowerAt(text, at) === 'the' ? null : eatAny(text, to, ['is', 'are', 'is always', 'are always', 'gets', 'get'])
    const require = eatAny(text, to, ['require', 'requires', 'need', 'needs', 'must have', 'presuppose', 'presupposes'])
    const make = (behind: number, parts: Parameters<typeof statement>[0]): readonly Hit<Main>[] =>
      then(ruled(text, behind, { ...parts, subject: act.subject, deeds: act.deeds }), (main, end) => [hit(under(main, act.when), end)])
    return [
      ...(
        must === null
          ? []
          : then(
            dutyLists(text, must),
            (list, end) => split(
              make,
              end,
              list,
              (words) => ({ force: 'require', requirement: { kind: 'is', of: null, words }, duty: words }),
            ),
          )
      ),
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
    return same.some((one) => one === undefined) ? [] : [
      hit({ statements: [main, ...(same as Hit<Main>[])].flatMap(({ value }) => value.statements) }, main.to),
    ]
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
export function whoevers(text: Text, at: number): readonly Hit<Main>[] {
  const whoever = eatAny(
    text,
    at,
    ['whoever', 'anyone who', 'anybody who', 'everyone who', 'everybody who', 'any person who', 'a person who', 'those who', 'all who'],
  )
  const anyone = whoever === null ? [] : (['s', 'base'] as const).flatMap((form) => deedLists(text, whoever, form)).map(
    ({ value, to }) => hit({ subject: [] as readonly Noun[], value }, to),
  )
  const named = then(nounLists(text, at, 'subject'), (subject, to) => {
    const who = eatAny(text, to, ['who', 'that', 'which'])
    return who === null ? [] : (['s', 'base'] as const).flatMap((form) => deedLists(text, who, form)).map(
      ({ value, to: end }) => hit({ subject, value }, end),
    )
  })
  return then([...anyone, ...named], ({ subject, value: { deeds, isOnly } }, to) => {
    const must = eatAny(
      text,
      maybe(text, to, ','),
      ['must', 'must always', 'shall', 'should', 'has to', 'have to', 'must also', 'is required to', 'are required to'],
    )
    if (must === null || isOnly) return []
    return then(
      orders(text, must),
      (list, end) => split(
        (behind, parts) => ruled(text, behind, { ...parts, subject, deeds }),
        end,
        list,
        (duty) => ({ force: 'oblige', duty }),
      ),
    )
  })
}

/** "When a chart is exported, it must be logged"; "whenever an agent deletes a file, the owner must be notified". */
export function occasions(text: Text, at: number): readonly Hit<Main>[] {
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
  const active = then(
    nounLists(text, start, 'subject'),
    (subject, to) => (['s', 'base'] as const).flatMap((form) => deedLists(text, to, form)).map(
      ({ value, to: end }) => hit<Act>({ deeds: value.deeds, subject, when: null }, end),
    ),
  )
  return then([...passive, ...active], (act, to) => {
    const comma = eat(text, to, ',')
    if (comma === null) return []
    const it = eatAny(text, comma, ['it', 'this', 'that'])
    const named = it !== null ? [hit<readonly string[] | null>(null, it)] : [
      ...then(
        nominal(text, maybe(text, comma, 'the', 'this', 'that', 'each', 'every')),
        ({ object }, end) => (object.length === 0 ? [hit<readonly string[] | null>(null, end)] : []),
      ),
      ...then(states(text, comma), (words, end) => [hit<readonly string[] | null>(words, end)]),
    ]
    return then(named, (whom, next) => {
      const must = eatAny(text, next, ['must be', 'must always be', 'shall be', 'should be', 'has to be', 'have to be', 'must also be'])
      if (must === null) return []
      return then(dutyLists(text, must), (list, end) => {
        const isNotice = list.every((words) => words.length === 1 && /^(?:notified|informed)$/i.test(words[0] as string))
        if (isNotice !== (whom !== null)) return []
        return split((behind, parts) => ruled(text, behind, { ...parts, subject: act.subject, deeds: act.deeds }), end, list, (words) =>
          whom !== null ? { force: 'oblige', duty: [...words, ...whom] } : {
            force: 'require',
            requirement: { kind: 'is', of: null, words },
            duty: words,
          },
        )
      })
    })
  })
}

/** "A human must approve every deployment": it is forbidden unless one has. */
export function approvals(text: Text, at: number): readonly Hit<Main>[] {
  return then(nounPhrases(text, at, 'subject'), (who, to) => {
    const must = eatAny(text, to, ['must', 'has to', 'have to', 'must first', 'needs to'])
    if (must === null || who.modifiers.length > 0 || who.quoted !== null || who.other || contentAt(text, must) === null) return []
    const verb = lowerAt(text, must)
    return then(acts(text, reach(text, must + 1)), (act, end) =>
      then(
        ruled(
          text,
          end,
          { force: 'require', subject: act.subject, deeds: act.deeds, requirement: { kind: 'is', of: null, words: [...who.words, verb] } },
        ),
        (main, last) => [hit(under(main, act.when), last)],
      ),
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
export function requirements(text: Text, at: number): readonly Hit<Main>[] {
  return then(whos(text, at), (who, to) => {
    if (who.kind !== 'some' || who.except.length > 0) return []
    const must = eatAny(text, to, ['must', 'shall', 'should', 'have to', 'has to', 'need to', 'needs to'])
    const need = eatAny(text, to, ['need', 'needs', 'require', 'requires', 'must have', 'should have'])
    const purpose = (end: number): number | null => eatAny(
      text,
      end,
      [
        'to',
        'in order to',
        'before they may',
        'before they can',
        'before they',
        'before it can',
        'before it may',
        'if they want to',
        'if they are to',
      ],
    )
    const active = (requirement: Condition, end: number): readonly Hit<Main>[] => {
      const start = purpose(end)
      return start === null ? [] : then(
        deedLists(text, start, 'base'),
        ({ deeds, isOnly, isApart }, last) => (
          isOnly
            ? []
            : ruled(text, last, { force: 'require', subject: who.nouns, deeds, requirement }, isApart)
        ),
      )
    }
    const passive = (requirement: Condition, end: number): readonly Hit<Main>[] => {
      const start = purpose(end)
      const be = start === null ? null : eat(text, start, 'be')
      return be === null ? [] : then(
        verbLists(text, be, 'participle'),
        (list, last) => ruled(
          text,
          last,
          { force: 'require', deeds: list.map((verb) => ({ verb, object: who.nouns, tails: [] })), requirement },
        ),
      )
    }
    const said = (ref: Ref): readonly Hit<Condition>[] => {
      if (must === null || !['be', 'have'].includes(lowerAt(text, must))) return []
      const finite = lowerAt(text, must) === 'be' ? 'are' : 'have'
      const tokens = text.tokens.map(
        (token, index) => (index === must ? { kind: 'word' as const, text: finite, lower: finite, words: [finite] } : token),
      )
      return predicates({ ...text, tokens, memo: new Map() }, must, { ref, operand: { words: [], of: ref } })
    }
    return [
      ...then(said({ kind: 'subject' }), active),
      ...then(said({ kind: 'it' }), passive),
      ...(
        need === null
          ? []
          : then(
            states(text, need),
            (words, end) => [...active({ kind: 'is', of: null, words }, end), ...passive({ kind: 'is', of: null, words }, end)],
          )
      ),
      ...(need === null ? [] : then(quantities(text, need, { kind: 'subject' }), active)),
    ]
  })
}
