/** Health shared by every process on one Redis. A swap is one script, so that exactly one of many writers wins. */
import type { Redis } from 'ioredis'
import * as z from 'zod'
import type { Health } from '../../../core/backends/health.ts'
import type { HealthStore } from '../../../core/ports.ts'

const KEY = 'claude-gateway:health'
const SWAP = `
local seen = redis.call('HGET', KEYS[1], ARGV[1])
local revision = seen and tostring(cjson.decode(seen).revision) or ''
if revision ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`

const Stored = z.strictObject({
  state: z.enum(['healthy', 'ejected', 'cooling_down', 'disabled']),
  failures: z.number(),
  until: z.number(),
  reason: z.string(),
  revision: z.number(),
})

export function redisHealth(redis: Redis): HealthStore {
  return {
    async read() {
      const all = await redis.hgetall(KEY)
      return new Map(
        Object.entries(all).map(([key, text]): [string, Health] => [key, Stored.parse(JSON.parse(text))]),
      )
    },
    async swap(key, seen, next) {
      const revision = seen === undefined ? '' : String(seen.revision)
      return (await redis.eval(SWAP, 1, KEY, key, revision, JSON.stringify(next))) === 1
    },
  }
}
