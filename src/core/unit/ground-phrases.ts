import type { Expression } from '#core/policy/expression.ts'
import { FALSE, TRUE } from '#core/policy/expression.ts'
import { conditionTest } from './ground-conditions.ts'
import {
  attributesOf, booleans, butNot, canBeIn, conjunction, elementType, enumerated, guarded, isFalse, linked, meets, named, nearest, negation, reach, saysBoolean,
  type Thing, type World,
} from './ground-things.ts'
import { directed, isDirected, isPlaceOfOrigin } from './ground-directions.ts'
import { says, type Phrase } from './lexicon.ts'
import { isAkin, isForm, lemmas } from './morphology.ts'
import type { Atom, Modifier, Noun, Ref, Statement } from './statement.ts'

/** What is known while one statement is asked about one request environment. */
export type Scope = {
  readonly world: World
  readonly statement: Statement
  /** What `this` stands for, nearest first. */
  readonly here: readonly Thing[]
  readonly notes: Notes
}

/** What every part of a statement must have come to in at least one environment. Shared by all environments of a statement. */
export type Notes = {
  readonly open: Map<object, { readonly because: string; readonly depth: number }>
  readonly met: Set<object>
  /** Conditions that were asked, and whether each was true of all that it was asked of. */
  readonly vain: Map<Atom, boolean>
  /** Where a name was found that does not say whose it is, for each request environment that has it. */
  readonly found: Map<object, { readonly nearest: Side; readonly sides: readonly Side[] }[]>
  /** Where such a name is looked for, once that is settled for the whole statement. */
  readonly settled: ReadonlyMap<object, Side>
}

export type Side = 'context' | 'resource' | 'principal'

/**
 * Where to look for a name that does not say whose it is: everywhere, unless it would be one thing for some requests and another
 * for others ("without consent": the patient's whose chart it is, not of whoever exports it when that is a patient).
 */
export function everywhere(part: object, scope: Scope, seek: (from: readonly Thing[]) => readonly Thing[]): readonly Thing[] {
  const { world, notes } = scope
  const all: { readonly [side in Side]: Thing } = { context: world.context, resource: world.resource, principal: world.principal }
  const settled = notes.settled.get(part)
  if (settled !== undefined) return [all[settled]]
  const sides = (Object.keys(all) as Side[]).filter((side) => seek([all[side]]).length > 0)
  const [thing] = seek(Object.values(all))
  if (thing !== undefined) notes.found.set(part, [...(notes.found.get(part) ?? []), { nearest: rootOf(thing), sides }])
  return Object.values(all)
}

function rootOf({ at }: Thing): Side {
  let inner = at
  while ('of' in inner) inner = inner.of
  return inner.kind === 'var' ? (inner.name as Side) : 'context'
}

/** Which side each name is on that was found on several; null for one that no side has for every request, or both sides have. */
export function settle({ found }: Notes): ReadonlyMap<object, Side | null> {
  const settled = new Map<object, Side | null>()
  for (const [part, places] of found) {
    const isEverywhere = (side: Side) => places.every(({ sides }) => sides.includes(side))
    const nearest = new Set(places.map((place) => place.nearest))
    if (nearest.size > 1) settled.set(part, (['resource', 'context', 'principal'] as const).find(isEverywhere) ?? null)
    // "if consent is given", of a patient who acts or of the patient whose chart it is; "unless suspended" is of whoever acts.
    else if (nearest.has('principal') && isEverywhere('resource') && !isState(part)) settled.set(part, null)
  }
  return settled
}

/** Words that are said of someone, whom the sentence has named: "suspended", "on duty". A noun, such as "consent", is anybody's. */
function isState(part: object): boolean {
  const words = Array.isArray(part) ? (part as Phrase) : ((part as { words?: Phrase }).words ?? [])
  return /(?:ed|en|able|ible|ive|al|ic)$/i.test(words[words.length - 1] ?? '') || ['on', 'off', 'in', 'under'].includes((words[0] ?? '').toLowerCase())
}

/** Ends the reading of a statement: `because` is for the author. `ways`: how many things the words can be, 0 where not all of them are known. */
export class Unclear extends Error {
  readonly ways: number
  constructor(because: string, ways = 0) {
    super(because)
    this.ways = ways
  }
}

/** By what is said of words that can be several things, which of them is taken while a statement is read. */
let taken: ReadonlyMap<string, number> = new Map()

/** Reads with choices made; the reading itself is synchronous, so that nobody else reads with them. */
export function taking<T>(choices: ReadonlyMap<string, number>, read: () => T): T {
  const before = taken
  taken = choices
  try {
    return read()
  } finally {
    taken = before
  }
}

/** The one thing that words can be. @throws {Unclear} where they can be several, and none is taken. */
export function oneOf<T>(things: readonly T[], because: () => string): T | undefined {
  if (things.length < 2) return things[0]
  const said = because()
  const at = taken.get(said)
  if (at === undefined) throw new Unclear(said, things.length)
  return things[at]
}

/**
 * @param because Why the part says nothing in this environment; the reason when it never says anything in any.
 * @param depth How close it is to the words themselves; of several reasons the closest is given.
 */
export function want(part: object, because: string, { notes }: Scope, depth = 1): void {
  if (!notes.open.has(part)) notes.open.set(part, { because, depth })
}

export function meet(part: object, { notes }: Scope): void {
  notes.met.add(part)
}

/**
 * Whether a thing is what a noun phrase names: null when it is something else (another type), a test otherwise. Adjectives and
 * modifiers that a type cannot carry are false of it, as an absent attribute would be.
 */
export function nounTest(noun: Noun, thing: Thing, scope: Scope): Expression | null {
  want(noun, `\`${sayNoun(noun)}\` is nothing that the schema names here`, scope)
  if (noun.other && noun.modifiers.some((modifier) => modifier.kind === 'own')) return null
  const head = headTest(noun, thing, scope)
  if (head === null) return null
  const modifiers = noun.modifiers.filter((modifier) => !head.used.has(modifier))
  const parts = [head.test, ...modifiers.map((modifier) => modifierTest(modifier, noun, thing, scope))]
  if (noun.other) parts.push(otherTest(noun, thing, scope))
  if (noun.quoted !== null) {
    if (thing.type.kind !== 'entity') return null
    parts.push(guarded([thing], { kind: 'eq', left: thing.at, right: { kind: 'entity', uid: { type: thing.type.name, id: noun.quoted } } }))
  }
  const test = conjunction(parts)
  // What can never hold here is not met here: "students who are substitutes", where only teachers can be.
  if (!isFalse(test)) for (const part of [noun, noun.words, ...head.used]) meet(part, scope)
  return test
}

type Head = { readonly test: Expression; readonly used: ReadonlySet<Modifier> }

const NONE: ReadonlySet<Modifier> = new Set()
const ANYTHING = new Set('person people individual individuals one ones thing things item items object objects resource resources those anyone anything everyone everything'.split(' '))

function headTest(noun: Noun, thing: Thing, scope: Scope): Head | null {
  const { words } = noun
  const { lexicon } = scope.world
  if (words.length === 0) return { test: TRUE, used: NONE }
  if (thing.type.kind !== 'entity') return null
  const type = thing.type.name
  // "Only its author may edit a post".
  const its = noun.modifiers.find((modifier) => modifier.kind === 'own' && modifier.isIts === true)
  if (its !== undefined && thing === scope.world.principal) {
    const test = whoseTest({ ...noun, modifiers: noun.modifiers.filter((modifier) => modifier !== its) }, thing, [scope.world.resource], scope)
    return test === null ? null : { test, used: new Set([its]) }
  }
  let isOther = false
  // "the teacher of the grade" is one teacher, where a grade names its teacher.
  if (thing === scope.world.principal && noun.modifiers.some(isGenitive)) {
    const related = relational(words, noun, thing, scope)
    if (related !== null && related.used.size > 0) return related
  }
  const one = thing === scope.world.principal ? theOne(noun, thing, scope) : null
  if (one !== null) return one
  for (let start = 0; start < words.length; start++) {
    const types = lexicon.types(words.slice(start))
    if (types.includes(type)) return { test: adjectives(noun, words.slice(0, start), thing, scope), used: NONE }
    if (types.length > 0) isOther = true
    if (isOther) break
    // "the case officer" is who the attribute `caseOfficer` names, before it is some officer.
    const whole = start === 0 && words.length > 1 ? relational(words, noun, thing, scope) : null
    if (whole !== null) return whole
  }
  if (!isOther) {
    for (let start = 0; start < words.length; start++) {
      const role = roleTest(words.slice(start), noun, thing, scope)
      if (role !== null) return { test: conjunction([adjectives(noun, words.slice(0, start), thing, scope), role.test]), used: role.used }
    }
    if (ANYTHING.has((words[words.length - 1] as string).toLowerCase())) return { test: adjectives(noun, words.slice(0, -1), thing, scope), used: NONE }
  }
  return isOther ? relational(words, noun, thing, scope) : null
}

/**
 * "The patient" as the one who acts is the patient whom the resource names, not any patient; null where nothing that is acted on
 * has to do with one.
 *
 * @throws {Unclear} where someone of that type is named, and it is not said that it is this one.
 */
function theOne(noun: Noun, principal: Thing, scope: Scope): Head | null {
  const { world } = scope
  const { words } = noun
  const type = elementType(principal.type)
  const start = words.findIndex((_, index) => world.lexicon.types(words.slice(index)).includes(type ?? ''))
  if (noun.isDefinite !== true || noun.other || noun.quoted !== null || start < 0 || !isSingular(words, world)) return null
  // The one of whom a condition speaks.
  if (mentions(scope.statement, words) > 1) return null
  const people = reach(world.resource, world).filter(({ thing: link }) => elementType(link.type) === type)
  const near = people.filter(({ depth }) => depth === 1).map(({ thing: link }) => link)
  const named = near.filter((link) => link.names.some((name) => says(words, name)))
  const [one, ...more] = named
  const isBare = start === 0 && noun.modifiers.length === 0
  const test = one !== undefined && more.length === 0 && isBare ? meets(one, principal) : null
  if (test !== null) return { test, used: NONE }
  const others = named.length > 0 ? named : near.length > 0 ? near : [...people.map(({ thing: link }) => link), ...relatives(principal, world)]
  if (others.length === 0 || (start > 0 && booleans(words.slice(0, start), [principal], world, false).things.length === 0)) return null
  const other = oneOf([null, ...others], () => `\`the ${sayNoun(noun)}\` can be any, or whom ${choices(others)} says: say which`) ?? null
  const whom = other === null ? null : meets(other, principal)
  return whom === null ? null : { test: whom, used: NONE }
}

/** What a principal has to do with what is acted on, or with someone whom that names: "the doctor" can be the one who treats the patient. */
function relatives(principal: Thing, world: World): readonly Thing[] {
  const isPerson = (type: string | null) => type !== null && world.schema.environments.some((one) => one.principal === type)
  const targets = [world.resource, ...reach(world.resource, world).filter(({ depth }) => depth === 1).map(({ thing }) => thing)].map(({ type }) => elementType(type))
  return attributesOf(principal, world).filter(({ type }) => {
    const name = elementType(type)
    return name === elementType(world.resource.type) || (isPerson(name) && targets.includes(name))
  })
}

function isSingular(words: Phrase, world: World): boolean {
  const last = (words[words.length - 1] as string).toLowerCase()
  return lemmas(last).every((form) => form === last) || world.lexicon.entries.some(({ kind, phrase }) => kind === 'type' && phrase[phrase.length - 1] === last)
}

/** "of the grade", which can say whose teacher it is; "on leave" and "in the finance department" cannot. */
function isGenitive(modifier: Modifier): boolean {
  return modifier.kind === 'of' && ['of', 'for', 'to'].includes(modifier.preposition)
}

/** A role that is not a type: a boolean, an enumerated value, or whom another thing names ("the owner of the document"). */
function roleTest(words: Phrase, noun: Noun, thing: Thing, scope: Scope): Head | null {
  // "the manager of an employee" is a relation although managers are a role too.
  if (noun.modifiers.some(isGenitive)) {
    const related = relational(words, noun, thing, scope)
    if (related !== null && related.used.size > 0) return related
  }
  const { things, isNegated } = booleans(words, [thing], scope.world, false)
  const only = oneOf(things, () => `\`${words.join(' ')}\` can be ${choices(things)}: say which`)
  if (thing === scope.world.principal && noun.isDefinite === true && isSingular(words, scope.world)) {
    // "The manager", where managers are a role, and what is acted on names its manager too.
    const related = relational(words, noun, thing, scope)
    const isRole = only !== undefined || enumerated(words, [thing], scope.world, false).length > 0
    if (related !== null && isRole) throw new Unclear(`\`the ${words.join(' ')}\` can be anyone in that role, or whom the resource names: say which`)
  }
  if (only !== undefined) {
    const test = guarded([only], only.at)
    return { test: isNegated ? negation(test) : test, used: NONE }
  }
  const values = enumerated(words, [thing], scope.world, false)
  const value = oneOf(values, () => `\`${words.join(' ')}\` can be a value of ${choices(values.map((each) => each.thing))}: say which`)
  if (value !== undefined) return { test: value.test, used: NONE }
  return relational(words, noun, thing, scope)
}

function relational(words: Phrase, noun: Noun, thing: Thing, scope: Scope): Head | null {
  const { world } = scope
  const of = noun.modifiers.find(isGenitive)
  const used = of === undefined ? NONE : new Set([of])
  const holders = of !== undefined && of.kind === 'of' ? (find(of.noun, scope) ?? []) : thing === world.principal ? [world.resource] : []
  for (const holder of holders) {
    const member = words.length === 1 && isForm(words[0] as string, 'member')
    if (member && canBeIn(thing.type, holder.type, world.schema)) {
      markNoun(of, scope)
      return { test: guarded([thing, holder], { kind: 'in', left: thing.at, right: holder.at }), used }
    }
    const links = reach(holder, world).filter(({ thing: link }) => elementType(link.type) === elementType(thing.type))
    const exact = links.filter(({ thing: link, owners, depth }) =>
      link.names.some((name) => (depth === 1 && saysRelation(words, name)) || owners.some((owner) => says(words, [...owner, ...name]))),
    )
    // "the driver of a vehicle", whose attribute is `assignedDriver`.
    const isEnd = (name: Phrase) => name.length > words.length && says(words, name.slice(-words.length))
    const fitting = exact.length > 0 || of === undefined ? exact : links.filter(({ thing: link, depth }) => depth === 1 && link.names.some(isEnd))
    const link = oneOf(fitting, () => `\`${words.join(' ')}\` can be ${choices(fitting.map((one) => one.thing))}: say which`)?.thing
    const test = link === undefined ? null : meets(link, thing)
    if (test !== null) {
      markNoun(of, scope)
      return { test, used }
    }
  }
  // Members of a named group: `members of "finance"`.
  if (words.length === 1 && isForm(words[0] as string, 'member') && of !== undefined && of.kind === 'of') {
    const group = groupTest(of.noun, thing, scope, true)
    if (group !== null) return { test: group, used }
    const shared = of.noun.modifiers.some((modifier) => modifier.kind === 'own') ? null : enumeratedGroup(of.noun, thing, scope)
    if (shared !== null) return { test: shared, used }
  }
  return null
}

/**
 * "They are its driver", "vans of which they are the driver": whether a thing is whom one of the holders names so. A type's name is
 * enough where the holder names one of that type alone; null where nothing is named so.
 */
export function whoseTest(noun: Noun, thing: Thing, holders: readonly Thing[], scope: Scope): Expression | null {
  const { world } = scope
  const { words } = noun
  if (noun.quoted !== null || noun.other || noun.modifiers.length > 0) return null
  const type = elementType(thing.type)
  for (let start = 0; start < words.length; start++) {
    const said = words.slice(start)
    const isEnd = (name: Phrase) => name.length > said.length && says(said, name.slice(-said.length))
    const tests = holders.filter((holder) => holder !== thing).flatMap((holder): readonly Expression[] => {
      const links = attributesOf(holder, world).filter((link) => type !== null && elementType(link.type) === type)
      const isMember = said.length === 1 && isForm(said[0] as string, 'member') && canBeIn(thing.type, holder.type, world.schema)
      const whole = links.filter(({ names }) => names.some((name) => saysRelation(said, name)))
      // "The driver of a vehicle", whose attribute is `assignedDriver`.
      const ending = links.filter(({ names }) => names.some(isEnd))
      const isType = world.lexicon.types(said).includes(type ?? '')
      const namesakes = isType && whole.length + ending.length === 0 ? named(said, [holder], world, (one) => elementType(one) === type) : []
      const typed = isType ? links : []
      const link = namesakes.length > 0 && links.length > 0 ? only([...links, ...namesakes], said) : only([whole, ending, typed].find((group) => group.length > 0) ?? [], said)
      const test = link === null ? null : meets(link, thing)
      return test !== null ? [test] : isMember ? [guarded([thing, holder], { kind: 'in', left: thing.at, right: holder.at })] : []
    })
    if (tests.length > 1) throw new Unclear(`\`${said.join(' ')}\` can be of several things: say of which`)
    const test = tests[0]
    if (test !== undefined) return conjunction([adjectives(noun, words.slice(0, start), thing, scope), test])
  }
  return null
}

function markNoun(modifier: Modifier | undefined, scope: Scope): void {
  if (modifier !== undefined && modifier.kind === 'of') meet(modifier.noun, scope)
}

/** "owner" says `owner` and `ownedBy`; "assignee" says `assignedTo`. An agent noun does not say its patient: "owner" is not `owned`. */
function saysRelation(words: Phrase, name: Phrase): boolean {
  if (says(words, name)) return true
  const last = name[name.length - 1] as string
  const bare = ['by', 'to', 'with'].includes(last) ? name.slice(0, -1) : null
  return bare !== null && words.length === bare.length && words.every((word, index) => isAkin(word, bare[index] as string))
}

function adjectives(noun: Noun, words: Phrase, thing: Thing, scope: Scope): Expression {
  if (words.length === 0) return TRUE
  want(noun.words, `\`${words.join(' ')}\` says nothing that the schema knows of \`${noun.words.slice(words.length).join(' ') || sayNoun(noun)}\``, scope, 2)
  const test = segments(words, thing, scope)
  if (test === null) return FALSE
  meet(noun.words, scope)
  return test
}

function segments(words: Phrase, thing: Thing, scope: Scope): Expression | null {
  if (words.length === 0) return TRUE
  for (let end = words.length; end > 0; end--) {
    const first = adjective(words.slice(0, end), end === words.length, thing, scope)
    const rest = first === null ? null : segments(words.slice(end), thing, scope)
    if (first !== null && rest !== null) return conjunction([first, rest])
  }
  return null
}

function adjective(words: Phrase, isLast: boolean, thing: Thing, scope: Scope): Expression | null {
  const { world } = scope
  const isNot = words.length > 1 && ['not', 'non'].includes((words[0] as string).toLowerCase())
  const said = isNot ? words.slice(1) : words
  const { things, isNegated } = booleans(said, [thing], world, false)
  const values = things.length > 0 ? [] : enumerated(said, [thing], world, false)
  const found = things.length > 0 ? things : values.map((value) => value.thing)
  const at = oneOf([...found.keys()], () => `\`${said.join(' ')}\` can be ${choices(found)}: say which`) ?? 0
  const flag = things[at]
  const test = flag !== undefined ? guarded([flag], flag.at) : values[at]?.test
  if (test !== undefined) return isNegated !== isNot ? negation(test) : test
  if (isNot) return null
  // "patient charts", where a chart names nothing but its patient, are charts.
  const links = reach(thing, world).filter(({ thing: link, depth }) => depth === 1 && link.type.kind === 'entity' && booleanless(link, world))
  if (isLast && links.length === 1 && thing === world.resource && thing.guards.length === 0) {
    const link = (links[0] as { thing: Thing }).thing
    const types = world.lexicon.types(said)
    if (link.guards.length === 0 && link.type.kind === 'entity' && types.includes(link.type.name) && ownerNamed(link, world)) return TRUE
  }
  // "the treating doctor", "assigned agents": a relation with what is acted on.
  if (said.length === 1 && /(?:ing|ed)$/i.test(said[0] as string) && thing === world.principal) {
    const targets = [world.resource, ...reach(world.resource, world).filter(({ depth }) => depth === 1).map((one) => one.thing)]
    const tests = targets.map((target) => relation(thing, said, target, scope)).filter((one) => one !== null)
    if (tests.length === 1) return tests[0] as Expression
  }
  return null
}

function booleanless(link: Thing, world: World): boolean {
  return link.type.kind === 'entity' && world.schema.entityTypes.get(link.type.name)?.ids === null
}

function modifierTest(modifier: Modifier, noun: Noun, thing: Thing, scope: Scope): Expression {
  want(modifier, `\`${sayNoun(noun)}\`: ${sayModifier(modifier)} says nothing that the schema can carry`, scope, 2)
  const test = modifierAtom(modifier, noun, thing, scope)
  if (test === null) return FALSE
  meet(modifier, scope)
  return test
}

/** "If a patient is a minor, their chart must not be exported": whoever exports is not named, and the patient is. */
function refuseOpenTheir(own: Modifier & { kind: 'own' }, { statement }: Scope): void {
  if (own.isSaid || statement.subject.length > 0 || !JSON.stringify(statement.when).includes('"kind":"noun"')) return
  throw new Unclear('`their` can be of who acts or of whom the condition speaks: say whose')
}

function modifierAtom(modifier: Modifier, noun: Noun, thing: Thing, scope: Scope): Expression | null {
  switch (modifier.kind) {
    case 'own':
      refuseOpenTheir(modifier, scope)
      return ownership(scope.world.principal, thing, { words: noun.words, isSaid: modifier.isSaid }, scope)
    case 'of': return ofTest(modifier.preposition, modifier.noun, thing, scope)
    case 'same': return sameTest(thing, modifier.words, modifier.as, scope)
    case 'such': return conditionTest(modifier.condition, { ...scope, here: [thing] })
  }
}

/** "other users' documents", "another employee": not the subject, not the subject's. */
function otherTest(noun: Noun, thing: Thing, scope: Scope): Expression {
  const { principal } = scope.world
  want(noun.modifiers, `\`other ${noun.words.join(' ')}\` can be told apart from nothing`, scope)
  if (thing.type.kind !== 'entity' || thing.type.name !== (principal.type as { name: string }).name) return FALSE
  meet(noun.modifiers, scope)
  return butNot(guarded([thing], { kind: 'eq', left: thing.at, right: principal.at }))
}

/** "charts of patients …", "nurses on duty", "doors in zone "lab"", "datasets of their own project", "files in staging". */
export function ofTest(preposition: string, noun: Noun, thing: Thing, scope: Scope): Expression | null {
  const { world } = scope
  const { words } = noun
  want(noun, `\`${preposition} ${sayNoun(noun)}\` is nothing that the schema names here`, scope)
  const done = (test: Expression | null) => {
    if (test !== null) meet(noun, scope)
    return test
  }
  if (!NEUTRAL.has(preposition.toLowerCase())) return done(placed(preposition, noun, thing, world))
  if (words.length === 0 && noun.quoted === null && noun.modifiers.length === 0) return done(noun.other ? null : TRUE)
  if (thing !== world.principal && isDirected(preposition)) {
    const led = directed(preposition, noun, thing, scope) ?? placed(preposition, noun, thing, world)
    if (led !== null) return meetsAll(noun, done(led), scope)
    if (preposition.toLowerCase() === 'with' ? !isFurnished(noun, thing, scope) : !isPlaceOfOrigin(preposition, noun, scope)) return null
  }
  const own = noun.modifiers.find((modifier) => modifier.kind === 'own')
  if (own !== undefined && noun.quoted !== null) return null
  // "Other" goes with a plain noun: not with one that is the subject's, nor with one that is named.
  if (noun.other && (own !== undefined || noun.quoted !== null)) return null
  if (own !== undefined && own.kind === 'own') {
    refuseOpenTheir(own, scope)
    const rest = noun.modifiers.filter((modifier) => modifier !== own)
    const theirs = ofTheirPeople(words, thing, scope)
    if (theirs !== undefined) return rest.length === 0 && theirs !== null ? meetAll(noun, own, done(theirs), scope) : null
    const shared = share(words, world.principal, thing === world.principal ? world.resource : thing, scope)
    if (shared !== null && rest.length === 0) return meetAll(noun, own, done(shared), scope)
    const links = linked(words, [thing], world)
    const link = only(links, words)
    const test = link === null ? null : ownership(world.principal, link, { words, isSaid: own.isSaid }, scope)
    if (shared !== null || test === null) return null
    return meetAll(noun, own, done(conjunction([test, ...rest.map((modifier) => modifierTest(modifier, noun, link as Thing, scope))])), scope)
  }
  const same = noun.modifiers.find((modifier) => modifier.kind === 'same')
  if (words.length === 0 && same !== undefined && same.kind === 'same') return done(modifierTest(same, noun, thing, scope))
  if (noun.quoted !== null) {
    // `from "DE"` does not say what DE is: a group, or a value of one of these attributes.
    const texts = attributesOf(thing, world).filter(({ type }) => type.kind === 'string')
    if (words.length === 0 && texts.length > 0) throw new Unclear(`\`"${noun.quoted}"\` can be a group or ${choices(texts)}: say what it is`)
    return done(groupTest(noun, thing, scope))
  }
  if (noun.modifiers.length === 0 && !noun.other) {
    const value = enumeratedGroup(noun, thing, scope)
    if (value !== null) return done(value)
    const flag = placed(preposition, noun, thing, world)
    if (flag !== null) return done(flag)
  }
  const another = noun.other ? share(words, world.principal, thing === world.principal ? world.resource : thing, scope) : null
  // "Vehicles of other depots": those that are not in the depot of the one who acts, wherever their people are.
  const kinds = world.lexicon.types(words)
  const isPlace = kinds.length > 0 && !kinds.some((kind) => isActorType(kind, world))
  if (another !== null && isPlace && noun.modifiers.length === 0) return done(butNot(another))
  for (let start = 0; start < words.length; start++) {
    const links = linked(words.slice(start), [thing], world)
    // "transfers to accounts …", where the attribute is called `to`.
    const link = links.find((one) => one.names.some((name) => name.length === 1 && name[0] === preposition)) ?? only(links, words)
    if (link === null || elementType(link.type) === null || link.type.kind === 'set') continue
    const isBare = noun.modifiers.length === 0 && start === 0
    if (thing === world.principal && isBare && !noun.other) break
    if (noun.other) {
      // "datasets of another project": not of the subject's.
      const isPerson = elementType(link.type) === elementType(world.principal.type)
      // "Other users", where an agent acts: other than whom?
      const apart = isPerson ? meets(link, world.principal) : isActorType(elementType(link.type) ?? '', world) ? null : another
      return done(apart === null ? null : conjunction([butNot(apart), ...noun.modifiers.map((modifier) => modifierTest(modifier, noun, link, scope))]))
    }
    // The one of which the sentence speaks elsewhere is the same: both are found from what is acted on.
    if (isBare && isKnownOne(noun) && mentions(scope.statement, words) < 2) break
    // "Charts of patients" are charts; "records for customers" and "to customers" say something that no record's customer carries.
    const isJoined = JOINING.has(preposition.toLowerCase()) || link.names.some((name) => name.length === 1 && name[0] === preposition.toLowerCase())
    if (isBare && !isJoined) return done(null)
    const parts = [adjectives(noun, words.slice(0, start), link, scope), ...noun.modifiers.map((modifier) => modifierTest(modifier, noun, link, scope))]
    return done(conjunction([...link.guards, ...parts]))
  }
  // "charts of minors": who they are is said by a role.
  if (thing === world.resource && !noun.other) {
    const people = reach(thing, world).filter(({ thing: link, depth }) => depth === 1 && booleanless(link, world))
    const tests = people.map(({ thing: link }) => nounTest(noun, link, scope)).filter((test) => test !== null)
    if (tests.length === 1 && people.length === 1) return done(tests[0] as Expression)
  }
  // "nurses of the patient's ward": the thing shares it with what is acted on.
  const found = thing === world.principal || noun.modifiers.length > 0 ? find(noun, scope) : null
  const place = found === null ? null : only(found, words)
  return done(place === null ? null : inside(thing, place, world))
}

/** "With the enterprise plan", "with tag "math"": what a thing has, called by its name. */
function isFurnished(noun: Noun, thing: Thing, scope: Scope): boolean {
  if (noun.modifiers.length > 0 || noun.other || noun.words.length === 0) return false
  return noun.quoted !== null || enumerated(noun.words, [thing], scope.world, false).length === 0
}

/** Prepositions with which a thing's own patient, place or project can be said of it without narrowing it. */
const JOINING: ReadonlySet<string> = new Set('of in within inside from at on'.split(' '))

/** Prepositions that only join. "Outside their ward" and "without a role" say the opposite of their nouns. */
export const NEUTRAL: ReadonlySet<string> = new Set('of in on at for from to with within inside into by under as via through during'.split(' '))

/** "in production", "on duty", "outside the hospital": a boolean of that name, preposition included. */
function placed(preposition: string, noun: Noun, thing: Thing, world: World): Expression | null {
  if (noun.quoted !== null || noun.other || noun.modifiers.length > 0) return null
  const { things, isNegated } = booleans([preposition, ...noun.words], [thing], world, false)
  const at = things[0]
  // One of its own: "of VIP customers" is not the `vip` of whichever customer is found first.
  if (at === undefined || things.length > 1 || !attributesOf(thing, world).some((one) => JSON.stringify(one.at) === JSON.stringify(at.at))) return null
  return isNegated ? negation(guarded([at], at.at)) : guarded([at], at.at)
}

function meetsAll(noun: Noun, test: Expression | null, scope: Scope): Expression | null {
  for (const part of test === null ? [] : [noun, ...noun.modifiers]) meet(part, scope)
  return test
}

function meetAll(noun: Noun, modifier: Modifier, test: Expression | null, scope: Scope): Expression | null {
  if (test !== null) {
    meet(noun, scope)
    meet(modifier, scope)
  }
  return test
}

/** How often a statement speaks of something in these words. */
function mentions(part: unknown, words: Phrase): number {
  if (Array.isArray(part)) return part.reduce<number>((sum, one) => sum + mentions(one, words), 0)
  if (typeof part !== 'object' || part === null) return 0
  const own = 'words' in part && 'modifiers' in part && says(part.words as Phrase, words) ? 1 : 0
  return own + mentions(Object.values(part), words)
}

/** "the ward" is one that was spoken of; "wards" and "a ward" are any. Without a word of it, a singular is a known one. */
export function isKnownOne(noun: Noun): boolean {
  if (noun.isDefinite !== undefined) return noun.isDefinite
  const last = noun.words[noun.words.length - 1] as string
  return lemmas(last).every((form) => form === last.toLowerCase())
}

/** A thing is in a place: by hierarchy, or by the one attribute that says so. */
function inside(thing: Thing, place: Thing, world: World): Expression | null {
  if (canBeIn(thing.type, place.type, world.schema)) return guarded([thing, place], { kind: 'in', left: thing.at, right: place.at })
  const links = reach(thing, world).filter(({ thing: link, depth }) => depth === 1 && elementType(link.type) !== null && elementType(link.type) === elementType(place.type))
  const members = reach(place, world).filter(({ thing: link, depth }) => depth === 1 && link.type.kind === 'set' && elementType(link.type) === elementType(thing.type) && link.names.some((name) => name.some((word) => isForm(word, 'member'))))
  if (links.length + members.length !== 1) return null
  const link = links[0]?.thing
  return link === undefined ? meets((members[0] as { thing: Thing }).thing, thing) : meets(link, place)
}

/** `team "facilities"`, `"facilities"`: membership in the entity of that id, or an attribute of that value. */
export function groupTest(noun: Noun, thing: Thing, scope: Scope, isMember = false): Expression | null {
  const { world } = scope
  if (noun.quoted === null || noun.other || thing.type.kind !== 'entity') return null
  const id = noun.quoted
  const types = noun.words.length === 0 ? null : world.lexicon.types(noun.words)
  const groups = (world.schema.entityTypes.get(thing.type.name)?.ancestors ?? []).filter((group) => types === null || types.includes(group))
  const ends = types === null ? groups.filter((group) => group !== (thing.type as { name: string }).name || groups.length === 1) : groups
  const links = isMember && ends.length > 0 ? [] : types === null ? places(id, thing, world) : linkedByName(noun.words, thing, world)
  if (ends.length + links.length > 1) throw new Unclear(`\`"${id}"\` can be ${[...ends, ...links.map((link) => link.label)].join(' or ')}: say which`)
  const group = ends[0]
  if (group !== undefined) {
    meet(noun, scope)
    return guarded([thing], { kind: 'in', left: thing.at, right: { kind: 'entity', uid: { type: group, id } } })
  }
  const link = links[0]
  if (link === undefined) return null
  const element = link.type.kind === 'set' ? link.type.element : link.type
  if (element.kind !== 'entity' && element.kind !== 'string') return null
  const right: Expression = element.kind === 'entity' ? { kind: 'entity', uid: { type: element.name, id } } : { kind: 'string', value: id }
  meet(noun, scope)
  return guarded([link], link.type.kind === 'set' ? { kind: 'contains', left: link.at, right } : { kind: 'eq', left: link.at, right })
}

/** Where something can be said to be, when only the id of that is said: what it names that is nobody, of which there is such an id. */
function places(id: string, thing: Thing, world: World): readonly Thing[] {
  return attributesOf(thing, world).filter(({ type }) => {
    const element = elementType(type)
    const ids = element === null ? null : (world.schema.entityTypes.get(element)?.ids ?? null)
    return element !== null && (ids === null || ids.includes(id)) && !world.schema.environments.some(({ principal }) => principal === element)
  })
}

function linkedByName(words: Phrase, thing: Thing, world: World): readonly Thing[] {
  if (words.length === 0) return []
  const byName = named(words, [thing], world, (type) => type.kind === 'string' || elementType(type) !== null || (type.kind === 'set' && type.element.kind === 'string'))
  return byName.length > 0 ? byName : linked(words, [thing], world)
}

/** "the finance department", "the admin role", "staging": an enumerated value, with or without the attribute's name. */
function enumeratedGroup(noun: Noun, thing: Thing, scope: Scope): Expression | null {
  if (noun.quoted !== null || noun.modifiers.length > 0) return null
  const { words } = noun
  const whole = enumerated(words, [thing], scope.world, false)
  if (whole.length === 1) return (whole[0] as { test: Expression }).test
  for (let cut = 1; cut < words.length; cut++) {
    for (const [value, name] of [[words.slice(0, cut), words.slice(cut)], [words.slice(cut), words.slice(0, cut)]] as const) {
      const fitting = enumerated(value, [thing], scope.world, false).filter((one) => one.thing.names.some((phrase) => says(name, phrase)) || scope.world.lexicon.types(name).includes(elementType(one.thing.type) ?? ''))
      if (fitting.length === 1) return (fitting[0] as { test: Expression }).test
      const capital = value.every((word) => /^\p{Lu}/u.test(word)) ? named(name, [thing], scope.world, (type) => type.kind === 'string') : []
      if (capital.length === 1) {
        const at = capital[0] as Thing
        return guarded([at], { kind: 'eq', left: at.at, right: { kind: 'string', value: value.join(' ') } })
      }
    }
  }
  return null
}

/** "in the same department [as the owner]": both have it, and it is one. Without "as", what the sentence sets against each other. */
export function sameTest(thing: Thing, words: Phrase, as: Ref | null, scope: Scope): Expression | null {
  const { world } = scope
  const others = as === null ? [thing === world.principal ? world.resource : world.principal] : (refThings(as, scope) ?? [])
  const tests = others.map((other) => (other === thing ? null : share(words, thing, other, scope))).filter((test) => test !== null)
  return tests.length === 1 ? (tests[0] as Expression) : null
}

/**
 * Two things have the same place, named by these words: attributes, memberships or one of each. Where something itself is goes before
 * where those are whom it names.
 */
function share(words: Phrase, a: Thing, b: Thing, scope: Scope): Expression | null {
  const { world } = scope
  const { schema, lexicon } = world
  const types = lexicon.types(words)
  const isPlace = (thing: Thing) => thing.type.kind === 'entity' && types.includes(thing.type.name)
  const fits = (type: Thing['type']) => type.kind !== 'record' && type.kind !== 'bool' && type.kind !== 'long'
  const nearby = (thing: Thing) => (isPlace(thing) ? [thing] : named(words, [thing], world, fits, 1))
  const near = [nearby(a), nearby(b)] as const
  const mine = side(a, near[0], near[1])
  if (mine.thing === null && mine.groups.length === 0) return null
  const theirs = side(b, near[1], near[0])
  const [left, right] = [mine.thing, theirs.thing]
  if (left !== null && right !== null) {
    const test = meets(left, right)
    if (test !== null) return test
    if (canBeIn(right.type, left.type, schema)) return guarded([left, right], { kind: 'in', left: right.at, right: left.at })
  }
  if (left === null && right !== null && right.type.kind === 'entity' && mine.groups.includes(right.type.name)) return guarded([a, right], { kind: 'in', left: a.at, right: right.at })
  if (right === null && left !== null && left.type.kind === 'entity' && theirs.groups.includes(left.type.name)) return guarded([b, left], { kind: 'in', left: b.at, right: left.at })
  // "students in their classes", "charts of their patients": the words name one side, and the other has something of that type.
  if (left !== null && right === null) {
    const fitting = nearest(reach(b, world).filter(({ thing }) => elementType(thing.type) !== null && elementType(thing.type) === elementType(left.type)))
    const other = only(fitting, words)
    if (other !== null) return meets(left, other)
  }
  return null

  /** Where a thing is: as the words name it, as the one attribute or the one hierarchy of such a place, or where what it names is. */
  function side(thing: Thing, own: readonly Thing[], across: readonly Thing[]): { readonly thing: Thing | null; readonly groups: readonly string[] } {
    if (own.length > 0) return { thing: only(own, words), groups: [] }
    const kinds = [...types, ...across.map(({ type }) => elementType(type)).filter((type) => type !== null && !isActorType(type, world))]
    const typed = reach(thing, world).filter(({ thing: link, depth }) => depth === 1 && kinds.includes(elementType(link.type) ?? '')).map(({ thing: link }) => link)
    const groups = (thing.type.kind === 'entity' ? (schema.entityTypes.get(thing.type.name)?.ancestors ?? []) : []).filter((name) => kinds.includes(name))
    if (typed.length > 0 && typed.length + groups.length > 1) {
      const ways = [...typed.map((link) => ({ label: link.label, side: { thing: link, groups: [] } })), ...groups.map((group) => ({ label: `the \`${group}\` that ${thing.label} is in`, side: { thing: null, groups: [group] } }))]
      const way = oneOf(ways, () => `\`${words.join(' ')}\` can be ${ways.map(({ label }) => label).join(' or ')}: say which`)
      if (way !== undefined) return way.side
    }
    if (typed.length + groups.length > 0) return { thing: typed[0] ?? null, groups }
    // Further away, a place of that type counts whatever it is called.
    const far = named(words, [thing], world, fits)
    const alike = reach(thing, world).filter(({ thing: link }) => kinds.includes(elementType(link.type) ?? '') && !far.some((one) => JSON.stringify(one.at) === JSON.stringify(link.at)))
    return { thing: only([...far, ...nearest(alike)], words), groups }
  }
}

/** Whether entities of a type act: they are people, or stand for some, and no place. */
function isActorType(type: string, world: World): boolean {
  return world.schema.environments.some(({ principal }) => principal === type)
}

/**
 * "Timesheets of their manager", "their friends' essays": what belongs to those whom the one who acts names so, and not what shares
 * them; undefined where the words name nobody of hers.
 *
 * @throws {Unclear} where it can belong to them or name them in another way.
 */
function ofTheirPeople(words: Phrase, thing: Thing, scope: Scope): Expression | null | undefined {
  const { world } = scope
  const [person, ...more] = attributesOf(world.principal, world).filter(({ names, type }) => elementType(type) !== null && names.some((name) => says(words, name)))
  const type = person === undefined ? null : elementType(person.type)
  if (person === undefined || more.length > 0 || type === null || !isActorType(type, world)) return undefined
  // "Employees of their manager" have the same one.
  if (thing === world.principal || elementType(thing.type) === type) return undefined
  const named = attributesOf(thing, world).filter((link) => elementType(link.type) === type && link.names.some((name) => says(words, name)))
  const isTied = attributesOf(thing, world).some((link) => elementType(link.type) === type) || attributesOf(person, world).some((link) => elementType(link.type) === elementType(thing.type))
  // "Their agent's accounts", which name a holder who has an agent, are nobody's but the holder's.
  if (!isTied) return null
  const kind = world.lexicon.typePhrases(elementType(thing.type) ?? '')[0] ?? []
  const ways = [ownership(person, thing, { words: kind, isSaid: true }, scope), ...named.map((link) => meets(link, person))].filter((test) => test !== null)
  const distinct = [...new Map(ways.map((test) => [JSON.stringify(test), test])).values()]
  return oneOf(distinct, () => `what is of \`their ${words.join(' ')}\` can be theirs, or name them as its own: say which`) ?? null
}

/** Something that the resource names is the one who acts' own: the place of both, or what they own. */
export function ownPlace(thing: Thing, scope: Scope): Expression | null {
  const { principal, lexicon } = scope.world
  const words = lexicon.typePhrases(elementType(thing.type) ?? '')[0] ?? []
  const shared = share(words, principal, thing, scope)
  const owned = ownership(principal, thing, { words: [], isSaid: true }, scope)
  const ways = [shared, owned].filter((test) => test !== null)
  return oneOf(ways, () => `\`their own ${words.join(' ')}\` can be where they are or what they own: say which`) ?? null
}

function only(things: readonly Thing[], words: Phrase): Thing | null {
  return oneOf(things, () => `\`${words.join(' ')}\` can be ${choices(things)}: say which`) ?? null
}

const OWNER = new Set('owner holder author creator subject requester submitter reporter applicant uploader borrower buyer claimant tenant account_holder owned_by created_by requested_by submitted_by uploaded_by authored_by'.split(' '))
const ASKER = new Set('requester requestor applicant submitter author borrower holder claimant'.split(' '))
const NOT_OWNER = new Set(
  'manager supervisor approver approved_by reviewer reviewed_by doctor nurse teacher advisor adviser tutor editor editors viewer viewers reader readers auditor operator recipient shared_with updated_by modified_by edited_by delegate delegates collaborators contributors watchers followers guardian'.split(' '),
)

/**
 * The thing is the owner's: the attribute that names its owner is the owner, or the owner's attribute names the thing, or it is
 * the owner. Null when nothing carries it.
 */
export function ownership(owner: Thing, thing: Thing, said: { words: Phrase; isSaid: boolean }, scope: Scope): Expression | null {
  const { world } = scope
  const type = elementType(owner.type)
  if (type === null) return null
  const links = reach(thing, world).filter((one) => elementType(one.thing.type) === type)
  const near = links.filter(({ depth }) => depth === 1)
  // An account manager does not own the account.
  const isNone = (link: Thing) => link.names.some((name) => [name.join('_'), ...lemmas(name[name.length - 1] as string)].some((word) => NOT_OWNER.has(word)))
  const isOwner = ({ thing: link }: { thing: Thing }) => link.names.some((name) => name.join('_') === 'owner' || name.join('_') === 'owned_by')
  const byOwner = near.filter(isOwner)
  const mine = said.words.length === 0 ? [] : named(said.words, [owner], world, (one) => elementType(one) !== null && elementType(one) === elementType(thing.type))
  const likely = near.length === 1 && near.some(({ thing: link }) => ownerNamed(link, world)) ? near : near.filter(({ thing: link }) => typeNamed(link, world))
  // "their own leave request", beside nobody but its approver, is the requester's.
  const open = near.filter(({ thing: link }) => !isNone(link))
  const asked = open.length === 1 && open[0]?.thing.names.some((name) => ASKER.has(name.join('_'))) === true ? open : []
  const rest = near.filter(({ thing: link }) => !isNone(link))
  const far = links.filter(({ thing: link, depth }) => depth === 2 && !isNone(link) && (isOwner({ thing: link }) || ownerNamed(link, world)))
  const isSelf = elementType(thing.type) === type && thing.type.kind === 'entity'
  const groups = [byOwner.map((one) => one.thing), isSelf ? [] : mine, isSelf && said.isSaid ? [] : likely.map((one) => one.thing), isSelf ? [] : asked.map((one) => one.thing)]
  const best = groups.find((group) => group.length > 0)
  if (best !== undefined) return meets(pick(best), owner) ?? meets(pick(best), thing)
  if (isSelf) {
    if (mine.length === 1) return meets(mine[0] as Thing, thing)
    return said.isSaid ? guarded([thing], { kind: 'eq', left: thing.at, right: owner.at }) : null
  }
  const last = near.length > 1 ? near : rest.length > 0 ? rest : near.length === 0 ? far : []
  return last.length === 0 ? null : meets(pick(last.map((one) => one.thing)), owner)

  function pick(group: readonly Thing[]): Thing {
    return oneOf(group, () => `whose it is can be said by ${choices(group)}: say which`) as Thing
  }
}

/** The attribute is called like an owner, or like its type. */
function ownerNamed(link: Thing, world: World): boolean {
  return link.names.some((name) => OWNER.has(name.join('_'))) || typeNamed(link, world)
}

/** `customer: Customer`. */
function typeNamed(link: Thing, world: World): boolean {
  const type = elementType(link.type)
  return type !== null && link.names.some((name) => world.lexicon.typePhrases(type).some((phrase) => says(name, phrase)))
}

/** Two things stand in the relation that a verb names ("they treat the patient", "assigned to them"). Null when nothing carries it. */
export function relation(subject: Thing, verb: Phrase, object: Thing, scope: Scope): Expression | null {
  const { world } = scope
  const words = verb.filter((word) => !['to', 'by', 'with', 'for', 'of', 'from'].includes(word.toLowerCase()))
  const first = words[0]
  if (first === undefined) return null
  if (words.length === 1 && isForm(first, 'own')) return ownership(subject, object, { words: [], isSaid: true }, scope) ?? ownership(subject, object, { words: world.lexicon.typePhrases(elementType(object.type) ?? '')[0] ?? [], isSaid: true }, scope)
  if (words.length === 1 && isForm(first, 'belong')) {
    return canBeIn(subject.type, object.type, world.schema) ? inside(subject, object, world) : (ownership(object, subject, { words: [], isSaid: true }, scope) ?? ownership(subject, object, { words: [], isSaid: true }, scope))
  }
  const says = (name: Phrase) => saysBoolean(words, name) || (words.length === name.length && words.every((word, index) => isAkin(word, name[index] as string))) || saysRelation(words, name)
  // "Assigned to them", where the attribute is `assignedDriver`.
  const isWhole = ({ type, names }: Thing) => words.length < verb.length && isParticiple(first) && names.some((name) => name.length > 1 && isForm(first, name[0] as string) && saysOne(name.slice(1), elementType(type) ?? '', world))
  const onObject = reach(object, world).filter(({ thing, depth }) => depth === 1 && elementType(thing.type) === elementType(subject.type) && thing.names.some(says))
  const onSubject = reach(subject, world).filter(({ thing, depth }) => depth === 1 && elementType(thing.type) === elementType(object.type) && (thing.names.some(says) || isWhole(thing)))
  const isAlike = elementType(subject.type) === elementType(object.type)
  // Between two of one type the form of the name tells who does it: `supervisor` is on the supervised, `supervises` on who does it.
  const held = onObject.filter(({ thing }) => (!isActive(thing) || !isAlike) && mayBe(thing, 'done to'))
  const done = onSubject.filter(({ thing }) => (isActive(thing) || !isAlike) && mayBe(thing, 'doing'))
  const found = [...held.map(({ thing }) => meets(thing, subject)), ...done.map(({ thing }) => meets(thing, object))].filter((test) => test !== null)
  return oneOf(found, () => `\`${verb.join(' ')}\` can be ${choices([...held, ...done].map((one) => one.thing))}: say which`) ?? null

  /** "Patients who treat them", where doctors have `treats`, is the wrong way round: whose attribute it is does it, or has it done to. */
  function mayBe(thing: Thing, role: Role): boolean {
    // "By" has been turned around by whoever read it.
    const isPassive = words.length < verb.length && verb[verb.length - 1]?.toLowerCase() !== 'by' && isParticiple(first as string)
    const said = isPassive ? null : roleOf(thing.names.filter((name) => name.length > 0), first as string)
    return said === null || said === role
  }
}

/** A type, or a role that those of that type can have: `driver` of an employee. */
function saysOne(words: Phrase, type: string, world: World): boolean {
  const attributes = Object.values(world.schema.entityTypes.get(type)?.shape.attributes ?? {})
  const roles = world.lexicon.values(words).map((value) => value.type)
  return world.lexicon.types(words).includes(type) || attributes.some((attribute) => roles.includes(elementType(attribute.type) ?? ''))
}

type Role = 'doing' | 'done to'

/** Verbs that are also what the one is called who does it: a project's `lead`. */
const NAMES_OF_DOERS = new Set('lead host guide coach sponsor guard mentor tutor chair author partner pilot nurse'.split(' '))

/** What an attribute's owner has to do with a verb, by the form of the attribute's names; null when the form does not tell. */
function roleOf(names: readonly Phrase[], verb: string): Role | null {
  const firsts = names.map((name) => name[0] as string)
  const bases = lemmas(verb)
  const isOfVerb = (word: string) => isForm(word, verb)
  if (firsts.some((word) => NAMES_OF_DOERS.has(lemmas(word)[lemmas(word).length - 1] ?? word) && isOfVerb(word))) return 'done to'
  if (firsts.some((word) => isOfVerb(word) && !isParticiple(word) && (bases.includes(word) || /[^s]s$/.test(word)))) return 'doing'
  const isBy = names.some((name) => name[name.length - 1] === 'by')
  const akin = names.map((name) => name[name.length - 1] as string).filter((word) => isAkin(word, verb))
  if (isBy || akin.some((word) => /(?:er|or)s?$/i.test(word))) return 'done to'
  // An assignee is whom someone assigned, and so is who is `assigned`.
  return akin.length > 0 && akin.every((word) => /ees?$/i.test(word) || isParticiple(word)) ? 'doing' : null
}

function isParticiple(word: string): boolean {
  return !/(?:s|ing)$/i.test(word) && (/(?:ed|en|wn)$/i.test(word) || lemmas(word).length > 1)
}

/** `treats`, `manages`: the holder does it. `manager`, `assignedTo`, `created_by`: it is done to the holder. */
function isActive(thing: Thing): boolean {
  return thing.names.some((name) => /[^s]s$/.test(name[0] as string) && !/(?:ers|ors|ees)$/.test(name[0] as string))
}

/** Names for a reason. */
export function choices(things: readonly Thing[]): string {
  return things.map((thing) => thing.label).join(' or ')
}

export function sayNoun(noun: Noun): string {
  const words = [...(noun.other ? ['other'] : []), ...noun.words, ...(noun.quoted === null ? [] : [`"${noun.quoted}"`])]
  return words.join(' ') || 'those'
}

function sayModifier(modifier: Modifier): string {
  switch (modifier.kind) {
    case 'own': return 'whose it is'
    case 'of': return `\`${modifier.preposition} ${sayNoun(modifier.noun)}\``
    case 'same': return `\`the same ${modifier.words.join(' ')}\``
    case 'such': return 'what is said of it'
  }
}

const ACTOR = new Set('user requester requestor caller actor principal person'.split(' '))
const TARGET = new Set('resource item object target'.split(' '))
const EVENT = new Set('request action operation call'.split(' '))

/** The things that a phrase can refer to, several when only what is said of them can tell; null when it names nothing here. */
export function refThings(ref: Ref, scope: Scope): readonly Thing[] | null {
  const { world } = scope
  switch (ref.kind) {
    case 'this': return scope.here
    case 'subject': return [world.principal]
    case 'it': return [world.resource, world.context]
    case 'they': return [world.principal, world.resource]
    case 'noun': return find(ref.noun, scope)
  }
}

/** What a definite description names: "the patient", "their manager", "the owner of the document", "the export". */
export function find(noun: Noun, scope: Scope): readonly Thing[] | null {
  const { world } = scope
  const { lexicon, principal, resource, context } = world
  const { words } = noun
  want(noun, `\`${sayNoun(noun)}\` is nothing that the schema names here`, scope)
  const done = (things: readonly Thing[] | null) => {
    if (things !== null && things.length > 0) meet(noun, scope)
    return things !== null && things.length > 0 ? things : null
  }
  if (noun.quoted !== null || noun.other || words.length === 0) return null
  const [modifier, ...more] = noun.modifiers
  if (more.length > 0) return null
  const scalar = () => true
  if (modifier !== undefined) {
    // "If its member is blocked", of a loan.
    if (modifier.kind === 'own' && modifier.isIts === true) {
      refuseOpenIts(noun, scope)
      return done(meetThings(modifier, named(words, [resource], world, scalar, 1), scope))
    }
    if (modifier.kind === 'own') {
      const mine = named(words, [principal], world, scalar)
      // Whoever has the type of the one who acts is not theirs for that.
      const typed = mine.length > 0 ? [] : linked(words, [principal], world).filter((thing) => elementType(thing.type) !== elementType(principal.type))
      return done(meetThings(modifier, mine.length > 0 ? mine : typed, scope))
    }
    if (modifier.kind !== 'of') return null
    const owners = find(modifier.noun, scope)
    const found = owners === null ? [] : named(words, owners, world, scalar)
    return done(meetThings(modifier, found.length > 0 || owners === null ? found : linked(words, owners, world), scope))
  }
  const lower = words.map((word) => word.toLowerCase())
  const types = lexicon.types(words)
  const speaksOf = (nouns: readonly Noun[]) => nouns.some((one) => one.words.some((_, start) => lexicon.types(one.words.slice(start)).some((type) => types.includes(type))))
  const isType = (thing: Thing) => thing.type.kind === 'entity' && types.includes(thing.type.name)
  const actor = isType(principal)
  const target = isType(resource)
  const { statement } = scope
  const isSubject = actor && speaksOf([...statement.subject, ...statement.exceptSubject])
  const isObject = target && speaksOf(statement.deeds.flatMap((deed) => deed.object))
  const actorOrTarget = () => done([oneOf([principal, resource], () => `\`${words.join(' ')}\` can be who acts or what is acted on: say which`) as Thing])
  if (isSubject && isObject && principal !== resource) return actorOrTarget()
  const links = linked(words, [resource, context], world)
  if (isObject) return done([resource])
  if (isSubject) {
    const namesakes = named(words, [resource, context], world, (type) => elementType(type) !== null)
    return done([oneOf([principal, ...namesakes], () => `\`${words.join(' ')}\` can be who acts or ${choices(namesakes)}: say which`) as Thing])
  }
  if (links.length > 0) {
    // "if the driver is suspended": whoever drives, or whom the vehicle names. "The patient" of a chart is hardly one of its many readers.
    const isByName = named(words, [resource, context], world, (type) => elementType(type) !== null).length > 0
    const isDoer = statement.deeds.some(({ verb }) => verb !== null && isAkin(words[words.length - 1] as string, verb[0] as string))
    if (actor && (!isByName || isDoer || world.action.principals.length === 1)) return done([oneOf([principal, ...links], () => `\`${words.join(' ')}\` can be who acts or ${choices(links)}: say which`) as Thing])
    return done([only(links, words) as Thing])
  }
  if (target && actor) return actorOrTarget()
  if (target) return done([resource])
  if (actor) return done([principal])
  // "the record", where customer records are acted on.
  const isShort = (thing: Thing) => types.length === 0 && thing.names.some((name) => name.length > words.length && says(words, name.slice(-words.length)))
  if (isShort(resource) && !isShort(principal)) return done([resource])
  const search = (from: readonly Thing[]) => named(words, from, world, (type) => type.kind !== 'bool')
  const attributes = search(everywhere(noun, scope, search))
  if (attributes.length > 0) return done([only(attributes, words) as Thing])
  if (lower.length === 1 && types.length === 0) {
    const word = lower[0] as string
    if (ACTOR.has(word)) return done([principal])
    if (TARGET.has(word)) return done([resource])
    if (EVENT.has(word)) return done([context, resource])
  }
  // "the export", "the payment": what is done, as the action's name or its verb says it.
  const isDeed = lexicon.actions(words).some(({ action }) => action === world.environment.action || world.action.ancestors.includes(action)) || saysRest(words, world)
  return isDeed ? done([context, resource]) : null
}

/** "If the account is open and its balance is 0", of a loan that has a balance too. */
function refuseOpenIts(noun: Noun, { statement, world }: Scope): void {
  const { lexicon, schema, environment } = world
  const kinds = nounsIn([statement.when, statement.unless]).filter((one) => one !== noun).flatMap(({ words }) => words.flatMap((_, start) => lexicon.types(words.slice(start))))
  const hasOne = (kind: string) => named(noun.words, [{ ...world.resource, type: { kind: 'entity', name: kind } }], world, () => true, 1).length > 0
  const other = kinds.find((kind) => kind !== environment.resource && schema.entityTypes.has(kind) && hasOne(kind))
  if (other !== undefined) throw new Unclear(`\`its ${noun.words.join(' ')}\` can be of what is acted on or of the \`${other}\`: say whose`)
}

/** Every noun of a part of a statement. */
export function nounsIn(part: unknown): Noun[] {
  if (typeof part !== 'object' || part === null) return []
  const own = 'words' in part && 'modifiers' in part ? [part as Noun] : []
  return [...own, ...Object.values(part).flatMap(nounsIn)]
}

/** "the payment", for the action `sendPayment`. */
function saysRest(words: Phrase, world: World): boolean {
  return world.lexicon.entries.some(({ kind, name, phrase }) => kind === 'action' && name === world.environment.action && phrase.length > words.length && says(words, phrase.slice(-words.length)))
}

function some(things: readonly Thing[]): readonly Thing[] | null {
  return things.length > 0 ? things : null
}

function meetThings(part: object, things: readonly Thing[], scope: Scope): readonly Thing[] {
  if (things.length > 0) meet(part, scope)
  return things
}
