import { describe, expect, test } from 'vitest'
import { clientHeaders, upstreamHeaders } from '../../../core/calls/forwarded-headers.ts'
import type { HeaderPairs } from '../../../core/ports.ts'

const names = (headers: HeaderPairs) => headers.map(([name]) => name)

describe('the upstream', () => {
  test('gets what is named and nothing else: no credential, cookie or address of the caller', () => {
    const sent = upstreamHeaders([
      ['authorization', 'Bearer sk-1'],
      ['x-api-key', 'sk-1'],
      ['cookie', 'session=1'],
      ['x-forwarded-for', '10.0.0.1'],
      ['host', 'gateway'],
      ['accept-encoding', 'br'],
      ['anthropic-version', '2026-10-21'],
      ['anthropic-beta', 'a'],
      ['anthropic-beta', 'b'],
      ['anthropic-workspace-id', 'w'],
      ['anthropic-user-profile-id', 'p'],
      ['x-stainless-lang', 'js'],
      ['x-claude-code-session-id', 's'],
      ['content-type', 'application/json'],
    ])
    expect(sent).toEqual([
      ['anthropic-beta', 'a'],
      ['anthropic-beta', 'b'],
      ['x-stainless-lang', 'js'],
      ['x-claude-code-session-id', 's'],
      ['content-type', 'application/json'],
      ['accept-encoding', 'identity'],
      ['anthropic-version', '2026-10-21'],
    ])
  })

  test('gets a version, and nothing that the connection keeps to itself', () => {
    const sent = upstreamHeaders([
      ['connection', 'close, X-App'],
      ['x-app', 'cli'],
      ['accept', '*/*'],
    ])
    expect(sent).toEqual([
      ['accept', '*/*'],
      ['accept-encoding', 'identity'],
      ['anthropic-version', '2023-06-01'],
    ])
  })
})

describe('the client', () => {
  test("gets our request id, the upstream's under another name, and nothing of the account's", () => {
    const sent = clientHeaders(
      [
        ['request-id', 'req_upstream'],
        ['content-type', 'application/json'],
        ['content-length', '9'],
        ['retry-after', '3'],
        ['set-cookie', 'a=1'],
        ['server', 'cloudflare'],
        ['anthropic-ratelimit-requests-remaining', '1'],
        ['anthropic-fast-input-tokens-limit', '1'],
        ['anthropic-organization-id', 'org'],
        ['anthropic-something', 'new'],
      ],
      'req_ours',
    )
    expect(sent).toEqual(
      expect.arrayContaining([
        ['request-id', 'req_ours'],
        ['x-request-id', 'req_ours'],
      ]),
    )
    expect(sent).toEqual(
      expect.arrayContaining([
        ['x-upstream-request-id', 'req_upstream'],
        ['retry-after', '3'],
      ]),
    )
    expect(sent).toContainEqual(['anthropic-something', 'new'])
    for (const name of [
      'set-cookie',
      'server',
      'anthropic-organization-id',
      'anthropic-ratelimit-requests-remaining',
      'anthropic-fast-input-tokens-limit',
    ]) {
      expect(names(sent)).not.toContain(name)
    }
    expect(names(sent)).not.toContain('content-disposition')
  })

  test('gets a stream that no proxy keeps back, with the cache rule of the upstream if it has one', () => {
    const stream = (more: HeaderPairs) =>
      clientHeaders([['content-type', 'Text/Event-Stream; charset=utf-8'], ...more], 'r')
    expect(stream([])).toEqual(
      expect.arrayContaining([
        ['cache-control', 'no-cache'],
        ['x-accel-buffering', 'no'],
      ]),
    )
    expect(stream([['cache-control', 'no-store']]).filter(([name]) => name === 'cache-control')).toEqual([
      ['cache-control', 'no-store'],
    ])
  })

  test.each(['text/html', 'image/svg+xml', 'application/xml', ''])('only downloads %s', (type) => {
    expect(clientHeaders(type ? [['content-type', type]] : [], 'r')).toContainEqual([
      'content-disposition',
      'attachment',
    ])
  })
})

test('what the connection of an upstream keeps to itself takes no guard from the answer, nor its id', () => {
  const seen = clientHeaders(
    [
      [
        'connection',
        'Content-Security-Policy, X-Content-Type-Options, Content-Disposition, Request-Id, X-Should-Retry',
      ],
      ['x-should-retry', 'true'],
      ['content-type', 'text/html'],
    ],
    'ours',
  )
  expect(names(seen)).toEqual(
    expect.arrayContaining([
      'content-security-policy',
      'x-content-type-options',
      'content-disposition',
      'request-id',
      'content-type',
    ]),
  )
  expect(names(seen)).not.toContain('x-should-retry')
})

test('what the connection of a caller keeps to itself takes away nothing that the gateway adds', () => {
  const seen = upstreamHeaders([
    ['connection', 'Accept-Encoding, Anthropic-Version, X-App'],
    ['x-app', 'cli'],
  ])
  expect(seen).toEqual([
    ['accept-encoding', 'identity'],
    ['anthropic-version', '2023-06-01'],
  ])
})
