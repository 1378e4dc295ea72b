import { expect, test } from 'vitest'
import { sendLargeBodies } from '../support/large-bodies.ts'

test('of 40 calls of 31 MB at once some are told to come again, and memory stays below 512 MB and comes back', async () => {
  const { ended, withoutRetry, beforeMb, mostMb, afterMb } = await sendLargeBodies()
  expect(ended['200']).toBeGreaterThan(0)
  expect(ended['503']).toBeGreaterThan(0)
  expect(withoutRetry).toBe(0)
  // A client that writes to a connection which was closed behind its refusal sees no answer.
  expect(Object.keys(ended).filter((how) => !['200', '503', 'cut'].includes(how))).toEqual([])
  expect(mostMb).toBeLessThan(512)
  expect(afterMb).toBeLessThan(beforeMb + 100)
}, 240_000)
