import { expect, test } from 'vitest'
import { passLargeFile } from '../support/large-files.ts'

test('a file of 400 MB goes up and down byte for byte, and memory stays flat', async () => {
  const { sentSha, receivedSha, downloadedSha, expectedSha, grownMb } = await passLargeFile(400)
  expect(receivedSha).toBe(sentSha)
  expect(downloadedSha).toBe(expectedSha)
  expect(grownMb).toBeLessThan(100)
}, 240_000)
