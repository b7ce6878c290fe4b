import { redact, type Config } from '#config'

/** What of the configuration may change while the processes run: nothing that anybody has built something on. */
const LIVE = {
  security: ['addressRequestsPerMinute', 'generationsPerMinute', 'diagnosesPerMinute'],
  caching: ['candidatesTtlSeconds'],
} as const satisfies { readonly [S in keyof Config]?: readonly (keyof Config[S])[] }

/** The same by their names in the file. */
export const LIVE_KEYS: readonly string[] = Object.entries(LIVE).flatMap(([section, keys]) => keys.map((key) => `${section}.${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`))

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
      const isLive = (name: string) => LIVE_KEYS.includes(name)
      current = withLiveOf(current, next)
      return { changed: differing.filter(isLive), waiting: differing.filter((name) => !isLive(name)) }
    },
  }
}

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** The same configuration, but for what may change, which is as in another one. */
function withLiveOf(config: Config, next: Config): Config {
  const [before, after] = [config as unknown as Sections, next as unknown as Sections]
  const sections = Object.entries(LIVE).map(([section, keys]) => [section, { ...before[section], ...Object.fromEntries(keys.map((key) => [key, after[section]?.[key]])) }])
  return { ...config, ...Object.fromEntries(sections) } as Config
}

/** Every key by its name in the file, with its value as text. */
function flat(config: Config): ReadonlyMap<string, string> {
  return new Map(Object.entries(redact(config)).flatMap(([section, keys]) => Object.entries(keys).map(([key, value]) => [`${section}.${key}`, JSON.stringify(value)] as const)))
}
