/** Which backends are signed in to by a driver, and what the platform's own chains find. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { CHAINS } from '../../adapters/drivers/credentials/chains.ts'
import { createProofs, type PlatformCredentials } from '../../adapters/shared/credentials.ts'
import { backendFrom, backends } from '../../config/backends.ts'
import { ConfigError } from '../../config/error.ts'
import { fakeClock } from '../support/clock.ts'
import { keptLogs } from '../support/logs.ts'

const PARTS = { clock: fakeClock(), logger: keptLogs(), waitUntil: () => {} }
const MODELS = ['claude-opus-5-5']
const AWS = { name: 'a', type: 'bedrock', region: 'us-east-1', models: MODELS }
const KEYS = { access_key_id: 'AKIA2QX7Z0K3M9VB4T1R', secret_access_key: 'f3Q0mZ7xV1cN8bL5' }
const VERTEX = { name: 'v', type: 'vertex', region: 'global', project: 'p', models: MODELS }
const FOUNDRY = { name: 'f', type: 'foundry', resource: 'r', models: MODELS, credentials: 'platform' }
const PLATFORM: PlatformCredentials = {
  aws: () => async () => ({ value: { accessKeyId: 'a', secretAccessKey: 'b' }, expiresAt: undefined }),
  google: () => async () => ({ value: 'ya29.platform', expiresAt: undefined }),
  azure: () => async () => ({ value: 'entra-of-the-platform', expiresAt: undefined }),
}
const REQUEST = { origin: 'https://a.test', method: 'POST', path: '/', headers: [], body: undefined } as const

async function headersFor(backend: object, platform?: PlatformCredentials) {
  const list = backends.parse([backend])
  const [one] = list
  if (!one) throw new Error('there is one')
  return createProofs(PARTS, platform)
    .adopt(list)(backendFrom(one))
    ?.headers({ ...REQUEST, headers: [] })
}

describe('a backend', () => {
  test('with an API key has no driver', async () => {
    expect(await headersFor({ ...AWS, api_key: 'bedrock-api-key-1' })).toBeUndefined()
  })

  test.each([
    ['bedrock', {}, 'bedrock'],
    ['bedrock-mantle', {}, 'bedrock-mantle'],
    ['claude-on-aws', { workspace_id: 'w' }, 'aws-external-anthropic'],
  ])('of type %s is signed for its own service', async (type, more, service) => {
    for (const credentials of [KEYS, 'platform']) {
      const headers = new Map(await headersFor({ ...AWS, ...more, type, credentials }, PLATFORM))
      expect(headers.get('authorization')).toContain(`/us-east-1/${service}/aws4_request`)
    }
  })

  test('on Google Cloud has a token', async () => {
    const headers = await headersFor({ ...VERTEX, credentials: 'platform' }, PLATFORM)
    expect(headers).toEqual([['authorization', 'Bearer ya29.platform']])
  })

  test('in Foundry has a token of the platform', async () => {
    const headers = await headersFor(FOUNDRY, PLATFORM)
    expect(headers).toEqual([['authorization', 'Bearer entra-of-the-platform']])
  })

  test.each([
    [{ ...AWS, credentials: 'platform' }, /^backends\.0\.credentials: keys are expected/],
    [{ ...VERTEX, credentials: 'platform' }, /^backends\.0\.credentials: keys are expected/],
    [FOUNDRY, /^backends\.0\.credentials: keys are expected/],
    [
      { ...VERTEX, credentials: { service_account: '{}' } },
      /^backends\.0\.credentials: service_account: the JSON/,
    ],
  ])('that cannot be signed in to here is an error of the configuration: %o', async (backend, message) => {
    await expect(headersFor(backend)).rejects.toThrow(message)
    await expect(headersFor(backend)).rejects.toThrow(ConfigError)
  })
})

describe('the platform', () => {
  afterEach(() => vi.unstubAllEnvs())

  test('of AWS has what the environment says', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIA-of-the-environment')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    vi.stubEnv('AWS_SESSION_TOKEN', 'token')
    expect(await CHAINS.aws()()).toEqual({
      value: { accessKeyId: 'AKIA-of-the-environment', secretAccessKey: 'secret', sessionToken: 'token' },
      expiresAt: undefined,
    })
  })

  test('of Google without a file says so', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '/nowhere/key.json')
    await expect(CHAINS.google()()).rejects.toThrow('/nowhere/key.json')
  })
})
