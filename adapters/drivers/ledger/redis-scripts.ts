/**
 * Lua scripts for limits in Redis. Each runs atomically, so that no two calls are admitted for the same last token. Those of
 * every call are run many at a time (adapters/drivers/redis/batch.ts); the others as they are.
 *
 * All keys are declared in KEYS and have the hash tag {limits}, so that they are in one slot of a cluster. For each counter
 * (`user:7`, `key:12`): `used:…:<start>`, the use of the period and when it was last taken from the database (seeded_at);
 * `recent:…:<start>`, calls that were settled since, which the database may not have yet; `held:…`, what calls under way may
 * still use, in total and by call; `running:…`, these calls by when their hold expires; `rate:…`, when the calls of the last
 * minute came. For all: `expiry`, when the hold of each call expires, and `begun`, its record.
 */
import { HOLD_EXPIRY_MS, SCARCE_CASES } from '../../../core/limits/decide.ts'
import type { Scope } from '../../../core/ports.ts'
import { batchScript } from '../redis/batch.ts'
import { script } from '../redis/script.ts'

const PREFIX = 'claude-gateway:{limits}'
const EXPIRY = `${PREFIX}:expiry`
const BEGUN = `${PREFIX}:begun`
const LOST_CALLS = 1_000

/** The Redis keys of the scripts, for what a call counts against in the period that begins at `start` (ms since 1970). */
export function limitKeys(scopes: readonly Scope[], start: number, id: string) {
  const each = (of: (bearer: string) => string) => scopes.map(({ scope, id }) => of(`${scope}:${id}`))
  const used = each((bearer) => `${PREFIX}:used:${bearer}:${start}`)
  const recent = each((bearer) => `${PREFIX}:recent:${bearer}:${start}`)
  const held = each((bearer) => `${PREFIX}:held:${bearer}`)
  const running = each((bearer) => `${PREFIX}:running:${bearer}`)
  const rate = each((bearer) => `${PREFIX}:rate:${bearer}`)
  /** Marks the call as settled for a day, so that it is counted once however often it is settled. */
  const settled = `${PREFIX}:settled:${id}`
  return {
    reserve: [EXPIRY, BEGUN, ...used, ...held, ...running, ...rate],
    renew: [EXPIRY, BEGUN, settled, ...held, ...running],
    settle: [EXPIRY, BEGUN, settled, ...held, ...running, ...used, ...recent],
    seed: [...used, ...recent],
  }
}
export const LOST_KEYS = [EXPIRY, BEGUN]

const COMMON = `
local function number(key, field) return tonumber(redis.call('HGET', key, field) or '0') end
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function hold(held, running, id, ends, tokens, micros)
  redis.call('ZADD', running, ends, id)
  if redis.call('HSETNX', held, 'call:'..id, tokens..' '..micros) == 1 then
    redis.call('HINCRBY', held, 'tokens', tokens)
    redis.call('HINCRBY', held, 'micros', micros)
  end
  redis.call('PEXPIRE', running, ${2 * HOLD_EXPIRY_MS})
  redis.call('PEXPIRE', held, ${2 * HOLD_EXPIRY_MS})
end
local function release(held, running, id)
  redis.call('ZREM', running, id)
  local hold = redis.call('HGET', held, 'call:'..id)
  if not hold then return end
  local tokens, micros = string.match(hold, '^(%d+) (%d+)$')
  redis.call('HDEL', held, 'call:'..id)
  redis.call('HINCRBY', held, 'tokens', -tokens)
  redis.call('HINCRBY', held, 'micros', -micros)
  if redis.call('ZCARD', running) == 0 then redis.call('DEL', held) end
end
local function keep(expiry, begun, id, ends, record)
  redis.call('ZADD', expiry, ends, id)
  redis.call('HSET', begun, id, record)
end`

/**
 * The rule of core/limits/decide.ts for n counters. KEYS: expiry, begun, then used, held, running and rate, each n times.
 * ARGV: id, record, ms after which the use is to be taken from the database again, tokens and micro-dollars (usual, then
 * worst), then quota, budget, rate and concurrency of each counter. Returns 'seed' if the use is unknown or twice as old, 'no'
 * or 'ok'; 1 if the caller is to seed, else 0; seeded_at of each counter; except for 'seed' six figures for each: tokens and
 * micro-dollars used, the same held, calls running, ms to wait.
 */
const RESERVE = `
local id, record, seed_age = ARGV[1], ARGV[2], tonumber(ARGV[3])
local worst_tokens, worst_micros = tonumber(ARGV[6]), tonumber(ARGV[7])
local n = (#KEYS - 2) / 4
local now = now_ms()
local full, scarce, told, stale, unknown = false, false, {}, 0, false
for i = 1, n do
  local seeded_at = number(KEYS[2 + i], 'seeded_at')
  local age = now - seeded_at
  if age > 2 * seed_age or age < 0 then unknown = true end
  if age > seed_age and now - number(KEYS[2 + i], 'seeding_at') > 5000 then stale = 1 end
  table.insert(told, seeded_at)
end
if unknown then return {'seed', 1, unpack(told)} end
for i = 1, n do
  local used, held, running, rate = KEYS[2 + i], KEYS[2 + n + i], KEYS[2 + 2 * n + i], KEYS[2 + 3 * n + i]
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', running, '-inf', now)) do release(held, running, gone) end
  local at = 8 + (i - 1) * 4
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
    redis.call('ZREMRANGEBYSCORE', rate, '('..now, '+inf')
    local came = redis.call('ZCARD', rate)
    if came >= most_rate then
      full = true
      local frees = redis.call('ZRANGE', rate, came - most_rate, came - most_rate, 'WITHSCORES')
      wait = frees[2] + 60000 - now
    end
  end
  for _, figure in ipairs({tokens, micros, held_tokens, held_micros, count, wait}) do table.insert(told, figure) end
end
if stale == 1 then for i = 1, n do redis.call('HSET', KEYS[2 + i], 'seeding_at', now) end end
if full then return {'no', stale, unpack(told)} end
local tokens, micros = ARGV[4], ARGV[5]
if scarce then tokens, micros = ARGV[6], ARGV[7] end
keep(KEYS[1], KEYS[2], id, now + ${HOLD_EXPIRY_MS}, record)
for i = 1, n do
  hold(KEYS[2 + n + i], KEYS[2 + 2 * n + i], id, now + ${HOLD_EXPIRY_MS}, tokens, micros)
  if tonumber(ARGV[10 + (i - 1) * 4]) > 0 then
    local rate = KEYS[2 + 3 * n + i]
    redis.call('ZADD', rate, now, id)
    redis.call('PEXPIRE', rate, 60000)
  end
end
return {'ok', stale, unpack(told)}`

/**
 * Holds a call for longer, also if Redis has lost its hold. KEYS: expiry, begun, settled, then held and running, each n
 * times. ARGV: id, record, tokens, micro-dollars.
 */
const RENEW = `
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
local n = (#KEYS - 3) / 2
local ends = now_ms() + ${HOLD_EXPIRY_MS}
keep(KEYS[1], KEYS[2], ARGV[1], ends, ARGV[2])
for i = 1, n do hold(KEYS[3 + i], KEYS[3 + n + i], ARGV[1], ends, ARGV[3], ARGV[4]) end
return 1`

/**
 * KEYS: expiry, begun, settled, then held, running, used and recent, each n times. ARGV: id, tokens, micro-dollars, when what
 * was used is forgotten (ms since 1970). Only the first settlement of a call counts.
 */
const SETTLE = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
if not redis.call('SET', KEYS[3], '1', 'NX', 'EX', 86400) then return 0 end
local n = (#KEYS - 3) / 4
for i = 1, n do
  local held, running, used, recent = KEYS[3 + i], KEYS[3 + n + i], KEYS[3 + 2 * n + i], KEYS[3 + 3 * n + i]
  release(held, running, ARGV[1])
  redis.call('HSET', recent, ARGV[1], ARGV[2]..' '..ARGV[3])
  redis.call('PEXPIREAT', recent, ARGV[4])
  if redis.call('EXISTS', used) == 1 then
    redis.call('HINCRBY', used, 'tokens', ARGV[2])
    redis.call('HINCRBY', used, 'micros', ARGV[3])
  end
end
return 1`

/** What each call asks of Redis. */
export const OF_CALLS = batchScript(COMMON, { reserve: RESERVE, renew: RENEW, settle: SETTLE })

/**
 * Sets what was used: what the database has and what was settled recently without being there. KEYS: used and recent, each n
 * times. ARGV: when it is forgotten (ms since 1970), seeded_at before the database was read, tokens and micro-dollars of each
 * counter as the database has them, then pairs of a call's id and whether these include it (0 or 1), as read together. Changes
 * nothing if another caller has seeded meanwhile. Changes nothing and returns the ids of settled calls that are not among them,
 * so that the caller asks about these too.
 */
export const SEED = script(`${COMMON}
local n = #KEYS / 2
local included, unknown = {}, {}
for at = 2 + 3 * n, #ARGV, 2 do included[ARGV[at]] = ARGV[at + 1] end
for i = 1, n do
  if number(KEYS[i], 'seeded_at') ~= tonumber(ARGV[3 * i - 1]) then return {} end
  for _, id in ipairs(redis.call('HKEYS', KEYS[n + i])) do
    if not included[id] then table.insert(unknown, id) end
  end
end
if #unknown > 0 then return unknown end
for i = 1, n do
  local used, recent = KEYS[i], KEYS[n + i]
  local tokens, micros = ARGV[3 * i], ARGV[3 * i + 1]
  redis.call('HSET', used, 'tokens', tokens, 'micros', micros, 'seeded_at', now_ms())
  for _, id in ipairs(redis.call('HKEYS', recent)) do
    if included[id] == '1' then
      redis.call('HDEL', recent, id)
    else
      local more_tokens, more_micros = string.match(redis.call('HGET', recent, id), '^(%d+) (%d+)$')
      redis.call('HINCRBY', used, 'tokens', more_tokens)
      redis.call('HINCRBY', used, 'micros', more_micros)
    end
  end
  redis.call('PEXPIREAT', used, ARGV[1])
end
return {}`)

/** KEYS: expiry, begun. Returns the records of calls whose hold has expired, at most ${LOST_CALLS}. */
export const LOST = script(`${COMMON}
local lost = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms(), 'LIMIT', 0, ${LOST_CALLS})) do
  local record = redis.call('HGET', KEYS[2], id)
  if record then table.insert(lost, record) else redis.call('ZREM', KEYS[1], id) end
end
return lost`)
