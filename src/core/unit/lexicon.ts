import { synonyms, type Action, type Annotations, type Attribute, type Schema } from '#core/policy/schema.ts'
import { identifierWords, isAgent, isAkin, isForm, isProgressive, lemmas, negated, roots } from './morphology.ts'

/** Words that name something, lower case, in their order. */
export type Phrase = readonly string[]

/**
 * The words of a schema: how its types, actions, attributes and enumerated ids can be said. Made from identifiers and
 * `@synonyms`; everything is matched in any inflection.
 */
export type Lexicon = {
  readonly schema: Schema
  /** Entity types that exactly these words name, e.g. `['customer', 'records']`. */
  readonly types: (words: Phrase) => readonly string[]
  /** How a type is called. */
  readonly typePhrases: (type: string) => readonly Phrase[]
  /** Actions that these words name, with what their name says beside the verb (`viewChart`, said "view": rest `['chart']`). */
  readonly actions: (verb: Phrase) => readonly Deedword[]
  /** Whether a deed can begin with these words: some action is called so, or its name begins so. */
  readonly isVerb: (words: Phrase) => boolean
  /** Ids of enumerated types that exactly these words name. */
  readonly values: (words: Phrase) => readonly { readonly type: string; readonly id: string }[]
  /** Whether any name of the schema has this word, in whatever form. */
  readonly knows: (word: string) => boolean
  /** All names, for a tagger: what kind of thing is called so. */
  readonly entries: readonly Entry[]
}

export type Entry = { readonly kind: 'type' | 'action' | 'attribute' | 'value'; readonly phrase: Phrase; readonly name: string }

export type Deedword = { readonly action: string; readonly rest: Phrase }

/** The lexicon of a schema; made once for each. */
export function lexiconOf(schema: Schema): Lexicon {
  const known = lexicons.get(schema)
  if (known !== undefined) return known
  const made = makeLexicon(schema)
  lexicons.set(schema, made)
  return made
}
const lexicons = new WeakMap<Schema, Lexicon>()

/** Whether words say a phrase: word by word in any inflection, or written together otherwise ("e-mail", "email"). */
export function says(words: Phrase, phrase: Phrase, isSame: (a: string, b: string) => boolean = isForm): boolean {
  if (words.length === 0 || phrase.length === 0) return false
  if (words.length === phrase.length && words.every((word, index) => isSame(word, phrase[index] as string))) return true
  if (words.length === phrase.length && !words.some((word) => word.includes('-'))) return false
  if (words.length + phrase.length > 6) return false
  const head = words.slice(0, -1).join('').toLowerCase().replaceAll('-', '')
  const together = phrase.join('')
  const last = (words[words.length - 1] as string).replaceAll('-', '')
  // No inflection changes the first letter of what is written together; most comparisons end here.
  if (head !== '' && head[0] !== together[0]) return false
  return lemmas(last).some((form) => head + form === together || lemmas(together).includes(head + form))
}

/** How an attribute is called: the words of its name, and its synonyms. */
export function phrasesOf(name: string, annotations: Annotations): readonly Phrase[] {
  const key = `${name}\u0000${annotations['synonyms'] ?? ''}`
  const known = phraseCache.get(key)
  if (known !== undefined) return known
  const made = [identifierWords(name), ...synonyms(annotations).map(identifierWords)].filter((phrase) => phrase.length > 0)
  if (phraseCache.size > 20_000) phraseCache.clear()
  phraseCache.set(key, made)
  return made
}
const phraseCache = new Map<string, readonly Phrase[]>()

/** The name without its namespaces. */
export function baseName(type: string): string {
  return type.slice(type.includes('::') ? type.lastIndexOf('::') + 2 : 0)
}

/** Verbs that say the same in ordinary English: a schema that has exactly one of a family is understood by the others. */
const FAMILIES: readonly (readonly string[])[] = [
  ['view', 'read', 'see'],
  ['edit', 'modify', 'update', 'change', 'amend'],
  ['delete', 'erase'],
]

function makeLexicon(schema: Schema): Lexicon {
  const typePhrases = new Map<string, readonly Phrase[]>()
  for (const [name, type] of schema.entityTypes) typePhrases.set(name, phrasesOf(baseName(name), type.annotations))

  const actions = [...schema.actions].map(([key, action]) => ({ key, names: namesOf(action, schema, typePhrases) }))
  const ids = [...schema.entityTypes].flatMap(([name, type]) => (type.ids ?? []).map((id) => ({ type: name, id, phrase: identifierWords(id) })))

  const entries: Entry[] = []
  for (const [name, phrases] of typePhrases) entries.push(...phrases.map((phrase): Entry => ({ kind: 'type', phrase, name })))
  for (const { key, names } of actions) entries.push(...names.map(({ verb, rest }): Entry => ({ kind: 'action', phrase: [...verb, ...rest], name: key })))
  for (const { type, id, phrase } of ids) entries.push({ kind: 'value', phrase, name: `${type}::${id}` })
  for (const attributes of records(schema)) {
    for (const [name, attribute] of attributes) entries.push(...phrasesOf(name, attribute.annotations).map((phrase): Entry => ({ kind: 'attribute', phrase, name })))
  }
  const vocabulary = new Set(entries.flatMap(({ phrase }) => phrase.flatMap((word) => roots(word))))
  for (const { phrase } of entries) vocabulary.add(phrase.join(''))

  const typesMemo = new Map<string, readonly string[]>()
  const actionsMemo = new Map<string, readonly Deedword[]>()
  const named = (verb: Phrase, isSame: (a: string, b: string) => boolean): Deedword[] =>
    actions.flatMap(({ key, names }) => {
      const found = names.filter((name) => says(verb, name.verb, isSame))
      // "view chart" names viewChart whole; then the rest is not asked for again.
      return found.map(({ rest }) => ({ action: key, rest }))
    })

  return {
    schema,
    entries,
    typePhrases: (type) => typePhrases.get(type) ?? [],
    types: (words) =>
      memo(typesMemo, words, () => [...typePhrases].filter(([, phrases]) => phrases.some((phrase) => says(words, phrase))).map(([name]) => name)),
    actions: (verb) =>
      memo(actionsMemo, verb, () => {
        // "the approver" is nobody's approving.
        const isNominal = (a: string, b: string) => isAkin(a, b) && isAgent(a) === isAgent(b)
        for (const isSame of [isForm, isNominal]) {
          const found = named(verb, isSame)
          if (found.length > 0) return found
        }
        const family = FAMILIES.find((words) => verb.length === 1 && words.some((word) => isForm(word, verb[0] as string)))
        const present = (family ?? []).map((word) => named([word], isForm)).filter((found) => found.length > 0)
        return present.length === 1 ? (present[0] as Deedword[]) : []
      }),
    isVerb(words) {
      return this.actions(words).length > 0
    },
    values: (words) => ids.filter(({ phrase, id }) => says(words, phrase, (a, b) => isForm(a, b) && isProgressive(a) === isProgressive(b)) || words.join(' ').toLowerCase() === id.toLowerCase()).map(({ type, id }) => ({ type, id })),
    knows: (word) => roots(word).some((form) => vocabulary.has(form)) || (negated(word) !== null && roots(negated(word) as string).some((form) => vocabulary.has(form))),
  }
}

function memo<T>(cache: Map<string, T>, words: Phrase, make: () => T): T {
  const key = words.join(' ').toLowerCase()
  const known = cache.get(key)
  if (known !== undefined) return known
  const made = make()
  if (cache.size > 5_000) cache.clear()
  cache.set(key, made)
  return made
}

/**
 * The verbs of an action's names, and what each leaves over. A name begins with its verb (`viewChart`), or ends with it behind
 * a type (`Document:read`, `chart.read`).
 */
function namesOf(action: Action, schema: Schema, typePhrases: ReadonlyMap<string, readonly Phrase[]>): readonly { verb: Phrase; rest: Phrase }[] {
  const resources = action.principals.length > 0 ? action.resources : [...schema.entityTypes.keys()]
  const kinds = resources.flatMap((type) => typePhrases.get(type) ?? [])
  const names = [identifierWords(action.uid.id), ...synonyms(action.annotations).map(identifierWords)].filter((words) => words.length > 0)
  return names.flatMap((words) => {
    const splits = words.map((_, index) => ({ verb: words.slice(0, index + 1), rest: words.slice(index + 1) }))
    const behind = kinds.filter((kind) => kind.length < words.length && says(words.slice(0, kind.length), kind))
    return [...splits, ...behind.map((kind) => ({ verb: words.slice(kind.length), rest: words.slice(0, kind.length) }))]
  })
}

/** Every record of attributes that the schema has, nested ones too. */
function records(schema: Schema): [string, Attribute][][] {
  const inner = (attributes: { readonly [name: string]: Attribute }): [string, Attribute][] =>
    Object.entries(attributes).flatMap(([name, attribute]) => [
      [name, attribute] as [string, Attribute],
      ...(attribute.type.kind === 'record' ? inner(attribute.type.attributes) : []),
    ])
  return [...[...schema.entityTypes.values()].map((type) => inner(type.shape.attributes)), ...[...schema.actions.values()].map((action) => inner(action.context.attributes))]
}
