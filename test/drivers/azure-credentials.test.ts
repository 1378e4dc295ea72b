import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createAzureCredentials } from '../../adapters/drivers/credentials/azure.ts'
import type { UpstreamRequest } from '../../core/ports.ts'
import { fakeClock } from '../support/clock.ts'
import { keptLogs } from '../support/logs.ts'

const REQUEST: UpstreamRequest = {
  ...{ origin: 'https://a.test', method: 'POST', path: '/' },
  headers: [],
  body: undefined,
}
const CLIENT = { tenantId: 'corp.test', clientId: 'app-1', clientSecret: 'p&ss=w+rd' }
let asked: { url: string; form: Record<string, string> }[] = []
let status = 200
const server = createServer(async (request, response) => {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  const form = Object.fromEntries(new URLSearchParams(Buffer.concat(pieces).toString()))
  asked.push({ url: request.url ?? '', form })
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ access_token: `token-${asked.length}`, expires_in: 3599 }))
})
beforeEach(async () => {
  asked = []
  status = 200
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => new Promise((resolve) => server.close(resolve)))

function setUp() {
  const clock = fakeClock()
  const authority = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const parts = { clock, logger: keptLogs(), backend: 'foundry', waitUntil: () => {} }
  return { clock, credentials: createAzureCredentials({ ...parts, client: CLIENT, authority }) }
}

test('an application gets a token for Foundry, which all requests have until it is renewed', async () => {
  const { credentials } = setUp()
  expect(await credentials.headers(REQUEST)).toEqual([['authorization', 'Bearer token-1']])
  expect(await credentials.headers(REQUEST)).toEqual([['authorization', 'Bearer token-1']])
  expect(credentials.secrets()).toEqual(['token-1'])
  expect(asked).toEqual([
    {
      url: '/corp.test/oauth2/v2.0/token',
      form: {
        grant_type: 'client_credentials',
        client_id: 'app-1',
        client_secret: 'p&ss=w+rd',
        scope: 'https://ai.azure.com/.default',
      },
    },
  ])
})

test('a token is renewed ahead of its expiry, and no request waits for that', async () => {
  const { clock, credentials } = setUp()
  await credentials.headers(REQUEST)
  clock.advance(3_590_000)
  const renewing = credentials.renew()
  expect(credentials.headers(REQUEST)).toEqual([['authorization', 'Bearer token-1']])
  await renewing
  expect(credentials.headers(REQUEST)).toEqual([['authorization', 'Bearer token-2']])
})

test('a secret that is refused is no credential', async () => {
  const { credentials } = setUp()
  status = 401
  await expect(Promise.resolve(credentials.headers(REQUEST))).rejects.toThrow('no credentials')
})
