/** Nobody gets a model or a feature by naming it elsewhere or otherwise. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const OPEN = 'claude-sonnet-5-5'
const CLOSED = 'claude-opus-5-5'
const ASK = { model: OPEN, max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] }
const nested = {
  'tools.0.model': (model: string) => ({ tools: [{ type: 'advisor_20260301', name: 'advisor', model }] }),
  'fallbacks.1.model': (model: string) => ({ fallbacks: [{ model: OPEN }, { model }] }),
  'compaction.model': (model: string) => ({ compaction: { type: 'summarize', model } }),
  'context_management.edits.0.model': (model: string) => ({
    context_management: { edits: [{ type: 'compact_20260112', model }] },
  }),
  'messages.1.content.0.tool.definition.model': (model: string) => {
    const definition = { type: 'advisor_20260301', name: 'advisor', model }
    const content = [{ type: 'tool_addition', tool: { type: 'tool_definition', definition } }]
    return { messages: [...ASK.messages, { role: 'system', content }] }
  },
}

describe('access', () => {
  let upstream: FakeUpstream
  let app: App
  const start = async (settings: object) => {
    app = await startApp({
      health: { startup_check: 'off' },
      backends: [{ name: 'a', url: upstream.url, api_key: 'k' }],
      ...settings,
    })
    const key = (await (await app.signIn('ann')).post('/api/keys', { name: 'x' })).body.key.key
    return async (members: object, headers: Record<string, string> = {}, path = '/v1/messages') => {
      const answer = await app.request(path, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ ...ASK, ...members }),
      })
      return [answer.status, answer.status === 200 ? '' : answer.body.error.message]
    }
  }
  const sent = () =>
    upstream.requests.filter(({ method }) => method === 'POST').map(({ body }) => String(body))
  beforeAll(async () => {
    upstream = await startUpstream()
  })
  afterAll(() => upstream.stop())
  beforeEach(() => upstream.reset())

  describe('to models', () => {
    let ask: Awaited<ReturnType<typeof start>>
    beforeAll(async () => {
      ask = await start({
        models: {
          rules: [
            { match: CLOSED, access: 'closed' },
            { match: 'claude-fable-*', access: 'approval' },
          ],
        },
        model_replacements: { 'claude-3-*': OPEN, 'claude-old': CLOSED },
      })
    })
    afterAll(() => app.close())

    test.each(
      Object.entries(nested).flatMap(([path, members]) =>
        [CLOSED, `${CLOSED}-20260901`, `anthropic/${CLOSED}`, 'CLAUDE-opus-5\u200b-5', 'claude-old'].map(
          (model) => [path, model, members(model)] as const,
        ),
      ),
    )('is refused at %s for %s', async (path, _, members) => {
      for (const route of ['/v1/messages', '/v1/messages/count_tokens']) {
        const [status, message] = await ask(members, {}, route)
        expect([status, message]).toEqual([
          400,
          expect.stringMatching(`^${path}: The model .* is not offered`),
        ])
      }
      expect(sent()).toEqual([])
    })

    test.each(Object.entries(nested))('at %s needs the same approval as elsewhere', async (path, members) => {
      expect(await ask(members('claude-fable-5'))).toEqual([
        400,
        expect.stringMatching(`^${path}: .* needs approval`),
      ])
      expect(await ask(members('x'.repeat(300)))).toEqual([400, `${path}: this is too long for a name.`])
    })

    test.each(Object.entries(nested))(
      'at %s is given to another model where one is sent instead',
      async (_, members) => {
        expect(await ask(members('claude-3-opus'))).toEqual([200, ''])
        expect(sent()).toEqual([JSON.stringify({ ...ASK, ...members(OPEN) })])
      },
    )

    test('is refused where the upstream would choose the model', async () => {
      expect(await ask({ fallbacks: 'default' })).toEqual([
        400,
        expect.stringMatching('^fallbacks: name the models'),
      ])
    })

    test.each([
      ['claude-opus-5-5\u200b', 'a space without width'],
      ['claude\u200d-opus-5-5', 'a joiner'],
      ['claude-opus-5\u00ad-5', 'a soft hyphen'],
      ['claude-opus\ufe0f-5-5', 'a selector'],
      ['claude\u2011opus\u20115\u20115', 'other hyphens'],
      ['\uff43laude-opus-5-5', 'full width'],
      ['\u00a0claude-opus-5-5', 'a space before it'],
    ])('is refused however the model is spelt: %j with %s', async (model) => {
      expect(await ask({ model })).toEqual([400, `The model ${model} is not offered here.`])
    })
  })

  test('to everything is what the defaults give', async () => {
    const ask = await start({})
    const members = {
      betas: ['x-2026'],
      fallbacks: 'default',
      tools: [{ type: 'web_search_20250305', name: 'web_search' }],
      mcp_servers: [{ type: 'url', url: 'https://mcp.example/x', name: 'x' }],
    }
    expect(await ask(members, { 'anthropic-beta': 'y-2026' })).toEqual([200, ''])
    expect(sent()).toEqual([JSON.stringify({ ...ASK, ...members })])
    await app.close()
  })

  describe('to features', () => {
    let ask: Awaited<ReturnType<typeof start>>
    beforeAll(async () => {
      ask = await start({
        messages: {
          web_search: false,
          betas: ['context-management-*'],
          server_tools: ['web_*', 'code_execution_20250825'],
          mcp_servers: ['https://mcp.example/tools/*', 'https://*.trusted.example'],
        },
      })
    })
    afterAll(() => app.close())
    const tool = (type: string) => ({
      tools: [
        { name: 'mine', input_schema: {} },
        { type, name: 'x' },
      ],
    })
    const server = (url: string) => ({ mcp_servers: [{ type: 'url', name: 'x', url }] })

    test.each([
      [tool('web_fetch_20260318'), {}],
      [tool('code_execution_20250825'), {}],
      [tool('bash_20250124'), {}],
      [server('https://mcp.example/tools/a?b=c'), {}],
      [server('https://eu.trusted.example/mcp'), {}],
      [{ betas: ['context-management-2025-06-27'] }, {}],
      [{}, { 'anthropic-beta': 'context-management-2025-06-27, context-management-2026-01-01' }],
      [{ betas: [] }, { 'anthropic-beta': '' }],
    ])('passes what is listed: %j %j', async (members, headers) => {
      expect(await ask(members, headers)).toEqual([200, ''])
    })

    test.each([
      ['tools.1.type', tool('web_search_20260318'), {}],
      ['tools.1.type', tool('web\u200b_search_20260318'), {}],
      ['tools.1.type', tool('Web_Search_20260318'), {}],
      ['tools.1.type', tool('code_execution_20260120'), {}],
      ['tools.1.type', tool('advisor_20260301'), {}],
      [
        'messages.0.content.0.tool.definition.type',
        {
          messages: [
            {
              role: 'system',
              content: [{ tool: { type: 'tool_definition', definition: { type: 'web_search_20260318' } } }],
            },
          ],
        },
        {},
      ],
      ['mcp_servers.0.url', server('https://mcp.example/other'), {}],
      ['mcp_servers.0.url', server('http://mcp.example/tools/a'), {}],
      ['mcp_servers.0.url', server('https://mcp.example.evil.test/tools/a'), {}],
      ['mcp_servers.0.url', server('https://mcp.example@evil.test/tools/a'), {}],
      ['mcp_servers.0.url', server('https://a:b@mcp.example/tools/a'), {}],
      ['mcp_servers.0.url', server('https://evil.test/a.trusted.example'), {}],
      ['mcp_servers.0.url', server('https://mcp.example/tools/../other'), {}],
      ['mcp_servers.0.url', server('nothing'), {}],
      ['mcp_servers.0.url', { mcp_servers: [{ name: 'x' }] }, {}],
      ['betas.1', { betas: ['context-management-1', 'files-api-2025-04-14'] }, {}],
      ['betas.0', { betas: [7] }, {}],
      ['betas.0', { betas: 'files-api-2025-04-14' }, {}],
      ['anthropic_beta.0', { anthropic_beta: ['files-api-2025-04-14'] }, {}],
      ['anthropic-beta', {}, { 'anthropic-beta': 'context-management-1,files-api-2025-04-14' }],
    ])('refuses by name what is not: %s %j %j', async (path, members, headers) => {
      expect(await ask(members, headers)).toEqual([400, expect.stringMatching(`^${path}: `)])
      expect(sent()).toEqual([])
    })
  })
})
