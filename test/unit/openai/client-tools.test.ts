/** Tools of OpenAI's that the caller runs: there as functions, and back in the form they came in. */
import { describe, expect, test } from 'vitest'
import type { ClientTools } from '../../../core/openai/client-tools.ts'
import {
  createResponsesCollector,
  createResponsesStream,
} from '../../../core/openai/reply/responses-reply.ts'
import { RESPONSES, responses } from '../../support/translation.ts'

const read = { type: 'function', name: 'read', parameters: { type: 'object', properties: {} } }
const PATCH = {
  type: 'custom',
  name: 'apply_patch',
  description: 'Edits files.',
  format: { type: 'grammar', syntax: 'lark', definition: 'start: x' },
}
const INPUT = '*** Begin Patch\n+"é"\n*** End Patch'
const namesOf = (body: object) => responses(body).request.tools?.map(({ name }) => name)

/** The items in which Claude's calls are told, and the types of the events. */
function repliesOf(tools: ClientTools, calls: readonly { name: string; input: object }[]) {
  const context = { ...RESPONSES, tools }
  const collector = createResponsesCollector(context)
  const stream = createResponsesStream(context)
  let text = ''
  const tell = (event: Parameters<typeof stream.event>[0]) => {
    collector.event(event)
    text += stream.event(event)
  }
  tell({ type: 'message_start', message: { id: 'msg_1' } })
  for (const [index, { name, input }] of calls.entries()) {
    tell({
      type: 'content_block_start',
      index,
      content_block: { type: 'tool_use', id: `toolu_${index}`, name },
    })
    for (const partial_json of JSON.stringify(input).match(/.{1,5}/gs) ?? [])
      tell({ type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json } })
    tell({ type: 'content_block_stop', index })
  }
  tell({ type: 'message_delta', delta: { stop_reason: 'tool_use' } })
  tell({ type: 'message_stop' })
  const events = text
    .split('\n\n')
    .flatMap((event) => (event ? [JSON.parse(event.split('\ndata: ')[1] ?? '')] : []))
  // The cast holds because a response has a list of items.
  const output = collector.whole().output as Record<string, unknown>[]
  const streamed = events.filter(({ type }) => type === 'response.output_item.done').map(({ item }) => item)
  expect(streamed).toMatchObject(output.map(({ id: _, ...item }) => item))
  return { output, events }
}

describe('tools in a namespace', () => {
  test.each([
    [{ name: 'mcp__files', tools: [read] }, 'mcp__files__read'],
    [{ name: 'mcp__files__', tools: [read] }, 'mcp__files__read'],
    [{ name: 'functions', tools: [read] }, 'read'],
    [{ name: 'a.b', tools: [read] }, 'a_b__read'],
    [{ name: 'x'.repeat(200), tools: [read] }, 'x'.repeat(128)],
  ])('have a name that Claude takes, and get their own back: %j', (namespace, name) => {
    const { request, clientTools } = responses({ tools: [{ type: 'namespace', ...namespace }] })
    expect(request.tools).toMatchObject([{ name }])
    expect(repliesOf(clientTools, [{ name, input: {} }]).output).toMatchObject([
      { type: 'function_call', call_id: 'toolu_0', namespace: namespace.name, name: 'read', arguments: '{}' },
    ])
  })

  test('are told apart from others of the same name', () => {
    const tools = [
      { ...read, name: 'a__read' },
      { type: 'namespace', name: 'a', tools: [read, read] },
    ]
    expect(namesOf({ tools })).toEqual(['a__read', 'a__read_2'])
    const call = { type: 'function_call', call_id: 'c', namespace: 'a', name: 'read', arguments: '{}' }
    const result = { type: 'function_call_output', call_id: 'c', output: 'x' }
    const { request } = responses({ tools, input: [{ role: 'user', content: 'hi' }, call, result] })
    expect(request.messages[1]?.content).toMatchObject([{ type: 'tool_use', name: 'a__read_2' }])
  })

  test('are chosen by their own names', () => {
    const tools = [
      { type: 'namespace', name: 'a', tools: [read] },
      { ...read, name: 'write' },
    ]
    const only = {
      type: 'allowed_tools',
      mode: 'auto',
      tools: [{ type: 'function', namespace: 'a', name: 'read' }],
    }
    expect(namesOf({ tools, tool_choice: only })).toEqual(['a__read'])
  })
})

describe('a tool that takes text', () => {
  test('is a function with one string, which knows the grammar', () => {
    expect(responses({ tools: [PATCH] }).request.tools).toMatchObject([
      {
        name: 'apply_patch',
        description: 'Edits files.\n\nThe input has to follow this lark grammar:\nstart: x',
        input_schema: { properties: { input: { type: 'string' } }, required: ['input'] },
      },
    ])
  })

  test('is called with its text, piece by piece, and comes back so', () => {
    const { clientTools } = responses({ tools: [PATCH] })
    const { output, events } = repliesOf(clientTools, [{ name: 'apply_patch', input: { input: INPUT } }])
    expect(output).toMatchObject([
      {
        type: 'custom_tool_call',
        status: 'completed',
        call_id: 'toolu_0',
        name: 'apply_patch',
        input: INPUT,
      },
    ])
    const pieces = events.filter(({ type }) => type === 'response.custom_tool_call_input.delta')
    expect(pieces.length).toBeGreaterThan(3)
    expect(pieces.map(({ delta }) => delta).join('')).toBe(INPUT)
    const result = { type: 'custom_tool_call_output', call_id: 'toolu_0', output: 'Done.' }
    const { request } = responses({
      tools: [PATCH],
      input: [{ role: 'user', content: 'hi' }, ...output, result],
    })
    expect(request.messages.slice(1)).toMatchObject([
      { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_0', name: 'apply_patch' }] },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: 'toolu_0', content: [{ text: 'Done.' }] }],
      },
    ])
    expect(JSON.stringify(request.messages[1])).toContain('Begin Patch')
  })
})

describe('a tool with items of its own', () => {
  const asked = { command: ['ls', '-l'], working_directory: '/tmp' }
  test.each([
    ['local_shell', {}, asked, { type: 'local_shell_call', action: { type: 'exec', env: {}, ...asked } }],
    [
      'shell',
      { environment: { type: 'local' } },
      { commands: ['ls'] },
      { type: 'shell_call', action: { commands: ['ls'], timeout_ms: null, max_output_length: null } },
    ],
    [
      'apply_patch',
      {},
      { type: 'delete_file', path: 'a' },
      { type: 'apply_patch_call', operation: { type: 'delete_file', path: 'a' } },
    ],
    [
      'tool_search',
      { execution: 'client', description: 'Finds.', parameters: { type: 'object', properties: { q: {} } } },
      { q: 'x' },
      { type: 'tool_search_call', execution: 'client', arguments: { q: 'x' } },
    ],
  ])('%s is a function, whose calls and results come back', (type, given, input, item) => {
    const tools = [{ type, ...given }]
    const { request, clientTools } = responses({ tools })
    expect(request.tools).toMatchObject([{ name: type, input_schema: { type: 'object' } }])
    const { output } = repliesOf(clientTools, [{ name: type, input }])
    expect(output).toMatchObject([{ ...item, call_id: 'toolu_0', status: 'completed' }])
    const result = type === 'tool_search' ? { tools: [read] } : { output: 'all of it' }
    const results = {
      type: type === 'tool_search' ? 'tool_search_output' : `${type}_call_output`,
      call_id: 'toolu_0',
    }
    const next = responses({
      tools,
      input: [{ role: 'user', content: 'hi' }, ...output, { ...results, ...result }],
    })
    expect(next.request.messages.slice(1)).toMatchObject([
      { content: [{ type: 'tool_use', id: 'toolu_0', name: type }] },
      {
        content: [
          { type: 'tool_result', content: [{ text: type === 'tool_search' ? 'Loaded: read' : 'all of it' }] },
        ],
      },
    ])
    expect(next.request.tools?.map(({ name }) => name)).toEqual(
      type === 'tool_search' ? [type, 'read'] : [type],
    )
  })

  test('tools that a search loaded are told by the names that Claude has for them', () => {
    const search = {
      type: 'tool_search',
      execution: 'client',
      parameters: { type: 'object', properties: {} },
    }
    const input = [
      { role: 'user', content: 'hi' },
      { type: 'tool_search_call', call_id: 'c', execution: 'client', arguments: { query: 'x' } },
      {
        type: 'tool_search_output',
        call_id: 'c',
        tools: [{ type: 'namespace', name: 'mcp__files', tools: [read] }],
      },
    ]
    const { request } = responses({ tools: [search], input })
    expect(request.messages[2]?.content).toMatchObject([{ content: [{ text: 'Loaded: mcp__files__read' }] }])
    expect(request.tools?.map(({ name }) => name)).toEqual(['tool_search', 'mcp__files__read'])
  })

  test('results that are no text are JSON', () => {
    const output = [{ stdout: 'a', stderr: '', outcome: { type: 'exit', exit_code: 0 } }]
    const input = [
      { role: 'user', content: 'hi' },
      { type: 'shell_call', call_id: 'c', action: { commands: ['ls'] } },
      { type: 'shell_call_output', call_id: 'c', output },
    ]
    const content = responses({ input }).request.messages[2]?.content
    expect(content).toMatchObject([{ content: [{ text: JSON.stringify({ output }) }] }])
  })
})

describe('what the caller does not run', () => {
  test.each([
    [{ type: 'image_generation', output_format: 'png' }, 'image_generation is not offered here'],
    [{ type: 'code_interpreter' }, 'code_interpreter is not offered here'],
    [{ type: 'mcp', server_label: 'x' }, 'mcp is not offered here'],
    [{ type: 'shell', environment: { type: 'container_auto' } }, 'shell is not offered here'],
    [
      { type: 'web_search', external_web_access: false },
      "Claude's web search has no cached pages, only live ones",
    ],
  ])('is left out with a warning: %j', (tool, why) => {
    const { request, warnings } = responses({ tools: [read, tool] })
    expect(request.tools?.map(({ name }) => name)).toEqual(['read'])
    expect(warnings).toEqual([`tools[1] ignored: ${why}`])
  })

  test("OpenAI's own search of tools is not needed, because they are all there", () => {
    const { request, warnings } = responses({
      tools: [{ type: 'tool_search' }, { ...read, defer_loading: true }],
    })
    expect([request.tools?.length, warnings]).toEqual([1, []])
  })

  test('a search is bound to the domains that were asked for, and no function has its name', () => {
    const tools = [
      { type: 'web_search', filters: { allowed_domains: ['a.example'] } },
      { ...read, name: 'web_search' },
    ]
    expect(responses({ tools }).request.tools).toMatchObject([
      { type: 'web_search_20250305', allowed_domains: ['a.example'] },
      { name: 'web_search_2' },
    ])
  })
})

describe('items that come back', () => {
  const followedBy = (item: object) => responses({ input: [{ role: 'user', content: 'hi' }, item] })

  test('bring tools', () => {
    expect(
      followedBy({ type: 'additional_tools', role: 'developer', tools: [PATCH] }).request.tools,
    ).toMatchObject([{ name: 'apply_patch' }])
  })

  test('of a custom tool may tell more than once what it did', () => {
    const call = { type: 'custom_tool_call', call_id: 'c', name: 'exec', input: 'notify("a"); text("b")' }
    const output = (text: string) => ({ type: 'custom_tool_call_output', call_id: 'c', output: text })
    const input = [
      { role: 'user', content: 'hi' },
      call,
      output('a'),
      { role: 'user', content: 'x' },
      output('b'),
    ]
    expect(responses({ input }).request.messages[2]?.content).toEqual([
      {
        type: 'tool_result',
        tool_use_id: 'c',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      { type: 'text', text: 'x' },
    ])
  })

  test('have calls of tools that are not there any more, which none may be called again', () => {
    const call = { type: 'function_call', call_id: 'c', name: 'read', arguments: '{}' }
    const output = { type: 'function_call_output', call_id: 'c', output: 'x' }
    const { request } = responses({ input: [{ role: 'user', content: 'hi' }, call, output] })
    expect(request).toMatchObject({ tools: [{ name: 'read' }], tool_choice: { type: 'none' } })
  })

  test('are messages of other agents, as far as they can be read', () => {
    const content = [
      { type: 'input_text', text: 'Done.' },
      { type: 'encrypted_content', encrypted_content: 'x' },
    ]
    const { request, warnings } = followedBy({
      type: 'agent_message',
      author: 'worker',
      recipient: 'root',
      content,
    })
    expect(JSON.stringify(request.messages)).toContain('Message from worker:\\nDone.')
    expect(warnings).toEqual(['input[1].content ignored: what is encrypted cannot be read here'])
  })

  test.each(['web_search_call', 'image_generation_call', 'mcp_call', 'something_new'])(
    'of type %s are left out with a warning',
    (type) => {
      const { request, warnings } = followedBy({ type, id: 'x' })
      expect(request.messages).toHaveLength(1)
      expect(warnings).toEqual([`input[1] ignored: items of type ${type} are not understood`])
    },
  )

  test('a conversation that was compacted elsewhere cannot be read', () => {
    const { warnings } = followedBy({ type: 'compaction', encrypted_content: 'gAAAAA' })
    expect(warnings).toEqual([
      'input[1] ignored: it was compacted elsewhere, and only that place can read it',
    ])
  })
})
