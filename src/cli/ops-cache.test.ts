import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cacheOperated } from '#telemetry/events.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics, type CacheResult, type CacheType } from '#telemetry/metrics.ts'
import { scrape } from '#telemetry/scrape.ts'
import { adviceOn, asksRedis, lookupsIn, type Lookups, type RedisReport } from './ops-cache.ts'

const NONE: Lookups = { lookups: 100, hits: 60, expired: 0, rejected: 0, errors: 0 }
const REDIS: RedisReport = { version: '7.0', keyspaceHits: 1, keyspaceMisses: 1, evicted: 0, policy: 'allkeys-lru', bytesMax: 1_000_000, bytesUsed: 1_000 }
const advice = (platform: Partial<Lookups>, redis: Partial<RedisReport> | null = {}, ttlSeconds = 60) =>
  adviceOn({ platform: { ...NONE, ...platform }, redis: redis === null ? null : { ...REDIS, ...redis }, ttlSeconds, isShared: true }).join('\n')

test('the counters of a scrape are read, each look-up once', async () => {
  const metrics = createMetrics({ service: 'acgs-test', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' })
  const log = createLog({ service: 'acgs-test', level: 'silent' })
  const happened: [CacheType, CacheResult][] = [['memory', 'hit'], ['memory', 'miss'], ['redis', 'hit'], ['memory', 'expired'], ['redis', 'expired'], ['memory', 'miss'], ['redis', 'rejected'], ['memory', 'miss'], ['redis', 'error']]
  assert.equal(asksRedis((await scrape(metrics, undefined)).text), false)
  for (const [type, result] of happened) cacheOperated({ metrics, log }, { operation: 'get', type, result, seconds: 0 })
  const { text } = await scrape(metrics, undefined)
  assert.equal(asksRedis(text), true)
  assert.deepEqual(lookupsIn(text, true), { lookups: 5, hits: 2, expired: 1, rejected: 1, errors: 1 })
})

test('a time to live is too short when a longer one would have answered, and not for questions that are new', () => {
  assert.equal(advice({ hits: 0 }), '')
  assert.match(advice({ expired: 10 }), /candidates_ttl_seconds is too short: 10 of 100 look-ups would have been answered by twice as many \(120\)/)
  assert.equal(advice({ lookups: 10, expired: 5 }), '')
  assert.match(advice({}, null, 0), /every text is read again/)
})

test('what is wrong with Redis is said, with what to do', () => {
  assert.match(advice({}, { bytesMax: null, policy: 'noeviction' }), /has no maxmemory.*CONFIG SET maxmemory 256mb.*maxmemory-policy allkeys-lru/)
  assert.doesNotMatch(advice({}, { bytesMax: null, policy: 'allkeys-lru' }), /maxmemory-policy/)
  assert.match(advice({}, { policy: 'noeviction' }), /allkeys-lru/)
  assert.match(advice({}, { evicted: 3, bytesUsed: 990_000 }), /3 entries were pushed out.*rate limits/)
  assert.match(advice({ rejected: 1 }), /who else writes/)
  assert.match(advice({ errors: 5 }), /did not answer 5 of 100/)
})
