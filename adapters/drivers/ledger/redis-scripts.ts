/**
 * Limits in Redis, as scripts: each runs by itself, so that no two calls anywhere are let in on the same last token.
 *
 * Every key has the hash tag {limits}, so that all of them are in one slot of a cluster, and is declared. Per user and
 * per key (`user:7`, `key:12`): `used:…:<start>` what the period has cost so far; `held:…` what calls under way may
 * still cost, in all and call by call; `running:…` those calls by the time their hold expires; `rate:…` when the last
 * minute's calls came. A process that dies leaves holds behind: they expire.
 */
import { SCARCE_CASES } from '../../../core/limits/decide.ts'
import { script } from '../redis/script.ts'

const PREFIX = 'claude-gateway:{limits}'

/** The keys of a user and of a key for the period that begins at `start`, as the scripts expect them. */
export function limitKeys(userId: number, keyId: number, start: number) {
  const both = (of: (bearer: string) => string) => [of(`user:${userId}`), of(`key:${keyId}`)]
  return {
    used: both((bearer) => `${PREFIX}:used:${bearer}:${start}`),
    held: both((bearer) => `${PREFIX}:held:${bearer}`),
    running: both((bearer) => `${PREFIX}:running:${bearer}`),
    rate: both((bearer) => `${PREFIX}:rate:${bearer}`),
  }
}

/** Kept for a day, so that a call is counted once however often it is settled. */
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
 * As core/limits/decide.ts has it. KEYS: used, held, running and rate, each of user and key. ARGV: id, ms until the hold
 * expires, tokens and micros usually and at worst, then quota, budget, rate and concurrency of both. Answers {'seed'},
 * {'ok', tokens and micros used by the user}, or {'no'} with what both have used and hold, run and must wait for.
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

/** KEYS: used, held and running, each of user and key, then settled. ARGV: id, tokens, micros. */
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

/** KEYS: used. ARGV: end of the period, tokens, micros. The first to say what the database has counted is believed. */
export const SEED = script(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'tokens', ARGV[2], 'micros', ARGV[3])
if tonumber(ARGV[1]) < 9000000000000000 then redis.call('PEXPIREAT', KEYS[1], ARGV[1] + 86400000) end
return 1`)
