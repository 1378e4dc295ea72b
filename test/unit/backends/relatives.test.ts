import { describe, expect, test } from 'vitest'
import type { Outgoing } from '../../../core/backends/kinds/kind.ts'
import { kindOf } from '../../../core/backends/kinds/kinds.ts'
import type { HeaderPairs } from '../../../core/ports.ts'
import type { Backend } from '../../../core/settings.ts'
import { backend, OPUS } from '../../support/backends.ts'

const BODY = `{ "max_tokens":5,"model" : "${OPUS}", "tags":{"a":"b"},"messages":[{"role":"user","content":"model"}]}`
const HEADERS: HeaderPairs = [
  ['anthropic-version', '2023-06-01'],
  ['anthropic-beta', 'some-2026-01-01'],
]

function addressed(given: Partial<Backend>, text = BODY) {
  const to = backend('a', { url: 'https://a.test/anthropic', ...given })
  const body = new TextEncoder().encode(text)
  const asked = { method: 'POST', path: '/v1/messages?beta=true', headers: HEADERS, body } as const
  const outgoing: Outgoing = { ...asked, model: OPUS, stream: true, openAi: false }
  const request = kindOf(to).addressed(to, outgoing)
  return { outgoing, request, text: new TextDecoder().decode(request.body) }
}
const upstreamModels = new Map([[OPUS, 'anthropic.claude-opus-5-5']])

describe('a backend that speaks Claude’s interface', () => {
  test.each<Partial<Backend>>([
    { kind: 'anthropic' },
    { kind: 'claude-on-aws', workspaceId: 'w' },
    { kind: 'foundry' },
    { kind: 'anthropic', upstreamModels: new Map([['claude-haiku-5-5', 'other']]) },
    { kind: 'foundry', upstreamModels: new Map([['claude-haiku-5-5', 'other']]) },
  ])('gets the very bytes of the caller where no name differs: %o', (given) => {
    const { outgoing, request } = addressed(given)
    expect(request.body).toBe(outgoing.body)
    expect(request.path).toBe('/anthropic/v1/messages?beta=true')
    expect(request.leftOut).toBeUndefined()
  })

  test.each<Partial<Backend>>([{ kind: 'anthropic' }, { kind: 'claude-on-aws' }, { kind: 'foundry' }])(
    'gets its own name of the model, and every other byte as it was: %o',
    (given) => {
      const { text } = addressed({ ...given, upstreamModels })
      expect(text).toBe(
        '{"model":"anthropic.claude-opus-5-5", "max_tokens":5, "tags":{"a":"b"},"messages":[{"role":"user","content":"model"}]}',
      )
    },
  )

  test('on AWS gets its workspace with each request, and the key as a bearer token', () => {
    const { outgoing, request } = addressed({ kind: 'claude-on-aws', workspaceId: 'wrkspc_1' })
    expect(request.headers).toEqual([...HEADERS, ['anthropic-workspace-id', 'wrkspc_1']])
    expect(kindOf(backend('a', { kind: 'claude-on-aws' })).keyHeader('k', outgoing)).toEqual([
      'authorization',
      'Bearer k',
    ])
  })

  test('as Bedrock’s Mantle gets neither betas nor hints, and the client is told', () => {
    const { text, request } = addressed({ kind: 'bedrock-mantle', upstreamModels })
    expect(JSON.parse(text)).toEqual({
      model: 'anthropic.claude-opus-5-5',
      max_tokens: 5,
      messages: [{ role: 'user', content: 'model' }],
    })
    expect(request.headers).toEqual([['anthropic-version', '2023-06-01']])
    expect(request.leftOut).toEqual(['tags', 'anthropic-beta'])
  })

  test('as Bedrock’s Mantle gets the caller’s bytes where there is nothing to leave out', () => {
    const plain = `{"model":"${OPUS}","messages":[]}`
    const { outgoing, request } = addressed({ kind: 'bedrock-mantle' }, plain)
    expect(request.body).toBe(outgoing.body)
  })
})

test('what each kind cannot do', () => {
  const kinds = ['anthropic', 'claude-on-aws', 'foundry', 'bedrock-mantle'] as const
  const lacks = kinds.map((kind) => [kind, [...kindOf(backend('a', { kind })).lacks].toSorted()])
  expect(Object.fromEntries(lacks)).toMatchInlineSnapshot(`
    {
      "anthropic": [],
      "bedrock-mantle": [
        "fallbacks",
        "fast",
        "file_sources",
        "mcp_servers",
        "server_tools",
        "skills",
        "threads",
        "url_sources",
        "web_search",
      ],
      "claude-on-aws": [],
      "foundry": [
        "fallbacks",
        "fast",
        "threads",
      ],
    }
  `)
})
