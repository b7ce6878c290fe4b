import { setTimeout as sleep } from 'node:timers/promises'
import type { RequestProgress, StepRow } from '#adapters/postgres/generation-requests.ts'
import { Failure } from '#core/failure.ts'
import type { Requests } from './requests.ts'

/** What is told of one generation as it happens. */
type Event = { readonly id: string; readonly event: 'accepted' | 'step' | 'finished' | 'failed'; readonly data: object }

/** Who follows generations, and how all of that is ended. */
export type Progress = {
  /**
   * The events of a request from after one on, as they are sent; ends with the request, with the signal, or when this process is about to stop.
   *
   * @param lastEventId What the client has seen; null: nothing.
   * @returns Null when it has seen the end.
   * @throws {Failure} `OVERLOADED` when too many follow something.
   */
  readonly follow: (standing: RequestProgress, lastEventId: string | null, signal: AbortSignal) => AsyncIterable<string> | null
  /** Ends every stream; those that are asked for afterwards end after what is known by then. */
  readonly end: () => void
}

const HEARTBEAT_MS = 15_000
/** How long a browser waits before it comes back. */
const RETRY_MS = 1_000
/** So often is looked where the request is worked on here, and where the database has to be asked. */
const LOOK_MS = { here: 50, elsewhere: 500 }
const END = 'end'

export function createProgress({ requests, streamsMax }: { requests: Pick<Requests, 'progress' | 'isWorkedOnHere'>; streamsMax: number }): Progress {
  const ending = new AbortController()
  let streams = 0

  async function* tell(standing: RequestProgress, lastEventId: string | null, signal: AbortSignal): AsyncGenerator<string> {
    streams++
    try {
      const over = AbortSignal.any([signal, ending.signal])
      let seen = lastEventId
      let silentSince = Date.now()
      yield `retry: ${RETRY_MS}\n\n`
      for (let now: RequestProgress | null = standing; now !== null; now = await requests.progress(standing.generation_id)) {
        for (const each of eventsOf(now)) {
          if (!isAfter(each.id, seen)) continue
          yield textOf(each)
          seen = each.id
          silentSince = Date.now()
        }
        if (now.state !== 'accepted' || over.aborted) return
        if (Date.now() - silentSince >= HEARTBEAT_MS) {
          yield ': still there\n\n'
          silentSince = Date.now()
        }
        await sleep(requests.isWorkedOnHere(now.generation_id) ? LOOK_MS.here : LOOK_MS.elsewhere, undefined, { signal: over }).catch(() => {})
      }
    } finally {
      streams--
    }
  }

  return {
    follow: (standing, lastEventId, signal) => {
      if (lastEventId === END) return null
      if (streams >= streamsMax) throw new Failure('OVERLOADED', `${streams} clients follow generations here, and more are not served: read the generation now and then instead`)
      return tell(standing, lastEventId, signal)
    },
    end: () => ending.abort(),
  }
}

/** Everything that there is to tell of a request up to now, in order. */
export function eventsOf(standing: RequestProgress): readonly Event[] {
  const { generation_id, accepted_at, steps, state } = standing
  const told = (each: StepRow, index: number): Event => ({ id: `${each.attempt}.${index + 1}`, event: 'step', data: { generation_id, ...each } })
  return [
    { id: '0.0', event: 'accepted', data: { generation_id, accepted_at: accepted_at.toISOString() } },
    ...steps.map((each) => told(each, steps.filter(({ attempt }) => attempt === each.attempt).indexOf(each))),
    ...(state === 'accepted' ? [] : [{ id: END, event: state, data: { generation_id, ended_at: standing.ended_at?.toISOString(), location: `/api/v1/generations/${generation_id}` } }]),
  ]
}

/** Whether an event comes after the one seen last: attempts follow each other, and so do the steps of one. What is no id of ours was never seen. */
function isAfter(id: string, seen: string | null): boolean {
  const before = /^(\d{1,9})\.(\d{1,9})$/.exec(seen ?? '')
  const now = /^(\d+)\.(\d+)$/.exec(id)
  if (before === null || now === null) return true
  const [a, b] = [Number(now[1]) - Number(before[1]), Number(now[2]) - Number(before[2])]
  return a > 0 || (a === 0 && b > 0)
}

function textOf({ id, event, data }: Event): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
