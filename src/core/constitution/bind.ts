import { all, any, CONTEXT, PRINCIPAL, RESOURCE, TRUE, type Expression } from '#core/policy/expression.ts'
import { concepts, type Action, type Annotations, type Environment, type RecordType, type Schema, type Type } from '#core/policy/schema.ts'
import { Failure, type Problem } from '#core/failure.ts'
import type { Article, BoundArticle, Inapplicable, ProtectedFact } from './article.ts'
import type { Alternative, Atom, Clause, Constitution } from './constitution.ts'

export type Binding = {
  readonly bound: readonly BoundArticle[]
  readonly inapplicable: readonly Inapplicable[]
  /** Concepts that the schema names and no article speaks about: a misspelling, perhaps. Sorted. */
  readonly unused: readonly string[]
}

/**
 * Says what each article means for one schema: in which request environments, under which conditions.
 *
 * A concept is found by `@concept` on an entity type, an action or one of its groups, and an attribute: of the context, of
 * the principal, of the resource, or of an entity that an attribute of the resource names. Nothing is approximated:
 * - an article of which a concept is nowhere in the schema is inapplicable, and the missing ones are named;
 * - an excuse (`unless`) that an environment has no words for is dropped there, which is stricter; a never-permit article of
 *   which no excuse can be said anywhere is inapplicable, for it would forbid what it only means to restrict;
 * - a concept in several places: any place makes an article match, all places are needed to be excused;
 * - an optional attribute that is absent makes its condition not hold.
 *
 * @throws {Failure} `SCHEMA_INVALID` naming every annotation whose concept stands on something that cannot carry it, e.g.
 *   `consent` on a string: it would look as if the article applied.
 */
export function bind(constitution: Constitution, schema: Schema): Binding {
  const uses = usesOf(constitution.clauses)
  const annotated = annotationsOf(schema)
  const problems = [...annotated.flatMap((place) => misplaced(place, uses)), ...incomparable(annotated, constitution.clauses)]
  if (problems.length > 0) {
    const first = problems[0] as Problem
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
    throw new Failure('SCHEMA_INVALID', `the schema's concepts cannot be used: ${first.place}: ${first.message}${more}`, { problems })
  }

  const known = new Set(annotated.map(({ concept }) => concept))
  const results = constitution.clauses.map((clause) => bindClause(clause, schema, known))
  return {
    bound: results.filter((result) => 'environments' in result),
    inapplicable: results.filter((result) => 'missing' in result),
    unused: [...known].filter((concept) => !uses.has(concept)).sort(),
  }
}

function bindClause(clause: Clause, schema: Schema, known: ReadonlySet<string>): BoundArticle | Inapplicable {
  const article = articleOf(clause)
  const facts = clause.of === null ? [] : protectedFacts(schema, clause.of)
  const missing = [...required(clause).filter((any) => !any.some((concept) => known.has(concept))).map((any) => any.join(' or '))]
  const needsExcuse = clause.kind === 'never-permit' && clause.unless.length > 0
  if (needsExcuse) {
    const excuses = clause.unless.map((alternative) => atomsOf(alternative).flatMap(conceptsOf))
    if (excuses.every((needed) => needed.some((concept) => !known.has(concept)))) missing.push(...excuses.flat().filter((concept) => !known.has(concept)))
  }
  if (missing.length === 0 && clause.of !== null && facts.length === 0) missing.push(clause.of)
  if (missing.length > 0) return { article, missing: [...new Set(missing)] }

  const matched = schema.environments.flatMap((environment) => {
    const matches = matchesIn(clause, environment, schema)
    return matches === null ? [] : [{ environment, matches, excuses: excusesIn(clause.unless, environment, schema) }]
  })
  // Each concept is somewhere, but never all in one request.
  if (matched.length === 0) return { article, missing: [required(clause).map((any) => any.join(' or ')).join(' with ')] }
  if (needsExcuse && matched.every(({ excuses }) => excuses.length === 0)) {
    return { article, missing: clause.unless.map((alternative) => atomsOf(alternative).flatMap(conceptsOf).join(' with ')) }
  }
  return {
    article,
    environments: matched.map(({ environment, matches, excuses }) => ({ environment, matches, unless: excuses.length === 0 ? null : any(excuses) })),
    protected: facts,
    obligation: clause.record,
  }
}

function articleOf({ id, principle, kind, text, hard, weight }: Clause): Article {
  return { id, principle, kind, text, hard, weight }
}

/** What must be in the schema for the article to say anything: each inner list, any one of it. */
function required({ when, of }: Clause): readonly (readonly string[])[] {
  const gates = [when?.principal, when?.action, when?.resource].filter((gate) => gate !== undefined)
  const conditions = (when?.and ?? []).flatMap((atom) => conceptsOf(atom)).map((concept) => [concept])
  return [...gates, ...conditions, ...(of === null ? [] : [[of]])]
}

/** The condition under which the article concerns a request of this environment; null when it never does. */
function matchesIn(clause: Clause, environment: Environment, schema: Schema): Expression | null {
  const { when } = clause
  if (when === null) return TRUE
  const gates: Atom[] = [
    ...(when.principal === undefined ? [] : [{ principal: when.principal }]),
    ...(when.action === undefined ? [] : [{ action: when.action }]),
    ...(when.resource === undefined ? [] : [{ resource: when.resource }]),
  ]
  const parts = [...gates, ...(when.and ?? [])].map((atom) => say(atom, environment, schema, any))
  return parts.some((part) => part === null) ? null : conjunction(parts as Expression[])
}

/** The excuses that can be said in this environment. */
function excusesIn(unless: readonly Alternative[], environment: Environment, schema: Schema): readonly Expression[] {
  return unless.flatMap((alternative) => {
    const parts = atomsOf(alternative).map((atom) => say(atom, environment, schema, all))
    return parts.some((part) => part === null) ? [] : [conjunction(parts as Expression[])]
  })
}

function conjunction(parts: readonly Expression[]): Expression {
  return all(parts.filter((part) => part !== TRUE))
}

function atomsOf(alternative: Alternative): readonly Atom[] {
  return 'all' in alternative ? alternative.all : [alternative]
}

function conceptsOf(atom: Atom): readonly string[] {
  return Object.values(atom).flat().filter((part) => typeof part === 'string')
}

/** Something that a request can be asked for: where it is, its type, and what must be tested before it may be read. */
type Place = { readonly at: Expression; readonly guards: readonly Expression[]; readonly type: Type; readonly annotations: Annotations }

/**
 * An atom as an expression over one environment, or null when the environment has no words for it.
 *
 * @param several How the places of one concept combine: `any` where matching more is stricter, `all` where excusing less is.
 */
function say(atom: Atom, environment: Environment, schema: Schema, several: typeof any): Expression | null {
  const { principal, resource } = environment
  const action = schema.actions.get(environment.action) as Action
  const own = () => placesOf(PRINCIPAL, principal, schema)
  const around = () => [...resourcePlaces(resource, schema), ...recordPlaces(CONTEXT, action.context, [])]
  const combine = (parts: readonly Expression[]) => (parts.length === 0 ? null : several(parts))

  if ('principal' in atom) return carries(schema.entityTypes.get(principal)?.annotations, atom.principal) ? TRUE : null
  if ('action' in atom) return [environment.action, ...action.ancestors].some((uid) => carries(schema.actions.get(uid)?.annotations, atom.action)) ? TRUE : null
  if ('resource' in atom) {
    if (carries(schema.entityTypes.get(resource)?.annotations, atom.resource)) return TRUE
    const flags = placesOf(RESOURCE, resource, schema).filter(({ type, annotations }) => type.kind === 'bool' && carries(annotations, atom.resource))
    return combine(flags.map(isTrue))
  }
  if ('holds' in atom) return combine(named(around(), atom.holds).map(isTrue))
  if ('principal-holds' in atom) return combine(named(own(), atom['principal-holds']).map(isTrue))
  if ('principal-is' in atom) return combine([...selfIs(atom['principal-is'], environment, schema), ...ties(named(around(), atom['principal-is']), PRINCIPAL, principal)])
  if ('related' in atom) {
    const targets = [{ at: RESOURCE, guards: [], type: { kind: 'entity', name: resource }, annotations: {} } satisfies Place, ...resourcePlaces(resource, schema)]
    const outward = named(own(), atom.related).flatMap((place) =>
      targets.flatMap((target) => (target.type.kind === 'entity' ? ties([place], target.at, target.type.name, target.guards) : [])),
    )
    return combine([...outward, ...ties(named(resourcePlaces(resource, schema), atom.related), PRINCIPAL, principal)])
  }
  if ('shares' in atom) {
    const theirs = named(resourcePlaces(resource, schema), atom.shares)
    const mine = named(own(), atom.shares)
    const ancestors = schema.entityTypes.get(principal)?.ancestors ?? []
    const byAttribute = mine.flatMap((place) => theirs.flatMap((other) => sharing(place, other)))
    const byMembership = theirs
      .filter(({ type }) => type.kind === 'entity' && ancestors.includes(type.name))
      .map(({ at, guards }) => all([...guards, { kind: 'in', left: PRINCIPAL, right: at }]))
    return combine([...byAttribute, ...byMembership])
  }
  if ('at-most' in atom) {
    const [less, more] = atom['at-most']
    const places = [...around(), ...own()]
    const bounds: readonly Pick<Place, 'at' | 'guards'>[] =
      typeof more === 'number' ? [{ at: { kind: 'long', value: String(more) }, guards: [] }] : named(places, more)
    return combine(named(places, less).flatMap((left) => bounds.map((right) => compared('lessEq', left, right))))
  }
  const [one, other] = atom.equal
  const places = [...around(), ...own()]
  return combine(named(places, one).flatMap((left) => named(places, other).map((right) => compared('eq', left, right))))
}

function carries(annotations: Annotations | undefined, wanted: readonly string[]): boolean {
  return concepts(annotations ?? {}).some((concept) => wanted.includes(concept))
}

function named(places: readonly Place[], concept: string): readonly Place[] {
  return places.filter(({ annotations }) => concepts(annotations).includes(concept))
}

function isTrue({ at, guards }: Place): Expression {
  return all([...guards, at])
}

function compared(kind: 'eq' | 'lessEq', left: Pick<Place, 'at' | 'guards'>, right: Pick<Place, 'at' | 'guards'>): Expression {
  return all([...left.guards, ...right.guards, { kind, left: left.at, right: right.at }])
}

/** `resource == principal`, where the resource's type itself is named: an agent as its own grantee. */
function selfIs(concept: string, { principal, resource }: Environment, schema: Schema): readonly Expression[] {
  const isNamed = principal === resource && carries(schema.entityTypes.get(resource)?.annotations, [concept])
  return isNamed ? [{ kind: 'eq', left: RESOURCE, right: PRINCIPAL }] : []
}

/** For each place that names entities of the target's type: it is the target, or it contains it. */
function ties(places: readonly Place[], target: Expression, targetType: string, guards: readonly Expression[] = []): readonly Expression[] {
  return places.flatMap((place) => {
    const { type } = place
    const tests = [...place.guards, ...guards]
    if (type.kind === 'entity' && type.name === targetType) return [all([...tests, { kind: 'eq', left: place.at, right: target }])]
    if (type.kind === 'set' && type.element.kind === 'entity' && type.element.name === targetType) return [all([...tests, { kind: 'contains', left: place.at, right: target }])]
    return []
  })
}

/** The two name one entity in common. */
function sharing(mine: Place, theirs: Place): readonly Expression[] {
  if (theirs.type.kind === 'entity') return ties([mine], theirs.at, theirs.type.name, theirs.guards)
  if (mine.type.kind === 'entity') return ties([theirs], mine.at, mine.type.name, mine.guards)
  const [one, other] = [elementOf(mine.type), elementOf(theirs.type)]
  return one !== null && one === other ? [all([...mine.guards, ...theirs.guards, { kind: 'containsAny', left: mine.at, right: theirs.at }])] : []
}

function elementOf(type: Type): string | null {
  return type.kind === 'set' && type.element.kind === 'entity' ? type.element.name : null
}

/** The attributes of the resource, and those of every entity that one of them names. */
function resourcePlaces(resource: string, schema: Schema): readonly Place[] {
  const own = placesOf(RESOURCE, resource, schema)
  const next = own.flatMap(({ at, guards, type }) => (type.kind === 'entity' ? placesOf(at, type.name, schema, guards) : []))
  return [...own, ...next]
}

function placesOf(at: Expression, type: string, schema: Schema, guards: readonly Expression[] = []): readonly Place[] {
  const shape = schema.entityTypes.get(type)?.shape
  return shape === undefined ? [] : recordPlaces(at, shape, guards)
}

/** Every attribute of a record, those of records in it included. */
function recordPlaces(at: Expression, record: RecordType, guards: readonly Expression[]): readonly Place[] {
  return Object.entries(record.attributes).flatMap(([attribute, { type, required: isRequired, annotations }]) => {
    const tests: readonly Expression[] = isRequired ? guards : [...guards, { kind: 'has', of: at, attribute }]
    const place: Place = { at: { kind: 'get', of: at, attribute }, guards: tests, type, annotations }
    return type.kind === 'record' ? [place, ...recordPlaces(place.at, type, tests)] : [place]
  })
}

/**
 * What must not matter: attributes that carry the concept or name an entity of a type that does, tags that name one, and membership in such a
 * type. What such a type can be in tells of membership in it, so that membership there must not matter either.
 */
function protectedFacts(schema: Schema, concept: string): readonly ProtectedFact[] {
  const types = [...schema.entityTypes.values()]
  const groups = types.filter(({ annotations }) => carries(annotations, [concept]))
  const isGroup = (name: string): boolean => groups.some((group) => group.name === name)
  const telling = new Set(groups.flatMap(({ name, ancestors }) => [name, ...ancestors]))
  const names = (type: Type): boolean => {
    switch (type.kind) {
      case 'entity': return isGroup(type.name)
      case 'set': return names(type.element)
      case 'record': return Object.values(type.attributes).some((attribute) => names(attribute.type))
      default: return false
    }
  }
  /** A record matters as far as what in it does; of a set's elements nobody can say which is which. */
  const within = (shape: RecordType, path: readonly string[]): readonly (readonly string[])[] => Object.entries(shape.attributes).flatMap(([attribute, { type, annotations }]) => {
    const at = [...path, attribute]
    if (carries(annotations, [concept])) return [at]
    return type.kind === 'record' ? within(type, at) : names(type) ? [at] : []
  })
  return types.flatMap(({ name, shape, tags, ancestors }) => [
    ...within(shape, []).map((path): ProtectedFact => ({ kind: 'attribute', type: name, path })),
    ...(tags !== null && names(tags) ? [{ kind: 'tags', type: name } as const] : []),
    ...(ancestors.some(isGroup) ? ancestors.filter((above) => telling.has(above)) : []).map((above): ProtectedFact => ({ kind: 'membership', of: name, in: above })),
  ])
}

/** How articles use a concept, which says what can carry it. */
type Use = 'principal' | 'action' | 'resource' | 'flag' | 'principal-flag' | 'person' | 'group' | 'relation' | 'number' | 'value' | 'protected'

function usesOf(clauses: readonly Clause[]): ReadonlyMap<string, ReadonlySet<Use>> {
  const uses = new Map<string, Set<Use>>()
  const add = (use: Use, names: readonly (string | number)[]) => {
    for (const name of names) if (typeof name === 'string') uses.set(name, (uses.get(name) ?? new Set()).add(use))
  }
  const read = (atom: Atom) => {
    if ('holds' in atom) add('flag', [atom.holds])
    if ('principal-holds' in atom) add('principal-flag', [atom['principal-holds']])
    if ('principal-is' in atom) add('person', [atom['principal-is']])
    if ('shares' in atom) add('group', [atom.shares])
    if ('related' in atom) add('relation', [atom.related])
    if ('at-most' in atom) add('number', atom['at-most'])
    if ('equal' in atom) add('value', atom.equal)
    if ('principal' in atom) add('principal', atom.principal)
    if ('action' in atom) add('action', atom.action)
    if ('resource' in atom) add('resource', atom.resource)
  }
  for (const { when, unless, of } of clauses) {
    add('principal', when?.principal ?? [])
    add('action', when?.action ?? [])
    add('resource', when?.resource ?? [])
    for (const atom of [...(when?.and ?? []), ...unless.flatMap(atomsOf)]) read(atom)
    if (of !== null) add('protected', [of])
  }
  return uses
}

/** One `@concept`: which, where, and on what. */
type Annotated = {
  readonly concept: string
  readonly place: string
  readonly on: 'action' | 'entity-type' | 'entity-attribute' | 'context-attribute'
  /** Of an attribute. */
  readonly type: Type | null
  /** An attribute of a record inside: only conditions reach it. */
  readonly isNested: boolean
}

function annotationsOf(schema: Schema): readonly Annotated[] {
  const record = (shape: RecordType, place: string, on: Annotated['on'], isNested = false): Annotated[] =>
    Object.entries(shape.attributes).flatMap(([name, { type, annotations }]) => [
      ...concepts(annotations).map((concept) => ({ concept, place: `${place}.${name}`, on, type, isNested })),
      ...(type.kind === 'record' ? record(type, `${place}.${name}`, on, true) : []),
    ])
  return [
    ...[...schema.entityTypes.values()].flatMap(({ name, annotations, shape }) => [
      ...concepts(annotations).map((concept) => ({ concept, place: name, on: 'entity-type' as const, type: null, isNested: false })),
      ...record(shape, name, 'entity-attribute'),
    ]),
    ...[...schema.actions].flatMap(([uid, { annotations, context }]) => [
      ...concepts(annotations).map((concept) => ({ concept, place: uid, on: 'action' as const, type: null, isNested: false })),
      ...record(context, `${uid} context`, 'context-attribute'),
    ]),
  ]
}

function misplaced({ concept, place, on, type, isNested }: Annotated, uses: ReadonlyMap<string, ReadonlySet<Use>>): Problem[] {
  const ways = uses.get(concept)
  if (ways === undefined) return []
  const fits = [...ways].some((use) => {
    if (on === 'action') return use === 'action'
    if (on === 'entity-type') return use === 'principal' || use === 'resource' || use === 'person' || use === 'protected'
    const isEntity = type?.kind === 'entity' || (type?.kind === 'set' && type.element.kind === 'entity')
    switch (use) {
      case 'action':
      case 'principal': return false
      case 'resource': return type?.kind === 'bool' && on === 'entity-attribute'
      case 'flag':
      case 'principal-flag': return type?.kind === 'bool'
      case 'person':
      case 'relation':
      case 'group': return isEntity
      case 'number': return type?.kind === 'long'
      case 'value': return type !== null && ['bool', 'long', 'string', 'entity'].includes(type.kind)
      case 'protected': return on === 'entity-attribute' && !isNested
    }
  })
  if (fits) return []
  const carriers = [...ways].map((use) => CARRIER[use]).join(', or ')
  return [{ place, message: `\`@concept("${concept}")\` belongs on ${carriers}${type === null ? '' : `, and this is ${typeName(type)}`}` }]
}

/** Two values that an article compares must be of one type, wherever the schema has them. */
function incomparable(annotated: readonly Annotated[], clauses: readonly Clause[]): Problem[] {
  const pairs = clauses.flatMap(({ when, unless }) => [...(when?.and ?? []), ...unless.flatMap(atomsOf)].flatMap((atom) => ('equal' in atom ? [atom.equal] : [])))
  return pairs.flatMap((pair) => {
    const places = annotated.flatMap(({ concept, place, type }) => (pair.includes(concept) && type !== null ? [{ concept, place, name: typeName(type) }] : []))
    const first = places[0]
    return places
      .filter(({ name }) => name !== first?.name)
      .map(({ concept, place, name }) => ({ place, message: `\`@concept("${concept}")\` is compared with ${first?.place}, which is ${first?.name}, and this is ${name}` }))
  })
}

const CARRIER: { readonly [use in Use]: string } = {
  principal: 'an entity type',
  action: 'an action or a group of actions',
  resource: 'an entity type, or a Bool attribute of one',
  flag: 'a Bool attribute of a resource or of the context',
  'principal-flag': 'a Bool attribute of whoever asks',
  person: 'an attribute that names an entity, or an entity type',
  group: 'an attribute that names an entity',
  relation: 'an attribute that names an entity or a set of entities',
  number: 'a Long attribute',
  value: 'a Bool, Long, String or entity attribute',
  protected: 'an attribute of an entity type (not inside a record), or an entity type',
}

function typeName(type: Type): string {
  switch (type.kind) {
    case 'bool': return 'a Bool'
    case 'long': return 'a Long'
    case 'string': return 'a String'
    case 'entity': return `an entity of type ${type.name}`
    case 'set': return 'a set'
    case 'record': return 'a record'
    case 'extension': return `of type ${type.name}`
  }
}
