/** Places looked at for one text before it is looked for elsewhere: whoever chooses texts that meet each other gains nothing. */
const PROBES_MAX = 16
const SIZE_MIN = 16

/**
 * Texts with a number each. A text that was just read from a request is found in half the time that a `Map` takes, which must have the engine
 * prepare such a text for it first.
 */
export class Numbered {
  /** Of four: the text's hash; one more than its index in the list, 0: none, −1: there was one; its number; nothing. */
  #slots = new Int32Array(4 * SIZE_MIN)
  #mask = SIZE_MIN - 1
  #used = 0
  readonly #texts: string[] = []
  readonly #free: number[] = []
  /** Those that found all their places taken. */
  #crowded: Map<string, number> | null = null

  /** −1: it has none. */
  get(text: string): number {
    const hash = hashOf(text)
    const slots = this.#slots
    for (let i = 0, at = hash & this.#mask; i < PROBES_MAX; i++, at = (at + 1) & this.#mask) {
      const index = slots[4 * at + 1] as number
      if (index === 0) return -1
      if (index > 0 && slots[4 * at] === hash && this.#texts[index - 1] === text) return slots[4 * at + 2] as number
    }
    return this.#crowded === null ? -1 : this.#crowded.get(text) ?? -1
  }

  /** @param text Has no number yet. */
  add(text: string, number: number): void {
    if (2 * this.#used >= this.#mask) this.#rebuild()
    const index = this.#free.pop() ?? this.#texts.length
    this.#texts[index] = text
    this.#insert(text, index, number)
  }

  delete(text: string): void {
    if (this.#crowded?.delete(text) === true) return
    const at = this.#find(text)
    if (at < 0) return
    const index = (this.#slots[4 * at + 1] as number) - 1
    this.#slots[4 * at + 1] = -1
    this.#texts[index] = ''
    this.#free.push(index)
  }

  #find(text: string): number {
    const hash = hashOf(text)
    for (let i = 0, at = hash & this.#mask; i < PROBES_MAX; i++, at = (at + 1) & this.#mask) {
      const index = this.#slots[4 * at + 1] as number
      if (index === 0) return -1
      if (index > 0 && this.#slots[4 * at] === hash && this.#texts[index - 1] === text) return at
    }
    return -1
  }

  #insert(text: string, index: number, number: number): void {
    const hash = hashOf(text)
    for (let i = 0, at = hash & this.#mask; i < PROBES_MAX; i++, at = (at + 1) & this.#mask) {
      if (this.#slots[4 * at + 1] !== 0) continue
      this.#slots[4 * at] = hash
      this.#slots[4 * at + 1] = index + 1
      this.#slots[4 * at + 2] = number
      this.#used++
      return
    }
    this.#crowded ??= new Map()
    this.#crowded.set(text, number)
    this.#texts[index] = ''
    this.#free.push(index)
  }

  /** Makes room, and forgets where texts have been. */
  #rebuild(): void {
    const kept: (readonly [string, number])[] = []
    for (let at = 0; at <= this.#mask; at++) {
      const index = this.#slots[4 * at + 1] as number
      if (index > 0) kept.push([this.#texts[index - 1] as string, this.#slots[4 * at + 2] as number])
    }
    if (this.#crowded !== null) kept.push(...this.#crowded)
    const size = Math.max(SIZE_MIN, 2 ** Math.ceil(Math.log2(4 * (kept.length + 1))))
    this.#slots = new Int32Array(4 * size)
    this.#mask = size - 1
    this.#used = 0
    this.#texts.length = this.#free.length = 0
    this.#crowded = null
    for (const [text, number] of kept) {
      this.#insert(text, this.#texts.push(text) - 1, number)
    }
  }
}

/** 32 bits of a text: a multiplication for every two UTF-16 units, and the upper bits mixed into the lower ones. */
function hashOf(text: string): number {
  const { length } = text
  let hash = length
  let i = 0
  for (; i + 1 < length; i += 2) hash = Math.imul(hash ^ (text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)), MULTIPLIER)
  if (i < length) hash = Math.imul(hash ^ text.charCodeAt(i), MULTIPLIER)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return hash ^ (hash >>> 13)
}
const MULTIPLIER = 0x9e3779b1
