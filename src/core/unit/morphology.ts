/**
 * The shapes that an English word takes. Everything here proposes; the lexicon disposes: a form counts only when the schema
 * has the word, so proposing too much is harmless and proposing too little leaves a sentence unread.
 */

/** The base forms that a word can be an inflection of, the word itself (lower case) first. */
export function lemmas(word: string): readonly string[] {
  const known = cache.get(word)
  if (known !== undefined) return known
  const lower = word.toLowerCase()
  const found = [...new Set([lower, ...(IRREGULAR.get(lower) ?? []), ...regular(lower)])].filter((form) => form === lower || form.length >= 2)
  if (cache.size > 20_000) cache.clear()
  cache.set(word, found)
  return found
}
const cache = new Map<string, readonly string[]>()

/** Whether two words are forms of one word: `viewed` and `viewing`, `policies` and `policy`. */
export function isForm(a: string, b: string): boolean {
  if (a.toLowerCase() === b.toLowerCase()) return true
  const others = lemmas(b)
  return lemmas(a).some((form) => others.includes(form))
}

/**
 * Base forms, and the verbs that a noun is made of: `deletion` → delete, `approval` → approve, `owner` → own, `assignee` → assign.
 * For words of which the schema has one and the text another.
 */
export function roots(word: string): readonly string[] {
  const known = rootCache.get(word)
  if (known !== undefined) return known
  const forms = lemmas(word)
  const found = [...new Set([...forms, ...forms.flatMap((form) => [...(NOMINAL.get(form) ?? []), ...derived(form)])])]
  if (rootCache.size > 20_000) rootCache.clear()
  rootCache.set(word, found)
  return found
}
const rootCache = new Map<string, readonly string[]>()

/** `-ing`: "expiring" is not "expired", "staging" is no "stage". */
export function isProgressive(word: string): boolean {
  return /[a-z]{3}ing$/i.test(word)
}

/** An approver is neither an approval nor approved. */
export function isAgent(word: string): boolean {
  return /[a-z]{3}(?:er|or|ee)s?$/i.test(word)
}

/** Whether two words come from one root: `assigned` and `assignee`, `owns` and `owner`, `exported` and `export`. */
export function isAkin(a: string, b: string): boolean {
  const others = roots(b)
  return roots(a).some((form) => others.includes(form))
}

/** The word that a prefix negates, e.g. `unsealed` → sealed, `non-public` → public; null when none does. */
export function negated(word: string): string | null {
  const lower = word.toLowerCase()
  const pair = OPPOSITES.get(lower)
  if (pair !== undefined) return pair
  const match = /^(?:non-?|un)([a-z]{3,})$/.exec(lower)
  return match?.[1] ?? null
}
const OPPOSITES = new Map([
  ['inactive', 'active'], ['invalid', 'valid'], ['incomplete', 'complete'], ['inaccessible', 'accessible'], ['irreversible', 'reversible'], ['insecure', 'secure'],
])

/** The words of an identifier: `viewChart`, `View_Document`, `Document:read`, `chart.read`, `HTTPServer2`. Lower case. */
export function identifierWords(name: string): readonly string[] {
  return name
    .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
    .replace(/(\p{Lu}+)(\p{Lu}\p{Ll})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase())
}

function regular(word: string): string[] {
  const found: string[] = []
  const end = (suffix: string) => word.length > suffix.length + 1 && word.endsWith(suffix)
  const cut = (count: number, add = '') => found.push(word.slice(0, -count) + add)
  if (end('ies')) cut(3, 'y'), cut(1)
  else if (end('ves')) cut(3, 'f'), cut(3, 'fe'), cut(1)
  else if (/(?:s|x|z|ch|sh|o)es$/.test(word)) cut(2), cut(1)
  else if (end('s') && !/(?:ss|us|is)$/.test(word)) cut(1)
  if (end('ied')) cut(3, 'y')
  else if (end('ed') && word.length > 3) cut(2), cut(1), undouble(word.slice(0, -2), found)
  if (end('ying') && word.length <= 6) cut(4, 'ie')
  if (end('ing') && word.length > 4) cut(3), cut(3, 'e'), undouble(word.slice(0, -3), found)
  return found
}

function undouble(stem: string, found: string[]): void {
  if (/([bdfglmnprtvz])\1$/.test(stem)) found.push(stem.slice(0, -1))
}

function derived(word: string): string[] {
  const found: string[] = []
  const end = (suffix: string) => word.length >= suffix.length + 3 && word.endsWith(suffix)
  const both = (stem: string) => found.push(stem, `${stem}e`)
  if (end('ification')) found.push(`${word.slice(0, -9)}ify`, `${word.slice(0, -7)}y`)
  if (end('ation')) both(word.slice(0, -5)), found.push(`${word.slice(0, -3)}e`)
  else if (end('ition')) both(word.slice(0, -5)), both(word.slice(0, -3))
  else if (end('ion')) both(word.slice(0, -3))
  if (end('ment')) found.push(word.slice(0, -4))
  if (OF_VERBS.has(word)) both(word.slice(0, -2)), undouble(word.slice(0, -2), found)
  if (end('ure')) both(word.slice(0, -3))
  if (end('ance') || end('ence')) both(word.slice(0, -4))
  if (end('er') || end('or') || end('ee')) both(word.slice(0, -2)), undouble(word.slice(0, -2), found)
  if (end('ator')) found.push(`${word.slice(0, -2)}e`)
  return found
}

/** Nouns in -al that are made of a verb; most words in -al are not ("internal" has nothing to do with interns). */
const OF_VERBS = new Set(
  'approval removal renewal withdrawal proposal refusal disposal dismissal referral appraisal denial retrieval reversal deferral'.split(' '),
)

const NOMINAL = new Map<string, readonly string[]>([
  ['access', ['access']], ['sale', ['sell']], ['loan', ['lend']], ['view', ['view']], ['choice', ['choose']], ['decision', ['decide']],
  ['permission', ['permit']], ['submission', ['submit']], ['admission', ['admit']], ['transmission', ['transmit']], ['denial', ['deny']],
  ['destruction', ['destroy']], ['subscription', ['subscribe']], ['prescription', ['prescribe']],
  ['description', ['describe']], ['execution', ['execute']], ['payment', ['pay']], ['treatment', ['treat']], ['entry', ['enter']],
  ['author', ['author', 'write', 'create']], ['writer', ['write']], ['creator', ['create']], ['editor', ['edit']], ['revision', ['revise']],
  ['suspension', ['suspend']], ['extension', ['extend']], ['delivery', ['deliver']], ['discovery', ['discover']], ['analysis', ['analyze']],
  ['reception', ['receive']], ['receipt', ['receive']], ['response', ['respond']], ['supervisor', ['supervise']], ['cancellation', ['cancel']],
  ['reset', ['reset']], ['membership', ['member']], ['ownership', ['own', 'owner']], ['reassignment', ['reassign']], ['publication', ['publish']],
  ['closure', ['close']], ['maintenance', ['maintain']],
])

const IRREGULAR = new Map<string, readonly string[]>(
  (
    'people:person children:child men:man women:woman feet:foot teeth:tooth mice:mouse indices:index matrices:matrix criteria:criterion ' +
    'analyses:analysis diagnoses:diagnosis theses:thesis bases:basis,base media:medium data:datum statuses:status aliases:alias buses:bus viruses:virus ' +
    'is:be are:be was:be were:be been:be has:have had:have did:do done:do does:do went:go gone:go goes:go ' +
    'wrote:write written:write sent:send given:give gave:give taken:take took:take seen:see saw:see made:make held:hold sold:sell bought:buy ' +
    'paid:pay lent:lend hidden:hide hid:hide drawn:draw drew:draw driven:drive drove:drive shown:show known:know knew:know begun:begin ran:run ' +
    'kept:keep left:leave lost:lose met:meet told:tell taught:teach thought:think understood:understand found:find built:build spent:spend ' +
    'chosen:choose chose:choose spoken:speak spoke:speak broken:break broke:break frozen:freeze froze:freeze stolen:steal withdrawn:withdraw ' +
    'withdrew:withdraw overridden:override overrode:override rewritten:rewrite rewrote:rewrite got:get gotten:get brought:bring caught:catch ' +
    'led:lead said:say stood:stand won:win worn:wear flown:fly grown:grow thrown:throw undone:undo redone:redo overseen:oversee oversaw:oversee ' +
    'reran:rerun resent:resend rebuilt:rebuild unbound:unbind bound:bind fed:feed hung:hang dealt:deal meant:mean slept:sleep swept:sweep ' +
    'underwent:undergo undergone:undergo forbidden:forbid forgotten:forget forgiven:forgive proven:prove unfrozen:unfreeze leaves:leave,leaf'
  )
    .split(' ')
    .map((pair) => {
      const [form = '', bases = ''] = pair.split(':')
      return [form, bases.split(',')]
    }),
)
