/** What becomes of the conversation in OpenAI's requests. */
import fc from 'fast-check'
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
      'user',
    ])
    const hoisted = chat({ messages }, 'claude-sonnet-5-5').request
    expect([hoisted.system?.length, hoisted.messages.length]).toEqual([1, 1])
  })

  test('long prompts with tools are kept unasked, unless the caller marks them', () => {
    const long = { messages: [{ role: 'user', content: 'x'.repeat(5_000) }], tools: [tool('t')] }
    expect(chat(long).request.cache_control).toEqual({ type: 'ephemeral' })
    expect(
      chat({ ...long, prompt_cache_options: { mode: 'explicit' } }).request.cache_control,
    ).toBeUndefined()
    expect(chat({ ...long, tools: undefined }).request.cache_control).toBeUndefined()
  })

  test('a conversation that goes on with a tool is not made to think by a budget', () => {
    const call = { id: 'c', type: 'function', function: { name: 't', arguments: '{}' } }
    const messages = [
      ...HI,
      { role: 'assistant', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c', content: 'x' },
    ]
    expect(
      chat({ messages, tools: [tool('t')], reasoning_effort: 'high' }, OLD).request.thinking,
    ).toBeUndefined()
  })
})

describe('whatever the conversation', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' }).map((s) => s || 'x')
  const name = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/)
  const json = fc
    .dictionary(name, fc.oneof(text, fc.integer(), fc.boolean()))
    .map((value) => JSON.stringify(value))
  const userPart = fc.oneof(
    text.map((t) => ({ type: 'text', text: t })),
    fc.constant({ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }),
    fc.constant({ type: 'file', file: { file_data: 'data:application/pdf;base64,AAAA' } }),
  )
  const user = fc
    .oneof(text, fc.array(userPart, { minLength: 1, maxLength: 4 }))
    .map((content) => [{ role: 'user', content }])
  const system = text.map((content) => [{ role: 'system', content }])
  const said = text.map((content) => [{ role: 'assistant', content }])
  const worked = fc
    .array(fc.record({ id: fc.oneof(name, text), name, arguments: json, result: text }), {
      minLength: 1,
      maxLength: 3,
    })
    .map((calls) => calls.map((call, i) => ({ ...call, id: `${call.id}${i}` })))
    .chain((calls) =>
      fc.shuffledSubarray(calls, { minLength: calls.length }).map((results) => ({ calls, results })),
    )
    .map(({ calls, results }) => [
      {
        role: 'assistant',
        content: null,
        tool_calls: calls.map(({ id, name: called, arguments: input }) => ({
          id,
          type: 'function',
          function: { name: called, arguments: input },
        })),
      },
      ...results.map(({ id, result }) => ({ role: 'tool', tool_call_id: id, content: result })),
    ])
  const talk = fc
    .tuple(user, fc.array(fc.oneof(user, system, said, worked), { maxLength: 8 }), user)
    .map(([first, middle, last]) => [...first, ...middle.flat(), ...last])
  const options = fc.record(
    {
      temperature: fc.double({ min: 0, max: 2, noNaN: true }),
      top_p: fc.double({ min: 0, max: 1, noNaN: true }),
      max_tokens: fc.integer({ min: 1, max: 300_000 }),
      stop: fc.array(fc.string(), { maxLength: 4 }),
      reasoning_effort: fc.constantFrom('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'),
      parallel_tool_calls: fc.boolean(),
      tool_choice: fc.constantFrom('none', 'auto', 'required'),
      user: text,
      stream: fc.boolean(),
      tools: fc
        .uniqueArray(name, { minLength: 1, maxLength: 3 })
        .map((names) => names.map((n) => ({ type: 'function', function: { name: n } }))),
    },
    { requiredKeys: [] },
  )
  const model = fc.constantFrom(
    'claude-opus-5-5',
    'claude-sonnet-5-5',
    'claude-haiku-5-5',
    'claude-fable-5-2',
    'claude-opus-5',
    'claude-opus-4-8',
    'claude-opus-4-6',
    'claude-sonnet-4-5',
    'claude-haiku-4-5',
    'claude-haiku-3-5',
    'claude-new',
  )

  test('a valid chat becomes a request that Claude takes, with every text and input in it', () => {
    fc.assert(
      fc.property(talk, options, model, (messages, asked, sent) => {
        const { request } = chat({ messages, ...asked }, sent)
        const written = JSON.stringify(request)
        for (const message of messages) {
          if (typeof message.content === 'string')
            expect(written).toContain(JSON.stringify(message.content).slice(1, -1).trimEnd())
          if ('tool_calls' in message) {
            for (const call of message.tool_calls)
              expect(written).toContain(`"input":${call.function.arguments}`)
          }
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
