import type { Command } from 'commander'
import { readConfig } from '#config'
import { connectRedis } from '#adapters/redis/connect.ts'
import { Failure } from '#core/failure.ts'
import { perMinuteOf } from '#services/limits.ts'
import { askService, type ServiceOptions } from './service.ts'
import { EXIT, finish, newCommand, type Answer } from './terminal.ts'

const REDIS_TIMEOUT_MS = 2_000
/** Below so many look-ups nothing can be said of a time to live. */
const LOOKUPS_MIN = 20
/** From this share of look-ups on that a longer time to live would have answered, it is too short. */
const EXPIRED_SHARE = 0.05

/** What a platform has counted since it started; `expired`: what a longer time to live would have answered. */
export type Lookups = { readonly lookups: number; readonly hits: number; readonly expired: number; readonly rejected: number; readonly errors: number }

/** What Redis says of itself, as far as the cache depends on it. */
export type RedisReport = {
  readonly version: string
  readonly keyspaceHits: number
  readonly keyspaceMisses: number
  readonly evicted: number
  readonly policy: string
  /** Null: no limit is set. */
  readonly bytesMax: number | null
  readonly bytesUsed: number
}

export function command(): Command {
  return newCommand('cache', 'how often what is remembered was found, which time to live is too short, and which memory policy Redis has', './acgs ops cache')
    .option('--data <dir>', 'the data folder of the server that runs')
    .option('--config <file>', 'another configuration file')
    .action(async (options: ServiceOptions) => finish(await look(options), options))
}

async function look(options: ServiceOptions): Promise<Answer> {
  const config = readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data })
  const { status, body } = await askService({ service: 'platform', method: 'GET', path: '/metrics', role: null }, options)
  if (status !== 200 || typeof body !== 'string') throw new Failure('PEER_UNAVAILABLE', `the platform answers ${status} to /metrics`)
  const isElsewhere = config.redis.url === null && asksRedis(body)
  const platform = lookupsIn(body, config.redis.url !== null || isElsewhere)
  const redis = config.redis.url === null ? null : await reportOf(config.redis.url)
  const ttlSeconds = config.caching.candidatesTtlSeconds
  const isShared = Object.values(perMinuteOf(config)).some((limit) => limit > 0)
  const advice = [
    ...(isElsewhere ? ['the platform asks a Redis that is not configured here: give REDIS_URL, or --config, as the platform has it'] : []),
    ...adviceOn({ platform, redis, ttlSeconds, isShared }),
  ]
  const percent = (part: number, whole: number) => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`)
  return {
    json: { caching: { candidates_ttl_seconds: ttlSeconds }, platform, redis, advice },
    text: [
      `candidates   ${platform.lookups} look-ups since the platform started, ${percent(platform.hits, platform.lookups)} found, ${platform.expired} were there and too old (time to live ${ttlSeconds} s)`,
      redis === null ? `Redis        ${isElsewhere ? 'the platform asks one, and its address is not known here' : 'none is configured: each process remembers for itself'}`
      : `Redis ${redis.version}   ${percent(redis.keyspaceHits, redis.keyspaceHits + redis.keyspaceMisses)} of ${redis.keyspaceHits + redis.keyspaceMisses} look-ups found (INFO stats, of everybody who uses it), ${redis.evicted} entries pushed out\n             ${mebibytes(redis.bytesUsed)} used of ${redis.bytesMax === null ? 'no limit' : mebibytes(redis.bytesMax)}, maxmemory-policy ${redis.policy}`,
      ...advice.map((each) => `→ ${each}`),
      ...(advice.length === 0 ? ['nothing to be done'] : []),
    ].join('\n'),
    exit: EXIT.yes,
  }
}

/** Reads the platform's counters; a look-up goes on to Redis where there is one, and is counted once. */
export function lookupsIn(metrics: string, hasRedis: boolean): Lookups {
  const count = (tier: 'memory' | 'redis', result: string) =>
    Number(new RegExp(`^acgs_pgp_v8_cache_operations_total\\{operation="get",cache_type="${tier}",result="${result}"\\} (\\S+)$`, 'm').exec(metrics)?.[1] ?? 0)
  const lookups = ['hit', 'miss', 'expired'].reduce((sum, result) => sum + count('memory', result), 0)
  return {
    lookups,
    hits: count('memory', 'hit') + count('redis', 'hit'),
    expired: count(hasRedis ? 'redis' : 'memory', 'expired'),
    rejected: count('redis', 'rejected'),
    errors: count('redis', 'error'),
  }
}

/** Whether the platform has ever asked a Redis, whatever is configured where this is typed. */
export function asksRedis(metrics: string): boolean {
  return /^acgs_pgp_v8_cache_operations_total\{[^}]*cache_type="redis"[^}]*\} [1-9]/m.test(metrics)
}

/** What an operator should change, and why; nothing where nothing speaks for it. */
export function adviceOn({ platform, redis, ttlSeconds, isShared }: { platform: Lookups; redis: RedisReport | null; ttlSeconds: number; isShared: boolean }): readonly string[] {
  const { lookups, expired, rejected, errors } = platform
  const isMany = (part: number, share: number) => lookups >= LOOKUPS_MIN && part >= share * lookups
  return [
    ...(ttlSeconds === 0 ? ['caching.candidates_ttl_seconds is 0: every text is read again'] : []),
    ...(ttlSeconds > 0 && isMany(expired, EXPIRED_SHARE) ? [`caching.candidates_ttl_seconds is too short: ${expired} of ${lookups} look-ups would have been answered by twice as many (${2 * ttlSeconds}); change the file and send SIGHUP, no restart is needed`] : []),
    ...(rejected > 0 ? [`${rejected} entries were not written for what was asked, or not by a platform over the same database: who else writes to this Redis?`] : []),
    ...(isMany(errors, 0.01) ? [`Redis did not answer ${errors} of ${lookups} look-ups in time: see circuit_breaker_state{service="redis"} and redis.timeout_ms`] : []),
    ...(redis === null ? [] : memoryAdvice(redis, isShared)),
  ]
}

function memoryAdvice({ policy, bytesMax, bytesUsed, evicted }: RedisReport, isShared: boolean): readonly string[] {
  const evicting = policy === 'noeviction' ? ' and `redis-cli CONFIG SET maxmemory-policy allkeys-lru`' : ''
  if (bytesMax === null) return [`Redis has no maxmemory and can grow without end: \`redis-cli CONFIG SET maxmemory 256mb\`${evicting}, and the same in its redis.conf, which a restart reads`]
  const isFull = bytesUsed > 0.9 * bytesMax
  return [
    ...(policy === 'noeviction' ? [`maxmemory-policy is noeviction: a full Redis refuses to write; \`CONFIG SET maxmemory-policy allkeys-lru\` is safe, nothing in it is needed`] : []),
    ...(evicted > 0 && isFull ? [`${evicted} entries were pushed out for lack of memory${isShared ? ', and what rate limits have counted may be among them' : ''}: raise maxmemory (now ${mebibytes(bytesMax)})`] : []),
  ]
}

async function reportOf(url: string): Promise<RedisReport> {
  await using redis = connectRedis({ url, name: 'cli', connectTimeoutMs: REDIS_TIMEOUT_MS, timeoutMs: REDIS_TIMEOUT_MS })
  const [server, stats, memory] = [await redis.info('server'), await redis.info('stats'), await redis.info('memory')]
  const number = (from: ReadonlyMap<string, string>, name: string) => Number(from.get(name) ?? 0)
  return {
    version: server.get('redis_version') ?? 'of an unknown version',
    keyspaceHits: number(stats, 'keyspace_hits'), keyspaceMisses: number(stats, 'keyspace_misses'), evicted: number(stats, 'evicted_keys'),
    policy: memory.get('maxmemory_policy') ?? 'unknown', bytesMax: number(memory, 'maxmemory') || null, bytesUsed: number(memory, 'used_memory'),
  }
}

/** As Redis counts, whose `100mb` is that many times 1,048,576 bytes. */
function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`
}
