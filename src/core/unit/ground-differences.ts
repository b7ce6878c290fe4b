import { renderNorm } from '#core/policy/english.ts'
import type { Meaning } from './ground.ts'

/** Why a sentence with several meanings is not read: the first two, each by the norms that the other does not have. */
export function sayDifference(meanings: readonly (readonly Meaning[])[]): string {
  const [first = [], second = []] = meanings.map((norms) => norms.map((norm) => renderNorm({ id: '', sentence: 0, source: '', ...norm })))
  const only = (some: readonly string[], others: readonly string[]) => {
    const own = some.filter((one) => !others.includes(one))
    return own.length === 0 ? [] : [`“${own.slice(0, 2).join('; ')}${own.length > 2 ? '; …' : ''}”`]
  }
  const ways = [...only(first, second), ...only(second, first)]
  return `ambiguous: it can mean ${ways.length === 1 ? `${ways[0]}, or not` : ways.join(' or ')}${meanings.length > 2 ? ', or more' : ''}: say which, in a sentence for each rule`
}
