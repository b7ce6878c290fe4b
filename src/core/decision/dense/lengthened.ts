/** The same integers with room up to `end`, and some more each time, so that growing costs little; those that have it already, as they are. */
export function lengthened(ints: Int32Array<ArrayBuffer>, end: number, least: number): Int32Array<ArrayBuffer> {
  if (end <= ints.length) return ints
  const longer = new Int32Array(Math.max(end, least, Math.ceil(ints.length * GROWTH)))
  longer.set(ints)
  return longer
}
const GROWTH = 1.5
