import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createAzureCredentials } from '../../adapters/drivers/credentials/azure.ts'
import { platformRequest } from '../../adapters/drivers/credentials/azure-platform.ts'
import { CHAINS } from '../../adapters/drivers/credentials/chains.ts'
import type { UpstreamRequest } from '../../core/ports.ts'
import { fakeClock } from '../support/clock.ts'
import { keptLogs } from '../support/logs.ts'
import { temporaryFolder } from '../support/stores.ts'

const REQUEST: UpstreamRequest = {
  origin: 'https://a.test',
  method: 'POST',
  path: '/',
  headers: [],
  body: undefined,
}
const CLIENT = { tenantId: 'corp.test', clientId: 'app-1', clientSecret: 'p&ss=w+rd' }
let asked: { url: string; form: Record<string, string>; secret?: string }[] = []
let status = 200
let expiry: object = {}
const server = createServer(async (request, response) => {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  const form = Object.fromEntries(new URLSearchParams(Buffer.concat(pieces).toString()))
  const secret = request.headers['x-identity-header']
  asked.push({ url: request.url ?? '', form, ...(typeof secret === 'string' ? { secret } : {}) })
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ access_token: `token-${asked.length}`, ...expiry }))
})
beforeEach(async () => {
  asked = []
  status = 200
  expiry = { expires_in: 3599 }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => new Promise((resolve) => server.close(resolve)))

const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}` // it listens on a port
function setUp() {
  const clock = fakeClock()
  const authority = address()
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

describe('the platform', () => {
  afterEach(() => vi.unstubAllEnvs())

  test('gives a token for the identity of the workload', async () => {
    const folder = temporaryFolder()
    const file = join(folder.path, 'token')
    writeFileSync(file, 'federated.jwt\n')
    vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', file)
    vi.stubEnv('AZURE_TENANT_ID', 'corp.test')
    vi.stubEnv('AZURE_CLIENT_ID', 'app-1')
    vi.stubEnv('AZURE_AUTHORITY_HOST', `${address()}/`)
    const { value, expiresAt = 0 } = await CHAINS.azure()()
    expect([value, expiresAt > Date.now()]).toEqual(['token-1', true])
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    const assertion = { client_assertion_type: type, client_assertion: 'federated.jwt' }
    const scope = 'https://ai.azure.com/.default'
    const form = { grant_type: 'client_credentials', client_id: 'app-1', ...assertion, scope }
    expect(asked).toEqual([{ url: '/corp.test/oauth2/v2.0/token', form }])
    folder.remove()
  })

  test('gives a token for the managed identity of an app, which says only when it ends', async () => {
    expiry = { expires_on: '4102444800' }
    vi.stubEnv('IDENTITY_ENDPOINT', `${address()}/msi/token`)
    vi.stubEnv('IDENTITY_HEADER', 'secret-of-the-app')
    expect(await CHAINS.azure()()).toEqual({ value: 'token-1', expiresAt: 4_102_444_800_000 })
    const url = '/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fai.azure.com'
    expect(asked).toEqual([{ url, form: {}, secret: 'secret-of-the-app' }])
  })

  test('of a virtual machine is asked at its own address, for the identity that is named', async () => {
    expect(await platformRequest({ AZURE_CLIENT_ID: 'app-1' })).toEqual({
      url: 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fai.azure.com&client_id=app-1',
      headers: { metadata: 'true' },
    })
  })

  test('that gives none says so', async () => {
    status = 400
    vi.stubEnv('IDENTITY_ENDPOINT', address())
    vi.stubEnv('IDENTITY_HEADER', 'secret-of-the-app')
    await expect(CHAINS.azure()()).rejects.toThrow('the token address answered 400')
  })
})
