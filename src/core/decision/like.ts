/**
 * A test whether a text has the form of a pattern, in time linear in the text: what stands between two wildcards is looked for once, at its
 * first place from where the one before it ended, which leaves the most room for those after it.
 *
 * Counts in UTF-16: in well-formed texts it finds exactly what counting in code points would.
 *
 * @param pattern Its parts: a text, or null for the wildcard.
 */
export function matcherOf(pattern: readonly (string | null)[]): (text: string) => boolean {
  const [prefix = '', ...rest] = pieces(pattern)
  const suffix = rest.pop()
  if (suffix === undefined) return (text) => text === prefix
  const between = rest.filter((piece) => piece !== '').map(finderOf)
  const fixed = prefix.length + suffix.length
  if (between.length === 0) return (text) => text.length >= fixed && text.startsWith(prefix) && text.endsWith(suffix)
  return (text) => {
    if (text.length < fixed || !text.startsWith(prefix) || !text.endsWith(suffix)) return false
    const end = text.length - suffix.length
    let from = prefix.length
    for (const find of between) {
      from = find(text, from, end)
      if (from < 0) return false
    }
    return true
  }
}

/** The texts before, between and after the wildcards: one more than there are wildcards. */
function pieces(pattern: readonly (string | null)[]): readonly string[] {
  const found = ['']
  for (const part of pattern) {
    if (part === null) found.push('')
    else found[found.length - 1] += part
  }
  return found
}

/** Where the first occurrence within [from, end) ends, or −1. */
type Find = (text: string, from: number, end: number) => number

/** What the engine's own search may compare again and again at every place: a short piece costs no more than its length. */
const SHORT_MAX = 8

function finderOf(piece: string): Find {
  if (piece.length > SHORT_MAX) return overlapFinder(piece)
  return (text, from, end) => {
    const at = text.indexOf(piece, from)
    return at < 0 || at + piece.length > end ? -1 : at + piece.length
  }
}

/** @see Knuth, Morris and Pratt, “Fast pattern matching in strings” (1977) */
function overlapFinder(piece: string): Find {
  const overlap = new Int32Array(piece.length)
  for (let i = 1, k = 0; i < piece.length; i++) {
    while (k > 0 && piece.charCodeAt(i) !== piece.charCodeAt(k)) k = overlap[k - 1] as number
    if (piece.charCodeAt(i) === piece.charCodeAt(k)) k++
    overlap[i] = k
  }
  return (text, from, end) => {
    for (let i = from, k = 0; i < end; i++) {
      const code = text.charCodeAt(i)
      while (k > 0 && code !== piece.charCodeAt(k)) k = overlap[k - 1] as number
      if (code === piece.charCodeAt(k)) k++
      if (k === piece.length) return i + 1
    }
    return -1
  }
}
