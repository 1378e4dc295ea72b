import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { allContracts } from '../contracts/all.ts'
import { gatewayContract } from '../contracts/gateway.ts'
import { limitsContract } from '../contracts/limits.ts'
import { workerModules } from '../support/worker-bundle.ts'
import { WORKERS, WORKERS_WITHOUT_OBJECTS } from '../support/workers.ts'

test('the bundle has at most 460 KB, compressed', async () => {
  const [{ contents }] = await workerModules('')
  expect(gzipSync(contents).length).toBeLessThanOrEqual(460_000)
})

allContracts(WORKERS)
gatewayContract(WORKERS_WITHOUT_OBJECTS)
limitsContract(WORKERS_WITHOUT_OBJECTS)

test.each([
  [WORKERS, 'redis', 'local or database or durable-object is expected on Workers'],
  [
    WORKERS_WITHOUT_OBJECTS,
    'durable-object',
    'local or database is expected on Workers without both Durable Objects bound',
  ],
])(
  'on $name limits.store: %s, which is not there, is an error of the configuration',
  async ({ start }, store, message) => {
    const backends = [{ name: 'a', url: 'http://127.0.0.1:9' }]
    const gateway = await start({ backends, limits: { store }, redis: { url: 'redis://127.0.0.1:1' } })
    const answer = await fetch(`${gateway.url}/healthz`)
    expect(answer.status).toBe(500)
    expect(await answer.text()).toContain(`limits.store: ${message}`)
    await gateway.stop()
  },
)
