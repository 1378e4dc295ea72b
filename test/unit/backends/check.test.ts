import { describe, expect, test } from 'vitest'
import { askOnce, readModel, readModels } from '../../../core/backends/check.ts'
import { ConnectError } from '../../../core/backends/network.ts'
import type { HeaderPairs } from '../../../core/ports.ts'
import type { StopSignal } from '../../../core/stop.ts'
import { backend, OPUS } from '../../support/backends.ts'
import { fakeClock } from '../../support/clock.ts'
import { JSON_TYPE, type PlainAnswer, portUpstream, silence } from '../../support/port-upstream.ts'

const CLAUDE = backend('a', { apiKey: 'sk-secret' })
const OPENAI = backend('a', { apiKey: 'sk-secret', speaksOpenAi: true })
const MODEL = { id: OPUS, display_name: 'Opus', context: 5 }
const errorBody = (type: string, message = 'm') => ({ type: 'error', error: { type, message } })

function answering(answer: PlainAnswer | ((signal: StopSignal) => Promise<PlainAnswer>)) {
  const clock = fakeClock()
  const upstream = portUpstream((_, signal) => (typeof answer === 'function' ? answer(signal) : answer))
  return { clock, upstream }
}
const failing = (cause: unknown) => answering(() => Promise.reject(cause))

describe('reading what a backend lists', () => {
  test('is one request with its credential and without a body', async () => {
    const parts = answering({ body: { data: [MODEL] } })
    await readModels(parts, backend('a', { url: 'https://a.test/base', apiKey: 'sk-secret' }))
    expect(parts.upstream.asked).toEqual([
      {
        origin: 'https://a.test',
        method: 'GET',
        path: '/base/v1/models?limit=1000',
        headers: [
          ['accept', 'application/json'],
          ['accept-encoding', 'identity'],
          ['anthropic-version', '2023-06-01'],
          ['x-api-key', 'sk-secret'],
        ],
        body: undefined,
      },
    ])
  })

  test('sends the credential as OpenAI expects it where the backend speaks that', async () => {
    const parts = answering({ body: { data: [MODEL] } })
    await readModels(parts, OPENAI)
    const names = parts.upstream.asked[0]?.headers.map(([name]) => name)
    expect(parts.upstream.asked[0]?.headers).toContainEqual(['authorization', 'Bearer sk-secret'])
    expect(names).not.toContain('x-api-key')
  })

  test.each<[string, PlainAnswer, object]>([
    [
      'a list: its models, with fields that nobody knows',
      { body: { data: [MODEL] } },
      { kind: 'listed', models: [MODEL] },
    ],
    ['an empty list: refused', { body: { data: [] } }, { kind: 'refused', reason: 'lists no models' }],
    ...[401, 402, 403].map((status): [string, PlainAnswer, object] => [
      `${status}: refused`,
      { status },
      { kind: 'refused', reason: `refused the credential (${status})`, status },
    ]),
    ['404: it has no list', { status: 404 }, { kind: 'no_list', status: 404 }],
    ['204: it has no list', { status: 204 }, { kind: 'no_list', status: 204 }],
    ['499: it has no list', { status: 499 }, { kind: 'no_list', status: 499 }],
    ['300: down', { status: 300 }, { kind: 'down', reason: 'answered with a redirect' }],
    ['399: down', { status: 399 }, { kind: 'down', reason: 'answered with a redirect' }],
    ['500: down', { status: 500 }, { kind: 'down', reason: 'answered 500' }],
    ['199: down', { status: 199 }, { kind: 'down', reason: 'answered 199' }],
    [
      'something else: down',
      { body: '<html>' },
      { kind: 'down', reason: 'answered with something that is no model list' },
    ],
    [
      'models without a name: down',
      { body: { data: [{ id: '' }] } },
      { kind: 'down', reason: 'answered with something that is no model list' },
    ],
    [
      'more than four megabytes: down',
      { body: ['x'.repeat(4 * 1024 * 1024), 'x'] },
      { kind: 'down', reason: 'answered with too much' },
    ],
    [
      'an answer that is cut: down',
      { body: '{', cut: new Error() },
      { kind: 'down', reason: 'network error (Error)' },
    ],
  ])('%s', async (_, answer, found) => {
    expect(await readModels(answering(answer), CLAUDE)).toEqual(found)
  })

  test('takes four megabytes', async () => {
    const long = JSON.stringify({ data: [MODEL], more: '' })
    const body = long.replace('""', `"${'x'.repeat(4 * 1024 * 1024 - long.length)}"`)
    expect(await readModels(answering({ body }), CLAUDE)).toMatchObject({ kind: 'listed' })
  })

  test('finds it down when no connection comes about', async () => {
    const refused = new ConnectError(Object.assign(new Error(), { code: 'ECONNREFUSED' }))
    expect(await readModels(failing(refused), CLAUDE)).toEqual({
      kind: 'down',
      reason: 'network error (ECONNREFUSED)',
    })
  })

  test('waits ten seconds', async () => {
    const parts = answering(silence)
    const reading = readModels(parts, CLAUDE)
    let found: object | undefined
    void reading.then((answer) => {
      found = answer
    })
    await expect.poll(() => parts.upstream.asked.length).toBe(1)
    parts.clock.advance(9_999)
    await Promise.resolve()
    expect(found).toBeUndefined()
    parts.clock.advance(1)
    expect(await reading).toEqual({ kind: 'down', reason: 'no answer in 10 s' })
  })

  test('leaves no timer behind', async () => {
    const parts = answering({})
    await readModels(parts, CLAUDE)
    expect(parts.clock.timers()).toBe(0)
  })
})

describe('whether a backend offers a model', () => {
  test('is asked by its name', async () => {
    const parts = answering({ body: MODEL })
    await readModel(parts, CLAUDE, 'a model/5')
    expect(parts.upstream.asked[0]).toMatchObject({ method: 'GET', path: '/v1/models/a%20model%2F5' })
  })

  test.each<[string, PlainAnswer, string]>([
    ['200: it does', { body: MODEL }, 'offered'],
    [
      '404 that names the model: it does not',
      { status: 404, body: errorBody('not_found_error', 'model: x') },
      'not_offered',
    ],
    ['403 in an envelope: it does not', { status: 403, body: errorBody('permission_error') }, 'not_offered'],
    ['404 of an address: unknown', { status: 404, body: errorBody('not_found_error') }, 'unknown'],
    ['403 of a firewall: unknown', { status: 403, body: 'blocked' }, 'unknown'],
    ['500: unknown', { status: 500, body: errorBody('api_error', 'model: x') }, 'unknown'],
    ['no whole answer: unknown', { cut: new Error() }, 'unknown'],
  ])('%s', async (_, answer, found) => {
    expect(await readModel(answering(answer), CLAUDE, OPUS)).toBe(found)
  })
})

describe('the smallest call', () => {
  test.each([
    [CLAUDE, '/v1/messages'],
    [OPENAI, '/v1/chat/completions'],
  ])('asks for one token and has nothing of a caller in it (%#)', async (to, path) => {
    const parts = answering({ body: {} })
    await askOnce(parts, to, OPUS)
    const [asked] = parts.upstream.asked
    expect(asked).toMatchObject({ method: 'POST', path })
    expect(asked?.headers).toContainEqual(['content-type', 'application/json'])
    const body = asked?.body instanceof Uint8Array ? asked.body : undefined
    expect(JSON.parse(new TextDecoder().decode(body))).toEqual({
      model: OPUS,
      max_tokens: 1,
      messages: [{ role: 'user', content: '.' }],
    })
  })

  const LATER: HeaderPairs = [...JSON_TYPE, ['retry-after', '7']]
  test.each<[string, PlainAnswer, object]>([
    [
      'a success: its answer',
      { body: { id: 'msg' } },
      { verdict: { kind: 'served' }, status: 200, body: '{"id":"msg"}' },
    ],
    [
      'a mistake of the caller’s: its answer as well',
      { status: 400, body: errorBody('invalid_request_error') },
      { verdict: { kind: 'callers' }, status: 400, body: JSON.stringify(errorBody('invalid_request_error')) },
    ],
    [
      'a refused credential: no answer',
      { status: 401, body: errorBody('authentication_error') },
      { verdict: { kind: 'account_refused', reason: 'answered 401' }, status: 401, body: undefined },
    ],
    [
      'a limit: until when',
      { status: 429, headers: LATER, body: errorBody('rate_limit_error') },
      {
        verdict: { kind: 'pair_cooldown', reason: 'answered 429', untilMs: fakeClock().now() + 7_000 },
        status: 429,
        body: undefined,
      },
    ],
    [
      'nothing: a failure',
      {},
      {
        verdict: { kind: 'pair_failed', reason: 'answered with nothing', fromNetwork: false },
        status: 200,
        body: undefined,
      },
    ],
    [
      'too much: a failure',
      { body: 'x'.repeat(4 * 1024 * 1024 + 1) },
      {
        verdict: { kind: 'pair_failed', reason: 'answered with too much', fromNetwork: false },
        status: 0,
        body: undefined,
      },
    ],
  ])('has for %s', async (_, answer, expected) => {
    const { body, ...rest } = await askOnce(answering(answer), CLAUDE, OPUS)
    expect({ ...rest, body: body && new TextDecoder().decode(body) }).toEqual(expected)
  })

  test('has a fault of the network for no answer at all', async () => {
    expect(await askOnce(failing(new ConnectError(new Error())), CLAUDE, OPUS)).toMatchObject({
      verdict: { kind: 'account_unreachable' },
      status: 0,
    })
  })
})
