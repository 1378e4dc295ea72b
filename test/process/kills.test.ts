/** A short form of test/long/kills.test.ts. */
import { expect, test } from 'vitest'
import { playKills, playWorkerKills } from '../support/kills.ts'
import { HAS_REDIS } from '../support/redis.ts'

const STORES = ['local', 'database', ...(HAS_REDIS || process.env.CI ? ['redis' as const] : [])] as const

test.each(STORES)(
  'kill -9 under load loses and doubles no call, and leaves limits right: %s',
  async (store) => {
    const { finished } = await playKills(store, 3)
    expect(finished).toBeGreaterThanOrEqual(30)
  },
  240_000,
)

test.each(['local', 'database'] as const)(
  'the books are right after a worker is killed under load: %s',
  async (store) => {
    const { finished } = await playWorkerKills(store, 2)
    expect(finished).toBeGreaterThanOrEqual(20)
  },
  240_000,
)
