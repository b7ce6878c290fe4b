import { parentPort } from 'node:worker_threads'
import type { Returned, Sent } from '#adapters/thread.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Reading } from '#core/synthesis/candidate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import { readAll } from './read.ts'

/** One text, and its schema in a numbered place; null: the one that is there. */
export type ToRead = { readonly text: Omit<SemanticUnit, 'schema'>; readonly place: number; readonly schema: Schema | null }

const port = parentPort
if (port === null) throw new Error('this module is the body of a worker thread')

const schemas = new Map<number, Schema>()

port.on('message', async ({ number, question: { text, place, schema: sent } }: Sent<ToRead>) => {
  if (sent !== null) schemas.set(place, sent)
  const schema = schemas.get(place)
  if (schema === undefined) throw new Error(`no schema was sent to place ${place}`)
  port.postMessage({ number, answer: await readAll({ ...text, schema }) } satisfies Returned<readonly (readonly Reading[])[]>)
})
