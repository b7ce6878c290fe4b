import { Failure } from '#core/failure.ts'
import { step } from '#core/json.ts'

/**
 * What reading a JSON file comes to; what is wrong in it is told with line and column, as editors jump to it.
 *
 * @param name How the file is called, which is how its places begin.
 * @throws {Failure}
 */
export function placed<T>(name: string, bytes: Uint8Array, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Failure) || !error.problems.some(({ place }) => place.startsWith(name))) throw error
    const text = new TextDecoder().decode(bytes)
    const offsets = offsetsIn(text, name)
    const at = (place: string): string => {
      const [, line, column] = /, line (\d+), column (\d+)$/.exec(place) ?? []
      if (line !== undefined && place.startsWith(name)) return `${name}:${line}:${column}`
      const offset = offsets === null || !place.startsWith(name) ? undefined : nearest(offsets, place)
      if (offset === undefined) return place
      const before = text.slice(0, offset)
      const inside = place.slice(name.length).replace(/^\./, '')
      return `${name}:${before.split('\n').length}:${offset - before.lastIndexOf('\n')}${inside === '' ? '' : `: ${inside}`}`
    }
    const problems = error.problems.map(({ place, message }) => ({ place: at(place), message }))
    throw new Failure(error.code, problems.map(({ place, message }) => `${place}: ${message}`).join('; '), { cause: error, details: error.details, problems })
  }
}

/** A member that is missing is to be looked for in what should have it. */
function nearest(offsets: ReadonlyMap<string, number>, place: string): number | undefined {
  for (let path = place; path !== ''; path = path.replace(/(?:\.[^.[\]"]+|\[[^[\]]*\]|.)$/s, '')) {
    const offset = offsets.get(path)
    if (offset !== undefined) return offset
  }
  return undefined
}

const TOKEN = /\s*([^\s[\]{},:"]+|[[\]{},:"])/gy

/** Where each value of a JSON text begins, by its path from `root`; a member at its name. Null when the text is not JSON. */
function offsetsIn(text: string, root: string): ReadonlyMap<string, number> | null {
  const offsets = new Map<string, number>()
  const open: { path: string; index: number | null }[] = []
  let path = root
  let isKey = false
  TOKEN.lastIndex = text.charCodeAt(0) === 0xfeff ? 1 : 0
  for (let found = TOKEN.exec(text); found !== null; found = TOKEN.exec(text)) {
    const offset = TOKEN.lastIndex - (found[1] as string).length
    // A regular expression has no room for a string of many megabytes.
    if (found[1] === '"') TOKEN.lastIndex = endOfString(text, offset)
    const token = text.slice(offset, TOKEN.lastIndex)
    const top = open.at(-1)
    if (token === '}' || token === ']') open.pop()
    else if (token === ',') {
      isKey = top?.index === null
      if (top !== undefined && top.index !== null) path = step(top.path, ++top.index)
    } else if (token === ':') continue
    else if (isKey && top !== undefined) {
      try {
        path = step(top.path, JSON.parse(token) as string)
      } catch {
        return null
      }
      offsets.set(path, offset)
      isKey = false
    } else {
      if (!offsets.has(path)) offsets.set(path, offset)
      if (token === '{' || token === '[') {
        open.push({ path, index: token === '[' ? 0 : null })
        isKey = token === '{'
        if (token === '[') path = step(path, 0)
      }
    }
  }
  return offsets
}

/** Behind its closing quotation mark, or where the text ends. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return at + 1
    if (text[at] === '\\') at++
  }
  return text.length
}
