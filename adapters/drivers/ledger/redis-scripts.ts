/**
 * Lua scripts for limits in Redis. Each runs atomically, so that no two calls are admitted for the same last token.
 *
 * All keys are declared in KEYS and have the hash tag {limits}, so that they are in one slot of a cluster. Per user and API
 * key (`user:7`, `key:12`): `used:…:<start>`, the use of the period; `held:…`, what calls under way may still use, in total
 * and by call; `running:…`, these calls by when their hold expires; `rate:…`, when the calls of the last minute came.
 */
import { SCARCE_CASES } from '../../../core/limits/decide.ts'
import { script } from '../redis/script.ts'

const PREFIX = 'claude-gateway:{limits}'

/** The Redis keys of a user and an API key for the period that begins at `start` (ms since 1970), as the scripts take them. */
export function limitKeys(userId: number, keyId: number, start: number) {
  const both = (of: (bearer: string) => string) => [of(`user:${userId}`), of(`key:${keyId}`)]
  return {
    used: both((bearer) => `${PREFIX}:used:${bearer}:${start}`),
    held: both((bearer) => `${PREFIX}:held:${bearer}`),
    running: both((bearer) => `${PREFIX}:running:${bearer}`),
    rate: both((bearer) => `${PREFIX}:rate:${bearer}`),
  }
}

/** Redis key that marks a call as settled for a day, so that it is counted once however often it is settled. */
export function settledKey(id: string): string {
  return `${PREFIX}:settled:${id}`
}

const COMMON = `
local function number(key, field) return tonumber(redis.call('HGET', key, field) or '0') end
local function release(held, running, id)
  redis.call('ZREM', running, id)
  local hold = redis.call('HGET', held, 'call:'..id)
  if not hold then return end
  local tokens, micros = string.match(hold, '^(%d+) (%d+)$')
  redis.call('HDEL', held, 'call:'..id)
  redis.call('HINCRBY', held, 'tokens', -tokens)
  redis.call('HINCRBY', held, 'micros', -micros)
  if redis.call('ZCARD', running) == 0 then redis.call('DEL', held) end
end`

/**
 * The rule of core/limits/decide.ts. KEYS: used, held, running and rate, each of user and key. ARGV: id, ms until the hold
 * expires, tokens and micro-dollars (usual, then worst), then quota, budget, rate and concurrency of user and key. Returns
 * {'seed'} if the use is unknown, {'ok', tokens, micro-dollars used by the user}, or {'no'} and six figures for each of user
 * and key: tokens and micro-dollars used, the same held, calls running, ms to wait.
 */
export const RESERVE = script(`${COMMON}
local id, expiry = ARGV[1], tonumber(ARGV[2])
local worst_tokens, worst_micros = tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('EXISTS', KEYS[1], KEYS[2]) < 2 then return {'seed'} end
local full, scarce, told = false, false, {'no'}
for i = 1, 2 do
  local used, held, running, rate = KEYS[i], KEYS[2 + i], KEYS[4 + i], KEYS[6 + i]
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', running, '-inf', now)) do release(held, running, gone) end
  local at = 7 + (i - 1) * 4
  local quota, budget, most_rate, most = tonumber(ARGV[at]), tonumber(ARGV[at+1]), tonumber(ARGV[at+2]), tonumber(ARGV[at+3])
  local tokens, micros = number(used, 'tokens'), number(used, 'micros')
  local held_tokens, held_micros = number(held, 'tokens'), number(held, 'micros')
  local count, wait = redis.call('ZCARD', running), 0
  if quota > 0 then
    if tokens + held_tokens >= quota then full = true end
    if quota - tokens - held_tokens < ${SCARCE_CASES} * worst_tokens then scarce = true end
  end
  if budget > 0 then
    if micros + held_micros >= budget then full = true end
    if budget - micros - held_micros < ${SCARCE_CASES} * worst_micros then scarce = true end
  end
  if most > 0 and count >= most then full = true end
  if most_rate > 0 then
    redis.call('ZREMRANGEBYSCORE', rate, '-inf', now - 60000)
    local came = redis.call('ZCARD', rate)
    if came >= most_rate then
      full = true
      local frees = redis.call('ZRANGE', rate, came - most_rate, came - most_rate, 'WITHSCORES')
      wait = frees[2] + 60000 - now
    end
  end
  for _, figure in ipairs({tokens, micros, held_tokens, held_micros, count, wait}) do table.insert(told, figure) end
end
if full then return told end
local tokens, micros = ARGV[3], ARGV[4]
if scarce then tokens, micros = ARGV[5], ARGV[6] end
for i = 1, 2 do
  local held, running, rate = KEYS[2 + i], KEYS[4 + i], KEYS[6 + i]
  redis.call('ZADD', running, now + expiry, id)
  redis.call('HSET', held, 'call:'..id, tokens..' '..micros)
  redis.call('HINCRBY', held, 'tokens', tokens)
  redis.call('HINCRBY', held, 'micros', micros)
  redis.call('PEXPIRE', running, expiry * 2)
  redis.call('PEXPIRE', held, expiry * 2)
  if tonumber(ARGV[9 + (i - 1) * 4]) > 0 then
    redis.call('ZADD', rate, now, id)
    redis.call('PEXPIRE', rate, 60000)
  end
end
return {'ok', told[2], told[3]}`)

/** KEYS: used, held and running, each of user and key, then settled. ARGV: id, tokens, micro-dollars. */
export const SETTLE = script(`${COMMON}
if not redis.call('SET', KEYS[7], '1', 'NX', 'EX', 86400) then return 0 end
for i = 1, 2 do
  release(KEYS[2 + i], KEYS[4 + i], ARGV[1])
  if redis.call('EXISTS', KEYS[i]) == 1 then
    redis.call('HINCRBY', KEYS[i], 'tokens', ARGV[2])
    redis.call('HINCRBY', KEYS[i], 'micros', ARGV[3])
  end
end
return 1`)

/** KEYS: used. ARGV: end of the period (ms), tokens, micro-dollars as the database has them. Only the first caller sets it. */
export const SEED = script(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'tokens', ARGV[2], 'micros', ARGV[3])
if tonumber(ARGV[1]) < 9000000000000000 then redis.call('PEXPIREAT', KEYS[1], ARGV[1] + 86400000) end
return 1`)
