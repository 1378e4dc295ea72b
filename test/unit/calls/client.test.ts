import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clientOf, createProjects, OTHER_PROJECTS, projectOf } from '../../../core/calls/client.ts'
import { upstreamHeaders } from '../../../core/calls/forwarded-headers.ts'

const agent = (text: string) => clientOf([['user-agent', text]])

describe('the program that calls', () => {
  test.each([
    ['claude-cli/2.1.20 (external, cli)', 'claude-code'],
    ['claude-cli/2.1.20 (external, sdk-ts, agent-sdk/0.2.1)', 'claude-code'],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Claude/1.2.3 Electron/38',
      'claude-desktop',
    ],
    ['codex_cli_rs/0.63.0 (Debian 12; x86_64) xterm', 'codex'],
    ['codex_exec/0.63.0', 'codex'],
    ['Anthropic/JS 0.70.1', 'anthropic-sdk'],
    ['Anthropic/Python 0.70.0', 'anthropic-sdk'],
    ['AsyncAnthropic/Python 0.70.0', 'anthropic-sdk'],
    ['OpenAI/JS 6.1.0', 'openai-sdk'],
    ['AsyncOpenAI/Python 2.8.0', 'openai-sdk'],
    ['ai-sdk/anthropic/2.0.1 runtime/node.js/24', 'ai-sdk'],
    ['opencode/1.0', 'opencode'],
    ['curl/8.5.0', 'curl'],
    ['python-requests/2.32', 'python'],
    ['Python/3.13 aiohttp/3.12', 'python'],
    ['node', 'node'],
    ['Go-http-client/2.0', 'go'],
    ['Mozilla/5.0 (X11; Linux x86_64) Firefox/140', 'browser'],
    ['notclaude-cli/1', 'other'],
    ['', 'other'],
  ])('%s is %s', (text, name) => expect(agent(text)).toBe(name))

  test('is other where nothing is said', () => expect(clientOf([])).toBe('other'))

  test('is a name of the list, whatever a caller sends', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2_000 }),
      fc
        .constantFrom('claude-cli/', 'codex', 'mozilla/', 'anthropic', 'python-')
        .chain((start) => fc.string().map((rest) => start + rest)),
    )
    fc.assert(
      fc.property(hostile, (text) => {
        expect(agent(text)).toMatch(/^[a-z]+(-[a-z]+)?$/)
      }),
      { numRuns: 300 },
    )
    const started = process.cpuUsage()
    expect(agent(`mozilla/${'claude/ '.repeat(100_000)}`)).toBe('browser')
    expect(process.cpuUsage(started).user).toBeLessThan(50_000)
  })
})

describe('the project of a call', () => {
  const project = (text: string) => projectOf([['x-claude-gateway-project', text]])

  test.each(['billing', 'team/web-app_2.0', 'a', 'x'.repeat(64)])('may be %s', (text) =>
    expect(project(text)).toBe(text),
  )
  test.each([
    '',
    ' ',
    '-x',
    '/x',
    'two words',
    'a,b',
    "'; drop table",
    '=cmd()',
    'é',
    'x'.repeat(65),
    '(other)',
    'a\nb',
  ])('is none where it is %j', (text) => expect(project(text)).toBe(''))

  test('never goes upstream', () => {
    const sent = upstreamHeaders([
      ['x-claude-gateway-project', 'secret-project'],
      ['x-claude-code-session-id', 's'],
    ])
    expect(JSON.stringify(sent)).not.toContain('secret-project')
    expect(JSON.stringify(sent)).toContain('session-id')
  })

  test('is one of the first fifty of a person in a day, else it counts with the others', () => {
    let now = 0
    const { recorded } = createProjects({ clock: { now: () => now } })
    const names = Array.from({ length: 60 }, (_, n) => recorded(1, `p${n}`))
    expect(names.slice(0, 50)).toEqual(Array.from({ length: 50 }, (_, n) => `p${n}`))
    expect(new Set(names.slice(50))).toEqual(new Set([OTHER_PROJECTS]))
    expect(recorded(1, 'p3')).toBe('p3')
    expect(recorded(2, 'p55')).toBe('p55')
    expect(recorded(1, '')).toBe('')
    now = 86_400_000
    expect(recorded(1, 'p55')).toBe('p55')
  })
})
