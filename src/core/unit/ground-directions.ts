import type { Expression } from '#core/policy/expression.ts'
import { concepts } from '#core/policy/schema.ts'
import { choices, nounTest, oneOf, ownership, Unclear, type Scope } from './ground-phrases.ts'
import { attributesOf, elementType, guarded, isEnumerated, listed, named, type Thing, type World } from './ground-things.ts'
import { isAkin, isForm, lemmas } from './morphology.ts'
import type { Noun } from './statement.ts'

/**
 * Prepositions that lead somewhere: "export records to the US" says where they go and not where they are, "share records with auditors"
 * who gets them. They mean an attribute that says that, and no other.
 */
const WAYS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    to: 'to into destination dest target recipient receiver addressee payee beneficiary consignee',
    with: 'with recipient receiver partner counterparty audience',
    for: 'for purpose reason goal beneficiary recipient behalf',
    from: 'from source origin sender payer author creator requester requestor submitter applicant reporter donor issuer',
  }).map(([preposition, words]) => [preposition, new Set(words.split(' '))]),
)
const ALIKE: ReadonlyMap<string, string> = new Map([['into', 'to'], ['onto', 'to'], ['towards', 'to'], ['toward', 'to']])

function wayOf(preposition: string): string {
  const lower = preposition.toLowerCase()
  return ALIKE.get(lower) ?? lower
}

const PREPOSITIONS = new Set('to into with for from'.split(' '))

export function isDirected(preposition: string): boolean {
  return WAYS.has(wayOf(preposition))
}

/** "Records from the EU" are those of the EU; what is borrowed from students is not what students have borrowed. */
export function isPlaceOfOrigin(preposition: string, noun: Noun, { world }: Scope): boolean {
  if (wayOf(preposition) !== 'from' || (noun.other && noun.words.length === 0)) return false
  const isActor = (type: string | null) => type !== null && world.schema.environments.some(({ principal }) => principal === type)
  const suffixes = noun.words.map((_, start) => noun.words.slice(start))
  const isOneOfTheirs = (words: readonly string[]) => named(words, [world.principal], world, (type) => isActor(elementType(type))).length > 0
  return !suffixes.some((words) => world.lexicon.types(words).some(isActor) || isOneOfTheirs(words))
}

/** What a directed phrase says of one thing or of the call: null where neither has an attribute for it. @throws {Unclear} where several do. */
export function directed(preposition: string, noun: Noun, thing: Thing, scope: Scope): Expression | null {
  const { world } = scope
  const way = wayOf(preposition)
  const verbs = scope.statement.deeds.flatMap(({ verb }) => verb?.[0] ?? [])
  const ways = [...attributesOf(world.context, world), ...attributesOf(thing, world)].filter((link) => leads(link, way, verbs))
  const fitting = ways.map((link) => ({ link, test: linkTest(noun, link, scope) })).filter((one): one is { link: Thing; test: Expression } => one.test !== null)
  const one = oneOf(fitting, () => `\`${preposition} ${noun.words.join(' ')}\` can be ${choices(fitting.map(({ link }) => link))}: say which`)
  if (one === undefined) return null
  // "View records for marketing": what they are looked at for, or what they were collected for.
  if (way === 'for' && isEnumerated(one.link.type, world.schema) && !attributesOf(world.context, world).includes(one.link)) {
    throw new Unclear(`\`for ${noun.words.join(' ')}\` can be what it is done for, or ${one.link.label}: say \`whose … is\``)
  }
  return one.test
}

/** `destination`, `to`, and `sentTo` of what is sent; `assignedTo` tells nothing about an export. */
function leads(link: Thing, way: string, verbs: readonly string[]): boolean {
  const words = WAYS.get(way) as ReadonlySet<string>
  const isSaid = (word: string) => words.has(word) || lemmas(word).some((form) => words.has(form))
  const ends = (name: readonly string[]) => PREPOSITIONS.has(name[name.length - 1] as string)
  const isOfDeed = (name: readonly string[]) => name.length === 1 || verbs.some((verb) => isAkin(name[0] as string, verb) || isForm(name[0] as string, verb))
  return link.names.some((name) => (ends(name) ? isSaid(name[name.length - 1] as string) && isOfDeed(name) : name.some(isSaid))) || concepts(link.annotations).some((concept) => concept.split(/[\s-]+/).some(isSaid))
}

function linkTest(noun: Noun, link: Thing, scope: Scope): Expression | null {
  const { world } = scope
  const { words, quoted, modifiers } = noun
  const isBare = modifiers.length === 0 && !noun.other
  if (words.length === 0 && quoted === null && isBare) return null
  const type = link.type.kind === 'set' ? link.type.element : link.type
  if (quoted !== null) {
    if (!isBare || (words.length > 0 && !(type.kind === 'entity' && world.lexicon.types(words).includes(type.name)))) return null
    const right: Expression | null = type.kind === 'entity' ? { kind: 'entity', uid: { type: type.name, id: quoted } } : type.kind === 'string' ? { kind: 'string', value: quoted } : null
    return right === null ? null : guarded([link], link.type.kind === 'set' ? { kind: 'contains', left: link.at, right } : { kind: 'eq', left: link.at, right })
  }
  if (isBare) {
    const value = valueOf(noun, link, world)
    if (value !== null) return value
  }
  if (type.kind !== 'entity' || link.type.kind === 'set' || isEnumerated(type, world.schema)) return null
  const own = modifiers.find(({ kind }) => kind === 'own')
  if (own !== undefined && own.kind === 'own') return modifiers.length > 1 ? null : ownership(world.principal, link, { words, isSaid: own.isSaid }, scope)
  return nounTest(noun, link, scope)
}

/** An attribute has the value that the words say. */
function valueOf({ words }: Noun, link: Thing, world: World): Expression | null {
  const element = elementType(link.type)
  const value = world.lexicon.values(words).find(({ type }) => type === element)
  const text = listed(link, words)
  if (value === undefined && text === null) return null
  const right: Expression = value !== undefined ? { kind: 'entity', uid: value } : { kind: 'string', value: text as string }
  return guarded([link], link.type.kind === 'set' ? { kind: 'contains', left: link.at, right } : { kind: 'eq', left: link.at, right })
}

const GIVING = 'send pay transfer push deploy upload write give move post deliver email publish submit wire add assign remit'.split(' ')

/** "Transfer money from verified accounts", where the account is what the money goes to. */
export function runsAgainst(preposition: string, verb: readonly string[] | null): boolean {
  return wayOf(preposition) === 'from' && GIVING.some((word) => isForm(word, verb?.[0] ?? ''))
}
