import { noun, type Condition, type Deed, type Noun } from '#core/unit/statement.ts'
import type { Scope } from './shallow-parse-phrases.ts'

/** A predicate with what stands around it. */
type Ruled = { readonly deeds: readonly Deed[]; readonly when: Condition | null; readonly unless: Condition | null }

/**
 * Takes a predicate apart as most people mean it, or in another way that its form leaves open: what "they" are, whether a condition belongs to
 * the last alternative alone, and whether an exception is that of the rule or lifts its condition.
 */
export function otherwise(deeds: readonly Deed[], { when, unless, isPermit, isOnly, isApart }: Omit<Ruled, 'deeds'> & { readonly isPermit: boolean; readonly isOnly: boolean; readonly isApart: boolean }, scope: Scope): Ruled {
  const said = { deeds, when, unless }
  const people = saysThey(when) || saysThey(unless) ? ownersIn(deeds) : []
  const who = people.length === 0 ? 0 : scope.other(people.length + 1)
  if (who > 0) {
    const meant = people[who - 1] as Noun
    return { deeds, when: when && meaning(when, meant), unless: unless && meaning(unless, meant) }
  }
  if (isApart || when === null) return said
  if (unless !== null) return isPermit && scope.other(2) === 1 ? { deeds, when: { kind: 'any', parts: [when, unless] }, unless: null } : said
  const nearer = isOnly ? null : withLast(deeds, when)
  return nearer !== null && scope.other(2) === 1 ? { deeds: nearer, when: null, unless } : said
}

/** Whether something is said of them: what they are, or how much of it they have. What they own or treat is another's as well. */
function saysThey(condition: Condition | null): boolean {
  switch (condition?.kind) {
    case 'all':
    case 'any': return condition.parts.some(saysThey)
    case 'not': return saysThey(condition.of)
    case 'is': return condition.of?.kind === 'they'
    case 'compare': return condition.left.kind === 'attribute' && condition.left.of?.kind === 'they'
    default: return false
  }
}

function meaning(condition: Condition, who: Noun): Condition {
  const named = { kind: 'noun', noun: who } as const
  if (!saysThey(condition)) return condition
  if (condition.kind === 'all' || condition.kind === 'any') return { ...condition, parts: condition.parts.map((part) => meaning(part, who)) }
  if (condition.kind === 'not') return { ...condition, of: meaning(condition.of, who) }
  if (condition.kind === 'is') return { ...condition, of: named }
  return condition.kind === 'compare' && condition.left.kind === 'attribute' ? { ...condition, left: { ...condition.left, of: named } } : condition
}

/** "payslips of their manager", "charts of patients": the manager and the patients, once each. */
function ownersIn(deeds: readonly Deed[]): readonly Noun[] {
  const found: Noun[] = []
  const look = ({ modifiers }: Noun): void => {
    for (const modifier of modifiers) {
      if (modifier.kind !== 'of') continue
      const { words, quoted, other } = modifier.noun
      const isKnown = found.some((one) => one.words.join(' ') === words.join(' '))
      if (words.length > 0 && quoted === null && !other && !isKnown) found.push(noun(words, { isDefinite: true, modifiers: modifier.noun.modifiers.filter(({ kind }) => kind === 'own') }))
      look(modifier.noun)
    }
  }
  for (const { object } of deeds) object.forEach(look)
  return found
}

/** "that are private or archived if they own them": the condition with the last alternative; null where there are none at the end. */
function withLast(deeds: readonly Deed[], condition: Condition): readonly Deed[] | null {
  const ending = (one: Noun): Noun | null => {
    const clause = one.modifiers.at(-1)
    if (clause?.kind !== 'such' || clause.condition.kind !== 'any') return null
    const parts = [...clause.condition.parts]
    parts.push({ kind: 'all', parts: [parts.pop() as Condition, condition] })
    return { ...one, modifiers: [...one.modifiers.slice(0, -1), { kind: 'such', condition: { kind: 'any', parts } }] }
  }
  const changed: Deed[] = []
  for (const deed of deeds) {
    const [object, tails] = [[...deed.object], [...deed.tails]]
    const tail = tails.pop()
    const last = tail === undefined ? object.pop() : tail.noun
    const ended = last === undefined ? null : ending(last)
    if (ended === null) return null
    changed.push(tail === undefined ? { ...deed, object: [...object, ended] } : { ...deed, tails: [...tails, { ...tail, noun: ended }] })
  }
  return changed
}

/** "archived documents", "charts of their ward": the object is narrowed, and neither by a clause nor by "own", which would have the stress. */
export function isNarrowedByWords(deeds: readonly Deed[], scope: Scope): boolean {
  const objects = deeds.flatMap(({ object }) => object)
  const narrows = ({ words, quoted, modifiers }: Noun) => quoted !== null || modifiers.length > 0 || (words.length > 1 && scope.lexicon.types(words).length === 0)
  return deeds.every(({ tails }) => tails.length === 0) && objects.some(narrows) && !objects.some(hasStress)
}

function hasStress({ modifiers }: Noun): boolean {
  for (const modifier of modifiers) {
    if (modifier.kind === 'such' || (modifier.kind === 'own' && modifier.isSaid)) return true
    if (modifier.kind === 'of' && hasStress(modifier.noun)) return true
  }
  return false
}
