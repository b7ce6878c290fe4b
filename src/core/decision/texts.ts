const KEPT_BYTES = 40
export const MULTIPLIER = 0x9e3779b1

/** Texts by their bytes, so that one that was met before need not be made again: of two that share a place the later is kept. */
export class Texts {
  readonly #texts: (string | null)[]
  readonly #lengths: Uint8Array
  /** What the texts are in bytes, so many for each. */
  readonly #bytes: Uint8Array
  readonly #mask: number
  readonly #isFixed: boolean

  /** @param fixed These only, where there are any. */
  constructor(places: number, fixed: readonly string[] = []) {
    const needed = Math.max(places, 2 ** Math.ceil(Math.log2(fixed.length + 1) + 3))
    this.#texts = new Array<string | null>(needed).fill(null)
    this.#lengths = new Uint8Array(needed)
    this.#bytes = new Uint8Array(needed * KEPT_BYTES)
    this.#mask = needed - 1
    this.#isFixed = fixed.length > 0
    for (const text of fixed) {
      const bytes = Buffer.from(text)
      let hash = 0
      for (const code of bytes) hash = Math.imul(hash ^ code, MULTIPLIER)
      this.#keep(this.#placeOf(hash), text, bytes, 0, bytes.length)
    }
  }

  /** @param hash Of all these bytes, each mixed in with {@link MULTIPLIER}: whoever has passed them has it already. */
  textOf(bytes: Uint8Array, from: number, to: number, hash: number): string {
    const place = this.#placeOf(hash)
    if (this.#lengths[place] === to - from && to > from && isSame(this.#bytes, place * KEPT_BYTES, bytes, from, to)) return this.#texts[place] as string
    const made = ascii(bytes, from, to)
    if (!this.#isFixed) this.#keep(place, made, bytes, from, to)
    return made
  }

  #keep(place: number, text: string, bytes: Uint8Array, from: number, to: number): void {
    if (to - from > KEPT_BYTES) return
    this.#texts[place] = text
    this.#lengths[place] = to - from
    this.#bytes.set(bytes.subarray(from, to), place * KEPT_BYTES)
  }

  #placeOf(hash: number): number {
    return (hash ^ (hash >>> 15)) & this.#mask
  }
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', from, to)
}

/** Whether the bytes from `from` to `to` are those that are known from `at` on. */
export function isSame(known: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from, k = at; i < to; i++, k++) if (bytes[i] !== known[k]) return false
  return true
}
