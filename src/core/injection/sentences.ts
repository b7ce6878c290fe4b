import { all, any, not, path, PRINCIPAL, RESOURCE, type Expression, type Uid } from '#core/policy/expression.ts'
import { spaced } from '#core/policy/english.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { pick, type Random } from '#core/proof/random-world.ts'
import { identifierWords } from '#core/unit/morphology.ts'
import type { Norm } from '#core/unit/norm.ts'

/** A sentence, and what it means: the norms were there first, and no reader has seen them. */
export type KnownSentence = { readonly text: string; readonly norms: readonly Norm[] }

/**
 * A sentence about one kind of request of a schema, of a form that the table in `docs/concepts/reading.md` gives a meaning to, with conditions over
 * attributes that the schema has. Null where the schema has no words for the request that was drawn.
 */
export function knownSentence(schema: Schema, random: Random): KnownSentence | null {
  const environment = pick(random, schema.environments)
  const action = schema.actions.get(environment.action)
  if (action === undefined || environment.principal === environment.resource) return null
  const verb = verbOf(action.uid, environment.resource)
  if (verb === null) return null
  return pick(random, FORMS)({ schema, environment, action: action.uid, others: action.principals.filter((type) => type !== environment.principal), who: spaced(environment.principal), verb, what: spaced(environment.resource), random })
}

type Place = { readonly schema: Schema; readonly environment: Environment; readonly action: Uid; readonly others: readonly string[]; readonly who: string; readonly verb: string; readonly what: string; readonly random: Random }
type Said = { readonly text: string; readonly means: Expression }

const FORMS: readonly ((place: Place) => KnownSentence | null)[] = [
  (place) => stated(place, (c) => `${plural(place.who)} ${may(place)} ${place.verb} ${plural(place.what)} ${pick(place.random, ['if', 'when', 'where'])} ${c.text}`, ({ means }) => [norm(place, 'permit', { when: means })]),
  (place) => stated(place, (c) => `every ${place.who} ${may(place, true)} ${place.verb} any ${place.what} unless ${c.text}`, ({ means }) => [norm(place, 'permit', { unless: means })]),
  (place) => stated(place, (c) => `${plural(place.who)} ${mustNot(place)} ${place.verb} ${plural(place.what)} ${pick(place.random, ['if', 'when'])} ${c.text}`, ({ means }) => [norm(place, 'forbid', { when: means })]),
  (place) => stated(place, (c) => `no ${place.who} may ${place.verb} a ${place.what} unless ${c.text}`, ({ means }) => [norm(place, 'forbid', { unless: means })]),
  (place) => stated(place, (c) => `if ${c.text}, ${plural(place.who)} ${may(place)} ${place.verb} ${plural(place.what)}`, ({ means }) => [norm(place, 'permit', { when: means })]),
  (place) => stated(place, (c) => `${plural(place.who)} may ${place.verb} ${plural(place.what)} ${pick(place.random, ['only if', 'provided that', 'as long as', 'only when'])} ${c.text}`, ({ means }) => [norm(place, 'permit', { when: means }), norm(place, 'forbid', { unless: means })]),
  (place) => ({ text: sentence(`only ${plural(place.who)} may ${place.verb} ${plural(place.what)}`), norms: numbered([norm(place, 'permit', {}), ...(place.others.length === 0 ? [] : [norm(place, 'forbid', { principals: place.others })])]) }),
  (place) => adjective(place, (a) => `${plural(place.who)} ${may(place)} ${place.verb} ${a.text} ${plural(place.what)}`, ({ means }) => [norm(place, 'permit', { when: means })]),
  (place) => adjective(place, (a) => `${plural(place.who)} may ${place.verb} ${plural(place.what)} except ${a.text} ${plural(place.what)}`, ({ means }) => [norm(place, 'permit', { unless: means })]),
  (place) => adjective(place, (a) => `${plural(place.who)} ${mustNot(place)} ${place.verb} ${plural(place.what)} that are not ${a.text}`, ({ means }) => [norm(place, 'forbid', { when: not(means) })]),
  (place) => adjective(place, (a) => `${plural(place.who)} who are ${a.text} may ${place.verb} ${plural(place.what)}`, ({ means }) => [norm(place, 'permit', { when: means })], 'principal'),
  (place) => stated(place, (c) => `${plural(place.who)} may ${place.verb} ${plural(place.what)} unless ${c.text}`, ({ means }) => [norm(place, 'permit', { unless: means })], 2),
  (place) => stated(place, (c) => `${plural(place.who)} may ${place.verb} ${plural(place.what)} if ${c.text}`, ({ means }) => [norm(place, 'permit', { when: means })], 2),
  (place) => stated(place, (c) => `a ${place.who} may ${place.verb} a ${place.what} if ${c.text}`, ({ means }) => [norm(place, 'permit', { when: means })], 3),
]

function norm({ environment, action }: Place, modality: Norm['modality'], { when = null, unless = null, principals = [environment.principal] }: { readonly when?: Expression | null; readonly unless?: Expression | null; readonly principals?: readonly string[] }): Norm {
  return { id: 'N1', sentence: 1, source: '', modality, principals, actions: [action], resources: [environment.resource], when, unless, obligation: null }
}

/** @param parts So many conditions, joined by one of "and" and "or". */
function stated(place: Place, text: (condition: Said) => string, meaning: (condition: Said) => readonly Norm[], parts = 1): KnownSentence | null {
  const conditions = Array.from({ length: parts }, () => condition(place))
  if (conditions.some((each) => each === null)) return null
  const said = conditions as readonly Said[]
  if (new Set(said.map((each) => each.text)).size < parts) return null
  const isAll = place.random() < 0.5
  const joined: Said = { text: said.map((each) => each.text).join(isAll ? ' and ' : ' or '), means: (isAll ? all : any)(said.map(({ means }) => means)) }
  return { text: sentence(text(joined)), norms: numbered(meaning(joined)) }
}

function adjective(place: Place, text: (adjective: Said) => string, meaning: (adjective: Said) => readonly Norm[], side: 'principal' | 'resource' = 'resource'): KnownSentence | null {
  const found = adjectivesOf(place, side)
  if (found.length === 0) return null
  const chosen = pick(place.random, found)
  return { text: sentence(text(chosen)), norms: numbered(meaning(chosen)) }
}

function numbered(norms: readonly Norm[]): readonly Norm[] {
  return norms.length === 1 ? norms : norms.map((each, i) => ({ ...each, id: `N1.${i + 1}` }))
}

/** A condition about who asks or about what is asked for. */
function condition(place: Place): Said | null {
  const { random, who, what } = place
  const ways: (() => Said | null)[] = [
    ...(['principal', 'resource'] as const).map((side) => () => {
      const found = adjectivesOf(place, side)
      if (found.length === 0) return null
      const { text, means } = pick(random, found)
      const isNegated = random() < 0.4
      return { text: `the ${side === 'principal' ? who : what} is ${isNegated ? 'not ' : ''}${text}`, means: isNegated ? not(means) : means }
    }),
    () => comparison(place),
    () => relation(place),
  ]
  return pick(random, ways)()
}

const COMPARISONS: readonly { readonly words: string; readonly kind: 'less' | 'lessEq' | 'greater' | 'greaterEq' | 'eq' }[] = [
  { words: 'is at least', kind: 'greaterEq' }, { words: 'is at most', kind: 'lessEq' }, { words: 'is more than', kind: 'greater' }, { words: 'is less than', kind: 'less' }, { words: 'exceeds', kind: 'greater' },
  { words: 'does not exceed', kind: 'lessEq' }, { words: 'is below', kind: 'less' }, { words: 'is over', kind: 'greater' }, { words: 'is no more than', kind: 'lessEq' }, { words: 'is up to', kind: 'lessEq' },
]

function comparison(place: Place): Said | null {
  const { random } = place
  const side = random() < 0.5 ? 'principal' as const : 'resource' as const
  const attributes = attributesOf(place, side, 'long')
  if (attributes.length === 0) return null
  const [attribute, value, { words, kind }] = [pick(random, attributes), String(1 + Math.floor(random() * 900)), pick(random, COMPARISONS)]
  const owner = side === 'principal' ? place.who : place.what
  const left = random() < 0.5 ? `the ${owner}'s ${spaced(attribute)}` : `the ${spaced(attribute)} of the ${owner}`
  return { text: `${left} ${words} ${value}`, means: { kind, left: path(side === 'principal' ? PRINCIPAL : RESOURCE, [attribute]), right: { kind: 'long', value } } }
}

/** That who asks is whom the thing names, or that both have one thing in common. */
function relation({ schema, environment, who, what, random }: Place): Said | null {
  const named = (type: string) => Object.entries(schema.entityTypes.get(type)?.shape.attributes ?? {}).flatMap(([name, { type: of, required }]) => (required && of.kind === 'entity' ? [{ name, of: of.name }] : []))
  const [mine, its] = [named(environment.principal), named(environment.resource)]
  const owners = its.filter(({ of }) => of === environment.principal).map(({ name }): Said => ({ text: `the ${who} is the ${spaced(name)} of the ${what}`, means: { kind: 'eq', left: path(RESOURCE, [name]), right: PRINCIPAL } }))
  const shared = mine.flatMap((one) => its.filter((other) => other.of === one.of).map((other): Said => ({ text: `the ${who}'s ${spaced(one.name)} is the ${what}'s ${spaced(other.name)}`, means: { kind: 'eq', left: path(PRINCIPAL, [one.name]), right: path(RESOURCE, [other.name]) } })))
  const found = [...owners, ...shared]
  return found.length === 0 ? null : pick(random, found)
}

/** Booleans that something is, by what their names look like. */
function adjectivesOf(place: Place, side: 'principal' | 'resource'): readonly Said[] {
  return attributesOf(place, side, 'bool').flatMap((attribute): readonly Said[] => {
    const words = spaced(attribute).replace(/^is /, '')
    return / /.test(words) || !/(ed|able|ible|ive|al|ous|ful|ic|en|ing|or)$/.test(words) ? [] : [{ text: words, means: path(side === 'principal' ? PRINCIPAL : RESOURCE, [attribute]) }]
  })
}

function attributesOf({ schema, environment }: Place, side: 'principal' | 'resource', kind: 'bool' | 'long'): readonly string[] {
  return Object.entries(schema.entityTypes.get(environment[side])?.shape.attributes ?? {}).flatMap(([name, { type, required }]) => (required && type.kind === kind ? [name] : []))
}

/** The verb of an action, without the name of what it is done to; null where it has more words. */
function verbOf({ id }: Uid, resource: string): string | null {
  const words = identifierWords(id)
  const rest = words.length > 1 && words.at(-1) === spaced(resource).split(' ').at(-1) ? words.slice(0, -1) : words
  return rest.length === 1 ? (rest[0] as string) : null
}

function may({ random }: Place, isOne = false): string {
  return pick(random, ['may', 'can', isOne ? 'is allowed to' : 'are allowed to', isOne ? 'is permitted to' : 'are permitted to'])
}

function mustNot({ random }: Place): string {
  return pick(random, ['must not', 'may not', 'cannot', 'are not allowed to', 'shall not', 'are forbidden to', 'must never'])
}

function plural(noun: string): string {
  return /(s|x|z|ch|sh)$/.test(noun) ? `${noun}es` : /[^aeiou]y$/.test(noun) ? `${noun.slice(0, -1)}ies` : `${noun}s`
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`.replaceAll(/\b([Aa]) (?=[aeio])/g, '$1n ')
}
