import type { Lexicon } from '#core/unit/lexicon.ts'
import type { Statement } from '#core/unit/statement.ts'
import { statementsOf } from './shallow-parse-frames.ts'
import type { Scope } from './shallow-parse-phrases.ts'
import { tokenize, Unread, type Token } from './shallow-parse-tokens.ts'

/** One structure of a clause, or why one attempt found none. `isOther`: hardly what most people mean. */
export type Attempt =
  | { readonly kind: 'statements'; readonly statements: readonly Statement[]; readonly isOther: boolean }
  | { readonly kind: 'unread'; readonly because: string; readonly isOther: boolean; readonly isOpen?: true }

/** So many structures are tried; a clause that has more is too open to be read. */
const ATTEMPTS_MAX = 48

/** So many parts between semicolons, or items of a list, are a sentence that a person can still check. */
const CLAUSES_MAX = 100

/** Every structure that the clauses of a sentence can have, and why each attempt that failed did; the likeliest first. */
export function attemptsAt(clauses: readonly string[], lexicon: Lexicon): readonly Attempt[] {
  let tokens: readonly (readonly Token[])[]
  try {
    if (clauses.length > CLAUSES_MAX) throw new Unread(`the sentence has ${clauses.length} parts: write several of at most ${CLAUSES_MAX}`)
    tokens = clauses.map(tokenize)
  } catch (error) {
    if (error instanceof Unread) return [{ kind: 'unread', because: error.because, isOther: false }]
    throw error
  }
  const attempts: Attempt[] = []
  let path: number[] | null = []
  while (path !== null) {
    if (attempts.length === ATTEMPTS_MAX) {
      return [{ kind: 'unread', because: 'the sentence can be understood in too many ways: make it shorter', isOther: false }]
    }
    const choices: { readonly taken: number; readonly count: number }[] = []
    const preset: readonly number[] = path
    const choose = (count: number): number => {
      const taken = preset[choices.length] ?? 0
      choices.push({ taken, count })
      return taken
    }
    let isOther = false
    const other = (count: number): number => {
      const taken = choose(count)
      if (taken > 0) isOther = true
      return taken
    }
    attempts.push({ ...attempt(tokens, { lexicon, choose, other }), isOther })
    const open = choices.findLastIndex(({ taken, count }) => taken + 1 < count)
    path = open < 0 ? null : [...choices.slice(0, open).map(({ taken }) => taken), (choices[open] as { taken: number }).taken + 1]
  }
  return attempts
}

function attempt(clauses: readonly (readonly Token[])[], scope: Scope): DistributiveOmit<Attempt, 'isOther'> {
  try {
    return { kind: 'statements', statements: statementsOf(clauses, scope) }
  } catch (error) {
    if (error instanceof Unread) return { kind: 'unread', because: error.because, ...(error.isOpen ? { isOpen: true } : {}) }
    throw error
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
