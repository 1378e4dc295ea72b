/** A short form of test/long/kills.test.ts; those of the other stores stand beside it, because most of each is waiting. */
import { expect, test } from 'vitest'
import { playKills, playWorkerKills } from '../support/kills.ts'

test('kill -9 under load loses and doubles no call, and leaves limits right', async () => {
  const { finished } = await playKills('local', 3)
  expect(finished).toBeGreaterThanOrEqual(30)
}, 240_000)

test('the books are right after a worker is killed under load', async () => {
  const { finished } = await playWorkerKills('local', 2)
  expect(finished).toBeGreaterThanOrEqual(20)
}, 240_000)
