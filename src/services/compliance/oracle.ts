import { CEDAR_VERSION } from '#adapters/cedar/cedar.ts'
import { sha256 } from '#core/canonical.ts'
import { answerByCedar, type Answer, type Ground, type Question, type Reply } from '#core/decision/answer.ts'
import type { Authorize } from '#core/decision/decide.ts'
import { differences, repeat, type Repetition } from '#core/decision/oracle.ts'
import { Failure } from '#core/failure.ts'
import type { ActiveRevision } from '#core/revision/active.ts'
import type { Notice } from '#core/revision/notice.ts'
import type { ProbeResult } from '#http/health.ts'
import { oracleCompared, revisionReleased, revisionSlowed, slowRevisionsCounted, type Telemetry } from '#telemetry/events.ts'
import type { DecisionPoint } from './decision-point.ts'
import type { OracleFolder, SlowRevision } from './oracle-folder.ts'

/** Answers a question, failing closed. */
export type Answers = (question: Question, ground: Ground, place: string) => Answer

/** Cedar's engine beside the decision point: it repeats some decisions, and takes over a revision about which it does not agree. */
export type Oracle = AsyncDisposable & {
  /** What answers by a revision that is on the slow path; null: it is not. */
  readonly answersFor: (active: ActiveRevision) => Answers | null
  /** Told of every other answer, once it has been given, and of how to have the question. Returns at once: at most so many a second are looked at, afterwards. */
  readonly note: (ask: () => Question, ground: Ground, place: string, reply: Reply) => void
  readonly status: () => { readonly perSecond: number; readonly counts: { readonly [result in Result]: number }; readonly slow: readonly (SlowRevision & { readonly decides: boolean })[] }
  /**
   * Lets the evaluator decide again.
   *
   * @throws {Failure} `NOT_FOUND` when the application is not on the slow path; `CONFLICT` when another revision of it is.
   */
  readonly release: (application: string, revision: number, by: string) => SlowRevision
  readonly probe: () => ProbeResult
}

export type Result = 'agreed' | 'disagreed' | 'not_compared'

type Noted = { readonly ask: () => Question; readonly ground: Ground & { readonly active: ActiveRevision }; readonly place: string; readonly reply: Reply; readonly version: number }

/** How long to wait before something that could not be kept or told is tried again. */
const RETRY_MS = 5_000

/**
 * Compares at most `perSecond` answers a second with Cedar's own, one after another; 0: none.
 *
 * Which one of those that are given in one go is left to chance, so that not only the first of every batch is looked at. One that comes while
 * another is being compared, whose entities changed before it was repeated, or about which Cedar gave no answer, is not compared, and counted.
 *
 * The first answer that differs is written out, and its revision is on the slow path from then on, over restarts too: Cedar's engine decides,
 * failing closed, and nothing of it is compared any more.
 *
 * @param ask Cedar's engine, somewhere else than on the event loop. It rejects when there is no answer.
 * @param authorize Cedar's engine here: the slow path.
 * @param report Told for the ledger of every revision that disagreed or was released, again and again until it resolves.
 * @throws {Failure} `FILE_UNREADABLE` when what was kept cannot be read: it must not be forgotten that a revision was on the slow path.
 */
export function createOracle({ perSecond, point, folder, ask, authorize, report, telemetry, version, now, random = Math.random, retryMs = RETRY_MS }: {
  perSecond: number
  point: Pick<DecisionPoint, 'activeOf'>
  folder: OracleFolder
  ask: (question: Parameters<Authorize>[0]) => Promise<ReturnType<Authorize>>
  authorize: Authorize
  report: (notice: Notice) => Promise<unknown>
  telemetry: Telemetry
  /** Ours, for what is written out. */
  version: string
  now: () => Date
  random?: () => number
  retryMs?: number
}): Oracle {
  const kept = folder.kept()
  let slow: readonly SlowRevision[] = kept.slow
  let untold: readonly Notice[] = kept.untold
  const counts = { agreed: 0, disagreed: 0, not_compared: 0 }
  let unsaved: string | null = null
  let untellable: string | null = null

  let isEnded = false
  // A revocation changes the rules and not the revision, a rollback the revision and not the rules: neither is a release.
  const isMeant = (each: SlowRevision, active: ActiveRevision) => each.application === active.application && (each.revision === active.revision || each.rules === rulesOf(active))
  const deciding = () => slow.filter((each) => {
    const active = point.activeOf(each.application)
    return active !== null && isMeant(each, active)
  })
  const count = (result: Result, because: string | null = null): void => {
    counts[result]++
    oracleCompared(telemetry, { result, because })
  }

  const save = (): void => {
    try {
      folder.keep({ slow, untold })
      unsaved = null
    } catch (error) {
      unsaved = error instanceof Error ? error.message : String(error)
    }
    slowRevisionsCounted(telemetry, { count: deciding().length })
  }
  const tell = async (): Promise<void> => {
    for (let next = untold[0]; next !== undefined && !isEnded; next = untold[0]) {
      await report(next)
      untold = untold.slice(1)
      save()
    }
  }
  let telling: Promise<void> | null = null
  let retry: NodeJS.Timeout | null = null
  /** Keeps and tells what is not kept and told yet. */
  const settle = (): void => {
    if (unsaved !== null) save()
    telling ??= tell().then(() => { untellable = null }, (error: unknown) => { untellable = error instanceof Error ? error.message : String(error) }).finally(() => {
      telling = null
      if (!isEnded && retry === null && (unsaved !== null || untold.length > 0)) retry = setTimeout(() => { retry = null; settle() }, retryMs).unref()
    })
  }
  const change = (notice: Notice): void => {
    untold = [...untold, notice]
    save()
    settle()
  }

  const disagreed = ({ ground: { active }, reply, version: entitiesVersion }: Noted, repetition: Repetition, cedar: ReturnType<Authorize>, found: readonly string[]): void => {
    const { application, revision } = active
    const at = now().toISOString()
    const text = fixture({ active, reply, repetition, cedar, found, at, entitiesVersion, versions: { acgs: version, cedar: CEDAR_VERSION, node: process.version } })
    let file: string | null = null
    try {
      file = folder.writeFixture(`${application}-${revision}-${at.replaceAll(/[-:.]/g, '')}.json`, text)
    } catch (error) {
      unsaved = error instanceof Error ? error.message : String(error)
    }
    slow = [...slow, { application, revision, digest: active.digest, rules: rulesOf(active), since: at, fixture: file, differences: found }]
    revisionSlowed(telemetry, { application, revision, fixture: file })
    change({ kind: 'revision.disagreed', application, revision, at, fixture: sha256(text) })
  }

  const compare = async (noted: Noted): Promise<void> => {
    const { ask: asked, ground, place, reply } = noted
    const { active, entities } = ground
    if (entities.version !== noted.version || point.activeOf(active.application) !== active) return count('not_compared', 'what it was decided by has changed')
    const repetition = repeat(asked(), ground, place)
    const { request, entities: slice } = repetition.slice
    const cedar = await ask({ policies: active.policies, schema: null, request, entities: slice })
    const found = differences(reply, repetition, cedar, active)
    count(found.length === 0 ? 'agreed' : 'disagreed', found[0] ?? null)
    if (found.length > 0) disagreed(noted, repetition, cedar, found)
  }

  let isDue = perSecond > 0
  let due: NodeJS.Timeout | null = null
  let candidate: Noted | null = null
  let candidates = 0
  let underWay: Promise<void> | null = null
  const look = (): void => {
    const noted = candidate
    candidate = null
    if (noted === null || isEnded) return
    underWay = compare(noted).catch((error: unknown) => count('not_compared', error instanceof Error ? error.message : String(error))).finally(() => (underWay = null))
  }

  if (untold.length > 0) settle()
  return {
    answersFor: (active) => (slow.some((each) => isMeant(each, active)) ? (question, ground, place) => answerByCedar(question, ground, authorize, place) : null),
    note: (asked, ground, place, reply) => {
      const { active } = ground
      if (candidate === null) {
        if (!isDue || active === null || isEnded) return
        isDue = false
        due = setTimeout(() => (isDue = true), 1_000 / perSecond).unref()
        if (underWay !== null) return count('not_compared', 'another one is being compared')
        candidates = 0
        setImmediate(look)
      }
      if (active !== null && random() * ++candidates < 1) candidate = { ask: asked, ground: { ...ground, active }, place, reply, version: ground.entities.version }
    },
    status: () => ({ perSecond, counts: { ...counts }, slow: slow.toSorted((a, b) => (a.application < b.application ? -1 : a.application > b.application ? 1 : a.revision - b.revision)).map((each) => ({ ...each, decides: deciding().includes(each) })) }),
    release: (application, revision, by) => {
      const those = slow.filter((each) => each.application === application)
      const found = those.find((each) => each.revision === revision)
      const [other] = those
      if (other === undefined) throw new Failure('NOT_FOUND', `no revision of \`${application}\` is on the slow path: the evaluator decides`)
      if (found === undefined) throw new Failure('CONFLICT', `revision ${other.revision} of \`${application}\` is on the slow path, not ${revision}: look at why first`, { details: { reason: 'another_revision', revision: other.revision } })
      slow = slow.filter((each) => each !== found)
      revisionReleased(telemetry, { application, revision, by })
      change({ kind: 'revision.released', application, revision, at: now().toISOString(), by })
      return found
    },
    probe: () => {
      const [first, ...more] = deciding()
      slowRevisionsCounted(telemetry, { count: first === undefined ? 0 : 1 + more.length }) // Another revision may decide by now.
      const notes = [
        ...(first === undefined ? [] : [`Cedar’s engine disagrees about revision ${first.revision} of ${first.application} and decides by it, slowly; ${first.fixture === null ? 'the question could not be written out' : `the question is in ${first.fixture}`}${more.length > 0 ? ` (and ${more.length} more)` : ''}`]),
        ...(unsaved === null ? [] : [`a restart would forget which revisions are on the slow path: ${unsaved}`]),
        ...(untellable === null ? [] : [`the ledger does not know of ${untold.length} changes yet: ${untellable}`]),
      ]
      if (notes.length > 0) return { status: 'degraded', detail: notes.join('; ') }
      return perSecond === 0 ? { status: 'healthy', detail: 'off: no decision is compared (decisions.oracle_per_second is 0)' } : { status: 'healthy' }
    },
    [Symbol.asyncDispose]: async () => {
      isEnded = true
      for (const timer of [due, retry]) if (timer !== null) clearTimeout(timer)
      await underWay
      await telling
    },
  }
}

/** A request for `acgs decide`, as Cedar was asked, with all that it was decided by and what was answered. */
function fixture({ active, reply, repetition: { evaluation, slice, absent }, cedar, found, at, entitiesVersion, versions }: {
  active: ActiveRevision; reply: Reply; repetition: Repetition; cedar: ReturnType<Authorize>; found: readonly string[]; at: string; entitiesVersion: number; versions: { readonly [name: string]: string }
}): string {
  const { application, revision, digest, policies, schema } = active
  return `${JSON.stringify({
    ...slice.request, entities: slice.entities, policies: policies.text, schema: schema.text,
    oracle: { application, revision, digest, entities_version: entitiesVersion, at, versions, differences: found, answered: reply, evaluator: evaluation, cedar, missing: slice.missing, unusable: slice.unusable, absent },
  }, null, 2)}\n`
}

/** What tells revisions with the same rules over the same schema. */
function rulesOf(active: ActiveRevision): string {
  const known = rules.get(active)
  if (known !== undefined) return known
  const made = sha256(JSON.stringify([active.policies.text, active.schema.text]))
  rules.set(active, made)
  return made
}
const rules = new WeakMap<ActiveRevision, string>()
