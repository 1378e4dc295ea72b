/** What the Lua scripts for limits have in common: redis-scripts.ts, redis-seed.ts. */

/** A seeding that takes longer gives up, so that calls that it does not know of are kept this long. */
export const SEEDING_MS = 5_000

/**
 * An owner's use is 13 numbers: start, tokens and micro-dollars of day, week and month, the same without a start of all time,
 * when it was taken from the database, and when somebody began to do so. What it holds is three: tokens, micro-dollars, calls.
 */
export const COMMON = `
local USED, HELD = '>ddddddddddddd', '>ddd'
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function unused() return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} end
local function used_in(text)
  if not text then return nil end
  return {struct.unpack(USED, text)}
end
-- Later periods replace earlier ones, and use in earlier ones counts for nothing.
local function add_use(used, starts, tokens, micros)
  for i = 0, 2 do
    local at, start = 3 * i + 1, starts[i + 1]
    if start > used[at] then used[at], used[at + 1], used[at + 2] = start, 0, 0 end
    if start == used[at] then
      used[at + 1] = used[at + 1] + tokens
      used[at + 2] = used[at + 2] + micros
    end
  end
  used[10] = used[10] + tokens
  used[11] = used[11] + micros
end
local function change_held(key, names, tokens, micros, calls)
  local texts, set, gone = redis.call('HMGET', key, unpack(names)), {}, {}
  for i, name in ipairs(names) do
    local all_tokens, all_micros, all_calls = 0, 0, 0
    if texts[i] then all_tokens, all_micros, all_calls = struct.unpack(HELD, texts[i]) end
    all_calls = all_calls + calls
    if all_calls <= 0 then
      gone[#gone + 1] = name
    else
      set[#set + 1] = name
      set[#set + 1] = struct.pack(HELD, all_tokens + tokens, all_micros + micros, all_calls)
    end
  end
  if #set > 0 then redis.call('HSET', key, unpack(set)) end
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
end
-- What a call holds: tokens, micro-dollars, the number of owners whose tokens of a minute are counted, and all owners, these first.
local function hold(holds, held, id, text, names, tokens, micros)
  if redis.call('HSETNX', holds, id, text) == 1 then change_held(held, names, tokens, micros, 1) end
end
local function release(holds, held, id)
  local text = redis.call('HGET', holds, id)
  if not text then return {}, 0 end
  local words, names = {}, {}
  for word in string.gmatch(text, '%S+') do
    if #words < 3 then words[#words + 1] = tonumber(word) else names[#names + 1] = word end
  end
  redis.call('HDEL', holds, id)
  change_held(held, names, -words[1], -words[2], -1)
  return names, words[3]
end
local function free_expired(ends, lost, holds, held, now, most)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, most)) do
    release(holds, held, id)
    redis.call('ZREM', ends, id)
    redis.call('ZADD', lost, now, id)
  end
end`
