import { setImmediate as pause } from 'node:timers/promises'

/** So long others wait for work that is in one piece; longer only where a piece of it is. */
const SLICE_MS = 10

let last: Promise<void> = Promise.resolve()
let freshAt = 0

/**
 * Lets others have their turn before work goes on. Whoever works for longer than a moment asks before every piece: one comes after the other, however
 * many are under way.
 */
export function turn(): Promise<void> {
  last = last.then(async () => {
    if (performance.now() - freshAt < SLICE_MS) return
    await pause()
    freshAt = performance.now()
  })
  return last
}
