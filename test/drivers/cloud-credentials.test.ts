/** What proves who asks: checked by the libraries of AWS and Google. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AwsKeys, createAwsCredentials } from '../../adapters/drivers/credentials/aws.ts'
import { createGoogleCredentials, serviceAccount } from '../../adapters/drivers/credentials/google.ts'
import type { Proof } from '../../adapters/drivers/credentials/renewed.ts'
import { CredentialsError } from '../../core/backends/credentials.ts'
import type { UpstreamRequest } from '../../core/ports.ts'
import { fakeClock } from '../support/clock.ts'
import { type CloudChecks, startCloudChecks } from '../support/clouds.ts'
import { keptLogs } from '../support/logs.ts'
import { startUpstream } from '../support/upstream.ts'
import { startVertex } from '../support/vertex.ts'

let checks: CloudChecks
beforeAll(async () => {
  checks = await startCloudChecks()
}, 300_000)
afterAll(() => checks.stop())

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const request = (path: string, body = '{"é":"👋"}', method: 'GET' | 'POST' = 'POST'): UpstreamRequest => ({
  origin: 'https://bedrock-runtime.eu-west-1.amazonaws.com',
  method,
  path,
  headers: [['content-type', 'application/json']],
  body: method === 'GET' ? undefined : new TextEncoder().encode(body),
})

describe('keys of AWS', () => {
  const clock = fakeClock()
  const parts = { region: 'eu-west-1', clock, logger: keptLogs(), backend: 'b', waitUntil: () => {} }

  test.each([
    ['bedrock', KEYS, request('/model/eu.anthropic.claude-opus-5-5/invoke')],
    ['bedrock', KEYS, request('/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke', '')],
    ['bedrock', KEYS, request('/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fx/invoke')],
    ['bedrock', KEYS, request('/inference-profiles?type=SYSTEM_DEFINED&max=1%200', '', 'GET')],
    ['bedrock-mantle', KEYS, request('/anthropic/v1/messages?beta=true', 'x'.repeat(100_000))],
    ['aws-external-anthropic', { ...KEYS, sessionToken: 'FQoG/+=' }, request("/v1/messages(a)'*!")],
  ])('sign for %s as botocore does', async (service, keys, asked) => {
    const credentials = createAwsCredentials({ ...parts, service, keys })
    const proof = await credentials.headers(asked)
    const question = {
      method: asked.method,
      url: asked.origin + asked.path,
      headers: [...asked.headers, ...proof],
      body: Buffer.from(asked.body ?? []),
      region: 'eu-west-1',
      service,
      keys,
      now: clock.now(),
    }
    expect(await checks.signature(question)).toBeNull()
    expect(await checks.signature({ ...question, body: Buffer.from('other') })).toBe(
      'InvalidSignatureException',
    )
    expect(await checks.signature({ ...question, url: `${question.url}x` })).toBe('InvalidSignatureException')
    expect(await checks.signature({ ...question, service: 's3' })).toBe('InvalidSignatureException')
    expect(await checks.signature({ ...question, now: clock.now() + 400_000 })).toBe(
      'InvalidSignatureException',
    )
    expect(credentials.secrets()).toEqual(expect.arrayContaining(Object.values(keys)))
  })

  test('that expire are renewed before they do, while calls go on with those that are held', async () => {
    const given: PromiseWithResolvers<Proof<AwsKeys>>[] = []
    const credentials = createAwsCredentials({
      ...parts,
      service: 'bedrock',
      keys() {
        const next = Promise.withResolvers<Proof<AwsKeys>>()
        given.push(next)
        return next.promise
      },
    })
    const keys = (n: number, ms: number) => ({
      value: { ...KEYS, sessionToken: `token-${n}` },
      expiresAt: clock.now() + ms,
    })
    const token = async () =>
      new Map(await credentials.headers(request('/model/m/invoke'))).get('x-amz-security-token')
    // Nothing is held: all who ask wait for one answer.
    const waiting = [token(), token(), credentials.renew()]
    expect(given).toHaveLength(1)
    given[0]?.resolve(keys(1, 3_600_000))
    expect(await Promise.all(waiting)).toEqual(['token-1', 'token-1', undefined])
    await credentials.renew()
    expect(given).toHaveLength(1)
    clock.advance(3_600_000 - 599_000)
    // A call is enough, where nothing else runs.
    expect(await token()).toBe('token-1')
    expect(given).toHaveLength(2)
    expect(await token()).toBe('token-1')
    given[1]?.resolve(keys(2, 3_600_000))
    await credentials.renew()
    expect(await token()).toBe('token-2')
  })

  test('that cannot be renewed serve to their end, and then no call goes out with them', async () => {
    const logger = keptLogs()
    let works = true
    const credentials = createAwsCredentials({
      ...parts,
      logger,
      service: 'bedrock',
      async keys() {
        if (!works) throw new TypeError('secret in the text')
        return { value: KEYS, expiresAt: clock.now() + 900_000 }
      },
    })
    await credentials.renew()
    works = false
    clock.advance(400_000)
    await credentials.renew()
    expect(logger.lines).toEqual([
      { level: 'warn', event: 'credentials.failed', fields: { backend: 'b', error: 'TypeError' } },
    ])
    expect(new Map(await credentials.headers(request('/'))).has('authorization')).toBe(true)
    // Not again at once: only after a while.
    await credentials.renew()
    expect(logger.lines).toHaveLength(1)
    clock.advance(500_000)
    await expect(async () => credentials.headers(request('/'))).rejects.toThrow(CredentialsError)
  })
})

describe('a service account of Google', () => {
  test('gets a token for an assertion that google-auth accepts, and renews it', async () => {
    // The library looks at the real time, at which the second token is asked for.
    const clock = fakeClock(Date.now() - 3_400_000)
    const logger = keptLogs()
    const claude = await startUpstream()
    const server = await startVertex({ claude, project: 'p', region: 'global', checks })
    const account = serviceAccount.parse(server.serviceAccount)
    const credentials = createGoogleCredentials({ account, clock, logger, backend: 'g', waitUntil: () => {} })
    const bearer = (token: string) => [['authorization', `Bearer ${token}`]]
    await credentials.renew()
    expect(credentials.headers(request('/'))).toEqual(bearer('ya29.token-0'))
    expect(credentials.secrets()).toEqual(['ya29.token-0'])
    expect(credentials.secrets()).toBe(credentials.secrets())
    clock.advance(2_900_000)
    await credentials.renew()
    expect(server.requests).toHaveLength(1)
    clock.advance(500_000)
    const renewing = credentials.renew()
    expect(credentials.headers(request('/'))).toEqual(bearer('ya29.token-0'))
    await renewing
    expect(credentials.headers(request('/'))).toEqual(bearer('ya29.token-1'))
    const other = serviceAccount.parse({
      ...server.serviceAccount,
      client_email: 'other@p.iam.gserviceaccount.com',
    })
    const refused = createGoogleCredentials({
      account: other,
      clock,
      logger,
      backend: 'other',
      waitUntil: () => {},
    })
    await expect(async () => refused.headers(request('/'))).rejects.toThrow(CredentialsError)
    expect(logger.lines).toMatchObject([{ event: 'credentials.failed', fields: { backend: 'other' } }])
    await Promise.all([server.stop(), claude.stop()])
  })
})
