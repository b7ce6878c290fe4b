import { Unclear } from './ground-phrases.ts'
import type { Lexicon } from './lexicon.ts'
import type { Deed, Modifier, Noun, Statement } from './statement.ts'

/**
 * A statement with "their own" spelled out where a noun is left out behind it: it is the nearest that was named. "Vehicles in depots
 * other than their own" are vehicles, except those in their own depots.
 *
 * @throws {Unclear} where two nouns can be meant.
 */
export function spelledOut(statement: Statement, lexicon: Lexicon, isPerson: (type: string) => boolean): Statement {
  const except = statement.except.flatMap((one) => (isElliptic(one) ? owned(one, statement.deeds) : [one]))
  return { ...statement, except }

  function owned(one: Noun, deeds: readonly Deed[]): readonly Noun[] {
    const objects = deeds.flatMap(({ object, tails }) => {
      // "push to repositories of orgs other than their own".
      const [first, ...more] = object.length > 0 ? [] : tails
      const things = first === undefined ? object : [first.noun]
      const behind = (first === undefined ? tails : more).map((tail): Modifier => ({ kind: 'of', ...tail }))
      return things.map((noun): Noun => ({ ...noun, modifiers: [...noun.modifiers, ...behind] }))
    })
    if (objects.length === 0) return [one]
    return objects.map((object) => {
      const nearest = path(object).at(-1) as Noun
      const isNested = nearest !== object
      const isAnyones = nearest.words.some((_, start) => lexicon.types(nearest.words.slice(start)).some(isPerson))
      if (isNested && (objects.length > 1 || isAnyones || nearest.modifiers.some(({ kind }) => kind === 'own' || kind === 'such'))) throw new Unclear(OPEN)
      if (nearest.modifiers.some((modifier) => modifier.kind === 'such' && hasNoun(modifier.condition))) throw new Unclear(OPEN)
      return within(object, one.modifiers)
    })
  }
}

const OPEN = '`their own` what is open: say of which it is'

export function isElliptic({ words, quoted, other, modifiers }: Noun): boolean {
  return words.length === 0 && quoted === null && !other && modifiers.length === 1 && modifiers.some((modifier) => modifier.kind === 'own' && modifier.isSaid)
}

/** The noun, and those that hang on it one in the other: the last is the nearest to what follows. */
function path(noun: Noun): readonly Noun[] {
  const last = noun.modifiers.at(-1)
  return last?.kind === 'of' ? [noun, ...path(last.noun)] : [noun]
}

function within(noun: Noun, own: readonly Modifier[]): Noun {
  const last = noun.modifiers.at(-1)
  if (last?.kind !== 'of') return { ...noun, modifiers: [...own, ...noun.modifiers] }
  return { ...noun, modifiers: [...noun.modifiers.slice(0, -1), { ...last, noun: within(last.noun, own) }] }
}

function hasNoun(part: unknown): boolean {
  if (Array.isArray(part)) return part.some(hasNoun)
  if (typeof part !== 'object' || part === null) return false
  return ('words' in part && 'modifiers' in part) || Object.values(part).some(hasNoun)
}

/** Whether "a depot that is not their own" is taken of something further away than the depot. */
export function isFarFetched(part: unknown): boolean {
  if (Array.isArray(part)) return part.some(isFarFetched)
  if (typeof part !== 'object' || part === null) return false
  if ('modifiers' in part && 'words' in part) {
    const { modifiers } = part as Noun
    const nested = modifiers.findIndex(({ kind }) => kind === 'of')
    if (nested >= 0 && modifiers.slice(nested).some((modifier) => modifier.kind === 'such' && saysOwn(modifier.condition))) return true
  }
  return Object.values(part).some(isFarFetched)
}

function saysOwn(part: unknown): boolean {
  if (Array.isArray(part)) return part.some(saysOwn)
  if (typeof part !== 'object' || part === null) return false
  const isOwn = 'kind' in part && part.kind === 'isa' && 'of' in part && (part.of as { kind: string }).kind === 'this' && 'noun' in part && isElliptic(part.noun as Noun)
  return isOwn || Object.values(part).some(saysOwn)
}
