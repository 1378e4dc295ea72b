/** As kills.test.ts, with workers and limits in the database. */
import { expect, test } from 'vitest'
import { playWorkerKills } from '../support/kills.ts'

test('the books are right after a worker is killed under load', async () => {
  const { finished } = await playWorkerKills('database', 2)
  expect(finished).toBeGreaterThanOrEqual(20)
}, 240_000)
