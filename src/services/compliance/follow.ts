import type { Examiner } from '#adapters/examiner.ts'
import { sha256 } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import { renderRules } from '#core/policy/render.ts'
import type { ActiveRevision } from '#core/revision/active.ts'
import type { Heads, ReadPage } from '#core/revision/application.ts'
import { loadBundle, type BundlePorts, type HighWater } from '#core/revision/bundle.ts'
import type { ProbeResult } from '#http/health.ts'
import { bundleLoaded, bundleRefused, type Telemetry } from '#telemetry/events.ts'
import { recurring } from '#telemetry/recurring.ts'
import type { DecisionPoint } from './decision-point.ts'
import type { StateFolder } from './state-folder.ts'

/** How often the decision point asks for what is new when nobody told it; everything decides everywhere within a second. */
export const FOLLOW_MS = 500

/** Where bundles and entities come from: the platform, which is believed about entities and about nothing else. */
export type Source = {
  readonly heads: () => Promise<Heads>
  readonly bundle: (application: string) => Promise<unknown>
  /** What happened to its entities since a version. */
  readonly changes: (application: string, since: number) => ReadPage
}

/** What keeps a decision point up to date. */
export type Follower = AsyncDisposable & {
  /** Looks now instead of at the next turn. @returns When what was there at the call has been taken over. */
  readonly look: () => Promise<void>
  readonly seen: (application: string) => HighWater | null
  readonly isRevoked: (certificate: string) => boolean
  readonly probe: () => ProbeResult
}

/**
 * Loads bundles once every check is passed, follows entities, and drops the permits of revoked certificates.
 *
 * What was loaded stays loaded: a platform that is away, that has nothing or that brings a bundle which is refused changes nothing. The
 * highest revision that was loaded is on disk before it decides, so that no restart brings back an older one; a revocation is never
 * taken back.
 *
 * @throws {Failure} `FILE_UNREADABLE` when what was kept cannot be read: it must not start as if it had seen nothing.
 */
export function follow({ source, point, state, examiner, ports, intervalMs, telemetry, now }: {
  source: Source
  point: DecisionPoint
  state: StateFolder
  examiner: Examiner
  ports: Pick<BundlePorts, 'isSignedBy' | 'approvalOf'>
  intervalMs: number
  telemetry: Telemetry
  now: () => Date
}): Follower {
  /** Loaded whole, before revocations. */
  const whole = new Map<string, ActiveRevision>()
  const tags = new Map<string, string>()
  const refusals = new Map<string, string>()
  const seen = new Map<string, HighWater>()
  const revoked = new Set<string>(state.revoked())
  let isSaved = true
  let lost: string | null = 'the platform has not been asked yet'

  const parse: BundlePorts['parse'] = (text, schema) => examiner.examining(schema).parse(text, schema)
  const activate = async (active: ActiveRevision) => {
    whole.set(active.application, active)
    await point.load(withoutRevoked(active, revoked, parse))
  }
  const load = async (application: string, bundle: unknown) => {
    try {
      const { active } = await loadBundle(application, bundle, seen.get(application) ?? null, { ...ports, parseSchema: examiner.parseSchema, parse, at: now() })
      const before = seen.get(application)
      state.keep(application, { revision: active.revision, digest: active.digest, bundle })
      seen.set(application, { revision: active.revision, digest: active.digest })
      refusals.delete(application)
      await activate(active)
      if (before?.revision !== active.revision) bundleLoaded(telemetry, { application, revision: active.revision })
    } catch (error) {
      // What could not be judged at present, since Auth is out, say, is judged again at the next turn.
      if (!(error instanceof Failure) || error.code !== 'BUNDLE_REFUSED') throw error
      refusals.set(application, error.message)
      bundleRefused(telemetry, { application, because: error.message })
    }
  }
  /** What was kept and is not loaded yet: while Auth is out, nobody can judge it. */
  const waiting = new Map(state.kept().map((kept) => [kept.application, kept]))
  for (const [application, { revision, digest }] of waiting) {
    seen.set(application, { revision, digest })
    point.know(application)
  }
  const remember = async () => {
    for (const [application, { bundle }] of waiting) {
      try {
        await load(application, bundle)
        waiting.delete(application)
      } catch (error) {
        refusals.set(application, error instanceof Error ? error.message : String(error))
      }
    }
  }

  const begun = remember()

  const turn = async () => {
    await begun
    await remember()
    const heads = await source.heads()
    const fresh = heads.revoked.filter((id) => !revoked.has(id))
    if (fresh.length > 0) {
      for (const id of fresh) revoked.add(id)
      isSaved = false
      for (const active of whole.values()) await point.load(withoutRevoked(active, revoked, parse))
    }
    // A disk that is full must not undo a revocation, nor hide that a restart would forget it.
    if (!isSaved) {
      state.keepRevoked([...revoked])
      isSaved = true
    }
    // What is wrong with one application must not keep the others from what is new.
    const failed: string[] = []
    for (const head of heads.applications) await takeOver(head).catch((error: unknown) => failed.push(`${head.name}: ${error instanceof Error ? error.message : String(error)}`))
    if (failed.length > 0) throw new Error(failed.join('; '))
  }
  const takeOver = async ({ name, bundleTag, entitiesVersion }: Heads['applications'][number]) => {
    point.know(name)
    if (point.entitiesOf(name).version !== entitiesVersion) {
      const entities = point.entitiesOf(name)
      await entities.follow(source.changes(name, entities.version))
    }
    if (bundleTag !== null && tags.get(name) !== bundleTag) {
      await load(name, await source.bundle(name))
      waiting.delete(name)
      tags.set(name, bundleTag)
    }
  }

  let timer: NodeJS.Timeout | null = null
  let isEnded = false
  let underWay: Promise<void> | null = null
  let next: Promise<void> | null = null
  const followed = recurring(telemetry.log, 'the platform cannot be followed at present')
  const run = async () => {
    await followed(turn().then(() => { lost = null }, (error: unknown) => {
      lost = error instanceof Error ? error.message : String(error)
      throw error
    }))
  }
  /** One turn at a time; who asks while one runs gets the one after it. */
  const look = (): Promise<void> => {
    if (underWay === null) {
      underWay = run().finally(() => (underWay = null))
      return underWay
    }
    next ??= underWay.then(() => {
      next = null
      return look()
    })
    return next
  }
  const again = () => {
    if (!isEnded) timer = setTimeout(() => void look().finally(again), intervalMs)
  }
  again()

  return {
    look,
    seen: (application) => seen.get(application) ?? null,
    isRevoked: (certificate) => revoked.has(certificate),
    probe: () => {
      if (lost !== null) return { status: 'degraded', detail: `entities and revisions may be old: ${lost}` }
      const [refusal] = refusals
      return refusal === undefined ? { status: 'healthy' } : { status: 'degraded', detail: `${refusal[0]}: ${refusal[1]}` }
    },
    [Symbol.asyncDispose]: async () => {
      isEnded = true
      if (timer !== null) clearTimeout(timer)
      await underWay
      await next
    },
  }
}

/** Without the permits that rest on a revoked certificate. Its prohibitions stay: dropping them would open what they close. */
export function withoutRevoked(active: ActiveRevision, revoked: ReadonlySet<string>, parse: BundlePorts['parse']): ActiveRevision {
  const rests = (certificate: string | undefined) => certificate !== undefined && revoked.has(certificate)
  const kept = active.policies.rules.filter(({ effect, annotations }) => effect === 'forbid' || !rests(annotations['certificate']))
  if (kept.length === active.policies.rules.length) return active
  const text = renderRules(kept.map((rule) => ({ ...rule, annotations: withoutId(rule.annotations) })))
  const withdrawn = new Set(active.policies.rules.filter((rule) => !kept.includes(rule)).map(({ annotations }) => annotations['certificate'] as string))
  return { ...active, policies: parse(text, active.schema), digest: sha256(`${active.digest} ${text}`), withdrawn: [...withdrawn].sort() }
}

function withoutId({ id: _, ...annotations }: { readonly [name: string]: string }): { readonly [name: string]: string } {
  return annotations
}
