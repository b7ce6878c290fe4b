import type { Examiner } from '#adapters/examiner.ts'
import {
  appendPut, insertApplication, listApplications, lockApplication, readApplication, updateSchema, type StoredApplication,
} from '#adapters/postgres/applications.ts'
import type { Database, Queryable } from '#adapters/postgres/connect.ts'
import type { ChangesPage } from '#core/revision/application.ts'
import { ancestorsStored, changeEntities, readChanges, storedEntities, type Changed } from '#adapters/postgres/entities.ts'
import { canonical } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import { step } from '#core/json.ts'
import type { Uid } from '#core/policy/expression.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { entityReader, Findings, findCyclesAmong, keep, recursiveTypes, uidOf, type KeptEntity } from '#core/revision/entities.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import type { Pack } from '#core/unit/pack.ts'
import { applicationPut, entitiesChanged, ledgerAppended, requestOverloaded, type Telemetry } from '#telemetry/events.ts'

export type Given = {
  readonly database: Database
  readonly examiner: Pick<Examiner, 'parseSchema'>
  readonly telemetry: Telemetry
  /** Told when something of an application changed, after it is stored: the decision point in the same process looks at once. */
  readonly onChanged: (application: string) => void
  readonly now: () => Date
}

/** Entities as they arrive, unread: those to be there, and uids of those to go (`the rest`: all that are not given). */
export type RawChange = {
  /** Read once, from the first to the last. */
  readonly upsert: Iterable<unknown> & { readonly length: number }
  readonly delete: readonly unknown[] | 'the rest'
  /** How the lists are called in problems. */
  readonly places: { readonly upsert: string; readonly delete: string }
}

/** The acts on applications and their entities. Each is one transaction: done and in the ledger, or not done. */
export type Applications = {
  /**
   * Makes an application, or gives it another schema.
   *
   * @param expected The digest of the schema that is to be replaced; null when none is.
   * @returns Whether it is new.
   * @throws {Failure} `SCHEMA_INVALID`; `CONFLICT` naming both digests when it has another schema than was expected; `ENTITIES_INVALID`
   *   naming every stored entity that the other schema has no place for.
   */
  readonly put: (name: string, schema: string, expected: string | null, by: string) => Promise<{ readonly isNew: boolean; readonly application: StoredApplication }>
  /** @throws {Failure} `NOT_FOUND` */
  readonly read: (name: string) => Promise<StoredApplication>
  readonly list: () => Promise<readonly StoredApplication[]>
  /** @throws {Failure} `NOT_FOUND`; `ENTITIES_INVALID` naming everything that does not fit. */
  readonly change: (name: string, change: RawChange, by: string) => Promise<Changed>
  /** @throws {Failure} `NOT_FOUND` */
  readonly changes: (name: string, page: { readonly since: number; readonly cursor?: string | undefined; readonly limit: number }) => Promise<ChangesPage>
  /** Makes an application of every pack whose name is not taken, with the pack's entities. @returns The names of those made. */
  readonly install: (packs: readonly Pack[], by: string) => Promise<readonly string[]>
}

/** A change of more entities is a large one. */
const LARGE = 10_000
/** So many large ones wait for the one under way; who comes then is told when to come back. */
const LARGE_WAITING_MAX = 1
const LARGE_RETRY_SECONDS = 10

export function createApplications({ database, examiner, telemetry, onChanged, now }: Given): Applications {
  const told = (application: string, { version, upserted, deleted, ledger }: Changed) => {
    if (ledger === null) return
    ledgerAppended(telemetry, { entries: ledger.index + 1 })
    entitiesChanged(telemetry, { application, version, upserted, deleted: deleted.length })
    onChanged(application)
  }
  const read = async (name: string) => (await readApplication(database, name)) ?? unknown(name)
  const change: Applications['change'] = async (name, raw, by) => {
    // Reading takes longest, and nobody has to wait for it: only when the schema changed meanwhile it is done again, under the lock.
    const found = await schemaOf(database, name)
    const before = await readChange(raw, examiner.parseSchema(found.text))
    const changed = await database.transaction(async (tx) => {
      const application = (await lockApplication(tx, name)) ?? unknown(name)
      const schema = examiner.parseSchema(application.schema.text)
      const read = application.schema.digest === found.digest ? before : await readChange(before, schema)
      await refuseCycles(tx, name, read)
      return changeEntities(tx, name, read, { version: application.entitiesVersion, by, at: now() })
    })
    told(name, changed)
    return changed
  }
  let largeAtOnce = 0
  let inTurn: Promise<unknown> = Promise.resolve()
  /** A large change keeps the process busy for seconds: one at a time, so that whatever else it does gets its turn in between. */
  const oneAtATime = async <T>(work: () => Promise<T>): Promise<T> => {
    if (largeAtOnce > LARGE_WAITING_MAX) {
      requestOverloaded(telemetry, { because: 'full' })
      throw new Failure('OVERLOADED', `other large changes of entities are under way here: send this one again in ${LARGE_RETRY_SECONDS} s, or in smaller parts`, { details: { reason: 'full', retry_after_seconds: LARGE_RETRY_SECONDS } })
    }
    largeAtOnce++
    const mine = inTurn.then(work).finally(() => { largeAtOnce-- })
    inTurn = mine.catch(() => {})
    return mine
  }

  return {
    read,
    list: () => listApplications(database),

    put: async (name, text, expected, by) => {
      const schema = examiner.parseSchema(text)
      const at = now()
      const outcome = await database.transaction(async (tx) => {
        const putting = { name, schema, by, at }
        if (expected === null && (await insertApplication(tx, putting))) return { isNew: true, receipt: await appendPut(tx, putting), changed: null }
        const present = await lockApplication(tx, name)
        if (present === null) throw new Failure('CONFLICT', `there is no application \`${name}\` whose schema could be replaced: leave out If-Match to make it`, { details: { reason: 'absent' } })
        if (present.schema.digest === schema.digest) return { isNew: false, receipt: null, changed: null }
        if (present.schema.digest !== expected) {
          throw new Failure('CONFLICT', `application \`${name}\` has the schema ${present.schema.digest}, not ${expected === null ? 'the one given' : 'the one expected'} (${expected ?? schema.digest}): to replace it, send \`If-Match: "${present.schema.digest}"\``, {
            details: { reason: 'another_schema', current_digest: present.schema.digest, given_digest: schema.digest },
          })
        }
        const moved = await readAgain(tx, name, schema)
        await updateSchema(tx, putting)
        const changed = await changeEntities(tx, name, { upserted: moved, deleted: [] }, { version: present.entitiesVersion, by, at })
        return { isNew: false, receipt: await appendPut(tx, putting), changed }
      })
      if (outcome.receipt !== null) {
        ledgerAppended(telemetry, { entries: outcome.receipt.index + 1 })
        applicationPut(telemetry, { application: name, schema: schema.digest })
        onChanged(name)
      }
      return { isNew: outcome.isNew, application: await read(name) }
    },

    change: (name, raw, by) => (raw.upsert.length > LARGE ? oneAtATime(() => change(name, raw, by)) : change(name, raw, by)),

    changes: async (name, page) => (await readChanges(database, name, page)) ?? unknown(name),

    install: async (packs, by) => {
      const taken = new Set((await listApplications(database)).map(({ name }) => name))
      const made: string[] = []
      for (const { name, schema: text, entities } of packs.filter((pack) => !taken.has(pack.name))) {
        const schema = examiner.parseSchema(text)
        const putting = { name, schema, by, at: now() }
        const change = await readChange({ upsert: entities, delete: 'the rest', places: { upsert: `entities of the pack ${name}`, delete: '' } }, schema)
        const changed = await database.transaction(async (tx) => {
          if (!(await insertApplication(tx, putting))) return null // Another process that starts at the same time was first.
          await refuseCycles(tx, name, change)
          await appendPut(tx, putting)
          return changeEntities(tx, name, change, { version: 0, by, at: putting.at })
        })
        if (changed === null) continue
        made.push(name)
        if (changed.ledger !== null) ledgerAppended(telemetry, { entries: changed.ledger.index + 1 })
        telemetry.log.debug({ application: name, entities: changed.upserted }, 'pack installed')
        onChanged(name)
      }
      return made
    },
  }
}

type ReadChange = {
  readonly upserted: readonly KeptEntity[]
  readonly deleted: readonly Uid[] | 'the rest'
  /** Those of the upserted that could be above themselves. */
  readonly climbing: readonly Pick<CedarEntity, 'uid' | 'parents'>[]
  readonly places: RawChange['places']
}

/** So many entities are read before others get their turn. */
const PART = 1_000

/**
 * Reads a change, which may be a large one: others are served in between, and one part at a time is objects.
 *
 * @param change What arrived, or what was read by another schema.
 * @throws {Failure} `ENTITIES_INVALID` naming everything that does not fit.
 */
async function readChange(change: RawChange | ReadChange, schema: Schema): Promise<ReadChange> {
  const findings = new Findings()
  const recursive = recursiveTypes(schema)
  const read = entityReader(schema, change.places.upsert, findings)
  const upserted: KeptEntity[] = []
  const climbing: Pick<CedarEntity, 'uid' | 'parents'>[] = []
  const take = (entities: readonly CedarEntity[]) => {
    for (const entity of entities) {
      upserted.push(keep(entity))
      if (recursive.has(entity.uid.type)) climbing.push({ uid: entity.uid, parents: entity.parents })
    }
  }
  if ('upserted' in change) for (const { text } of change.upserted) take(read([JSON.parse(text)]))
  else {
    let part: unknown[] = []
    const flush = async () => {
      take(read(part))
      part = []
      await new Promise(setImmediate)
    }
    for (const each of change.upsert) {
      part.push(each)
      if (part.length === PART) await flush()
    }
    await flush()
  }
  const given = 'upserted' in change ? change.deleted : change.delete
  const deleted = given === 'the rest' ? given : readUids(given, upserted, schema, change.places.delete, findings)
  findings.refuse('the entities do not fit the schema')
  return { upserted, deleted, climbing, places: change.places }
}

function readUids(values: readonly unknown[], upserted: readonly KeptEntity[], schema: Schema, place: string, findings: Findings): Uid[] {
  const kept = new Set(values.length === 0 ? [] : upserted.map(({ uid }) => uidText(uid)))
  return values.flatMap((value, i) => {
    const uid = uidOf(value)
    if (uid === null) findings.add(step(place, i), 'is not a uid: write it as { "type": "User", "id": "ana" }')
    else if (!schema.entityTypes.has(uid.type)) findings.add(uidText(uid), `is of the type \`${uid.type}\`, which the schema does not have`)
    else if (kept.has(uidText(uid))) findings.add(uidText(uid), 'is upserted and deleted in one change: say which')
    else return [uid]
    return []
  })
}

/** @throws {Failure} `ENTITIES_INVALID` when the change would close a cycle, over what is stored too. */
async function refuseCycles(tx: Queryable, application: string, { climbing, deleted }: ReadChange): Promise<void> {
  if (climbing.length === 0) return
  const key = ({ type, id }: Uid) => `${type}\0${id}`
  const own = new Set(climbing.map(({ uid }) => key(uid)))
  const gone = new Set(deleted === 'the rest' ? [] : deleted.map(key))
  // Every new cycle passes through an entity of this change: looking upwards from these finds it.
  const above = new Map(climbing.flatMap(({ parents }) => parents).filter((parent) => !own.has(key(parent))).map((parent) => [key(parent), parent]))
  const stored = deleted === 'the rest' || above.size === 0 ? [] : await ancestorsStored(tx, application, [...above.values()])
  const findings = new Findings()
  findCyclesAmong([...stored.filter(({ uid }) => !own.has(key(uid)) && !gone.has(key(uid))), ...climbing], findings)
  findings.refuse('the hierarchy has a cycle')
}

/** Reads everything stored by another schema. @returns What is kept in another form by it, e.g. a string that becomes an address. */
async function readAgain(tx: Queryable, application: string, schema: Schema): Promise<readonly KeptEntity[]> {
  const findings = new Findings()
  const read = entityReader(schema, 'stored entities', findings)
  const moved: KeptEntity[] = []
  for await (const stored of storedEntities(tx, application)) {
    const entities = read(stored)
    // While nothing was found, they stand in the same order.
    if (findings.count === 0) moved.push(...entities.map(keep).filter(({ text }, i) => text !== canonical(stored[i])))
  }
  findings.refuse(`the entities of \`${application}\` do not fit the new schema`)
  return moved
}

async function schemaOf(database: Database, name: string): Promise<{ text: string; digest: string }> {
  const { rows } = await database.query<{ text: string; digest: string }>('select schema as text, schema_digest as digest from applications where name = $1', [name])
  return rows[0] ?? unknown(name)
}

function unknown(name: string): never {
  throw new Failure('NOT_FOUND', `there is no application \`${name}\`: make it with ./acgs app put ${name} --schema FILE, or PUT /api/v1/applications/${name}`)
}
