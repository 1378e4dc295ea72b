/** As kills.test.ts, with limits in Redis. */
import { expect, test } from 'vitest'
import { playKills } from '../support/kills.ts'
import { HAS_REDIS } from '../support/redis.ts'

test.skipIf(!HAS_REDIS && !process.env.CI)(
  'kill -9 under load loses and doubles no call, and leaves limits right',
  async () => {
    const { finished } = await playKills('redis', 3)
    expect(finished).toBeGreaterThanOrEqual(30)
  },
  240_000,
)
