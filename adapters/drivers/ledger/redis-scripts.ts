/**
 * Limits in Redis, as scripts: each runs by itself, so that no two calls anywhere are let in on the same last token.
 *
 * Per user and per key (`scope`): `used:<scope>:<id>:<start>` what the period has cost so far, `held:…` what calls under
 * way may still cost, `running:…` those calls by the end of their lease, `rate:…` when the last minute's calls came.
 * `call:<id>` is one call's hold. A process that dies leaves holds behind; they end with their lease.
 */
const COMMON = `
local P = 'claude-gateway:'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function number(key, field) return tonumber(redis.call('HGET', key, field) or '0') end
local function release(id)
  local hold = redis.call('HMGET', P..'call:'..id, 'user', 'key', 'tokens', 'micros')
  if not hold[1] then return end
  redis.call('DEL', P..'call:'..id)
  for i, scope in ipairs({'user:'..hold[1], 'key:'..hold[2]}) do
    if redis.call('ZREM', P..'running:'..scope, id) == 1 then
      redis.call('HINCRBY', P..'held:'..scope, 'tokens', -hold[3])
      redis.call('HINCRBY', P..'held:'..scope, 'micros', -hold[4])
    end
  end
end`

/** KEYS none. ARGV: id, user, key, start, end, tokens, micros, lease ms, then quota, budget, rate, concurrency of both. */
export const ADMIT = `${COMMON}
local id, tokens, micros = ARGV[1], tonumber(ARGV[6]), tonumber(ARGV[7])
local scopes = {'user:'..ARGV[2], 'key:'..ARGV[3]}
for i, scope in ipairs(scopes) do
  if redis.call('EXISTS', P..'used:'..scope..':'..ARGV[4]) == 0 then return {'seed'} end
end
local shares = {0, 0}
for i, scope in ipairs(scopes) do
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', P..'running:'..scope, '-inf', now)) do release(gone) end
  local at = 9 + (i - 1) * 4
  local quota, budget, rate, most = tonumber(ARGV[at]), tonumber(ARGV[at+1]), tonumber(ARGV[at+2]), tonumber(ARGV[at+3])
  local used, held = P..'used:'..scope..':'..ARGV[4], P..'held:'..scope
  local name = i == 1 and 'user' or 'key'
  if quota > 0 and number(used, 'tokens') + number(held, 'tokens') + tokens > quota then return {'no', 'quota', name, -1} end
  if budget > 0 and number(used, 'micros') + number(held, 'micros') + micros > budget then return {'no', 'budget', name, -1} end
  if most > 0 and redis.call('ZCARD', P..'running:'..scope) >= most then return {'no', 'concurrency', name, 1000} end
  if rate > 0 then
    redis.call('ZREMRANGEBYSCORE', P..'rate:'..scope, '-inf', now - 60000)
    if redis.call('ZCARD', P..'rate:'..scope) >= rate then
      local oldest = redis.call('ZRANGE', P..'rate:'..scope, 0, 0, 'WITHSCORES')
      return {'no', 'requests_per_minute', name, oldest[2] + 60000 - now}
    end
  end
end
for i, scope in ipairs(scopes) do
  redis.call('ZADD', P..'running:'..scope, now + ARGV[8], id)
  redis.call('HINCRBY', P..'held:'..scope, 'tokens', tokens)
  redis.call('HINCRBY', P..'held:'..scope, 'micros', micros)
  if tonumber(ARGV[11 + (i - 1) * 4]) > 0 then
    redis.call('ZADD', P..'rate:'..scope, now, id)
    redis.call('PEXPIRE', P..'rate:'..scope, 60000)
  end
end
redis.call('HSET', P..'call:'..id, 'user', ARGV[2], 'key', ARGV[3], 'tokens', tokens, 'micros', micros)
local used = P..'used:'..scopes[1]..':'..ARGV[4]
return {'ok', number(used, 'tokens'), number(used, 'micros')}`

/** ARGV: id, user, key, start, tokens, micros. Counts a call once, whoever settles it and however often. */
export const SETTLE = `${COMMON}
if not redis.call('SET', P..'settled:'..ARGV[1], '1', 'NX', 'EX', 86400) then return 0 end
release(ARGV[1])
for _, scope in ipairs({'user:'..ARGV[2], 'key:'..ARGV[3]}) do
  local used = P..'used:'..scope..':'..ARGV[4]
  if redis.call('EXISTS', used) == 1 then
    redis.call('HINCRBY', used, 'tokens', ARGV[5])
    redis.call('HINCRBY', used, 'micros', ARGV[6])
  end
end
return 1`

/** ARGV: scope:id, start, end, tokens, micros. The first to say what the database has counted so far is believed. */
export const SEED = `${COMMON}
local used = P..'used:'..ARGV[1]..':'..ARGV[2]
if redis.call('EXISTS', used) == 1 then return 0 end
redis.call('HSET', used, 'tokens', ARGV[4], 'micros', ARGV[5])
if tonumber(ARGV[3]) < 9000000000000000 then redis.call('PEXPIREAT', used, ARGV[3] + 86400000) end
return 1`
