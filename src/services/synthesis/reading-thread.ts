import { places, startThread, ThreadLost } from '#adapters/thread.ts'
import { Failure } from '#core/failure.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { readHere, type Read } from './propose.ts'
import type { ToRead } from './reading-worker.ts'

/** Reads in a thread of its own, so that a text holds up nobody's decision: reading is what takes the longest in a generation. */
export type ReadingThread = AsyncDisposable & {
  readonly read: Read
  /** Starts the thread ahead of the first text: it takes more than half a second of a processor. */
  readonly warm: () => void
}

/** So many schemas the thread keeps. */
const KEPT_MAX = 16

/**
 * @param timeoutMs How long one text may take.
 * @param onLost Told why, whenever a text is read here because the thread was lost: the same readers, so the same readings.
 */
export function startReading({ onLost, timeoutMs = 30_000, body = new URL('./reading-worker.ts', import.meta.url) }: { readonly onLost: (because: string) => void; readonly timeoutMs?: number; readonly body?: URL }): ReadingThread {
  const thread = startThread({ body, name: 'the thread that reads', timeoutMs, knows: () => places<Schema>(KEPT_MAX, (a, b) => a.digest === b.digest) })
  return {
    warm: thread.warm,
    /** @throws {Failure} `OVERLOADED` when the text takes longer than its time: here it would hold up everybody. */
    read: async (unit) => {
      const { schema, ...text } = unit
      try {
        return await thread.ask<ToRead, Awaited<ReturnType<Read>>>((placed) => {
          const { place, isNew } = placed(schema)
          return { text, place, schema: isNew ? schema : null }
        })
      } catch (error) {
        if (!(error instanceof ThreadLost)) throw error
        if (error.isLate) throw new Failure('OVERLOADED', `the text was not read within ${timeoutMs} ms: send it again later, or divide it into several requests`)
        onLost(error.message)
        return readHere(unit)
      }
    },
    [Symbol.asyncDispose]: () => thread[Symbol.asyncDispose]() as Promise<void>,
  }
}

/** The same, from now on and for as long as a process runs. */
export function readingIn({ telemetry, ending }: { readonly telemetry: Telemetry; readonly ending: (() => Promise<unknown>)[] }): Read {
  const reading = startReading({ onLost: (because) => telemetry.log.warn({ because }, 'text is read on the event loop, and a thread is started anew') })
  ending.push(async () => reading[Symbol.asyncDispose]())
  reading.warm()
  return reading.read
}
