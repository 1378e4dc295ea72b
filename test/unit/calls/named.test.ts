import { describe, expect, test } from 'vitest'
import { inspect } from '../../../core/calls/inspect.ts'

const encoder = new TextEncoder()
const bodyOf = (members: object) => encoder.encode(JSON.stringify({ model: 'm', max_tokens: 1, ...members }))
const namedIn = (members: object) => inspect(bodyOf(members)).named
const objectsIn = (members: object) =>
  [...namedIn(members).objects.values()].map(({ kind, id, path }) => `${kind} ${id} at ${path}`)
const user = (...content: object[]) => ({ messages: [{ role: 'user', content }] })
const text = { type: 'text', text: 'hi' }
const file = (id: unknown) => ({ type: 'document', source: { type: 'file', file_id: id } })
const raw = (json: string) => inspect(encoder.encode(`{"model":"m",${json}}`)).named

describe('models beside the own one', () => {
  test.each([
    ['an advisor', { tools: [{ type: 'advisor_20260301', name: 'advisor', model: 'x' }] }, 'tools.0.model'],
    ['a fallback', { fallbacks: [{ model: 'm' }, { model: 'x' }] }, 'fallbacks.1.model'],
    ['the default fallback', { fallbacks: 'x' }, 'fallbacks'],
    ['a compaction', { compaction: { type: 'summarize', model: 'x' } }, 'compaction.model'],
    [
      'an edit of the context',
      { context_management: { edits: [{ type: 'compact_20260112', model: 'x' }] } },
      'context_management.edits.0.model',
    ],
    [
      'a tool that joins in',
      user(text, { type: 'tool_addition', tool: { type: 'tool_definition', definition: { model: 'x' } } }),
      'messages.0.content.1.tool.definition.model',
    ],
  ])('are told with their place: %s', (_, members, path) => {
    const body = bodyOf(members)
    const found = inspect(body).named.models.find(({ name }) => name === 'x')
    expect(found?.path).toBe(path)
    expect(new TextDecoder().decode(body.subarray(found?.start, found?.end))).toBe('"x"')
  })

  test('are none where a client has names of its own', () => {
    const schema = { type: 'object', properties: { model: { type: 'string', default: 'x' } }, model: 'x' }
    const call = { type: 'tool_use', id: 't', name: 'Task', input: { model: 'x', file_id: 'f', url: 'u' } }
    const history = { type: 'fallback', from: { model: 'x' }, to: { model: 'y' } }
    const members = {
      ...user(text, call, history, file('file_1')),
      tools: [{ name: 'Task', input_schema: schema, input_examples: [{ model: 'x' }] }],
    }
    expect(namedIn(members).models).toEqual([])
    expect(objectsIn(members)).toEqual(['file file_1 at messages.0.content.3.source.file_id'])
  })
})

describe('objects of one account', () => {
  test.each([
    ['a container', { container: 'c1' }, 'container c1 at container'],
    ['a container with skills', { container: { id: 'c1', skills: [] } }, 'container c1 at container.id'],
    [
      'a skill of its own',
      {
        container: {
          skills: [
            { type: 'anthropic', skill_id: 'xlsx' },
            { type: 'custom', skill_id: 's1' },
          ],
        },
      },
      'skill s1 at container.skills.1.skill_id',
    ],
    ['a thread', { thread: { id: 't1' } }, 'thread t1 at thread.id'],
    [
      'a thread that goes on',
      { thread: { type: 'continue', previous_message_id: 'msg_1' } },
      'thread msg_1 at thread.previous_message_id',
    ],
    ['a file', user(text, file('file_1')), 'file file_1 at messages.0.content.1.source.file_id'],
    [
      'a file for a container',
      user({ type: 'container_upload', file_id: 'file_1' }),
      'file file_1 at messages.0.content.0.file_id',
    ],
    [
      'a file in the result of a tool',
      user({ type: 'tool_result', tool_use_id: 't', content: [file('file_1')] }),
      'file file_1 at messages.0.content.0.content.0.source.file_id',
    ],
    [
      'a file of a tool',
      { tools: [{ type: 'x_20270101', source: { file_id: 'f' } }] },
      'file f at tools.0.source.file_id',
    ],
    ['a file in the system prompt', { system: [file('f')] }, 'file f at system.0.source.file_id'],
    [
      'an earlier message',
      { diagnostics: { previous_message_id: 'msg_1' } },
      'message msg_1 at diagnostics.previous_message_id',
    ],
  ])('are told with their place: %s', (_, members, expected) => {
    expect(objectsIn(members)).toEqual([expected])
  })

  test('are told once, however they are written', () => {
    const source = (id: string) => `{"source":{"type":"file",${id}}}`
    const content = [
      source('"file_id":"f1"'),
      source('"file\\u005fid":"f\\u0031"'),
      source('"\\u0066\\u0069le_id" : "f2"'),
    ]
    const { objects } = raw(`"messages":[{"content":[${content}]}]`)
    expect([...objects.values()].map(({ id }) => id)).toEqual(['f1', 'f2'])
  })

  test('are none where nothing is named', () => {
    const nothing = {
      container: { skills: [{ type: 'anthropic', skill_id: 'xlsx', id: 'x' }] },
      thread: { type: 'create' },
      diagnostics: { previous_message_id: null },
    }
    expect(objectsIn({ container: null })).toEqual([])
    expect(objectsIn({ ...nothing, ...user({ ...text, citations: [{ file_id: null }] }) })).toEqual([])
  })

  test.each([
    ['container', '"container":"a","container":"b"'],
    ['thread', '"thread":{"id":"a"},"thread":null'],
    ['container.id', '"container":{"id":"a","i\\u0064":"b"}'],
    ['messages.0.content.0.file_id', '"messages":[{"content":[{"file_id":"a","x":{},"file_id":"b"}]}]'],
    [
      'container.skills.0.type',
      '"container":{"skills":[{"type":"custom","skill_id":"a","type":"anthropic"}]}',
    ],
    ['tools.0.max_uses', '"tools":[{"type":"web_search_20250305","max_uses":1,"max_uses":1000}]'],
  ])('are refused when %s is given twice', (path, members) => {
    expect(() => raw(members)).toThrow(`${path}: it is given twice.`)
  })

  test.each([
    [{ container: 7 }, 'container'],
    [{ container: '' }, 'container'],
    [{ container: { id: 'x'.repeat(300) } }, 'container.id'],
    [user(file(['a'])), 'messages.0.content.0.source.file_id'],
  ])('are refused when they are no ids: %j', (members, path) => {
    expect(() => namedIn(members)).toThrow(`${path}: an id of at most 256 characters is expected.`)
  })

  test('are refused when they are very many', () => {
    const content = Array.from({ length: 1001 }, (_, index) => file(`file_${index}`))
    expect(() => namedIn(user(...content))).toThrow('a request may name 1000 ids at most')
  })
})

describe('what the size of a body does not tell', () => {
  test.each([
    [true, { container: 'c' }],
    [true, { thread: { type: 'continue', previous_message_id: 'm' } }],
    [true, user(file('f'))],
    [true, user({ type: 'image', source: { type: 'url', url: 'https://a.example/b.png' } })],
    [true, user({ type: 'image', source: { url: 'https://a.example/b.png', type: 'url' } })],
    [false, user(text)],
    [
      false,
      user({ type: 'tool_use', id: 't', name: 'Fetch', input: { type: 'url', url: 'https://a.example' } }),
    ],
    [false, { diagnostics: { previous_message_id: 'm' } }],
    [false, user({ type: 'image', source: { type: 'base64', data: 'AAAA' } })],
  ])('is content by reference: %s %j', (expected, members) => {
    expect(namedIn(members).contentByReference).toBe(expected)
  })

  test('is content by reference also when its type is escaped', () => {
    const { contentByReference } = raw('"messages":[{"source":{"type" : "\\u0075rl","url":"x"}}]')
    expect(contentByReference).toBe(true)
  })

  test('is what tools of the upstream do, ten times each unless they say', () => {
    const tools = [
      { name: 'mine', input_schema: {} },
      { type: 'custom', name: 'mine too', input_schema: {} },
      { type: 'bash_20250124', name: 'bash' },
      { type: 'web_search_20250305', name: 'web_search', max_uses: 1000 },
      { type: 'web_fetch_20260318', name: 'web_fetch', max_uses: null },
      { type: 'advisor_20260301', name: 'advisor', model: 'x', max_uses: -1 },
    ]
    expect(namedIn({ tools }).serverTools).toEqual([
      { type: 'web_search_20250305', path: 'tools.3.type', maxUses: 1000 },
      { type: 'web_fetch_20260318', path: 'tools.4.type', maxUses: 10 },
      { type: 'advisor_20260301', path: 'tools.5.type', maxUses: 10 },
    ])
    const servers = [{ type: 'url', url: 'https://mcp.example/x', name: 'x' }, { name: 'y' }]
    expect(namedIn({ mcp_servers: servers }).mcpServers).toEqual([
      { url: 'https://mcp.example/x', path: 'mcp_servers.0.url' },
      { url: '', path: 'mcp_servers.1.url' },
    ])
  })

  test.each([
    ['fast', { speed: 'fast' }],
    ['fast', { fallbacks: [{ model: 'x', speed: 'fast' }] }],
    ['geoUs', { inference_geo: 'us' }],
    ['longCache', { cache_control: { type: 'ephemeral', ttl: '1h' } }],
    ['longCache', user({ ...text, cache_control: { type: 'ephemeral', ttl: '1h' } })],
    ['longCache', { tools: [{ name: 'x', cache_control: { ttl: '1h' } }] }],
  ] as const)('is %s: %j', (fact, members) => {
    expect(namedIn(members)[fact]).toBe(true)
    expect(namedIn(user(text))[fact]).toBe(false)
  })
})

describe('what not every place that runs Claude can do', () => {
  const usesIn = (members: object) => Object.fromEntries(namedIn(members).uses)
  const url = { type: 'image', source: { type: 'url', url: 'https://x.test/a.png' } }

  test.each<[string, object, object]>([
    ['an image by its address', user(text, url), { url_sources: 'messages.0.content.1.source' }],
    ['a file', user(file('f1')), { file_sources: 'messages.0.content.0.source.file_id' }],
    ['web search', { tools: [{ type: 'web_search_20260101', name: 's' }] }, { web_search: 'tools.0' }],
    ['code', { tools: [{}, { type: 'code_execution_20260101' }] }, { server_tools: 'tools.1' }],
    ['a container', { container: 'c1' }, { server_tools: 'container' }],
    ['a container without skills', { container: { id: 'c1' } }, { server_tools: 'container.id' }],
    [
      'a skill of Anthropic’s',
      { container: { skills: [{ type: 'anthropic', skill_id: 'pptx' }] } },
      { skills: 'container.skills.0' },
    ],
    ['an MCP server', { mcp_servers: [{ url: 'https://mcp.test' }] }, { mcp_servers: 'mcp_servers.0' }],
    [
      'a schema',
      { output_config: { effort: 'low', format: { type: 'json_schema', schema: {} } } },
      { structured_outputs: 'output_config.format' },
    ],
    [
      'a schema, as betas had it',
      { output_format: { schema: { model: 1 } } },
      { structured_outputs: 'output_format' },
    ],
    ['fallbacks', { fallbacks: [{ model: 'm' }] }, { fallbacks: 'fallbacks' }],
    ['a thread', { thread: {} }, { threads: 'thread' }],
  ])('is told with its place: %s', (_, members, uses) => {
    expect(usesIn(members)).toEqual(uses)
  })

  test('is nothing of what all of them do', () => {
    const tools = [{ type: 'tool_search_tool_regex_20251119' }, { type: 'bash_20250124' }, { name: 'mine' }]
    expect(usesIn({ tools, output_config: { effort: 'high' }, fallbacks: null, ...user(text) })).toEqual({})
    expect(usesIn({ output_config: { format: null }, output_format: null })).toEqual({})
    expect(usesIn({ output_config: { type: 'x' } })).toEqual({})
    expect(usesIn({ output_config: { effort: { format: 'low' } } })).toEqual({})
  })
})
