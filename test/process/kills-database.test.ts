/** As kills.test.ts, with limits in the database. */
import { expect, test } from 'vitest'
import { playKills } from '../support/kills.ts'

test('kill -9 under load loses and doubles no call, and leaves limits right', async () => {
  const { finished } = await playKills('database', 3)
  expect(finished).toBeGreaterThanOrEqual(30)
}, 240_000)
