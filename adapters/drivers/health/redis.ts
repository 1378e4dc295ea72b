/**
 * Health records in Redis or Redis Cluster, where all keys are in one hash slot. A swap is one script, so that exactly one
 * of many writers wins.
 */
import * as z from 'zod'
import { parsedHealth } from '../../../core/backends/health.ts'
import { type HealthStore, MOVE_LIFE_MS } from '../../../core/ports.ts'
import type { RedisClient } from '../redis/connection.ts'

const RECORDS = 'claude-gateway:{health}:records'
/** Hash of moves by user and conversation, and a sorted set of when each was written. */
const MOVES = 'claude-gateway:{health}:moves'
const WRITTEN = 'claude-gateway:{health}:moves:written'

/** KEYS: records. ARGV: key, revision that was read or '', next revision, record. Returns 1 if it won. */
const SWAP = `
local seen = redis.call('HGET', KEYS[1], ARGV[1])
local revision = seen and string.match(seen, '^%d+') or ''
if revision ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[4])
return 1`
/** KEYS: moves, written. ARGV: now, the time (ms) before which moves are deleted, then name and text of each move. */
const MOVE = `
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[2], ARGV[1], ARGV[i])
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[2], 'LIMIT', 0, 1000)) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
return 1`
const MOVES_A_CALL = 500

const StoredMove = z.tuple([z.int(), z.int(), z.string(), z.number()])

export function redisHealth(redis: RedisClient): HealthStore {
  return {
    async read() {
      const all = Object.entries(await redis.hgetall(RECORDS))
      return new Map(
        all.flatMap(([key, text]) => {
          const health = parsedHealth(text.slice(text.indexOf(' ') + 1))
          return health ? [[key, health] as const] : []
        }),
      )
    },
    async swap(key, seen, next) {
      const revision = seen === undefined ? '' : String(seen.revision)
      const won = await redis.eval(
        SWAP,
        1,
        RECORDS,
        key,
        revision,
        String(next.revision),
        JSON.stringify(next),
      )
      return won === 1
    },
    async move(moves, now) {
      for (let from = 0; from < moves.length; from += MOVES_A_CALL) {
        const args = moves
          .slice(from, from + MOVES_A_CALL)
          .flatMap(({ person, conversation, backend, idleUntil }) => {
            return [`${person} ${conversation}`, JSON.stringify([person, conversation, backend, idleUntil])]
          })
        await redis.eval(MOVE, 2, MOVES, WRITTEN, now, now - MOVE_LIFE_MS, ...args)
      }
    },
    async movedSince(since) {
      const names = await redis.zrangebyscore(WRITTEN, since, '+inf')
      if (names.length === 0) return []
      const texts = await redis.hmget(MOVES, ...names)
      return texts.flatMap((text) => {
        const move = text === null ? undefined : StoredMove.safeParse(JSON.parse(text)).data
        return move ? { person: move[0], conversation: move[1], backend: move[2], idleUntil: move[3] } : []
      })
    },
  }
}
