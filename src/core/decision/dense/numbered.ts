/** Places looked at for one text before it is looked for elsewhere: whoever chooses texts that meet each other gains nothing. */
const PROBES_MAX = 16
const SIZE_MIN = 16
/** Of so many units at its end a text's hash is made, where that tells texts apart: to read the twelve of a common name is a third of the time that finding it takes. */
const UNITS_MIN = 4
const UNITS_MAX = 2 ** 20
/** So many with one hash are too many: more units are read. */
const ALIKE_MAX = 4
/** A slot: the number of a text in the lower bits, bits of its hash above. All bits 0: nothing was ever there. */
const NUMBER_BITS = 20
const NUMBERS = (1 << NUMBER_BITS) - 1
/** There was one; nothing has the number 0. */
const GONE = 1 << NUMBER_BITS

/**
 * Texts with a number each, from 1. A text that was just read from a request is found in half the time that a `Map` takes, which must have the
 * engine prepare such a text for it first.
 */
export class Numbered {
  #slots = new Int32Array(SIZE_MIN)
  #mask = SIZE_MIN - 1
  #used = 0
  #units = UNITS_MIN
  readonly #texts: (string | null)[] = [null]
  readonly #free: number[] = []
  /** Those that found all their places taken. */
  #crowded: Map<string, number> | null = null

  /** 0: it has none. */
  get(text: string): number {
    const hash = hashOf(text, this.#units)
    const slots = this.#slots
    const mask = this.#mask
    for (let i = 0, at = hash & mask; i < PROBES_MAX; i++, at = (at + 1) & mask) {
      const slot = slots[at] as number
      if (slot === 0) return 0
      if ((slot ^ hash) >>> NUMBER_BITS === 0 && this.#texts[slot & NUMBERS] === text) return slot & NUMBERS
    }
    return this.#crowded === null ? 0 : this.#crowded.get(text) ?? 0
  }

  /** @param text Has no number yet. */
  add(text: string): number {
    if (2 * this.#used >= this.#mask) this.#rebuild()
    const number = this.#free.pop() ?? this.#texts.length
    this.#texts[number] = asParsed(text)
    if (!this.#insert(text, number)) this.#rebuild()
    return number
  }

  delete(text: string): void {
    const number = this.get(text)
    if (number === 0) return
    this.#texts[number] = null
    this.#free.push(number)
    if (this.#crowded?.delete(text) === true) return
    for (let i = 0, at = hashOf(text, this.#units) & this.#mask; i < PROBES_MAX; i++, at = (at + 1) & this.#mask) {
      if (((this.#slots[at] as number) & NUMBERS) === number) this.#slots[at] = GONE
    }
  }

  /** False: there are too many like it, and more is to be read of each. */
  #insert(text: string, number: number): boolean {
    const hash = hashOf(text, this.#units)
    let alike = 0
    for (let i = 0, at = hash & this.#mask; i < PROBES_MAX && number <= NUMBERS; i++, at = (at + 1) & this.#mask) {
      const slot = this.#slots[at] as number
      if (slot === 0) {
        this.#slots[at] = (hash & ~NUMBERS) | number
        this.#used++
        return true
      }
      if (slot !== GONE && (slot ^ hash) >>> NUMBER_BITS === 0 && ++alike === ALIKE_MAX && this.#units < UNITS_MAX) {
        this.#units *= 4
        return false
      }
    }
    this.#crowded ??= new Map()
    this.#crowded.set(text, number)
    return true
  }

  /** Makes room, and forgets where texts have been. */
  #rebuild(): void {
    const size = Math.max(SIZE_MIN, 2 ** Math.ceil(Math.log2(4 * (this.#texts.length - this.#free.length))))
    this.#slots = new Int32Array(size)
    this.#mask = size - 1
    this.#used = 0
    this.#crowded = null
    for (const [number, text] of this.#texts.entries()) if (text !== null && !this.#insert(text, number)) return this.#rebuild()
  }
}

/** As a request will have it: the engine has a short text that it parsed only once, and what is made here lies side by side. Both are found sooner. */
function asParsed(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string
}

/** 32 bits of the last units of a text: a multiplication for every two, and the upper bits mixed into the lower ones. */
function hashOf(text: string, units: number): number {
  const { length } = text
  let hash = length
  let i = Math.max(0, length - units)
  for (; i + 1 < length; i += 2) hash = Math.imul(hash ^ (text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)), MULTIPLIER)
  if (i < length) hash = Math.imul(hash ^ text.charCodeAt(i), MULTIPLIER)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return hash ^ (hash >>> 13)
}
const MULTIPLIER = 0x9e3779b1
