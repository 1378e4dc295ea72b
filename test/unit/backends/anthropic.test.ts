import { describe, expect, test } from 'vitest'
import {
  namesModel,
  openingError,
  opensClearly,
  verdictOf,
  verdictOfLateError,
  waitOf,
} from '../../../core/backends/kinds/anthropic.ts'
import { envelopeOf } from '../../../core/backends/kinds/error-envelope.ts'
import type { HeaderPairs } from '../../../core/ports.ts'

const NOW = Date.UTC(2026, 10, 25)
const bytes = (text: string) => new TextEncoder().encode(text)
const error = (type: string, message = 'm', code?: string) =>
  JSON.stringify({ type: 'error', error: { type, message, ...(code && { details: { error_code: code } }) } })
const judged = (status: number, body: string | undefined, headers: HeaderPairs = []) =>
  verdictOf({ status, headers, body: body === undefined ? undefined : bytes(body), now: NOW })
const STREAM: HeaderPairs = [['content-type', 'text/event-stream']]

describe('the beginning of a stream', () => {
  const OVERLOADED = error('overloaded_error')

  test.each([
    ['an ordinary event', 'event: message_start\n', true],
    ['a part of an ordinary event', 'event: message_', true],
    ['a part of what may be an error without its name', 'event: message\ndata: {"type":', false],
    ['too little', 'event: ', false],
    ['a part of an error', `event: error\ndata: ${OVERLOADED.slice(0, -2)}`, false],
    ['a whole error', `event: error\ndata: ${OVERLOADED}\n\n`, true],
    ['an error that is no envelope', 'event: error\ndata: {}\n\n', false],
    ['another event', 'event: content_block_start\ndata: {}\n\n', true],
    ["a part of an error in OpenAI's envelope", 'data: {"error":{"type":"a', false],
    ["a whole error in OpenAI's envelope", 'data: {"error":{"type":"a","message":"b"}}\n\n', true],
    ['a ping, which says nothing yet', 'event: ping\ndata: {}\n\n', false],
    ['a comment', ': hello mm\n\n', false],
    ['a field that only looks like an event', 'xvent: mx\n', false],
  ])('that is %s is clear enough or not', (_, text, clear) => {
    expect(opensClearly(bytes(text))).toBe(clear)
  })

  test('that is an error has the status of its type', () => {
    expect(openingError(bytes(`event: error\ndata: ${OVERLOADED}\n\n`))).toEqual({
      status: 529,
      envelope: { type: 'overloaded_error', message: 'm', code: '' },
      json: OVERLOADED,
    })
    expect(openingError(bytes('event: error\ndata: {}\n\n'))).toEqual({
      status: 500,
      envelope: { type: 'api_error', message: '', code: '' },
      json: '{}',
    })
    expect(openingError(bytes(`event: error\ndata: ${error('invented')}\n\n`))?.status).toBe(500)
  })

  test.each(['event: message_start\ndata: {}\n\n', `event: ping\ndata: ${OVERLOADED}\n\n`, ''])(
    'is no error as %j',
    (text) => {
      expect(openingError(bytes(text))).toBeUndefined()
    },
  )

  test('is judged by itself, whatever the headers of the answer say', () => {
    const headers: HeaderPairs = [...STREAM, ['retry-after', '7']]
    const opening = `event: error\ndata: ${error('rate_limit_error')}\n\n`
    expect(judged(200, opening, headers)).toEqual({
      kind: 'pair_cooldown',
      reason: 'answered 429',
      untilMs: undefined,
    })
    expect(judged(200, `event: error\ndata: ${error('api_error')}\n\n`, STREAM)).toMatchObject({
      reason: 'streamed api_error',
    })
  })
})

describe('an error later in a stream', () => {
  test.each(['api_error', 'timeout_error', 'overloaded_error', 'invented'])(
    'counts against the backend as %s',
    (type) => {
      expect(verdictOfLateError(type)).toEqual({
        kind: 'pair_failed',
        reason: `streamed ${type}`,
        fromNetwork: false,
      })
    },
  )

  test.each(['invalid_request_error', 'rate_limit_error', 'authentication_error'])(
    'does not as %s',
    (type) => {
      expect(verdictOfLateError(type)).toEqual({ kind: 'served' })
    },
  )
})

describe('a success', () => {
  test.each([
    [204, undefined, 'served'],
    [299, '{}', 'served'],
    [300, '{}', 'pair_failed'],
    [199, '{}', 'pair_failed'],
    [200, undefined, 'pair_failed'],
  ])('is one by its status %i and body %j: %s', (status, body, kind) => {
    expect(judged(status, body).kind).toBe(kind)
  })

  test('is one whatever is in it, unless it is a stream', () => {
    expect(judged(200, `event: error\ndata: ${error('api_error')}\n\n`).kind).toBe('served')
    expect(judged(204, undefined, STREAM).kind).toBe('served')
  })
})

describe('the error of a body', () => {
  test.each([
    ['of Claude', error('api_error', 'm', 'c'), { type: 'api_error', message: 'm', code: 'c' }],
    ['of Claude without details', error('api_error'), { type: 'api_error', message: 'm', code: '' }],
    ['of OpenAI', '{"error":{"message":"m","code":"c"}}', { type: '', message: 'm', code: 'c' }],
    [
      'with odd details',
      '{"error":{"type":"t","message":"m","details":5}}',
      { type: 't', message: 'm', code: '' },
    ],
    [
      'with an odd code',
      '{"error":{"type":"t","message":"m","code":5,"details":{"error_code":6}}}',
      { type: 't', message: 'm', code: '' },
    ],
    ['without type and code', '{"error":{"message":"m"}}', undefined],
    ['without a message', '{"error":{"type":"t"}}', undefined],
    ['that is none', 'nonsense', undefined],
  ])('%s', (_, body, envelope) => {
    expect(envelopeOf(bytes(body))).toEqual(envelope)
  })

  test('is none without a body', () => {
    expect(envelopeOf(undefined)).toBeUndefined()
  })

  test('names a model by how it begins or by its code', () => {
    const names = (message: string, code = '') => namesModel({ type: 't', message, code })
    expect([names('model: x'), names('x', 'model_not_found'), names('the model: x')]).toEqual([
      true,
      true,
      false,
    ])
  })
})

describe('a refusal', () => {
  test('tells its code, at most 64 characters of it', () => {
    expect(judged(401, error('authentication_error', 'm', 'c'.repeat(70)))).toEqual({
      kind: 'account_refused',
      reason: `answered 401 (${'c'.repeat(64)})`,
    })
  })

  test.each([
    ['user_profile_x', 'callers'],
    ['sandbox_x', 'callers'],
    ['no_user_profile_x', 'model_not_offered'],
  ])('of 403 with the code %s: %s', (code, kind) => {
    expect(judged(403, error('permission_error', 'm', code)).kind).toBe(kind)
  })

  test.each([
    ['anthropic-ratelimit-requests-remaining', ' 0 ', true],
    ['anthropic-ratelimit-requests-remaining', '00', false],
    ['x-anthropic-ratelimit-requests-remaining', '0', false],
    ['anthropic-ratelimit-requests-remaining-x', '0', false],
  ])('of 429 with %s: %j is certain: %s', (name, value, certain) => {
    const until = certain ? NOW + 10_000 : undefined
    expect(judged(429, error('rate_limit_error'), [[name, value]])).toMatchObject({ untilMs: until })
  })

  test.each([
    ['You will regain access on 2026-12-01 at 10:30 UTC.', Date.UTC(2026, 11, 1, 10, 30)],
    ['You will regain access on 2026-12-01.', Date.UTC(2026, 11, 1)],
    ['You will regain access on 2026-11-01.', undefined],
    ['Common 2026-12-01', undefined],
    ['soon', undefined],
  ])('that says "%s" ends then', (message, resetAt) => {
    expect(judged(402, error('billing_error', message))).toEqual({
      kind: 'account_unpaid',
      reason: 'answered 402',
      resetAt,
    })
  })

  test('that asks to wait ends after that, before any date', () => {
    const headers: HeaderPairs = [['retry-after', '86400']]
    expect(judged(402, error('billing_error', 'on 2027-01-01'), headers)).toMatchObject({
      resetAt: NOW + 86_400_000,
    })
  })
})

test.each([
  [' 12 ', 12_000],
  ['1.25', 1_250],
  ['12s', undefined],
  ['x12', undefined],
  ['1.2.3', undefined],
  ['', undefined],
])('retry-after %j is a wait of %s ms', (text, ms) => {
  expect(waitOf(text, NOW)).toBe(ms)
})

test.each(['1e300', '99999999999999999999', '1000000000'])(
  'an account that asks not to be asked for %s seconds is asked again after a month',
  (seconds) => {
    const found = judged(402, error('billing_error'), [['retry-after', seconds]])
    expect(found).toMatchObject({ kind: 'account_unpaid', resetAt: NOW + 31 * 86_400_000 })
  },
)
