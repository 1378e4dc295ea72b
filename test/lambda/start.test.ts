/** A process of Lambda that starts while its database is away: AWS keeps it, and the next calls go to it. */

import { expect, onTestFinished, test } from 'vitest'
import { stringify } from 'yaml'
import { lambdaFolder } from '../support/lambda.ts'
import { startLambda } from '../support/lambda-host.ts'
import { complete } from '../support/runtime.ts'
import { startDatabase } from '../support/stores.ts'
import { RUNTIME } from './install.ts'

test('begins again with the next call, and serves it once the database is back', async () => {
  const server = await startDatabase()
  const config = {
    ...complete({ backends: [{ name: 'a', url: 'http://127.0.0.1:9' }] }),
    database: { url: server.url, auth_token: server.token },
    limits: { store: 'local' },
  }
  const served = await startLambda({
    runtime: RUNTIME,
    folder: lambdaFolder(),
    handler: 'index.handler',
    atOnce: 1,
    env: { CONFIG: stringify(config) },
  })
  onTestFinished(async () => {
    await served.stop()
    await server.stop()
  })
  const status = async () => (await fetch(`${served.url}/readyz`)).status
  server.down(true)
  expect(await status()).toBe(502)
  server.down(false)
  expect(await status()).toBe(200)
})
