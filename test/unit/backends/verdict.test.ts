import { expect, test } from 'vitest'
import { verdictOf, waitOf } from '../../../core/backends/kinds/anthropic.ts'
import type { JudgedAnswer } from '../../../core/backends/kinds/kind.ts'
import { ConnectError, verdictOfFault } from '../../../core/backends/network.ts'
import type { HeaderPairs } from '../../../core/ports.ts'

const NOW = Date.UTC(2026, 10, 25)
const bytes = (text: string) => new TextEncoder().encode(text)

function answer(status: number, body: string | undefined, headers: HeaderPairs = []): JudgedAnswer {
  const type: HeaderPairs = headers.some(([name]) => name === 'content-type')
    ? []
    : [['content-type', 'application/json']]
  return {
    status,
    headers: [...headers, ...type],
    body: body === undefined ? undefined : bytes(body),
    now: NOW,
  }
}
const error = (type: string, message = 'm', code?: string) =>
  JSON.stringify({
    type: 'error',
    error: { type, message, ...(code ? { details: { error_code: code } } : {}) },
  })
const STREAM: HeaderPairs = [['content-type', 'Text/Event-Stream; charset=utf-8']]
const event = (json: string) => `event: error\ndata: ${json}\n\n`

const ANSWERS: [what: string, given: JudgedAnswer][] = [
  ['200', answer(200, '{}')],
  ['200 without bytes', answer(200, undefined)],
  ['200 with a web page', answer(200, '<html>', [['content-type', 'TEXT/HTML; charset=utf-8']])],
  ['a stream', answer(200, 'event: message_start\ndata: {}\n\n', STREAM)],
  ['a stream that opens with overload', answer(200, event(error('overloaded_error')), STREAM)],
  [
    'a stream that opens with overload, without event line',
    answer(200, `: hi\ndata: ${error('overloaded_error')}\n\n`, STREAM),
  ],
  [
    "a stream that opens with overload, in OpenAI's envelope",
    answer(200, `data: {"error":{"message":"m","type":"overloaded_error"}}\n\n`, STREAM),
  ],
  ['a stream that ends behind a ping', answer(200, 'event: ping\ndata: {"type":"ping"}\n\n', STREAM)],
  ["a stream that is an error's JSON", answer(200, error('overloaded_error'), STREAM)],
  ["a stream that is an answer's JSON", answer(200, '{"id":"msg_1","type":"message"}', STREAM)],
  ['a stream that is none', answer(200, 'upstream connect error', STREAM)],
  ['a stream that opens with a rate limit', answer(200, event(error('rate_limit_error')), STREAM)],
  ['a stream that opens with a bad request', answer(200, event(error('invalid_request_error')), STREAM)],
  [
    'a stream that opens with a refused credential',
    answer(200, event(error('authentication_error')), STREAM),
  ],
  ['a redirect', answer(302, undefined)],
  ['500', answer(500, error('api_error'))],
  ['503 of a key that cannot be reached', answer(503, error('api_error', 'm', 'cmek_key_unreachable'))],
  ['529', answer(529, error('overloaded_error'))],
  ['400', answer(400, error('invalid_request_error'))],
  [
    '400 that quotes a caller',
    answer(400, error('invalid_request_error', "Input tag 'Your credit balance is too low' found")),
  ],
  [
    '400 without credit',
    answer(400, error('invalid_request_error', 'Your credit balance is too low to access the API.')),
  ],
  [
    '400 at the cap, with its end',
    answer(
      400,
      error(
        'invalid_request_error',
        'You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.',
      ),
    ),
  ],
  [
    '400 at the cap of a workspace',
    answer(
      400,
      error('invalid_request_error', 'You have reached your specified workspace API usage limits.'),
    ),
  ],
  [
    '400 of a disabled organization',
    answer(400, error('invalid_request_error', 'This organization has been disabled.')),
  ],
  ['400 on hold', answer(400, error('invalid_request_error', 'm', 'organization_on_hold'))],
  ['400 with a blocked key', answer(400, error('invalid_request_error', 'm', 'cmek_key_network_blocked'))],
  ['401', answer(401, error('authentication_error'))],
  ['402', answer(402, error('billing_error'))],
  [
    '402 of a linked organization',
    answer(402, error('billing_error', 'm', 'linked_organization_spend_limit_reached')),
  ],
  ['403', answer(403, error('permission_error'))],
  ['403 of a user profile', answer(403, error('permission_error', 'm', 'user_profile_not_billable'))],
  ['403 of a sandbox', answer(403, error('permission_error', 'm', 'sandbox_egress_restricted'))],
  ['404 that names the model', answer(404, error('not_found_error', 'model: claude-x'))],
  ['404 of anything else', answer(404, error('not_found_error', 'File not found', 'file_expired'))],
  ['413', answer(413, error('request_too_large'))],
  ['422', answer(422, error('invalid_request_error'))],
  ['429 with retry-after', answer(429, error('rate_limit_error'), [['retry-after', '7']])],
  ['429 with an hour', answer(429, error('rate_limit_error'), [['retry-after', '3600']])],
  [
    '429 with nothing left',
    answer(429, error('rate_limit_error'), [['anthropic-ratelimit-input-tokens-remaining', '0']]),
  ],
  [
    '429 that says nothing',
    answer(429, error('rate_limit_error'), [['anthropic-ratelimit-input-tokens-remaining', '12']]),
  ],
  ['429 while ramping up', answer(429, error('rate_limit_error', 'm', 'ramp_limit_exceeded'))],
  [
    '429 at a spend limit',
    answer(429, error('rate_limit_error', 'm', 'contract_spend_limit_reached'), [['retry-after', '7']]),
  ],
  ['429 of a proxy', answer(429, '<html>', [['content-type', 'text/html']])],
  ['429 of a proxy with retry-after', answer(429, 'slow down', [['retry-after', '7']])],
  ['400 of a proxy', answer(400, '<html>', [['content-type', 'text/html']])],
  ['403 of a firewall', answer(403, 'blocked')],
  ['403 of a firewall in JSON', answer(403, '{"error":"blocked"}')],
  ['an envelope that is nested too deep', answer(400, `{"error":${'['.repeat(50_000)}`)],
]

test('every answer of Claude has one meaning', () => {
  const meanings = ANSWERS.map(([what, given]) => [what, verdictOf(given)])
  expect(Object.fromEntries(meanings)).toMatchSnapshot()
})

test.each([
  ['ECONNREFUSED', true, 'account_unreachable'],
  ['ENOTFOUND', true, 'account_unreachable'],
  ['UND_ERR_CONNECT_TIMEOUT', true, 'account_unreachable'],
  ['CERT_HAS_EXPIRED', true, 'account_unreachable'],
  ['EMFILE', true, 'ours'],
  ['ENETUNREACH', true, 'ours'],
  ['ENOBUFS', false, 'ours'],
  ['ECONNRESET', false, 'pair_failed'],
  ['UND_ERR_SOCKET', false, 'pair_failed'],
])('%s (while connecting: %s) means %s', (code, connecting, kind) => {
  const cause = Object.assign(new Error('secret.internal:443'), { code })
  const verdict = verdictOfFault(connecting ? new ConnectError(cause) : cause)
  expect(verdict).toMatchObject({ kind, reason: `network error (${code})` })
})

test.each([
  ['5', 5_000],
  ['0.5', 500],
  ['3600', 60_000],
  [new Date(NOW + 20_000).toUTCString(), 20_000],
  ['0', undefined],
  ['-1', undefined],
  ['soon', undefined],
  [undefined, undefined],
])('retry-after %s is a wait of %s ms', (text, ms) => {
  expect(waitOf(text, NOW)).toBe(ms)
})
