import { setImmediate as pause } from 'node:timers/promises'
import type { Reader, Reading } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import { readShallowParse } from '#core/synthesis/shallow-parse.ts'
import type { Sentence } from '#core/unit/semantic-unit.ts'
import { clausesOf } from '#core/unit/sentences.ts'
import { READERS, type Read } from './propose.ts'

const READ: { readonly [method in (typeof READERS)[number]['method']]: Reader } = { 'controlled-english': readControlledEnglish, 'shallow-parse': readShallowParse }

/** The methods that read the text, with how they do it. */
export const READING = READERS.map((reader) => ({ ...reader, read: READ[reader.method] }))

/** So many sentences are read without a break: others wait no longer than that. */
const SENTENCES_AT_ONCE = 4

/** What a person can check is short: beyond this no reader is asked, so that no text takes longer than its length suggests. */
const CHARACTERS_MAX = 2_000
const CLAUSES_MAX = 40

function tooLong({ number, text }: Sentence): Reading | null {
  const because =
    text.length > CHARACTERS_MAX ? `it has ${text.length} characters: write sentences of at most ${CHARACTERS_MAX}`
    : clausesOf(text).length > CLAUSES_MAX ? `it has ${clausesOf(text).length} parts: write lists of at most ${CLAUSES_MAX}`
    : null
  return because === null ? null : { kind: 'unread', sentence: number, because }
}

/** Reads a unit's sentences. Deterministic; no network. */
export const readAll: Read = async (unit) => {
  const all: Reading[][] = []
  for (const { read } of READING) {
    const readings: Reading[] = []
    for (let from = 0; from < unit.sentences.length; from += SENTENCES_AT_ONCE) {
      if (from > 0) await pause()
      const some = unit.sentences.slice(from, from + SENTENCES_AT_ONCE)
      const found = read({ ...unit, sentences: some.filter((sentence) => tooLong(sentence) === null) })
      readings.push(...some.map((sentence) => tooLong(sentence) ?? (found.find((reading) => reading.sentence === sentence.number) as Reading)))
    }
    all.push(readings)
  }
  return all
}
