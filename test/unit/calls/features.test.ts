import { describe, expect, test } from 'vitest'
import { assertFeatures } from '../../../core/calls/features.ts'
import { inspect } from '../../../core/calls/inspect.ts'
import type { HeaderPairs } from '../../../core/ports.ts'
import type { Settings } from '../../../core/settings.ts'
import { refusalFrom } from '../../support/refusals.ts'

const NOTHING: Settings['messages'] = { webSearch: false, betas: [], serverTools: [], mcpServers: [] }
const tool = (type: string) => ({ tools: [{ type, name: 'x' }] })
const server = (url: string) => ({ mcp_servers: [{ type: 'url', url, name: 'x' }] })

const assert = (allowed: Partial<Settings['messages']>, members: object, headers: HeaderPairs = []) => {
  const body = new TextEncoder().encode(JSON.stringify({ model: 'm', ...members }))
  assertFeatures({ ...NOTHING, ...allowed }, inspect(body), headers)
}
const allowed = (...given: Parameters<typeof assert>) => {
  expect(() => assert(...given)).not.toThrow()
}
const problem = (...given: Parameters<typeof assert>) => {
  const { code, message } = refusalFrom(() => assert(...given))
  expect(code).toBe('body_invalid')
  return message
}

test('a plain call needs nothing', () => {
  allowed({}, { messages: [] })
})

describe('a beta feature', () => {
  const header = (value: string): HeaderPairs => [['anthropic-beta', value]]

  test('is allowed by its name or a pattern, in headers and in bodies', () => {
    const betas = ['files-api-*', 'exact-1']
    allowed({ betas }, {}, [
      ['anthropic-beta', 'files-api-2025-04-14, exact-1'],
      ['other', 'no-1'],
    ])
    allowed({ betas }, { betas: ['exact-1', 'files-api-1'], anthropic_beta: ['exact-1'] })
    allowed({ betas }, { betas: null }, header(''))
    allowed({ betas }, {}, header('exact-1,'))
  })

  test('is refused by its place otherwise', () => {
    expect(problem({ betas: ['a'] }, {}, header('a,b'))).toBe(
      'anthropic-beta: the beta b is not allowed here.',
    )
    expect(problem({ betas: ['a'] }, { betas: ['a', 'b'] })).toBe('betas.1: the beta b is not allowed here.')
    expect(problem({}, { anthropic_beta: ['b'] })).toBe('anthropic_beta.0: the beta b is not allowed here.')
    expect(problem({}, {}, [...header('a'), ...header('b')])).toContain('the beta a')
    expect(problem({ betas: ['a'] }, {}, [...header('a'), ...header('b')])).toContain('the beta b')
  })

  test('of threads is refused by the code at which SDKs go on without one', () => {
    const codeFor = (beta: string) => refusalFrom(() => assert({}, {}, header(beta))).errorCode
    expect(codeFor('message-threads-2026-08-12')).toBe('thread_unsupported_request')
    expect(codeFor('threads-of-others')).toBeUndefined()
  })

  test('is refused by what it looks like', () => {
    expect(problem({ betas: ['a'] }, {}, header('b\u200b'))).toContain('the beta b is')
    expect(problem({}, {}, header('x'.repeat(200)))).toBe(
      `anthropic-beta: the beta ${'x'.repeat(100)} is not allowed here.`,
    )
  })

  test('has to be a name', () => {
    expect(problem({}, { betas: [5] })).toBe('betas.0: a name is expected.')
    expect(problem({}, { betas: 'a' })).toBe('betas.0: a name is expected.')
  })

  test('is whatever it likes where all are allowed', () => {
    allowed({ betas: ['*'] }, { betas: [5] }, header('anything'))
  })
})

describe('a tool of the upstream', () => {
  const serverTools = ['web_search_*', 'code_*']

  test('is allowed by its type or a pattern', () => {
    allowed({ serverTools, webSearch: true }, tool('web_search_20250305'))
    allowed({ serverTools }, tool('code_execution_20250825'))
    allowed({ serverTools }, tool('CODE_execution_20250825'))
    allowed({}, tool('bash_20250124'))
  })

  test('is refused by its place otherwise', () => {
    expect(problem({ serverTools }, tool('web_fetch_1'))).toBe(
      'tools.0.type: the tool web_fetch_1 is not allowed here.',
    )
  })

  test('that searches the web needs its switch as well', () => {
    expect(problem({ serverTools: ['*'] }, tool('Web_Search_1'))).toBe(
      'tools.0.type: web search is not switched on here.',
    )
    expect(problem({ webSearch: true }, tool('web_search_1'))).toBe(
      'tools.0.type: the tool web_search_1 is not allowed here.',
    )
  })
})

describe('an MCP server', () => {
  const REFUSED = 'mcp_servers.0.url: this MCP server is not allowed here.'

  test.each([
    ['https://mcp.test', 'https://mcp.test/any/path?x=1'],
    ['https://mcp.test', 'https://MCP.test'],
    ['https://mcp.test/tools/*', 'https://mcp.test/tools/a?b=1'],
    ['https://mcp.test/tools?b=*', 'https://mcp.test/tools?b=1'],
    ['https://*.test', 'https://a.test/x'],
    ['http://mcp.test:8080', 'http://mcp.test:8080/'],
    ['*', 'no address at all'],
  ])('of the pattern %s may be %s', (pattern, url) => {
    allowed({ mcpServers: ['https://other.test', pattern] }, server(url))
  })

  test.each([
    ['https://mcp.test', 'http://mcp.test'],
    ['https://mcp.test', 'https://mcp.test.evil.test'],
    ['https://mcp.test', 'https://mcp.test:8443'],
    ['https://mcp.test', 'https://me@mcp.test/'],
    ['https://mcp.test', 'https://:secret@mcp.test/'],
    ['https://mcp.test/tools', 'https://mcp.test/tools/a'],
    ['https://mcp.test/tools/*', 'https://mcp.test/other'],
    ['https://*.test', 'https://evil.example/a.test'],
    ['https://mcp.test', 'mcp.test'],
    ['mcp.test', 'https://mcp.test'],
    ['xhttps://mcp.test', 'https://mcp.test'],
  ])('of the pattern %s may not be %s', (pattern, url) => {
    expect(problem({ mcpServers: [pattern] }, server(url))).toBe(REFUSED)
  })

  test('is refused where none is allowed', () => {
    expect(problem({}, server('https://mcp.test'))).toBe(REFUSED)
  })
})
