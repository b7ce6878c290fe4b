import type { Schema } from '#core/policy/schema.ts'
import { saysBoolean } from './ground-things.ts'
import { lexiconOf, says, type Lexicon, type Phrase } from './lexicon.ts'
import { lemmas } from './morphology.ts'
import { clausesOf, itemsOf } from './sentences.ts'

/** Why a sentence is open, and, where these are all that it can mean, texts that have one meaning each. */
export type OpenForm = { readonly because: string; readonly wordings: readonly string[] }

/**
 * Why a sentence is open by its form alone, whichever reader takes it apart; null when it is not. English itself leaves these forms
 * open, so that no structure found in one speaks for its author.
 */
export function openForm(sentence: string, schema: Schema): OpenForm | null {
  const items = itemsOf(sentence)
  if (items.length > 1 && items.every((item) => CONDITIONAL.test(item))) {
    return { because: 'whether all of the conditions in the list must hold or any of them is open: join them with `and` or `or`', wordings: joinedWordings(clausesOf(sentence), items) }
  }
  const lexicon = lexiconOf(schema)
  const clauses = clausesOf(sentence)
  if (clauses.length > CLAUSES_MAX) return null
  const because = clauses.reduce<string | null>((found, clause) => found ?? openClause(clause.replace(/["“”][^"“”]*["“”]/g, '"'), lexicon), null)
  if (because === null) return null
  return { because, wordings: because === BEHIND_EXCEPTION_SAID && clauses.length === 1 ? exceptedWordings(sentence) : [] }
}

/** A list of conditions in one line, once with "and" and once with "or"; none where they do not begin alike. */
function joinedWordings(clauses: readonly string[], items: readonly string[]): readonly string[] {
  const [first = '', ...others] = clauses
  const mark = MARK.exec(items[0] ?? '')?.[0]
  if (mark === undefined || others.length + 1 !== items.length || !items.every((item) => MARK.exec(item)?.[0] === mark)) return []
  const rest = others.map((clause, at) => clause.slice(clause.indexOf(items[at + 1] as string) + mark.length).replace(/[.;,]+$/, '').trim())
  return ['and', 'or'].map((joint) => `${[first, ...rest].join(` ${joint} `)}.`)
}

/** "… unless A, or if B": unless any of both, or one more rule. */
function exceptedWordings(sentence: string): readonly string[] {
  const { head, mark, first, occasion, rest } = EXCEPTED.exec(sentence)?.groups ?? {}
  if (head === undefined || mark === undefined || first === undefined || rest === undefined || BOUND.test(first) || BOUND.test(rest)) return []
  const holds = /^(?:in|during)$/i.test(occasion ?? '') ? `there is ${rest}` : rest
  return [`${head}${mark} ${first} or ${holds}.`, `${head}${mark} ${first}; ${head}${occasion} ${rest}.`]
}

const EXCEPTED = /^(?<head>[^,;"“]*\S )(?<mark>unless|except (?:if|when|where)) (?<first>[^,;]*?),? or (?<occasion>if|when|where|whenever|in|during) (?<rest>[^,;]*?)\.?$/i
/** What has joints of its own can be grouped in more ways. */
const BOUND = /\b(?:and|or|but|unless|except)\b/i

/** What is longer no reader takes. */
const CLAUSES_MAX = 100
const WORDS_MAX = 150

/** Words that begin a condition. */
const IF = 'if|when|whenever|where|while|once|provided(?: that)?|as long as|so long as|on (?:the )?condition that|in case|assuming(?: that)?|given that'
const CONDITIONAL = new RegExp(`^(?:and |or )?(?:only )?(?:${IF}|unless|except)\\b`, 'i')

const MARK = /^(?:if|when|whenever|where|while|unless)\b/i
const BEHIND_EXCEPTION_SAID = 'what follows the exception can be one more exception or a condition of the rule: write a sentence for each'

/** ", or if …" behind an exception: it can go on with the exception, or with the rule. */
const BEHIND_EXCEPTION = new RegExp(`\\b(?:unless|except|without)\\b.*(?:,\\s*(?:or|and|but)\\s+(?:only\\s+|also\\s+)?(?:${IF}|in|during)\\b|\\b(?:or|and|but)\\s+(?:only\\s+|also\\s+)?(?:${IF})\\b)`, 'i')

function openClause(clause: string, lexicon: Lexicon): string | null {
  const words = clause.match(/\p{L}[\p{L}\p{M}\p{N}_-]*|,|"/gu) ?? []
  if (words.length > WORDS_MAX) return null
  if (BEHIND_EXCEPTION.test(clause.replace(/\bif,? and only if\b/gi, 'only if'))) {
    return BEHIND_EXCEPTION_SAID
  }
  const quantified = words.findIndex((_, at) => opensMany(words, at, lexicon))
  return quantified < 0 ? null : `\`${words.slice(quantified, quantified + 2).join(' ')}\` in a condition can be one or all of them, and not only the one the rule is about: say \`the …\` or \`they\``
}

const SUBORDINATE = new RegExp(`^(?<head>.*)(?:^|\\b)(?:(?:only )?(?:${IF})|unless|except(?: if| when| where)?)(?![\\w-])(?<body>.*)$`, 'i')
const MODAL = /\b(?:may|must|can|cannot|shall|should|(?:is|are) (?:not |only )?(?:allowed|permitted|forbidden|prohibited|entitled|required))\b/i

const EVERYONE = new Set('everyone everybody anyone anybody someone somebody nobody all each both'.split(' '))
const EVERY = new Set('all every each any some most both no'.split(' '))

/**
 * Whether a condition begins to speak here of all or any of a type, of which a request names one: "if a nurse is on duty", "if all
 * patients have consented". "If a chart is sealed, nobody may view it" speaks of the one that the rule is about.
 */
function opensMany(words: Phrase, at: number, lexicon: Lexicon): boolean {
  const word = (words[at] as string).toLowerCase()
  const isPlural = /[^s]s$/.test(word) && lexicon.types([word]).length > 0
  if (!EVERYONE.has(word) && !EVERY.has(word) && !/^an?$/.test(word) && !isPlural) return false
  const before = words.slice(0, at).join(' ').replace(/ ,/g, ',')
  const condition = SUBORDINATE.exec(before)
  if (condition === null) return false
  const { head = '', body = '' } = condition.groups as { head?: string; body?: string }
  const isLeading = head.trim() === ''
  // The comma behind a condition in front ends it; behind the rule, a list can go on.
  if (MODAL.test(body) || (isLeading && body.includes(',')) || !/^$|(?:\b(?:and|or|but|that|either)|,)$/i.test(body.trim())) return false
  // "If nurses are on duty", behind the rule.
  if (isPlural) return !isLeading && body.trim() === '' && /^(?:is|are|has|have|was|were)$/i.test(words[at + 1] ?? '')
  const rest = words.slice(at + 1).map((one) => one.toLowerCase())
  if (EVERYONE.has(word) && /^(?:is|are|has|have|was|were|of|who|does|do|agrees?|consents?|approves?)$/.test(rest[0] ?? '')) return true
  if (!EVERY.has(word) && !/^an?$/.test(word)) return false
  const start = /^(?:of|the)$/.test(rest[0] ?? '') ? (rest[1] === 'the' || /^(?:their|its|his|her)$/.test(rest[1] ?? '') ? 2 : 1) : 0
  const named = typeAt(rest.slice(start), lexicon)
  if (named === null) return false
  if (EVERY.has(word)) return true
  if (!isLeading) return true
  // "If a nurse is on duty, nurses may …": it is not said that it is the same one.
  const behind = words.slice(words.indexOf(',', at) + 1)
  return behind.some((one, index) => {
    const phrase = behind.slice(index, index + named.length)
    const isMany = lemmas(one).length > 0 && /[^s]s$/i.test(phrase[phrase.length - 1] ?? '') && !/^(?:'s|s)$/.test(behind[index + named.length] ?? '')
    return says(phrase, named) && (isMany || /^(?:an?|any|every|each|no|another)$/i.test(behind[index - 1] ?? ''))
  })
}

/** The type that the words behind a determiner name; null where they name none, or are the name of a yes or no. */
function typeAt(rest: Phrase, lexicon: Lexicon): Phrase | null {
  const end = rest.findIndex((word) => word === ',' || word === 'and' || word === 'or')
  const clause = end < 0 ? rest : rest.slice(0, end)
  const stop = clause.findIndex((word) => STOPS.has(word))
  const phrase = stop < 0 ? clause : clause.slice(0, stop)
  const isName = lexicon.entries.some(({ kind, phrase: name }) => kind === 'attribute' && (saysBoolean(clause, name) || (phrase.length > 1 && says(phrase, name))))
  if (isName) return null
  for (let length = Math.min(phrase.length, 5); length > 0; length--) {
    for (let start = 0; start < length; start++) {
      const words = phrase.slice(start, length)
      if (lexicon.types(words).length > 0) return words
    }
  }
  return null
}

const STOPS = new Set('is are was were has have had does do did who whom whose that which of in on at for from to with by not'.split(' '))
