import { describe, expect, test } from 'vitest'
import { type Credentials, CredentialsError } from '../../../core/backends/credentials.ts'
import { exchanged } from '../../../core/backends/exchange.ts'
import { ANTHROPIC } from '../../../core/backends/kinds/anthropic.ts'
import type { Outgoing } from '../../../core/backends/kinds/kind.ts'
import { verdictOfFault } from '../../../core/backends/network.ts'
import { createStop } from '../../../core/stop.ts'
import { backend } from '../../support/backends.ts'
import { fakeClock } from '../../support/clock.ts'
import { portUpstream } from '../../support/port-upstream.ts'

const OUTGOING: Outgoing = {
  method: 'POST',
  path: '/v1/messages',
  headers: [['accept', '*/*']],
  model: 'm',
  stream: false,
  body: new TextEncoder().encode('{"model":"m"}'),
  openAi: false,
}

function setUp(headers?: Credentials['headers'], outgoing = OUTGOING) {
  const upstream = portUpstream(() => ({ body: '{}' }))
  const to = backend('a', { apiKey: 'sk-a' })
  const credentials = headers && { headers, secrets: () => [], renew: async () => {} }
  const parts = { upstream, clock: fakeClock(), credentialsOf: () => credentials }
  const request = ANTHROPIC.addressed(to, outgoing)
  const send = () => exchanged(parts, to, { request, outgoing }, createStop().signal)
  return { upstream, send }
}

describe('a request', () => {
  test('to a backend with an API key has it in the header of its kind, and the bytes of the caller', async () => {
    const { upstream, send } = setUp()
    await send()
    expect(upstream.asked[0]?.headers).toEqual([
      ['accept', '*/*'],
      ['x-api-key', 'sk-a'],
    ])
    expect(upstream.asked[0]?.body).toBe(OUTGOING.body)
  })

  test("has the backend's own headers, in place of the call's of the same name", async () => {
    const upstream = portUpstream(() => ({ body: '{}' }))
    const to = backend('a', {
      apiKey: 'sk-a',
      headers: [
        ['x-team', 'ai'],
        ['accept', 'b'],
      ],
    })
    const request = ANTHROPIC.addressed(to, OUTGOING)
    const parts = { upstream, clock: fakeClock() }
    await exchanged(parts, to, { request, outgoing: OUTGOING }, createStop().signal)
    expect(upstream.asked[0]?.headers).toEqual([
      ['x-team', 'ai'],
      ['accept', 'b'],
      ['x-api-key', 'sk-a'],
    ])
  })

  test('has the key as a bearer token where the backend wants it so', async () => {
    const upstream = portUpstream(() => ({ body: '{}' }))
    const to = backend('a', { apiKey: 'sk-a', bearer: true })
    const request = ANTHROPIC.addressed(to, OUTGOING)
    await exchanged(
      { upstream, clock: fakeClock() },
      to,
      { request, outgoing: OUTGOING },
      createStop().signal,
    )
    expect(upstream.asked[0]?.headers).toEqual([
      ['accept', '*/*'],
      ['authorization', 'Bearer sk-a'],
    ])
  })

  test('in OpenAI’s interface has it as a bearer token', async () => {
    const { upstream, send } = setUp(undefined, { ...OUTGOING, openAi: true })
    await send()
    expect(upstream.asked[0]?.headers).toContainEqual(['authorization', 'Bearer sk-a'])
  })

  test.each<[string, Credentials['headers']]>([
    ['at once', () => [['authorization', 'Bearer token']]],
    ['later', async () => [['authorization', 'Bearer token']]],
  ])('has what credentials give %s, and no key', async (_, headers) => {
    const { upstream, send } = setUp(headers)
    await send()
    expect(upstream.asked[0]?.headers).toEqual([
      ['accept', '*/*'],
      ['authorization', 'Bearer token'],
    ])
  })

  test('is not sent without credentials, which counts for the account alone', async () => {
    const { upstream, send } = setUp(async () => {
      throw new CredentialsError(new Error('no token'))
    })
    const cause = await send().catch((thrown: unknown) => thrown)
    expect(verdictOfFault(cause)).toEqual({ kind: 'account_unreachable', reason: 'no credentials' })
    expect(upstream.asked).toEqual([])
  })
})
