import { all, any, CONTEXT, FALSE, PRINCIPAL, RESOURCE, TRUE, type Expression } from '#core/policy/expression.ts'
import type { Action, Annotations, Attribute, Environment, Schema, Type } from '#core/policy/schema.ts'
import { lexiconOf, phrasesOf, says, type Lexicon, type Phrase } from './lexicon.ts'
import { isAgent, isAkin, isForm, isProgressive, negated } from './morphology.ts'

/** Something that a phrase can stand for in one request environment: where it is found, of what type, and how it is called. */
export type Thing = {
  readonly at: Expression
  /** What must hold before `at` may be evaluated: `has` for every optional step. */
  readonly guards: readonly Expression[]
  readonly type: Type
  readonly names: readonly Phrase[]
  readonly annotations: Annotations
  /** For a reason: `the resource's patient`. */
  readonly label: string
}

/** One request environment, as things. */
export type World = {
  readonly schema: Schema
  readonly lexicon: Lexicon
  readonly environment: Environment
  readonly action: Action
  readonly principal: Thing
  readonly resource: Thing
  readonly context: Thing
}

/** Every request environment of a schema, in its order; made once for each schema, so that what is found in it is found once. */
export function worldsOf(schema: Schema): readonly World[] {
  const known = worlds.get(schema)
  if (known !== undefined) return known
  const made = schema.environments.map((environment) => worldOf(schema, environment))
  worlds.set(schema, made)
  return made
}
const worlds = new WeakMap<Schema, readonly World[]>()

function worldOf(schema: Schema, environment: Environment): World {
  const lexicon = lexiconOf(schema)
  const action = schema.actions.get(environment.action) as Action
  const entity = (at: Expression, name: string, label: string): Thing => ({
    at, guards: [], type: { kind: 'entity', name }, names: lexicon.typePhrases(name), annotations: schema.entityTypes.get(name)?.annotations ?? {}, label,
  })
  return {
    schema,
    lexicon,
    environment,
    action,
    principal: entity(PRINCIPAL, environment.principal, 'the principal'),
    resource: entity(RESOURCE, environment.resource, 'the resource'),
    context: { at: CONTEXT, guards: [], type: action.context, names: [], annotations: {}, label: 'the context' },
  }
}

/** A test that is true only when every guard of the things holds too. */
export function guarded(things: readonly Thing[], test: Expression): Expression {
  return conjunction([...things.flatMap((thing) => thing.guards), test])
}

/** The attributes of a thing. */
export function attributesOf(thing: Thing, world: World): readonly Thing[] {
  const known = owned.get(thing)
  if (known !== undefined) return known
  const made = Object.entries(attributesOfType(thing.type, world.schema)).map(([name, attribute]) => step(thing, name, attribute))
  owned.set(thing, made)
  return made
}
const owned = new WeakMap<Thing, readonly Thing[]>()

function attributesOfType(type: Type, schema: Schema): { readonly [name: string]: Attribute } {
  if (type.kind === 'record') return type.attributes
  return type.kind === 'entity' ? (schema.entityTypes.get(type.name)?.shape.attributes ?? {}) : {}
}

function step(thing: Thing, name: string, attribute: Attribute): Thing {
  const has: Expression = { kind: 'has', of: thing.at, attribute: name }
  return {
    at: { kind: 'get', of: thing.at, attribute: name },
    guards: attribute.required ? thing.guards : [...thing.guards, has],
    type: attribute.type,
    names: phrasesOf(name, attribute.annotations),
    annotations: attribute.annotations,
    label: `${thing.label}'s \`${name}\``,
  }
}

/** Things with an owner's name in front ("patient consent") and how far they are from where the search began. */
export type Found = { readonly thing: Thing; readonly owners: readonly Phrase[]; readonly depth: number }

/** Everything within two steps of a thing: its attributes, those of nested records and of the entities it names. */
export function reach(thing: Thing, world: World): readonly Found[] {
  const known = reached.get(thing)
  if (known !== undefined) return known
  const found = search(thing, world)
  reached.set(thing, found)
  return found
}
const reached = new WeakMap<Thing, readonly Found[]>()

function search(thing: Thing, world: World): readonly Found[] {
  return attributesOf(thing, world).flatMap((first) => {
    const near: Found = { thing: first, owners: thing.names, depth: 1 }
    const isOpen = first.type.kind === 'record' || (first.type.kind === 'entity' && !isEnumerated(first.type, world.schema))
    if (!isOpen) return [near]
    const typeNames = first.type.kind === 'entity' ? world.lexicon.typePhrases(first.type.name) : []
    // A record's fields are as near as the record: it only groups them.
    const depth = first.type.kind === 'record' ? 1 : 2
    return [near, ...attributesOf(first, world).map((second): Found => ({ thing: second, owners: [...first.names, ...typeNames], depth }))]
  })
}

export function isEnumerated(type: Type, schema: Schema): boolean {
  return type.kind === 'entity' && (schema.entityTypes.get(type.name)?.ids ?? null) !== null
}

/** The found things that are nearest; several of equal distance are a question, unless they are the same place. */
export function nearest(found: readonly Found[]): readonly Thing[] {
  const depth = Math.min(...found.map((one) => one.depth))
  const things = found.filter((one) => one.depth === depth).map(({ thing }) => thing)
  const seen = new Set<string>()
  return things.filter((thing) => {
    const key = JSON.stringify(thing.at)
    return !seen.has(key) && seen.add(key)
  })
}

/** Things within reach that these words name: their own name, or an owner's name and theirs; at most so many steps away. */
export function named(words: Phrase, from: readonly Thing[], world: World, fits: (type: Type) => boolean, steps = 2): readonly Thing[] {
  const found = from.flatMap((thing) => reach(thing, world).filter((one) => one.depth <= steps && fits(one.thing.type)))
  return nearest(found.filter(({ thing, owners }) => thing.names.some((name) => says(words, name) || owners.some((owner) => says(words, [...owner, ...name])))))
}

/**
 * Things within reach of an entity type (or sets of it) that the words name, by attribute first, else by type. One further away that is
 * called so is no better than one nearby of that type: "doctors" of a record are its author, or its patient's `doctor`.
 */
export function linked(words: Phrase, from: readonly Thing[], world: World): readonly Thing[] {
  const isLink = (type: Type) => elementType(type) !== null
  const nearby = named(words, from, world, isLink, 1)
  if (nearby.length > 0) return nearby
  const types = world.lexicon.types(words)
  const found = from.flatMap((thing) => reach(thing, world).filter((one) => types.includes(elementType(one.thing.type) ?? '')))
  const far = named(words, from, world, isLink)
  return far.length > 0 ? [...far, ...nearest(found.filter(({ depth }) => depth === 1))] : nearest(found)
}

/** The entity type of a thing or of a set's members; null for what is neither. */
export function elementType(type: Type): string | null {
  if (type.kind === 'entity') return type.name
  return type.kind === 'set' && type.element.kind === 'entity' ? type.element.name : null
}

/** `a` is `b`, or the one is among the other, or they share a member; null when their types cannot meet. */
export function meets(a: Thing, b: Thing): Expression | null {
  // A thing is trivially itself, and no sentence says that.
  const test = JSON.stringify(a.at) === JSON.stringify(b.at) ? null : meeting(a, b)
  return test === null ? null : guarded([a, b], test)
}

function meeting(a: Thing, b: Thing): Expression | null {
  if (sameType(a.type, b.type)) {
    if (a.type.kind === 'set') return { kind: 'containsAny', left: a.at, right: b.at }
    return a.type.kind === 'record' ? null : { kind: 'eq', left: a.at, right: b.at }
  }
  if (a.type.kind === 'set' && sameType(a.type.element, b.type)) return { kind: 'contains', left: a.at, right: b.at }
  if (b.type.kind === 'set' && sameType(b.type.element, a.type)) return { kind: 'contains', left: b.at, right: a.at }
  return null
}

export function sameType(a: Type, b: Type): boolean {
  if (a.kind !== b.kind) return false
  if (a.kind === 'set' && b.kind === 'set') return sameType(a.element, b.element)
  if ((a.kind === 'entity' && b.kind === 'entity') || (a.kind === 'extension' && b.kind === 'extension')) return a.name === b.name
  return a.kind !== 'record'
}

/** Whether entities of a type can be in entities of another. */
export function canBeIn(type: Type, group: Type, schema: Schema): boolean {
  if (type.kind !== 'entity' || group.kind !== 'entity') return false
  return schema.entityTypes.get(type.name)?.ancestors.includes(group.name) ?? false
}

/** Words that say nothing beside the noun or participle they go with: "has given consent" is "consent". */
const LIGHT = new Set(
  'is are be been being was were has have had having give given gives giving grant granted obtain obtained provide provided exist exists present use used using enable enabled the a an that it currently'.split(' '),
)
const PREPOSITIONS = new Set('in on of at for by to with during under as'.split(' '))

/**
 * Whether words say a boolean's name: the same content words in any order and shape, light words aside. "approved by a human"
 * says `humanApproval`; "on duty" says `isOnDuty`; "off duty" does not.
 */
export function saysBoolean(words: Phrase, name: Phrase): boolean {
  const said = content(words)
  const meant = content(name)
  if (said.length === 0 || meant.length === 0) return says(words, name)
  if (said.length !== meant.length) return says(said, meant)
  const open = [...meant]
  for (const word of said) {
    const exact = open.findIndex((other) => isForm(word, other) && isProgressive(word) === isProgressive(other))
    const index = exact >= 0 ? exact : open.findIndex((other) => saysParticiple(word, other) && isProgressive(word) === isProgressive(other))
    if (index < 0) return false
    open.splice(index, 1)
  }
  return true
}

/** A participle and the noun of its verb say the same of a boolean: "approved", `approval`. "product" and `production` do not. */
function saysParticiple(a: string, b: string): boolean {
  const isParticiple = (word: string) => /(?:ed|en|wn)$/i.test(word)
  return isAkin(a, b) && isParticiple(a) !== isParticiple(b) && !isAgent(a) && !isAgent(b)
}

function content(words: Phrase): readonly string[] {
  const known = contents.get(words)
  if (known !== undefined) return known
  const made = bare(words)
  contents.set(words, made)
  return made
}
const contents = new WeakMap<Phrase, readonly string[]>()

function bare(words: Phrase): readonly string[] {
  const apart = words.flatMap((word) => word.split('-')).filter((word) => word !== '')
  const kept = apart.filter((word) => !LIGHT.has(word.toLowerCase()) && !PREPOSITIONS.has(word.toLowerCase()))
  return kept.length > 0 ? kept : apart
}

export function isBoolean(type: Type): boolean {
  return type.kind === 'bool'
}

/** Booleans within reach that the words say, and whether a prefix negates ("unsealed", "non-public"). */
export function booleans(words: Phrase, from: readonly Thing[], world: World, isFar: boolean): { readonly things: readonly Thing[]; readonly isNegated: boolean } {
  const found = from.flatMap((thing) => reach(thing, world).filter((one) => isBoolean(one.thing.type)))
  // A step away counts only when it is named ("patient consent"), or where the whole request is spoken about ("without consent").
  const search = (said: Phrase) =>
    nearest(
      found.filter(({ thing, owners, depth }) =>
        thing.names.some((name) => ((isFar || depth === 1) && saysBoolean(said, name)) || owners.some((owner) => saysBoolean(said, [...owner, ...name]))),
      ),
    )
  const things = search(words)
  if (things.length > 0) return { things, isNegated: false }
  const [first = '', ...rest] = words
  const positive = first.toLowerCase() === 'not' || first.toLowerCase() === 'non' ? rest : negated(first) === null ? null : [negated(first) as string, ...rest]
  return positive === null || positive.length === 0 ? { things: [], isNegated: false } : { things: search(positive), isNegated: true }
}

/** Enumerated attributes within reach that can have the value which the words say, with that test. */
export function enumerated(words: Phrase, from: readonly Thing[], world: World, isFar: boolean): readonly { readonly thing: Thing; readonly test: Expression }[] {
  const values = world.lexicon.values(words)
  const found = from.flatMap((thing) => reach(thing, world)).filter(({ depth }) => isFar || depth === 1)
  const fitting = found.filter(({ thing }) => values.some(({ type }) => elementType(thing.type) === type) || listed(thing, words) !== null)
  return nearest(fitting).map((thing) => {
    const value = values.find(({ type }) => elementType(thing.type) === type)
    const right: Expression = value === undefined ? { kind: 'string', value: listed(thing, words) as string } : { kind: 'entity', uid: value }
    return { thing, test: guarded([thing], thing.type.kind === 'set' ? { kind: 'contains', left: thing.at, right } : { kind: 'eq', left: thing.at, right }) }
  })
}

/** The value among those that a string attribute's `@values("draft, final")` lists. */
export function listed(thing: Thing, words: Phrase): string | null {
  const isText = thing.type.kind === 'string' || (thing.type.kind === 'set' && thing.type.element.kind === 'string')
  const values = (isText ? (thing.annotations['values'] ?? '') : '').split(',').map((value) => value.trim())
  return values.find((value) => value !== '' && says(words, value.toLowerCase().split(/[\s_-]+/))) ?? null
}

export function conjunction(parts: readonly Expression[]): Expression {
  const open = parts.filter((part) => !isTrue(part))
  if (open.some(isFalse)) return FALSE
  return all(distinct(open))
}

export function disjunction(parts: readonly Expression[]): Expression {
  const open = parts.filter((part) => !isFalse(part))
  if (open.some(isTrue)) return TRUE
  return any(distinct(open))
}

export function negation(of: Expression): Expression {
  if (isTrue(of)) return FALSE
  if (isFalse(of)) return TRUE
  return of.kind === 'not' ? of.of : { kind: 'not', of }
}

/**
 * Not that one, where there is one at all: "logs of other patients" have a patient. `of` is a test of two things, with what has to be
 * there for it.
 */
export function butNot(of: Expression): Expression {
  const parts = conjuncts(of)
  const guards = parts.filter(({ kind }) => kind === 'has')
  return guards.length === 0 || guards.length === parts.length ? negation(of) : conjunction([...guards, negation(conjunction(parts.filter(({ kind }) => kind !== 'has')))])
}

function conjuncts(of: Expression): readonly Expression[] {
  return of.kind === 'and' ? [...conjuncts(of.left), ...conjuncts(of.right)] : [of]
}

export function isTrue(expression: Expression): boolean {
  return expression.kind === 'bool' && expression.value
}

export function isFalse(expression: Expression): boolean {
  return expression.kind === 'bool' && !expression.value
}

function distinct(parts: readonly Expression[]): Expression[] {
  const seen = new Set<string>()
  return parts.filter((part) => {
    const key = JSON.stringify(part)
    return !seen.has(key) && seen.add(key)
  })
}
