import { expect, test } from 'vitest'
import { playKills } from '../support/kills.ts'

test.each(['local', 'database', 'redis'] as const)(
  '200 kills -9 under load, limits in: %s',
  async (store) => {
    const played = await playKills(store, 200)
    console.log(store, played)
    expect(played.finished).toBeGreaterThanOrEqual(2_000)
  },
)
