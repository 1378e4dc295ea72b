/** Everything that can go wrong with the calls of one person, so that it must not go wrong with anybody else's. */
import type { Gateway } from '../support/runtime.ts'
import {
  type AskedRequest,
  errorJson,
  messageJson,
  messageStream,
  type Script,
  sse,
} from '../support/upstream.ts'

export const MODEL = 'claude-opus-5-5'

export interface Fault {
  what: string
  /** What the upstream does with the person's calls; absent where none reaches it. */
  script?: (asked: AskedRequest) => Script
  /** One call of this person, to its end. */
  send(gateway: Gateway, key: string): Promise<unknown>
}

const JSON_TYPE = { 'content-type': 'application/json' }
const PAGE = { 'content-type': 'text/html' }

const body = (more: object = {}) => ({
  model: MODEL,
  max_tokens: 50,
  messages: [{ role: 'user', content: `TROUBLE ${crypto.randomUUID()}` }],
  ...more,
})
type Init = Parameters<Gateway['send']>[1]
const sent = (more: object | string = {}, init: Init = {}): Fault['send'] => {
  return async (gateway, key) => {
    const given = typeof more === 'string' ? more : body(more)
    return (await gateway.send(given, { key, ...init })).text()
  }
}
const streamed = sent({ stream: true })
const whole = sent()

const error = (status: number, type: string, message = 'm', code?: string, headers: object = {}): Script => {
  const details = code ? { details: { error_code: code } } : {}
  return {
    status,
    headers: { ...JSON_TYPE, ...headers },
    chunks: [JSON.stringify({ type: 'error', error: { type, message, ...details } })],
  }
}
const answered = (what: string, script: Script, send = whole): Fault => ({ what, script: () => script, send })

const STATUSES: [status: number, type: string][] = [
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [405, 'invalid_request_error'],
  [408, 'timeout_error'],
  [409, 'conflict_error'],
  [413, 'request_too_large'],
  [418, 'teapot_error'],
  [422, 'invalid_request_error'],
  [429, 'rate_limit_error'],
  [500, 'api_error'],
  [501, 'not_supported'],
  [503, 'api_error'],
  [504, 'timeout_error'],
  [529, 'overloaded_error'],
]

const ANSWERS: Fault[] = [
  ...STATUSES.flatMap(([status, type]) => [
    answered(`${status}`, error(status, type)),
    answered(`${status} of a proxy`, { status, headers: PAGE, chunks: ['<html>no'] }),
  ]),
  answered('404 that names the model', error(404, 'not_found_error', `model: ${MODEL}`)),
  ...[
    'You have reached your specified API usage limits.',
    'You have reached your specified workspace API usage limits.',
    'Your credit balance is too low to access the Anthropic API.',
    'This organization has been disabled.',
  ].flatMap((words) => [
    answered(
      `a quotation: ${words}`,
      error(400, 'invalid_request_error', `messages.0: Input tag '${words}' found`),
    ),
    answered(`words of an account: ${words}`, error(400, 'invalid_request_error', words)),
  ]),
  ...['organization_on_hold', 'cmek_key_disabled', 'claude_code_key_creator_not_member'].map((code) =>
    answered(`400 ${code}`, error(400, 'invalid_request_error', 'm', code)),
  ),
  answered(
    '402 of a linked organization',
    error(402, 'billing_error', 'm', 'linked_organization_not_billable'),
  ),
  answered('403 of a user profile', error(403, 'permission_error', 'm', 'user_profile_not_billable')),
  answered('429 of a spend limit', error(429, 'rate_limit_error', 'm', 'enforced_spend_limit_reached')),
  answered('a huge error', {
    status: 400,
    headers: JSON_TYPE,
    chunks: [errorJson('invalid_request_error', 'x'.repeat(1e6))],
  }),
  answered('an error that is nested too deep', {
    status: 400,
    headers: JSON_TYPE,
    chunks: [`{"error":${'['.repeat(1e5)}`],
  }),
  answered('a redirect', { status: 307, headers: { location: 'http://169.254.169.254/' } }),
]

const BROKEN: Fault[] = [
  answered('an empty answer', { chunks: [] }),
  answered('a web page', { headers: PAGE, chunks: ['<html>login'] }),
  answered('no JSON', { headers: JSON_TYPE, chunks: ['what?'] }),
  answered('an encoding that it is not', {
    headers: { ...JSON_TYPE, 'content-encoding': 'gzip' },
    chunks: ['{}'],
  }),
  answered('a reset', { before: 'refuse' }),
  answered('a reset after the head', { chunks: [], end: 'reset' }),
  answered('a whole answer that is cut', {
    headers: { ...JSON_TYPE, 'content-length': '900' },
    chunks: ['{"a":', 20],
    end: 'reset',
  }),
  answered(
    'a whole answer that is late',
    { before: 'hang' },
    sent({}, { headers: { 'x-stainless-timeout': '1' } }),
  ),
  answered('a stream that is late', { before: 'hang' }, streamed),
  answered('a stream that is cut', { chunks: messageStream().slice(0, 4), end: 'reset' }, streamed),
  answered('a stream that falls silent', { chunks: messageStream().slice(0, 4), end: 'hang' }, streamed),
  answered('a stream without an end', { chunks: messageStream().slice(0, -1) }, streamed),
  ...[
    'overloaded_error',
    'api_error',
    'rate_limit_error',
    'authentication_error',
    'invalid_request_error',
  ].flatMap((type) => {
    const event = sse({ type: 'error', error: { type, message: 'm' } })
    return [
      answered(`a stream that opens with ${type}`, { chunks: [event] }, streamed),
      answered(
        `a stream that goes on with ${type}`,
        { chunks: [...messageStream().slice(0, 3), event] },
        streamed,
      ),
    ]
  }),
  answered('a huge answer', { headers: JSON_TYPE, chunks: [messageJson({ text: 'x'.repeat(5e6) })] }),
  answered(
    'endless pings',
    { chunks: Array.from({ length: 8 }, () => [sse({ type: 'ping' }), 100]).flat() },
    streamed,
  ),
]

const REQUESTS: Fault[] = [
  { what: 'no JSON is sent', send: sent('what?') },
  {
    what: 'a request that is nested too deep',
    send: sent(`{"model":"${MODEL}","messages":${'['.repeat(1e5)}`),
  },
  {
    what: 'a request of a million members',
    send: sent(`{"model":"${MODEL}",${'"a":1,'.repeat(1e6)}"messages":[]}`),
  },
  { what: 'a model name that is no text', send: sent('{"model":"\\ud800","messages":[]}') },
  { what: 'a model name of 300 characters', send: sent({ model: 'x'.repeat(300) }) },
  {
    what: 'a model that does not exist',
    script: () => error(404, 'not_found_error', 'model: x'),
    send: sent({ model: 'claude-nowhere' }),
  },
  {
    what: 'a huge request',
    send: sent({ messages: [{ role: 'user', content: `TROUBLE ${'x'.repeat(4e6)}` }] }),
  },
  {
    what: 'a client that leaves before the answer',
    script: () => ({ before: 'hang' }),
    send: (gateway, key) => gateway.send(body(), { key, signal: AbortSignal.timeout(100) }),
  },
  {
    what: 'a client that leaves in the middle',
    script: () => ({ chunks: messageStream().slice(0, 3), end: 'hang' }),
    async send(gateway, key) {
      const answer = await gateway.send(body({ stream: true }), { key })
      await answer.body?.cancel()
    },
  },
]

const COUNTS: Fault[] = [
  answered(
    'tokens that are counted with 500',
    error(500, 'api_error'),
    sent({}, { path: '/v1/messages/count_tokens' }),
  ),
  answered(
    'tokens that are counted with 429',
    error(429, 'rate_limit_error', 'm', undefined, { 'retry-after': '30' }),
    sent({}, { path: '/v1/messages/count_tokens' }),
  ),
  answered(
    'tokens that are never counted',
    { before: 'hang' },
    sent({}, { path: '/v1/messages/count_tokens' }),
  ),
]

export const FAULTS: Fault[] = [...ANSWERS, ...BROKEN, ...REQUESTS, ...COUNTS]
