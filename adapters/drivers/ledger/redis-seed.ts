/** What owners used, taken from the database into Redis; and calls whose processes died. */
import * as z from 'zod'
import { ownerText } from '../../../core/limits/owner.ts'
import { PERIOD_INDEX } from '../../../core/limits/period.ts'
import { includedCalls, spentOf } from '../../../core/limits/seed.ts'
import type { Db, Owner } from '../../../core/ports.ts'
import type { RedisClient } from '../redis/connection.ts'
import { runScript, script } from '../redis/script.ts'
import { COMMON, SEEDING_MS } from './redis-common.ts'
import { recentKey, SHARED_KEYS } from './redis-keys.ts'

const LOST_CALLS = 1_000
const Texts = z.array(z.string())

/** KEYS: recent, any number. Returns the ids of settled calls that the database may not have yet. */
const RECENT = script(`
local ids = {}
for _, key in ipairs(KEYS) do
  for _, id in ipairs(redis.call('HKEYS', key)) do ids[#ids + 1] = id end
end
return ids`)

/**
 * Sets what owners used: what the database has, and what was settled without being in there. KEYS: used, then recent of each
 * owner. ARGV: when the caller began, the number of owners, of each: its name, seeded_at before the database was read, and 11
 * numbers of its use; then ids of the calls that these include. An owner that another caller has seeded meanwhile is left
 * as it is. Returns 0, and changes nothing, if it took too long: calls that the database has are kept here for as long.
 */
export const SEED = script(`${COMMON}
local now, n, included = now_ms(), tonumber(ARGV[2]), {}
if now - tonumber(ARGV[1]) > ${SEEDING_MS} then return 0 end
for at = 3 + 13 * n, #ARGV do included[ARGV[at]] = true end
for i = 1, n do
  local at, recent = 3 + 13 * (i - 1), KEYS[1 + i]
  local name, seeded_at = ARGV[at], tonumber(ARGV[at + 1])
  local known = used_in(redis.call('HGET', KEYS[1], name)) or unused()
  if known[12] == seeded_at then
    local used, all = {}, redis.call('HGETALL', recent)
    for figure = 1, 11 do used[figure] = tonumber(ARGV[at + 1 + figure]) end
    for one = 1, #all, 2 do
      local id, text = all[one], all[one + 1]
      local marked_at = string.match(text, '^=(%d+)')
      if not included[id] then
        local words = {}
        for word in string.gmatch(string.gsub(text, '^=%d+ ', ''), '%S+') do words[#words + 1] = word end
        for owner = 7, #words do
          if words[owner] == name then
            local starts = {tonumber(words[4]), tonumber(words[5]), tonumber(words[6])}
            add_use(used, starts, tonumber(words[1]), tonumber(words[2]))
          end
        end
      elseif not marked_at then
        redis.call('HSET', recent, id, '='..now..' '..text)
      elseif now - tonumber(marked_at) > ${SEEDING_MS} then
        redis.call('HDEL', recent, id)
      end
    end
    used[12], used[13] = now, 0
    redis.call('HSET', KEYS[1], name, struct.pack(USED, unpack(used)))
  end
end
return 1`)

/** KEYS: ends, lost, begun, holds, held. Returns the records of calls whose hold has expired, at most ${LOST_CALLS}. */
const LOST = script(`${COMMON}
free_expired(KEYS[1], KEYS[2], KEYS[4], KEYS[5], now_ms(), ${LOST_CALLS})
local records = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, ${LOST_CALLS - 1})) do
  local record = redis.call('HGET', KEYS[3], id)
  if record then records[#records + 1] = record else redis.call('ZREM', KEYS[2], id) end
end
return records`)

/** An owner and when it was taken from the database last (ms of Redis; 0: never). */
export interface Stale {
  owner: Owner
  seededAt: number
}

/**
 * Takes what owners used from the database. `userId`: of the user and the key among them. `startedAt`: ms of Redis, before this
 * call. An owner that is being taken by this process is waited for.
 */
export type SeedUse = (stale: readonly Stale[], userId: number, startedAt: number) => Promise<void>

export function createSeedUse({ redis, db }: { redis: RedisClient; db: Db }): SeedUse {
  const underWay = new Map<string, Promise<void>>()

  async function seed(stale: readonly Stale[], userId: number, startedAt: number) {
    const owners = stale.map(({ owner }) => owner)
    const recent = owners.map((owner) => recentKey(owner, userId))
    const { spent, logId } = await spentOf(db, owners, startedAt)
    const calls = Texts.parse(await runScript(redis, RECENT, [...new Set(recent)], []))
    const included = await includedCalls(db, calls, logId)
    const amounts = stale.flatMap(({ owner, seededAt }) => {
      const name = ownerText(owner)
      // Start, tokens and micro-dollars of day, week and month, then of all time without its start.
      const use = Array.from({ length: 11 }, () => 0)
      for (const { period, start, tokens, micros } of spent.filter(({ owner }) => owner === name)) {
        if (period === 'total') use.splice(9, 2, tokens, micros)
        else use.splice(3 * PERIOD_INDEX[period], 3, start, tokens, micros)
      }
      return [name, seededAt, ...use]
    })
    await runScript(
      redis,
      SEED,
      [SHARED_KEYS.used, ...recent],
      [startedAt, stale.length, ...amounts, ...included],
    )
  }

  return async (stale, userId, startedAt) => {
    const mine = stale.filter(({ owner }) => !underWay.has(ownerText(owner)))
    if (mine.length > 0) {
      const seeding = seed(mine, userId, startedAt).finally(() => {
        for (const { owner } of mine) underWay.delete(ownerText(owner))
      })
      for (const { owner } of mine) underWay.set(ownerText(owner), seeding)
    }
    await Promise.all(stale.map(({ owner }) => underWay.get(ownerText(owner))))
  }
}

/** Texts of the records of calls whose hold has expired. They are told again until they are settled. */
export async function lostCalls(redis: RedisClient): Promise<string[]> {
  const { ends, lost, begun, holds, held } = SHARED_KEYS
  return Texts.parse(await runScript(redis, LOST, [ends, lost, begun, holds, held], []))
}
