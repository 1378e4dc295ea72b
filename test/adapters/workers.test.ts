import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { allContracts } from '../contracts/all.ts'
import { workerModules } from '../support/worker-bundle.ts'
import { WORKERS } from '../support/workers.ts'

test('the bundle has at most 300 KB, compressed', async () => {
  const [{ contents }] = await workerModules('')
  expect(gzipSync(contents).length).toBeLessThanOrEqual(300_000)
})

allContracts(WORKERS)
