import { expect, test } from 'vitest'
import { loadedOnce } from '../../adapters/shared/loaded.ts'

test('what is loaded once is loaded again where that failed', async () => {
  let tries = 0
  const loaded = loadedOnce(async () => {
    tries += 1
    if (tries === 1) throw new Error('too many open files')
    return tries
  })
  await expect(Promise.all([loaded(), loaded()])).rejects.toThrow('too many open files')
  expect([await loaded(), await loaded(), tries]).toEqual([2, 2, 2])
})
