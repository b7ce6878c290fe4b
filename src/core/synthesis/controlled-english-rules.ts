import { noun, type Condition, type Deed, type Noun } from '#core/unit/statement.ts'
import { allOf, type Around, type Main, merged, NOTHING, ruled, trail, trails } from './controlled-english-around.ts'
import { deedLists, forceOf, type Modal, modals, tails, UNLAWFUL, verbLists, type Who, whos } from './controlled-english-deeds.ts'
import { acts } from './controlled-english-duties.ts'
import { nounLists } from './controlled-english-nouns.ts'
import { eat, eatAny, hit, type Hit, lowerAt, maybe, reach, type Text, then } from './controlled-english-tokens.ts'

/** "Nurses may read charts"; "nurses, unless they are on duty, must not …"; "under no circumstances may nurses …". */
export function actives(text: Text, at: number): readonly Hit<Main>[] {
  const never = eatAny(text, at, ['under no circumstances', 'in no case', 'at no time', 'never', 'on no account'])
  const inverted = never === null ? null : eatAny(text, never, ['may', 'can', 'must', 'shall', 'should'])
  return [
    ...(
      inverted === null
        ? []
        : then(
          whos(text, inverted),
          (who, to) => (
            who.kind === 'some'
              ? underModal(text, { ...who, isAll: false }, { force: 'forbid', isOnly: false, form: 'base' }, to)
              : []
          ),
        )
    ),
    ...then(whos(text, at), (who, to) =>
      then(between(text, to), (around, next) =>
        then(
          modals(text, next),
          (modal, verb) => then(underModal(text, who, modal, verb), (main, end) => merged(main, around).map((one) => hit(one, end))),
        ),
      ),
    ),
  ]
}

/** What a subject and a modal rule. */
export function underModal(text: Text, who: Who, modal: Modal, at: number): readonly Hit<Main>[] {
  const force = forceOf(text, who, modal)
  if (force === null || force === 'must') return []
  return then(deedLists(text, at, modal.form), ({ deeds, isOnly, isApart, isAll }, end) => {
    if (force === 'forbid' && isAll === true) text.effort.open ??= '`not … all` can mean none of them, or not every one: say `any …` for none, or which must not'
    if (modal.isOnly && isOnly) return []
    const isCondition = modal.isOnly || isOnly
    if (isCondition && (force !== 'permit' || who.kind === 'only')) return []
    const only = who.kind === 'only' ? 'subject' : isCondition ? 'condition' : null
    const found = ruled(text, end, { force, only, ...(only === 'condition' && modal.isOnly ? { isOnlyOfVerb: true } : {}), subject: who.nouns, exceptSubject: who.except, deeds }, isApart)
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


/** "Charts may be read by nurses", "Charts must not be exported". */
export function passives(text: Text, at: number): readonly Hit<Main>[] {
  return then(whos(text, at), (what, to) =>
    then(modals(text, maybe(text, to, ',')), (modal, be) => {
      const start = eat(text, be, 'be')
      if (start === null || what.except.length > 0 || what.kind === 'only') return []
      const force = forceOf(text, what, modal)
      if (force === null || force === 'must') return []
      return then(verbLists(text, start, 'participle'), (list, done) =>
        then(tails(text, done), (ends, behind) => {
          const deeds = list.map((verb): Deed => ({ verb, object: what.nouns, tails: ends }))
          return then(agents(text, behind), ({ who, isOnly, isApart }, end) => {
            const isSubjectOnly = who !== null && (isOnly || modal.isOnly)
            const isConditionOnly = modal.isOnly && !isOnly
            const theirs = (one: Noun) => ofThing(text, one, what.nouns)
            const subject = (who?.nouns ?? []).map(theirs)
            const exceptSubject = (who?.except ?? []).map(theirs)
            if (!subject.every((one) => one !== null) || !exceptSubject.every((one) => one !== null)) return []
            const by = { subject, exceptSubject }
            if (force === 'forbid' && (isSubjectOnly || isConditionOnly)) return []
            const found: Hit<Main>[] = []
            const hasTrail = then(trails(text, end), (_, last) => (last > end ? [hit(true, last)] : [])).length > 0
            if (isSubjectOnly) found.push(...ruled(text, end, { force, only: 'subject', ...by, deeds }))
            // "… except by staff if they are closed": the condition can be that of the exception.
            else if (!isConditionOnly) found.push(...ruled(text, end, { force, only: null, ...by, deeds }).filter(({ to: last }) => isApart !== true || last === end))
            // "may only be approved by managers if …": what "only" is about stays open.
            if (isConditionOnly && (who === null || hasTrail)) found.push(
              ...ruled(text, end, { force, only: 'condition', ...by, deeds }).filter(({ to: last }) => who === null || last > end)
            )
            return found
          })
        }),
      )
    }),
  )
}

/** "by their owner" is by the owner of what it is done to; null, with a hint, where that is several things or none. */
function ofThing(text: Text, one: Noun, things: readonly Noun[]): Noun | null {
  if (!one.modifiers.some(({ kind }) => kind === 'own')) return one
  const [thing, ...more] = things
  const start = thing?.words.findIndex((_, index) => text.lexicon.types(thing.words.slice(index)).length > 0) ?? -1
  if (thing === undefined || more.length > 0 || start < 0) {
    text.effort.hint ??= `whose \`${one.words.join(' ')}\` is meant is open: say of what`
    return null
  }
  const rest = one.modifiers.filter(({ kind }) => kind !== 'own')
  return { ...one, modifiers: [{ kind: 'of', preposition: 'of', noun: noun(thing.words.slice(start)) }, ...rest] }
}

/** Those who act. `isApart`: said as an exception alone. */
type Agents = { readonly who: Who | null; readonly isOnly: boolean; readonly isApart?: true }

function agents(text: Text, at: number): readonly Hit<Agents>[] {
  const only = eat(text, at, 'only by')
  const by = only ?? eat(text, at, 'by')
  if (by === null) return [hit({ who: null, isOnly: false }, at), ...exceptBy(text, at)]
  return then(whos(text, by), (who, to) => {
    if (who.kind !== 'some') return []
    const more = eatAny(text, to, ['and by', 'or by', ', and by'])
    return [
      hit({ who, isOnly: only !== null }, to),
      ...(
        more === null
          ? []
          : then(
            nounLists(text, more, 'subject'),
            (nouns, end) => [hit({ who: { ...who, nouns: [...who.nouns, ...nouns] }, isOnly: only !== null }, end)],
          )
      ),
    ]
  })
}

/** "Must not be opened except by senior staff": by anyone but them. */
function exceptBy(text: Text, at: number): readonly Hit<Agents>[] {
  const by = eatAny(text, maybe(text, at, ','), ['except by', 'unless by', 'other than by'])
  if (by === null) return []
  return then(nounLists(text, by, 'subject'), (except, to) => [hit({ who: { nouns: [], except, kind: 'some', isAll: false }, isOnly: false, isApart: true }, to)])
}

/** "It is forbidden [for nurses] to export charts". */
export function impersonals(text: Text, at: number): readonly Hit<Main>[] {
  const is = eat(text, at, 'it is')
  if (is === null) return []
  return then(verdicts(text, is), ({ force, isOnly }, to) =>
    then(audiences(text, to), (subject, end) => {
      const start = eat(text, end, 'to')
      return start === null ? [] : then(deedLists(text, start, 'base'), ({ deeds, isOnly: isNarrow, isApart }, last) =>
        isNarrow && force === 'forbid' ? [] : ruled(
          text,
          last,
          { force, only: isOnly || isNarrow ? 'condition' : null, subject, deeds },
          isApart,
        ),
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
    return [
      hit({ force: not === null ? 'permit' : 'forbid', isOnly: only !== null }, to),
      ...(later === null ? [] : [hit({ force: 'permit' as const, isOnly: true }, later)]),
    ]
  }
  return UNLAWFUL.includes(lowerAt(text, word)) && not === null && only === null ? [hit({ force: 'forbid', isOnly: false }, to)] : []
}

function audiences(text: Text, at: number): readonly Hit<readonly Noun[]>[] {
  const to = eat(text, at, 'for')
  return [hit<readonly Noun[]>([], at), ...(to === null ? [] : nounLists(text, to, 'subject'))]
}

/** "Exporting charts is forbidden", "Deletion of documents is not permitted". */
export function gerunds(text: Text, at: number): readonly Hit<Main>[] {
  return then(acts(text, at), ({ deeds, subject, when }, to) => {
    const be = eatAny(text, to, ['is', 'are'])
    if (be === null) return []
    const reserved = eatAny(text, be, ['reserved for', 'reserved to', 'restricted to', 'limited to'])
    if (reserved !== null && subject.length === 0) return then(
      nounLists(text, reserved, 'subject'),
      (nouns, last) => then(
        ruled(text, last, { force: 'permit', only: 'subject', subject: nouns, deeds }),
        (main, over) => [hit(under(main, when), over)],
      ),
    )
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

export function under(main: Main, when: Condition | null): Main {
  return when === null ? main : {
    statements: main.statements.map((one) => ({ ...one, when: allOf([when, ...(one.when === null ? [] : [one.when])]) })),
  }
}

/** "Tellers have access to accounts", "Nobody has access to sealed charts". */
export function accesses(text: Text, at: number): readonly Hit<Main>[] {
  return then(whos(text, at), (who, to) => {
    const no = eatAny(
      text,
      to,
      [
        'have no access to',
        'has no access to',
        'do not have access to',
        'does not have access to',
        'must not have access to',
        'may not have access to',
      ],
    )
    const only = eatAny(text, to, ['only have access to', 'have access only to', 'may only have access to', 'has access only to'])
    const yes = no ?? only ?? eatAny(
      text,
      to,
      [
        'have access to',
        'has access to',
        'may have access to',
        'can have access to',
        'are granted access to',
        'is granted access to',
        'are given access to',
      ],
    )
    if (yes === null) return []
    const force = forceOf(text, who, { force: no === null ? 'permit' : 'forbid', isOnly: only !== null, form: 'base' })
    if (force === null || force === 'must') return []
    return then(nounLists(text, yes, 'object'), (object, end) =>
      ruled(
        text,
        end,
        {
          force,
          only: who.kind === 'only' ? 'subject' : only === null ? null : 'condition',
          subject: who.nouns,
          exceptSubject: who.except,
          deeds: [{ verb: ['access'], object, tails: [] }],
        },
      ),
    )
  })
}
