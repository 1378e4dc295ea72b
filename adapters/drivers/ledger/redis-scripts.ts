/**
 * Lua scripts for limits in Redis. Each runs atomically, so that no two calls are admitted for the same last token. Those of
 * every call are run many at a time (adapters/drivers/redis/batch.ts); the others as they are.
 *
 * All keys are declared in KEYS and have the hash tag {limits}, so that they are in one slot of a cluster. What all owners
 * (`user:7`, `group:3`) have is in hashes by owner, of which one command reads what a call needs: `used`, what was used in each
 * period and when it was last taken from the database; `held`, what calls under way may still use. By call: `ends`, when its
 * hold expires; `holds`, what it holds of whom; `begun`, its record; `lost`, calls whose hold expired. Of one owner: `rate:…`,
 * when the calls of the last minute came; `minute:…`, its tokens by seconds; `recent:…`, calls that were settled, which the
 * database may not have yet (those of a key are with its user's).
 */
import { BUSY_RETRY_MS, HOLD_EXPIRY_MS, SCARCE_CASES } from '../../../core/limits/decide.ts'
import { batchScript } from '../redis/batch.ts'
import { COMMON, SEEDING_MS } from './redis-common.ts'

/** Expired holds that one reservation frees at most. */
const FREED = 20

/**
 * The rule of core/limits/decide.ts. KEYS: ends, lost, begun, holds, held, used, then rate and minute of each counter with such
 * a limit. ARGV: id, record, ms after which the use is to be taken from the database again, tokens and micro-dollars (usual, then
 * worst), starts of day, week and month, text of the hold without its amounts, number of counters, their owners, then of each
 * limited one: its place, requests and tokens a minute, calls at once, number of amounts, and of each of these the period (by
 * PERIOD_INDEX), tokens and micro-dollars ('' for any).
 *
 * Returns 'seed' if the use of an owner is unknown or twice as old, 'no' or 'ok'; the time; pairs of the place of an owner that
 * the caller is to seed and when it was seeded; 14 figures of limited counters (with 'ok' of the first counter alone): place,
 * tokens and micro-dollars held, calls running, ms to wait for a call and for tokens, tokens and micro-dollars of each period.
 */
const RESERVE = `
local now, seed_age = now_ms(), tonumber(ARGV[3])
local worst_tokens, worst_micros = tonumber(ARGV[6]), tonumber(ARGV[7])
local starts, n = {tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])}, tonumber(ARGV[12])
local names = {unpack(ARGV, 13, 12 + n)}
free_expired(KEYS[1], KEYS[2], KEYS[4], KEYS[5], now, ${FREED})
local use, stale, unknown = redis.call('HMGET', KEYS[6], unpack(names)), {}, false
for i = 1, n do
  local used = used_in(use[i]) or unused()
  local age = now - used[12]
  if age > 2 * seed_age or age < 0 then unknown = true end
  if age > seed_age and (age > 2 * seed_age or now - used[13] > ${SEEDING_MS}) then
    stale[#stale + 1] = i - 1
    stale[#stale + 1] = used[12]
    if use[i] then
      used[13] = now
      redis.call('HSET', KEYS[6], names[i], struct.pack(USED, unpack(used)))
    end
  end
  use[i] = used
end
if unknown then return {'seed', now, stale, {}} end
local at, key, full, scarce, asked, rates = 13 + n, 7, false, false, {}, {}
local all_held = at <= #ARGV and redis.call('HMGET', KEYS[5], unpack(names))
-- What a counter has used in a period: of an earlier one nothing.
local function used_of(used, period)
  if period == 3 then return used[10], used[11] end
  local first = 3 * period + 1
  if used[first] < starts[period + 1] then return 0, 0 end
  return used[first + 1], used[first + 2]
end
while at <= #ARGV do
  local place = tonumber(ARGV[at])
  local most_rate, most_tokens, most = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local used, text = use[place + 1], all_held[place + 1]
  local held_tokens, held_micros, calls = 0, 0, 0
  if text then held_tokens, held_micros, calls = struct.unpack(HELD, text) end
  local figures = {place, held_tokens, held_micros, calls, 0, 0}
  asked[#asked + 1] = figures
  local amounts = tonumber(ARGV[at + 4])
  at = at + 5
  for _ = 1, amounts do
    local used_tokens, used_micros = used_of(used, tonumber(ARGV[at]))
    local tokens, micros = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    if tokens then
      local left = tokens - used_tokens - held_tokens
      if left <= 0 then full = true end
      if left < ${SCARCE_CASES} * worst_tokens then scarce = true end
    end
    if micros then
      local left = micros - used_micros - held_micros
      if left <= 0 then full = true end
      if left < ${SCARCE_CASES} * worst_micros then scarce = true end
    end
    at = at + 3
  end
  if most > 0 and calls >= most then full = true end
  if most_rate > 0 or most_tokens > 0 then
    local rate, minute = KEYS[key], KEYS[key + 1]
    key = key + 2
    if most_rate > 0 then
      rates[#rates + 1] = rate
      redis.call('ZREMRANGEBYSCORE', rate, '-inf', now - 60000)
      redis.call('ZREMRANGEBYSCORE', rate, '('..now, '+inf')
      local came = redis.call('ZCARD', rate)
      if came >= most_rate then
        full = true
        local frees = redis.call('ZRANGE', rate, came - most_rate, came - most_rate, 'WITHSCORES')
        figures[5] = frees[2] + 60000 - now
      end
    end
    if most_tokens > 0 then
      local seconds, sum, all = {}, held_tokens, redis.call('HGETALL', minute)
      for i = 1, #all, 2 do
        local second = tonumber(all[i])
        if (second + 61) * 1000 <= now then
          redis.call('HDEL', minute, all[i])
        else
          seconds[#seconds + 1] = {second, tonumber(all[i + 1])}
          sum = sum + tonumber(all[i + 1])
        end
      end
      if held_tokens >= most_tokens then
        figures[6] = ${BUSY_RETRY_MS}
      elseif sum >= most_tokens then
        table.sort(seconds, function(a, b) return a[1] < b[1] end)
        for _, one in ipairs(seconds) do
          sum = sum - one[2]
          figures[6] = (one[1] + 61) * 1000 - now
          if sum < most_tokens then break end
        end
      end
      if figures[6] > 0 then full = true end
    end
  end
end
local told = {}
for i, figures in ipairs(asked) do
  if not full and i > 1 then break end
  for figure = 1, 6 do told[#told + 1] = figures[figure] end
  for period = 0, 3 do
    local tokens, micros = used_of(use[figures[1] + 1], period)
    told[#told + 1] = tokens
    told[#told + 1] = micros
  end
end
if full then return {'no', now, stale, told} end
local tokens, micros = ARGV[4], ARGV[5]
if scarce then tokens, micros = ARGV[6], ARGV[7] end
hold(KEYS[4], KEYS[5], ARGV[1], tokens..' '..micros..' '..ARGV[11], names, tonumber(tokens), tonumber(micros))
redis.call('ZADD', KEYS[1], now + ${HOLD_EXPIRY_MS}, ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
for _, rate in ipairs(rates) do
  redis.call('ZADD', rate, now, ARGV[1])
  redis.call('PEXPIRE', rate, 60000)
end
return {'ok', now, stale, told}`

/**
 * Holds a call for longer, also if Redis has lost its hold. KEYS: ends, lost, begun, holds, held, settled. ARGV: id, record,
 * tokens, micro-dollars, text of the hold without these, its owners.
 */
const RENEW = `
if redis.call('EXISTS', KEYS[6]) == 1 then return 0 end
redis.call('ZADD', KEYS[1], now_ms() + ${HOLD_EXPIRY_MS}, ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
local text = ARGV[3]..' '..ARGV[4]..' '..ARGV[5]
hold(KEYS[4], KEYS[5], ARGV[1], text, {unpack(ARGV, 6)}, tonumber(ARGV[3]), tonumber(ARGV[4]))
return 1`

/**
 * KEYS: ends, lost, begun, holds, held, used, settled, minute of user and key, then recent of the user and of each pool. ARGV: id,
 * tokens, micro-dollars, tokens that count in the minute, starts of day, week and month, owners, the user and the key first.
 * Only the first settlement of a call counts.
 */
const SETTLE = `
local id, tokens, micros = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREM', KEYS[1], id)
redis.call('ZREM', KEYS[2], id)
redis.call('HDEL', KEYS[3], id)
local held_by, in_minute = release(KEYS[4], KEYS[5], id)
if not redis.call('SET', KEYS[7], '1', 'NX', 'EX', 86400) then return 0 end
for i = 1, in_minute do
  local minute = held_by[i] == ARGV[8] and KEYS[8] or KEYS[9]
  redis.call('HINCRBY', minute, math.floor(now_ms() / 1000), ARGV[4])
  redis.call('PEXPIRE', minute, 61000)
end
local starts, names = {tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])}, {unpack(ARGV, 8)}
local texts, set = redis.call('HMGET', KEYS[6], unpack(names)), {}
for i, name in ipairs(names) do
  local used = used_in(texts[i])
  if used then
    add_use(used, starts, tokens, micros)
    set[#set + 1] = name
    set[#set + 1] = struct.pack(USED, unpack(used))
  end
end
if #set > 0 then redis.call('HSET', KEYS[6], unpack(set)) end
local text = table.concat(ARGV, ' ', 2)
for i = 10, #KEYS do
  redis.call('HSET', KEYS[i], id, text)
  redis.call('PEXPIRE', KEYS[i], 86400000)
end
return 1`

/** What each call asks of Redis. */
export const OF_CALLS = batchScript(COMMON, { reserve: RESERVE, renew: RENEW, settle: SETTLE })
