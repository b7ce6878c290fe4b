import * as wasm from '@cedar-policy/cedar-wasm/nodejs'

/** A name that a schema uses and declares nowhere. */
export type Unresolved = { readonly name: string; readonly offset: number }

const ROUNDS_MAX = 100

/**
 * All names that a schema uses and does not declare, wherever they stand. Cedar names one of each declaration at a time: what it names is declared
 * on trial until it names no more.
 */
export function unresolvedIn(text: string): readonly Unresolved[] {
  const names = new Set<string>()
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const answer = wasm.checkParseSchema(`${text}\n${[...names].map(declared).join('\n')}`)
    const found = answer.type === 'success' ? [] : answer.errors.flatMap(({ message }) => /^failed to resolve types?: (.+)$/.exec(message)?.[1]?.split(', ') ?? [])
    const fresh = found.filter((name) => !names.has(name) && NAME.test(name))
    if (fresh.length === 0) break
    fresh.forEach((name) => names.add(name))
  }
  return wordsOf(text).filter(({ name }) => names.has(name))
}

const NAME = /^[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*$/

function declared(name: string): string {
  const [type, ...namespace] = name.split('::').reverse()
  return namespace.length === 0 ? `entity ${type};` : `namespace ${namespace.reverse().join('::')} { entity ${type}; }`
}

/** The names in a text, neither in comments nor in quotes, nor those of attributes. */
function wordsOf(text: string): readonly Unresolved[] {
  return [...text.matchAll(/\/\/[^\n]*|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*(?!\w)(\s*\??\s*:(?!:))?/g)].flatMap((match) => (match[1] === undefined && NAME.test(match[0]) ? [{ name: match[0], offset: match.index }] : []))
}
