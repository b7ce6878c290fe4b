import { Failure } from '#core/failure.ts'
import { synonyms, type Schema } from '#core/policy/schema.ts'
import { identifierWords, lemmas } from './morphology.ts'
import type { CedarEntity, CedarRequest } from './semantic-unit.ts'

/** A domain that ships: a vocabulary, a sample of its world, and requests with what they must come to. */
export type Pack = {
  readonly name: string
  readonly title: string
  /** Words by which a text is recognised as this domain's: its own and those of its schema, as base forms. */
  readonly words: readonly string[]
  /** Cedar schema text. */
  readonly schema: string
  readonly entities: readonly CedarEntity[]
  readonly requests: readonly PackRequest[]
}

/** A governance request of a pack: the body of generate-policy, and what it must come to. */
export type PackRequest = {
  readonly file: string
  readonly body: unknown
  readonly expect: {
    readonly verdict: 'certified' | 'refused'
    /** Articles that must be among the refuted ones. */
    readonly refuted: readonly string[]
    /** Over the pack's entities. For a refused request: what the policy says, were it enforced. */
    readonly decisions: readonly { readonly request: CedarRequest; readonly decision: 'allow' | 'deny'; readonly because: string }[]
  }
}

/**
 * The pack that a request is about: the one it names, else the one whose words its text has most of. A word that several packs
 * have counts for nothing.
 *
 * @throws {Failure} `DOMAIN_UNKNOWN` listing the packs, when the name is none of them, or when no pack's words stand out.
 */
export function choosePack(packs: readonly Pack[], { domain, text }: { readonly domain?: string | undefined; readonly text: string }): Pack {
  const known = packs.map(({ name }) => `\`${name}\``).join(', ')
  if (domain !== undefined) {
    const named = packs.find(({ name }) => name === domain.trim().toLowerCase())
    if (named !== undefined) return named
    throw new Failure('DOMAIN_UNKNOWN', `there is no domain \`${domain}\`: it is one of ${known}, or bring a schema of your own in \`context.schema\``, {
      problems: [{ place: 'context.domain', message: `unknown domain; known are ${known}` }],
    })
  }

  const said = new Set(identifierWords(text).flatMap((word) => lemmas(word)))
  const scores = packs
    .map((pack) => ({ pack, score: pack.words.filter((word) => said.has(word) && packs.every((other) => other === pack || !other.words.includes(word))).length }))
    .sort((a, b) => b.score - a.score)
  const [best, second] = scores
  if (best !== undefined && best.score > (second?.score ?? 0)) return best.pack
  throw new Failure('DOMAIN_UNKNOWN', `the text does not tell which domain it is about: name one in \`context.domain\` (${known}), or bring a schema of your own in \`context.schema\``, {
    problems: [{ place: 'context.domain', message: `missing, and the words of the text do not stand out for one of ${known}` }],
  })
}

/** The words that a schema's types, actions and their synonyms are called by, as base forms. */
export function wordsOf(schema: Schema): readonly string[] {
  const types = [...schema.entityTypes.values()].flatMap(({ name, annotations }) => [name, ...synonyms(annotations)])
  const actions = [...schema.actions.values()].flatMap(({ uid, annotations }) => [uid.id, ...synonyms(annotations)])
  return baseForms([...types, ...actions])
}

export function baseForms(names: readonly string[]): readonly string[] {
  return [...new Set(names.flatMap((name) => identifierWords(name)).flatMap((word) => lemmas(word)))].sort()
}
