import tagger from 'compromise/two'

/**
 * A word, or several that act as one ("are not allowed to"), with what it can be in a sentence. The code is one letter, so that
 * a run of tokens is a string and the frames of sentences are regular expressions over it.
 */
export type Token = {
  readonly code: Code
  /** As written, inflected; several words with a space between. */
  readonly text: string
  /** What the code alone does not say: a force, an operator, digits. */
  readonly value: string
  /** Part-of-speech tags of the tagger. */
  readonly tags: ReadonlySet<string>
}

/**
 * - `w` a content word, `#` a number, `q` quoted text, `,` a comma, `c` and, or, but
 * - `b` a form of be, `h` of have, `t` of do, `~` not, `o` only, `d` a determiner, `e` other, `f` same, `y` their, its, `*` own
 * - `u` a pronoun, `p` a preposition, `r` a relative pronoun, `s` a subordinator, `x` an exception, `B` both, either, `N` neither, `n` nor
 * - `M` a modal, `F` a force without a modal ("is forbidden"), `I` "it is forbidden", `A` "has access to", `Q` require
 * - `0` nobody, `!` no, `1` everyone, `W` whoever, `D` do anything, `i` there
 * - `k` a comparison, `l` "or less", `K` between, `j` one of, `x` except, `v` exceeds, `'` the possessive, `T` the noun that a clause hangs on
 */
export type Code = string

/** What makes a clause unreadable, said to the author. `isOpen`: it is understood, in more ways than one, whatever else is found. */
export class Unread {
  readonly because: string
  readonly isOpen: boolean
  constructor(because: string, isOpen = false) {
    this.because = because
    this.isOpen = isOpen
  }
}

export function codes(tokens: readonly Token[]): string {
  return tokens.map((token) => token.code).join('')
}

export function say(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join(' ').trim()
}

/** Every word has had its place. */
export function ended(tokens: readonly Token[], at: number): void {
  if (at < tokens.length) throw new Unread(`\`${say(tokens.slice(at))}\` is not understood here`)
}

/** The noun that a clause hangs on, in the clause. */
export const THIS: Token = { code: 'T', text: '', value: '', tags: new Set() }
export const NOT: Token = { code: '~', text: 'not', value: '', tags: new Set() }

/** So many words are a rule that a person can still check. */
const PIECES_MAX = 120

/** The tokens of a clause. @throws {Unread} for characters, words and numbers that no reading may pass over. */
export function tokenize(clause: string): Token[] {
  const pieces = split(clause)
  if (pieces.length > PIECES_MAX) throw new Unread(`the sentence has ${pieces.length} words: write several of at most ${PIECES_MAX}`)
  const isNot = (index: number) => pieces[index]?.kind === 'word' && /^(?:not|never)$/i.test((pieces[index] as Piece).text)
  if (pieces.some((_, index) => isNot(index) && isNot(index + 1))) throw new Unread('it denies twice: say it once, or not at all')
  const tags = tag(pieces)
  return fold(pieces, tags)
}

/** The quoted texts of a clause that can be read. */
export function quotedIn(clause: string): readonly string[] {
  return split(clause).filter(({ kind }) => kind === 'quoted').map(({ text }) => text)
}

type Piece = { readonly kind: 'word' | 'number' | 'quoted' | 'mark'; readonly text: string; readonly unit: string }

const PIECE = /\s+|["“„]([^"“”„]*)["”“]|(?<![\p{L}\p{N}])['‘]([^'‘’]*)['’](?![\p{L}])|([$€£¥])?(\d+(?:[.,:/-]\d+)*)(?:\s?([€£¥%]))?(?![\p{L}])|(\p{L}[\p{L}\p{M}\p{N}_]*(?:-\p{L}[\p{L}\p{M}\p{N}_]*)*)|(n?['’](?:s|t)?)|(.)/guy

function split(clause: string): Piece[] {
  if (/[\p{Cf}\p{Cc}\p{Co}\p{Cn}]/u.test(clause.replace(/[\n\t\r]/g, ' '))) {
    throw new Unread('the sentence has an invisible character: write it without')
  }
  if (clause.normalize('NFKC').replace(/…|\.\.\./g, '') !== clause.normalize('NFC').replace(/…|\.\.\./g, '')) {
    throw new Unread('the sentence has letters of an unusual form: write it with plain ones')
  }
  const pieces: Piece[] = []
  const text = clause.trim().replace(/[.!]$/, '').replace(/\bif,? and only if,?/gi, 'if and only if')
  for (const match of text.matchAll(PIECE)) {
    const [whole, double, single, before, digits, behind, word, apostrophe, other] = match
    if (/^\s+$/.test(whole)) continue
    const quoted = double ?? single
    if (quoted !== undefined) pieces.push({ kind: 'quoted', text: quoted, unit: '' })
    else if (digits !== undefined) pieces.push({ kind: 'number', text: digits, unit: before ?? behind ?? '' })
    else if (word !== undefined) pieces.push(...contracted(checked(word)))
    else if (apostrophe !== undefined) apply(apostrophe, pieces)
    else if (other === ',') pieces.push({ kind: 'mark', text: ',', unit: '' })
    else throw new Unread(`\`${other ?? whole}\` has no place in a sentence that is read`)
  }
  return pieces
}

/** Letters of two alphabets in one word are a disguise, or a slip of the keyboard. */
function checked(word: string): string {
  const hasLatin = /\p{Script=Latin}/u.test(word)
  if (hasLatin && /[\p{L}--\p{Script=Latin}]/v.test(word)) throw new Unread(`\`${word}\` mixes the letters of two alphabets`)
  return word
}

function contracted(word: string): Piece[] {
  if (word.toLowerCase() === 'cannot') return [piece('can'), piece('not')]
  return [piece(word)]
}

function piece(text: string): Piece {
  return { kind: 'word', text, unit: '' }
}

/** `can't`, `aren’t`, `patient's`, `employees'`. */
function apply(apostrophe: string, pieces: Piece[]): void {
  const last = pieces.pop()
  if (last?.kind !== 'word') throw new Unread(`\`${apostrophe}\` has no place in a sentence that is read`)
  const ending = apostrophe.replace('’', '\'')
  if (ending === '\'t' && last.text.endsWith('n')) {
    const stem = last.text.slice(0, -1).toLowerCase()
    const whole = ({ ca: 'can', wo: 'will', sha: 'shall', ai: 'are' } as Record<string, string>)[stem] ?? last.text.slice(0, -1)
    pieces.push(piece(whole), piece('not'))
  } else if (ending === '\'s' || (ending === '\'' && last.text.endsWith('s'))) {
    pieces.push(last, { kind: 'mark', text: '\'s', unit: '' })
  } else throw new Unread(`\`${last.text}${apostrophe}\` is not understood`)
}

const NO_TAGS: ReadonlySet<string> = new Set()

function tag(pieces: readonly Piece[]): readonly ReadonlySet<string>[] {
  const words = pieces.map(({ kind, text }) => (kind === 'word' ? text.toLowerCase() : kind === 'number' ? '5' : kind === 'quoted' ? 'thing' : ','))
  if (words.length === 0) return []
  // Words go in as they were split here: the tagger's own splitting would lose their places. The types know only texts.
  const document = (tagger([words] as unknown as string) as unknown as { document: { tags: Set<string> }[][] }).document[0] ?? []
  return document.length === words.length ? document.map((term) => term.tags) : words.map(() => NO_TAGS)
}

/** Phrases that act as one word, longest first: code, value, and the words, with alternatives in braces. */
const PHRASES: readonly (readonly [Code, string, string])[] = [
  ['M', 'permit', 'may|can|may also|can also|may always|can always|{should,must,shall} be able to|{should,must,shall} be {allowed,permitted} to|{is,are} {allowed,permitted,authorized,authorised,entitled,free} to|{has,have} {the,a} right to|{has,have} permission to|{has,have} the permission to'],
  ['M', 'only', '{may,can} only|{is,are} only {allowed,permitted,authorized,authorised,entitled} to'],
  ['M', 'forbid', '{may,can,must,shall,should} {not,never}|{may,can,must,shall,should} {not,never} ever|{is,are} {not,never} {allowed,permitted,authorized,authorised,entitled} to|{is,are} {forbidden,prohibited,barred,banned,disallowed} {to,from}'],
  ['M', 'forbid', '{is,are} {not,never} to|{may,must,shall,should,can} {not,never} be {allowed,permitted} to|{should,must,shall} not be able to|{do,does} not have {the,a} right to|{do,does} not have permission to|{has,have} no {right,permission} to|{may,must} under no circumstances|{may,must} in no case'],
  ['M', 'must', 'must|shall|should|{has,have} to|{need,needs} to|{is,are} required to|{is,are} obliged to|must always|must first'],
  ['z', '', '{may,can,must,should,shall} not only|{must,should,shall} only|{need,needs} not|{do,does} not {have,need} to|{is,are} not {required,obliged} to|not all|not every|not both|not necessarily'],
  ['z', '', 'could|might|would|will|ought|some|most|many|few|several|certain|almost|nearly|about|approximately|someone|somebody|something|anyone else|everyone else|everybody else|nobody else|no one else|and or'],
  ['z', '', 'this|these|after|before|until|during|since|except that|as needed|if needed|if necessary|where appropriate|when appropriate|as appropriate|where possible|otherwise|normally|generally|usually|typically|not until|because|so that'],
  ['F', 'forbid', '{is,are} {forbidden,prohibited,disallowed,banned}|{is,are} {not,never} {allowed,permitted}'],
  ['F', 'permit', '{is,are} {allowed,permitted}'],
  ['F', 'only', '{is,are} only {allowed,permitted}'],
  ['I', 'forbid', 'it is {forbidden,prohibited,disallowed}|it is {not,never} {allowed,permitted}'],
  ['I', 'permit', 'it is {allowed,permitted}'],
  ['A', 'permit', '{has,have} access to|{has,have} full access to'],
  ['A', 'forbid', '{do,does} not have access to|{has,have} no access to|{do,does} not have any access to'],
  ['Q', '', 'require|requires|need|needs'],
  ['0', '', 'nobody|no one|noone|no-one'],
  ['!', '', 'no|none of the|none of'],
  ['1', '', 'everyone|everybody|anyone|anybody|anything|everything|those|ones'],
  ['W', '', 'whoever'],
  ['D', '', 'do {anything,everything} {with,to,on}|do {anything,everything}|perform any {action,actions,operation,operations} {on,with}|take any action on|{do,perform} all {actions,operations} on'],
  ['s', 'if', 'if|when|where|whenever|while|in case|once'],
  ['s', 'only', 'only if|only when|only where|only while|provided|provided that|as long as|so long as|on condition that|on the condition that|if and only if'],
  ['s', 'unless', 'unless|except {if,when,where}|without'],
  ['x', '', 'except for|except|other than|apart from|excluding|but not|but'],
  ['k', '<=', 'at most|no more than|not more than|up to|no greater than|not greater than|no higher than|less than or equal to|a maximum of|not exceeding|not over|not above|at maximum'],
  ['k', '<', 'below|under|less than|fewer than|lower than|smaller than'],
  ['k', '>=', 'at least|no less than|not less than|no fewer than|not fewer than|no lower than|greater than or equal to|more than or equal to|a minimum of|not below|not under'],
  ['k', '>', 'over|above|more than|greater than|higher than|larger than|exceeding|in excess of'],
  ['k', '==', 'equal to|exactly|the same as|identical to'],
  ['k', '!=', 'different from|not equal to|unequal to'],
  ['l', '<=', 'or less|or fewer|or lower|or below|or under|or smaller'],
  ['l', '>=', 'or more|or higher|or above|or over|or greater|or larger'],
  ['v', '>', 'exceed|exceeds'],
  ['v', '==', 'equal|equals'],
  ['K', '', 'between'],
  ['j', '', 'one of|any of|either of'],
  ['B', '', 'both|either'],
  ['N', '', 'neither'],
  ['n', '', 'nor'],
  ['c', 'and', 'and|and also|as well as'],
  ['c', 'or', 'or'],
  ['b', '', 'is|are|was|were|be|been|being'],
  ['h', '', 'has|have|had'],
  ['t', '', 'do|does|did'],
  ['~', '', 'not|never'],
  ['o', '', 'only'],
  ['d', '', 'a|an|the|any|all|every|each|all the|all of the|any of the|each of the'],
  ['e', '', 'other|another|someone else|somebody else'],
  ['f', '', 'same'],
  ['y', 'they', 'their'],
  ['y', 'it', 'its'],
  ['y', 'he', 'his|her'],
  ['*', '', 'own'],
  ['u', 'they', 'they|them'],
  ['u', 'it', 'it'],
  ['u', 'he', 'he|she|him|he or she|she or he|him or her'],
  ['y', 'he', 'his or her|her or his'],
  ['u', 'self', 'themselves|itself|himself|herself|themself'],
  ['p', '', 'of|in|on|at|from|to|for|by|with|within|via|through|into|onto|outside|inside|off|up|out|on behalf of|as|against'],
  ['r', '', 'who|whom|which|that|to whom|to which|of which|of whom'],
  ['r', 'whose', 'whose'],
  ['i', '', 'there'],
  ['', '', 'also|then|therefore|hence|thus|already|currently|in order|please'],
]

const NUMBERS = new Map('zero one two three four five six seven eight nine ten eleven twelve'.split(' ').map((word, index) => [word, String(index)]))

type Phrase = { readonly code: Code; readonly value: string; readonly words: readonly string[] }

const BY_FIRST: ReadonlyMap<string, readonly Phrase[]> = table()

function table(): Map<string, Phrase[]> {
  const found = new Map<string, Phrase[]>()
  for (const [code, value, list] of PHRASES) {
    for (const words of list.split('|').flatMap(alternatives)) {
      const first = words[0] as string
      found.set(first, [...(found.get(first) ?? []), { code, value, words }])
    }
  }
  for (const phrases of found.values()) phrases.sort((a, b) => b.words.length - a.words.length)
  return found
}

function alternatives(pattern: string): string[][] {
  return pattern.split(/ (?![^{]*\})/).reduce<string[][]>((lists, part) => {
    const choices = part.startsWith('{') ? part.slice(1, -1).split(',') : [part]
    return lists.flatMap((list) => choices.map((choice) => [...list, choice]))
  }, [[]])
}

/** Joins pieces into tokens. */
function fold(pieces: readonly Piece[], tags: readonly ReadonlySet<string>[]): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < pieces.length; ) {
    const { kind, text, unit } = pieces[at] as Piece
    const own = tags[at] ?? NO_TAGS
    if (kind === 'word') {
      const phrase = phraseAt(pieces, at)
      if (phrase !== null) {
        const said = pieces.slice(at, at + phrase.words.length).map((part) => part.text).join(' ')
        if (phrase.code === 'z') throw new Unread(`\`${said}\` leaves open what is meant: say it exactly`)
        if (phrase.code !== '') tokens.push({ code: phrase.code, text: said, value: phrase.value, tags: own })
        at += phrase.words.length
        continue
      }
      const digits = NUMBERS.get(text.toLowerCase())
      tokens.push(digits === undefined ? { code: 'w', text, value: '', tags: own } : { code: '#', text, value: digits, tags: own })
    } else if (kind === 'number') {
      tokens.push({ code: '#', text: unit === '' ? text : `${unit}${text}`, value: digitsOf(text), tags: own })
    } else if (kind === 'quoted') {
      tokens.push({ code: 'q', text, value: text, tags: own })
    } else tokens.push({ code: text === ',' ? ',' : '\'', text, value: '', tags: own })
    at++
  }
  return tokens
}

function phraseAt(pieces: readonly Piece[], at: number): Phrase | null {
  const first = (pieces[at] as Piece).text.toLowerCase()
  const fits = ({ code, words }: Phrase) => {
    const behind = pieces[at + words.length]
    // "less than 6 or greater than 22" goes on, "5 or greater" ends.
    if (code === 'l' && (behind?.kind === 'number' || behind?.text.toLowerCase() === 'than')) return false
    // "their own" belongs to them; "they own" is a verb.
    if (code === '*' && !/^(?:their|its|his|her)$/i.test(pieces[at - 1]?.text ?? '')) return false
    return words.every((word, offset) => pieces[at + offset]?.kind === 'word' && pieces[at + offset]?.text.toLowerCase() === word)
  }
  return BY_FIRST.get(first)?.find(fits) ?? null
}

function digitsOf(text: string): string {
  const digits = /^\d+$/.test(text) ? text : /^\d{1,3}(?:,\d{3})+$/.test(text) ? text.replaceAll(',', '') : null
  if (digits === null) throw new Unread(`\`${text}\` is no whole number`)
  return digits
}
