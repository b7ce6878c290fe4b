import type { Attribute } from '#core/policy/schema.ts'
import { Unclear } from './ground-phrases.ts'
import { phrasesOf, says, type Lexicon, type Phrase } from './lexicon.ts'
import { identifierWords } from './morphology.ts'
import type { Deed, Modifier, Noun, Statement } from './statement.ts'

/**
 * A statement with every noun that is left out spelled out. Behind "their own" it is the nearest that was named: "vehicles in depots
 * other than their own" are vehicles, except those in their own depots.
 *
 * @throws {Unclear} where two nouns can be meant.
 */
export function spelledOut(statement: Statement, lexicon: Lexicon, isPerson: (type: string) => boolean): Statement {
  const except = statement.except.flatMap((one) => (isElliptic(one) ? owned(one, statement.deeds) : [one]))
  const spelled = (nouns: readonly Noun[]) => continued(nouns, lexicon)
  const deeds = statement.deeds.map((deed) => ({ ...deed, object: spelled(deed.object) }))
  return { ...statement, deeds, except: spelled(except), subject: spelled(statement.subject), exceptSubject: spelled(statement.exceptSubject) }

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

/**
 * "Employees in the EU or UK", which a reader can take for employees in the EU, or whoever is of the UK: what goes on with a value,
 * or an id, of the kind that stands before it, goes on with that.
 */
function continued(nouns: readonly Noun[], lexicon: Lexicon): readonly Noun[] {
  const found: Noun[] = []
  for (const one of nouns) {
    const before = found.at(-1)
    found.push((before === undefined || one.other || one.modifiers.length > 0 ? null : continuation(before, one, lexicon)) ?? one)
  }
  return found
}

function continuation(before: Noun, one: Noun, lexicon: Lexicon): Noun | null {
  const last = before.modifiers.at(-1)
  if (one.words.length === 0 && one.quoted !== null) {
    if (last?.kind === 'of' && last.noun.quoted !== null) return { ...before, modifiers: [...before.modifiers.slice(0, -1), { ...last, noun: { ...last.noun, quoted: one.quoted } }] }
    return before.quoted === null ? null : { ...before, quoted: one.quoted }
  }
  if (one.quoted !== null || last?.kind !== 'of' || lexicon.types(one.words).length > 0) return null
  const words = replaced(last.noun.words, one.words, enumerationsOf(lexicon))
  return words === null ? null : { ...before, modifiers: [...before.modifiers.slice(0, -1), { ...last, noun: { ...last.noun, words } }] }
}

/** Words with the value among them replaced by another of the same enumeration; null when there is none. */
function replaced(words: Phrase, value: Phrase, enumerations: readonly (readonly Phrase[])[]): Phrase | null {
  const has = (list: readonly Phrase[], part: Phrase) => part.length > 0 && list.some((one) => says(part, one))
  for (const list of enumerations.filter((one) => has(one, value))) {
    for (let start = 0; start < words.length; start++) {
      for (let end = words.length; end > start; end--) {
        if (has(list, words.slice(start, end))) return [...words.slice(0, start), ...value, ...words.slice(end)]
      }
    }
  }
  return null
}

/** The values of every enumerated type, and of every text of which the schema lists them. */
function enumerationsOf({ schema }: Lexicon): readonly (readonly Phrase[])[] {
  const known = enumerations.get(schema)
  if (known !== undefined) return known
  const records = [...[...schema.entityTypes.values()].map(({ shape }) => shape), ...[...schema.actions.values()].map(({ context }) => context)]
  const listed = records.flatMap(({ attributes }) => Object.values(attributes)).map(({ annotations }) => (annotations['values'] ?? '').split(','))
  const made = [...[...schema.entityTypes.values()].map(({ ids }) => ids ?? []), ...listed].map((list) => list.map(identifierWords).filter((words) => words.length > 0))
  enumerations.set(schema, made)
  return made
}
const enumerations = new WeakMap<object, readonly (readonly Phrase[])[]>()

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

/**
 * A statement with what can be said of the nearer of two nouns moved there: "comments on posts they authored" speaks of posts, "records
 * of patients in their ward" of patients, where records have no ward of their own. Null where nothing is said of the one further away.
 */
export function saidNearer(statement: Statement, lexicon: Lexicon): Statement | null {
  let isMoved = false
  const deeds = statement.deeds.map((deed) => {
    const [tail, ...tails] = deed.tails
    const [object, ...more] = deed.object
    const place: Modifier | null = tail === undefined ? null : { kind: 'of', ...tail }
    const hangs = object !== undefined && place !== null && more.length === 0 && object.modifiers.at(-1)?.kind === 'of' && isPlace(object, place)
    return hangs ? { ...deed, object: [nearer({ ...object, modifiers: [...object.modifiers, place] })], tails } : { ...deed, object: deed.object.map(nearer) }
  })
  return isMoved ? { ...statement, deeds } : null

  function nearer(noun: Noun): Noun {
    const at = noun.modifiers.findIndex(({ kind }) => kind === 'of')
    const of = noun.modifiers[at]
    const behind = noun.modifiers[at + 1]
    if (of?.kind !== 'of' || of.noun.quoted !== null) return noun
    if (behind === undefined || !(isClause(behind) || isPlace(noun, behind))) {
      const inner = nearer(of.noun)
      return inner === of.noun ? noun : { ...noun, modifiers: noun.modifiers.with(at, { ...of, noun: inner }) }
    }
    isMoved = true
    const inner = nearer({ ...of.noun, modifiers: [...of.noun.modifiers, behind] })
    return { ...noun, modifiers: [...noun.modifiers.slice(0, at), { ...of, noun: inner }, ...noun.modifiers.slice(at + 2)] }
  }

  /** "They own", "that they authored", "of which they are the author". */
  function isClause(modifier: Modifier): boolean {
    if (modifier.kind !== 'such') return false
    const { condition } = modifier
    if (condition.kind === 'isa') return condition.whose?.kind === 'this' && ['they', 'subject'].includes(condition.of.kind)
    return condition.kind === 'relates' && condition.object.kind === 'this' && ['they', 'subject'].includes(condition.subject.kind)
  }

  /** "In their ward", behind something that itself is in none. */
  function isPlace(noun: Noun, modifier: Modifier): boolean {
    if (modifier.kind !== 'of' || !modifier.noun.modifiers.some(({ kind }) => kind === 'own')) return false
    const kinds = noun.words.flatMap((_, start) => lexicon.types(noun.words.slice(start)))
    return kinds.length > 0 && !kinds.some((kind) => hasPlace(kind, modifier.noun.words, lexicon))
  }
}

function hasPlace(kind: string, words: Phrase, { schema, types }: Lexicon): boolean {
  const type = schema.entityTypes.get(kind)
  const places = types(words)
  const isOne = ([name, { type: of, annotations }]: [string, Attribute]) =>
    phrasesOf(name, annotations).some((phrase) => says(words, phrase)) || places.includes(of.kind === 'entity' ? of.name : of.kind === 'set' && of.element.kind === 'entity' ? of.element.name : '')
  return type !== undefined && (type.ancestors.some((one) => places.includes(one)) || Object.entries(type.shape.attributes).some(isOne))
}
