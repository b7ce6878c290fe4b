import type { Redis } from './connect.ts'

/**
 * Counts under a key together with every other replica: at most `limit` admissions in any `windowMs`.
 *
 * The times of the last admissions are kept in a list, by the clock of Redis, so that the clocks of replicas need not agree; nothing is kept
 * longer than it counts. Times that lie ahead are of a clock that was set back, and do not count.
 *
 * @throws {Failure} `CACHE_UNAVAILABLE`
 */
export async function countShared(redis: Redis, key: string, limit: number, windowMs: number): Promise<{ readonly admitted: boolean; readonly remaining: number; readonly freeInMs: number }> {
  const [admitted = 0, remaining = 0, freeInMs = 0] = await redis.count(SCRIPT, [key], [limit, windowMs])
  return { admitted: admitted === 1, remaining, freeInMs }
}

const SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
while true do
  local oldest = tonumber(redis.call('LINDEX', KEYS[1], 0) or nil)
  if not oldest or (oldest > now - window and oldest <= now) then break end
  redis.call('LPOP', KEYS[1])
end
local counted = redis.call('LLEN', KEYS[1])
local admitted = counted < limit and 1 or 0
if admitted == 1 then
  redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], window)
  counted = counted + 1
end
local first = tonumber(redis.call('LINDEX', KEYS[1], math.max(0, counted - limit)) or now)
return { admitted, math.max(0, limit - counted), first + window - now }
`
