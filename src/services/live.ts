import { redact, type Config } from '#config'

/** What of the configuration may change while the processes run: nothing that anybody has built something on. */
export const LIVE_KEYS = [
  'security.address_requests_per_minute', 'security.generations_per_minute', 'security.diagnoses_per_minute',
  'caching.candidates_ttl_seconds',
] as const

/** The configuration as it is now, and how another one is taken over. */
export type Live = {
  readonly config: () => Config
  /** @returns The live keys that have other values now, and the other keys that wait for a restart. */
  readonly take: (next: Config) => { readonly changed: readonly string[]; readonly waiting: readonly string[] }
}

export function createLive(started: Config): Live {
  let current = started
  return {
    config: () => current,
    take: (next) => {
      const before = flat(current)
      const after = flat(next)
      const differing = [...after].filter(([name, value]) => before.get(name) !== value).map(([name]) => name)
      const isLive = (name: string) => (LIVE_KEYS as readonly string[]).includes(name)
      current = {
        ...current,
        caching: { ...current.caching, candidatesTtlSeconds: next.caching.candidatesTtlSeconds },
        security: {
          ...current.security,
          addressRequestsPerMinute: next.security.addressRequestsPerMinute, generationsPerMinute: next.security.generationsPerMinute, diagnosesPerMinute: next.security.diagnosesPerMinute,
        },
      }
      return { changed: differing.filter(isLive), waiting: differing.filter((name) => !isLive(name)) }
    },
  }
}

/** Every key by its name in the file, with its value as text. */
function flat(config: Config): ReadonlyMap<string, string> {
  return new Map(Object.entries(redact(config)).flatMap(([section, keys]) => Object.entries(keys).map(([key, value]) => [`${section}.${key}`, JSON.stringify(value)] as const)))
}
