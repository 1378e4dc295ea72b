/** A short form of test/long/kills.test.ts. */
import { expect, test } from 'vitest'
import { playKills } from '../support/kills.ts'
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
