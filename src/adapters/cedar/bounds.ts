import { Failure } from '#core/failure.ts'

/** How deep brackets may stand in each other, and `if`, `!` and `.attribute` follow each other: each is a frame of the engine's stack, which ends near 300. */
const LEVELS_MAX = 64
/** How many operators one rule may chain: each is a level of the tree that the parser builds. */
const OPERATORS_MAX = 1_000
/** How many types a schema may come to once common types are put in place of their names: a few lines can double twenty times. */
const TYPES_MAX = 20_000

const TOKEN = /"(?:[^"\\]|\\[^])*"?|\/\/[^\n]*|&&|\|\||[A-Za-z_]\w*|[^\s]/g

/**
 * Refuses a Cedar text that would exhaust the engine's stack: Cedar's parser recurses without a bound, and a WebAssembly instance whose
 * stack overflowed answers nothing any more. Linear in the text, before the engine sees it.
 *
 * @throws {Failure} `code`, naming the line.
 */
export function refuseTooDeep(text: string, code: 'SCHEMA_INVALID' | 'POLICY_INVALID'): void {
  const opening = code === 'SCHEMA_INVALID' ? '([{<' : '([{' // In a policy `<` compares.
  const open: string[] = []
  let operators = 0
  let choices = 0
  let unary = 0
  let path = 0
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const first = token[0] as string
    if (first === '/' && token.length > 1) continue
    unary = first === '!' || first === '-' ? unary + 1 : 0
    if (first === '.' || first === '[') path++
    else if (!/[\w"\])]/.test(first)) path = 0
    if (opening.includes(first)) open.push(first)
    else if (Object.hasOwn(OPENS, first) && open.at(-1) === OPENS[first]) open.pop()
    else if (token === ';' && open.length === 0) operators = choices = 0
    else if (token === 'if') choices++
    else if (OPERATORS.has(token)) operators++
    const isTooMuch = Math.max(open.length, choices, unary, path) > LEVELS_MAX ? `is nested more than ${LEVELS_MAX} levels deep` : operators > OPERATORS_MAX ? `has more than ${OPERATORS_MAX} operators in one rule` : null
    if (isTooMuch === null) continue
    const place = `${code === 'SCHEMA_INVALID' ? 'schema' : 'policies'} line ${text.slice(0, index).split('\n').length}`
    throw new Failure(code, `${place}: the text ${isTooMuch}: divide it`, { problems: [{ place, message: isTooMuch }] })
  }
}

const OPENS: { readonly [closing: string]: string } = { ')': '(', ']': '[', '}': '{', '>': '<' }
const OPERATORS = new Set(['&&', '||', '+', '-', '*', '==', '!='])

/**
 * Refuses a schema whose common types come to too much once they are put in place of their names, as Cedar and our own vocabulary do: each may
 * name another twice, so that a few lines double and double. From the text, since Cedar's parser puts them in place itself.
 *
 * Types of one name in several namespaces count as one whose parts are those of all.
 * @throws {Failure} `SCHEMA_INVALID`
 */
export function refuseExpansive(text: string): void {
  const tokens = [...text.matchAll(TOKEN)].map(([token]) => token).filter((token) => !token.startsWith('//'))
  const named = new Map<string, string[]>()
  const rest: string[] = []
  let parts = rest
  let depth = 0
  for (const [i, token] of tokens.entries()) {
    if (token === '{') depth++
    else if (token === '}') depth--
    const [name = '', equals] = [tokens[i + 1], tokens[i + 2]]
    if (token === 'type' && equals === '=') {
      parts = named.get(name) ?? []
      named.set(name, parts)
      depth = 0
    } else if (token === ';' && depth <= 0) parts = rest
    else if (/^\w/.test(token) && !(parts !== rest && tokens[i - 1] === 'type') && !':?'.includes(tokens[i + 1] ?? '?')) parts.push(token)
  }
  const known = new Map<string, Size>()
  const sizeOf = (words: readonly string[]): Size => {
    const sizes = words.flatMap((word) => (named.has(word) ? [ofNamed(word)] : []))
    return { types: Math.min(2 * TYPES_MAX, words.length + sizes.reduce((sum, { types }) => sum + types, 0)), levels: 1 + Math.max(0, ...sizes.map(({ levels }) => levels)) }
  }
  const ofNamed = (name: string): Size => {
    const found = known.get(name)
    if (found !== undefined) return found
    known.set(name, { types: 0, levels: 0 }) // A cycle is an error of its own, which Cedar finds.
    const size = sizeOf(named.get(name) ?? [])
    known.set(name, size)
    return size
  }
  // From the first to the last, so that a long chain that is written upwards is no deep recursion; downwards it is refused by its length.
  if (named.size > NAMED_MAX) throw expansive(`has more than ${NAMED_MAX} common types`)
  const all = [...named.keys()].map(ofNamed)
  const { types } = sizeOf(rest)
  if (types > TYPES_MAX || all.some((each) => each.types > TYPES_MAX)) throw expansive(`comes to more than ${TYPES_MAX} types`)
  if (all.some(({ levels }) => levels > LEVELS_MAX)) throw expansive('nests its types too deep')
}

type Size = { readonly types: number; readonly levels: number }
const NAMED_MAX = 1_000

function expansive(what: string): Failure {
  return new Failure('SCHEMA_INVALID', `the schema ${what} once its common types are put in place of their names: use them less often`, { problems: [{ place: 'schema', message: what }] })
}
