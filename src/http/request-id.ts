import { randomUUID } from 'node:crypto'

const DIGITS = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
let drawn = ''
let count = 0xffff

/**
 * Another id for a request, a UUID. Its last four digits count and the others are drawn at random for every 65,536 ids: which number comes next can be
 * guessed, and nothing rests on its being secret. A tenth of what `randomUUID` costs.
 */
export function nextRequestId(): string {
  if (++count > 0xffff) {
    drawn = randomUUID().slice(0, -4)
    count = 0
  }
  return drawn + (DIGITS[count >> 8] as string) + (DIGITS[count & 255] as string)
}
