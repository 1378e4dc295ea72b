import { expect, test } from 'vitest'
import { playKills, playWorkerKills } from '../support/kills.ts'

const ROUNDS = 200
const ANSWERS = 10 * ROUNDS

test.each(['local', 'database', 'redis'] as const)(
  '200 kills -9 under load, limits in: %s',
  async (store) => {
    const played = await playKills(store, ROUNDS)
    console.log(store, played)
    expect(played.finished).toBeGreaterThanOrEqual(ANSWERS)
  },
)

test.each(['local', 'database', 'redis'] as const)(
  '200 kills -9 of one of two workers under load, limits in: %s',
  async (store) => {
    const played = await playWorkerKills(store, ROUNDS)
    console.log(store, played)
    expect(played.finished).toBeGreaterThanOrEqual(ANSWERS)
  },
)
