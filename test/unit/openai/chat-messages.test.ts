/** What becomes of the conversation in OpenAI's requests. */
import { describe, expect, test } from 'vitest'
import { chat, HI, OLD, PDF, PNG, tool } from '../../support/translation.ts'

describe('of a chat', () => {
  test('messages become turns: system first, roles merged, results leading, files and pictures in place', () => {
    const { request } = chat({
      messages: [
        { role: 'system', content: 'one' },
        {
          role: 'developer',
          content: [
            { type: 'text', text: 'two' },
            { type: 'text', text: '' },
          ],
        },
        {
          role: 'user',
          name: 'ann',
          content: [
            { type: 'text', text: 'look', prompt_cache_breakpoint: { mode: 'explicit', ttl: '12h' } },
            { type: 'image_url', image_url: { url: PNG, detail: 'high' } },
            { type: 'image_url', image_url: { url: 'https://x.test/a.png' } },
            { type: 'file', file: { file_data: PDF, filename: 'a.pdf' } },
            { type: 'file', file: { file_data: 'data:text/plain;base64,w6Q=' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            { id: 'call.1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
            { id: 'call_2', type: 'function', function: { name: 'g', arguments: '' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call_2', content: 'two' },
        { role: 'tool', tool_call_id: 'call.1', content: [{ type: 'text', text: 'one' }] },
        { role: 'user', content: 'and now?' },
        { role: 'assistant', content: '', refusal: 'no' },
        { role: 'user', content: '' },
        { role: 'user', content: 'why?' },
      ],
    })
    expect(request.system).toEqual([
      { type: 'text', text: 'one' },
      { type: 'text', text: 'two' },
    ])
    expect(request.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'look', cache_control: { type: 'ephemeral', ttl: '1h' } },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } },
          { type: 'image', source: { type: 'url', url: 'https://x.test/a.png' } },
          {
            type: 'document',
            source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' },
            title: 'a.pdf',
          },
          { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'ä' } },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'call_0_call_1', name: 'f', input: { a: 1 } },
          { type: 'tool_use', id: 'call_2', name: 'g', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'call_2', content: [{ type: 'text', text: 'two' }] },
          { type: 'tool_result', tool_use_id: 'call_0_call_1', content: [{ type: 'text', text: 'one' }] },
          { type: 'text', text: 'and now?' },
        ],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'no' }] },
      { role: 'user', content: [{ type: 'text', text: 'why?' }] },
    ])
  })

  test('functions of the old way find their calls', () => {
    const { request } = chat({
      functions: [{ name: 'f' }],
      messages: [
        ...HI,
        { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
        { role: 'function', name: 'f', content: 'done' },
      ],
    })
    const [, call, result] = request.messages
    expect(result?.content[0]).toMatchObject({
      type: 'tool_result',
      tool_use_id: Reflect.get(call?.content[0] ?? {}, 'id'),
    })
  })

  test('later system messages stay where they are only for models that take them there', () => {
    const messages = [...HI, { role: 'system', content: 'now in French' }, { role: 'user', content: 'go' }]
    expect(chat({ messages }, 'claude-opus-5-5').request.messages.map(({ role }) => role)).toEqual([
      'user',
      'system',
    ])
    const hoisted = chat({ messages }, 'claude-sonnet-5').request
    expect([hoisted.system?.length, hoisted.messages.length]).toEqual([1, 1])
  })

  const SYSTEM = { role: 'system', content: 'and now?' }

  test('long prompts with tools are kept unasked, unless the caller marks them', () => {
    const long = { messages: [{ role: 'user', content: 'x'.repeat(5_000) }], tools: [tool('t')] }
    // In the last block, because Bedrock refuses a mark of the request as a whole.
    const marks = (asked: object) =>
      chat(asked).text.match(/"cache_control":\{"type":"ephemeral"\}\}\]\}\]\}$/g)?.length ?? 0
    expect(marks(long)).toBe(1)
    expect(marks({ ...long, prompt_cache_options: { mode: 'explicit' } })).toBe(0)
    expect(marks({ ...long, tools: undefined })).toBe(0)
    const silent = { ...long, messages: [...long.messages, { role: 'assistant', content: 'a' }, SYSTEM] }
    expect(chat(silent, 'claude-sonnet-5').text.match(/cache_control/g)).toHaveLength(1)
    expect(chat({ messages: silent.messages }, 'claude-sonnet-5').text).not.toContain('cache_control')
  })

  test('a conversation that goes on with a tool is not made to think by a budget', () => {
    const call = { id: 'c', type: 'function', function: { name: 't', arguments: '{}' } }
    const messages = [
      ...HI,
      { role: 'assistant', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c', content: 'x' },
    ]
    for (const asked of [
      { reasoning_effort: 'high' },
      { thinking: { type: 'enabled', budget_tokens: 2_000 } },
    ]) {
      const { request, warnings } = chat({ messages, tools: [tool('t')], ...asked }, OLD)
      expect(request.thinking).toBeUndefined()
      expect(warnings).toEqual([expect.stringContaining('does not think between the calls of tools')])
    }
  })
})
