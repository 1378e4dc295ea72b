/** What becomes of every field of OpenAI's requests: mapped, given up with a warning, or refused by name. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shippedAbilities } from '../../../adapters/shared/tables.ts'
import { Refusal } from '../../../core/errors.ts'
import { type Abilities, abilitiesOf } from '../../../core/models/abilities.ts'
import { chatToMessages } from '../../../core/openai/request/chat-request.ts'
import { ChatRequest } from '../../../core/openai/request/chat-shape.ts'
import { parsedBody } from '../../../core/openai/request/refuse.ts'
import { responsesToMessages } from '../../../core/openai/request/responses-request.ts'
import { ResponsesRequest } from '../../../core/openai/request/responses-shape.ts'
import { StrictMessagesRequest } from '../../support/messages-schema.ts'

const TABLE = shippedAbilities()
const context = (model: string, change: Partial<Abilities> = {}) => ({
  model,
  abilities: { ...abilitiesOf(TABLE, model), ...change },
  userId: 'opaque',
  webSearch: true,
  automaticCaching: true,
})
const HI = [{ role: 'user', content: 'hi' }]
const chat = (body: object, model = 'claude-opus-5-5') => {
  const result = chatToMessages(parsedBody(ChatRequest, { model, messages: HI, ...body }), context(model))
  StrictMessagesRequest.parse(result.request)
  return result
}
const responses = (body: object, model = 'claude-opus-5-5') => {
  const asked = parsedBody(ResponsesRequest, { model, input: 'hi', ...body })
  const result = responsesToMessages(asked, context(model))
  StrictMessagesRequest.parse(result.request)
  return result
}
const refusal = (translate: () => unknown) => {
  try {
    translate()
  } catch (cause) {
    if (cause instanceof Refusal) return { code: cause.code, param: Object.keys(cause.fields ?? {})[0] }
    throw cause
  }
  throw new Error('it was taken')
}

describe('a field of a chat', () => {
  const OLD = 'claude-opus-4-5'
  const FOUR_SIX = 'claude-opus-4-6'
  const PDF = 'data:application/pdf;base64,JVBERi0='
  const PNG = 'data:image/png;base64,iVBORw0KGgo='
  const tool = (name: string, more: object = {}) => ({ type: 'function', function: { name, ...more } })

  test.each([
    ['max_tokens', { max_tokens: 7 }, { max_tokens: 7 }],
    [
      'max_completion_tokens before max_tokens',
      { max_tokens: 7, max_completion_tokens: 9 },
      { max_tokens: 9 },
    ],
    ['no limit', {}, { max_tokens: 32_000 }],
    ['no limit, streamed', { stream: true }, { max_tokens: 64_000 }],
    ['more than the model gives', { max_tokens: 10_000_000 }, { max_tokens: 128_000 }],
    ['one stop', { stop: 'END' }, { stop_sequences: ['END'] }],
    ['several stops, some empty', { stop: ['', 'A', ' \n', 'B'] }, { stop_sequences: ['A', 'B'] }],
    ['n of one', { n: 1 }, {}],
    ['user', { user: 'ann@corp.test' }, { metadata: { user_id: 'opaque' } }],
    ['safety_identifier', { safety_identifier: 'x' }, { metadata: { user_id: 'opaque' } }],
    ['reasoning_effort', { reasoning_effort: 'minimal' }, { output_config: { effort: 'low' } }],
    ['reasoning_effort xhigh', { reasoning_effort: 'xhigh' }, { output_config: { effort: 'xhigh' } }],
    ['thinking of Claude itself', { thinking: { type: 'adaptive' } }, { thinking: { type: 'adaptive' } }],
    [
      'a json schema',
      {
        response_format: {
          type: 'json_schema',
          json_schema: {
            name: 'n',
            schema: { type: 'object', properties: { a: { type: 'integer', minimum: 3 } } },
          },
        },
      },
      {
        output_config: {
          format: {
            type: 'json_schema',
            schema: { type: 'object', properties: { a: { type: 'integer' } }, additionalProperties: false },
          },
        },
      },
    ],
    [
      'a json object',
      { response_format: { type: 'json_object' } },
      { system: [{ type: 'text', text: 'Respond with one valid JSON object and nothing else.' }] },
    ],
    ['a text', { response_format: { type: 'text' } }, {}],
    [
      'tools',
      { tools: [tool('t', { description: 'd', parameters: { properties: { a: {} } }, strict: false })] },
      { tools: [{ name: 't', description: 'd', input_schema: { type: 'object', properties: { a: {} } } }] },
    ],
    [
      'a strict tool',
      {
        tools: [
          tool('t', {
            strict: true,
            parameters: {
              type: 'object',
              properties: { a: { type: 'string' } },
              required: ['a'],
              additionalProperties: false,
            },
          }),
        ],
      },
      {
        tools: [
          {
            name: 't',
            input_schema: {
              type: 'object',
              properties: { a: { type: 'string' } },
              required: ['a'],
              additionalProperties: false,
            },
            strict: true,
          },
        ],
      },
    ],
    [
      'a tool that only says it is strict',
      { tools: [tool('t', { strict: true, parameters: { type: 'object', properties: { a: {} } } })] },
      { tools: [{ name: 't', input_schema: { type: 'object', properties: { a: {} } } }] },
    ],
    [
      'tool_choice none',
      { tools: [tool('t')], tool_choice: 'none' },
      { tools: [{ name: 't' }], tool_choice: { type: 'none' } },
    ],
    [
      'tool_choice auto',
      { tools: [tool('t')], tool_choice: 'auto' },
      { tools: [{ name: 't' }], tool_choice: { type: 'auto' } },
    ],
    [
      'one tool at a time',
      { tools: [tool('t')], parallel_tool_calls: false },
      { tools: [{ name: 't' }], tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
    ],
    [
      'allowed tools',
      {
        tools: [tool('t'), tool('u')],
        tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [tool('u')] } },
      },
      {
        tools: [{ name: 'u', input_schema: { type: 'object', properties: {} } }],
        tool_choice: { type: 'auto' },
      },
    ],
    [
      'functions',
      { functions: [{ name: 'f' }], function_call: 'auto' },
      {
        tools: [{ name: 'f', input_schema: { type: 'object', properties: {} } }],
        tool_choice: { type: 'auto' },
      },
    ],
    [
      'web search',
      { web_search_options: { user_location: { type: 'approximate', approximate: { city: 'Bonn' } } } },
      {
        tools: [
          {
            type: 'web_search_20250305',
            name: 'web_search',
            user_location: { type: 'approximate', city: 'Bonn' },
          },
        ],
      },
    ],
    ['tool_choice without tools', { tool_choice: 'auto' }, {}],
  ])('%s', (_what, body, expected) => {
    const { request } = chat(body)
    expect(request).toMatchObject(expected)
    const { model: _, max_tokens: __, messages: ___, stream: ____, ...rest } = request
    expect(Object.keys(rest).toSorted()).toEqual(
      Object.keys(expected)
        .filter((key) => key !== 'max_tokens')
        .toSorted(),
    )
  })

  test.each([
    [
      'forced tools, where they can be',
      { tools: [tool('t')], tool_choice: 'required' },
      OLD,
      { tool_choice: { type: 'any' } },
    ],
    [
      'one forced tool',
      { tools: [tool('t')], tool_choice: { type: 'function', function: { name: 't' } } },
      OLD,
      { tool_choice: { type: 'tool', name: 't' } },
    ],
    ['temperature', { temperature: 1.7 }, FOUR_SIX, { temperature: 1 }],
    ['top_p', { top_p: 0.3 }, FOUR_SIX, { top_p: 0.3 }],
    [
      'effort where thinking is off by itself',
      { reasoning_effort: 'high' },
      FOUR_SIX,
      { output_config: { effort: 'high' }, thinking: { type: 'adaptive' } },
    ],
    [
      'the most effort of four',
      { reasoning_effort: 'xhigh' },
      FOUR_SIX,
      { output_config: { effort: 'max' } },
    ],
    [
      'effort as a budget',
      { reasoning_effort: 'medium', max_tokens: 100 },
      OLD,
      { thinking: { type: 'enabled', budget_tokens: 8192 }, max_tokens: 9216 },
    ],
    [
      'no thinking, where it can be off',
      { reasoning_effort: 'none' },
      'claude-opus-5',
      { thinking: { type: 'disabled' } },
    ],
    [
      'no thinking, between tools',
      { reasoning_effort: 'none' },
      'claude-sonnet-5-5',
      { thinking: { type: 'between_tools' } },
    ],
    [
      'little thinking, where it cannot be off',
      { reasoning_effort: 'none' },
      'claude-fable-5-2',
      { output_config: { effort: 'low' } },
    ],
    [
      'a prefill',
      { messages: [...HI, { role: 'assistant', content: 'Once \n' }] },
      OLD,
      { messages: [{}, { role: 'assistant', content: [{ type: 'text', text: 'Once' }] }] },
    ],
    [
      'a model nobody knows',
      { temperature: 0.5, reasoning_effort: 'low' },
      'claude-next-9',
      { output_config: { effort: 'low' } },
    ],
  ])('%s', (_what, body, model, expected) => {
    expect(chat(body, model).request).toMatchObject(expected)
  })

  test.each([
    ['temperature', { temperature: 0.2 }, 'claude-opus-5-5', 'temperature and top_p ignored'],
    ['temperature and top_p', { temperature: 0.2, top_p: 0.2 }, FOUR_SIX, 'top_p ignored beside temperature'],
    [
      'forced tools',
      { tools: [tool('t')], tool_choice: 'required' },
      'claude-opus-5-5',
      'tool_choice downgraded to auto',
    ],
    [
      'forced tools while thinking',
      { tools: [tool('t')], tool_choice: 'required', reasoning_effort: 'low' },
      OLD,
      'tool_choice downgraded to auto',
    ],
    ['what nobody knows', { foo: 1, bar: 2 }, 'claude-opus-5-5', 'ignored: foo, bar'],
  ])('%s is given up with a warning where it has to be', (_what, body, model, warning) => {
    expect(chat(body, model).warnings).toEqual([warning])
  })

  test('is passed over in silence where it means nothing', () => {
    const nothing = {
      metadata: {},
      store: true,
      seed: 1,
      logit_bias: {},
      presence_penalty: 1,
      frequency_penalty: 1,
      prediction: {},
      service_tier: 'auto',
      prompt_cache_key: 'x',
      prompt_cache_retention: '24h',
      logprobs: true,
      top_logprobs: 2,
      verbosity: 'low',
      temperature: 1,
      top_p: 1,
      modalities: ['text'],
    }
    expect(chat(nothing)).toEqual({ ...chat({}), warnings: [] })
  })

  test.each([
    [{ n: 2 }, 'unsupported_value', 'n'],
    [{ modalities: ['text', 'audio'] }, 'unsupported_value', 'modalities'],
    [{ max_tokens: 0 }, 'invalid_input', 'max_tokens'],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'invalid_input', 'stop'],
    [{ temperature: 3 }, 'invalid_input', 'temperature'],
    [{ messages: [] }, 'invalid_input', 'messages'],
    [{ messages: [{ role: 'system', content: 'only' }] }, 'invalid_input', 'messages'],
    [{ messages: [...HI, { role: 'assistant', content: 'go on' }] }, 'unsupported_value', 'messages'],
    [
      { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }] },
      'unsupported_value',
      'messages[0].content[0].type',
    ],
    [
      {
        messages: [
          { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/bmp;base64,AA' } }] },
        ],
      },
      'invalid_input',
      'messages[0].content[0].image_url.url',
    ],
    [
      {
        messages: [
          { role: 'user', content: [{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }] },
        ],
      },
      'invalid_input',
      'messages[0].content[0].image_url.url',
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] }] },
      'unsupported_value',
      'messages[0].content[0].file.file_id',
    ],
    [
      { messages: [...HI, { role: 'tool', tool_call_id: 'c', content: 'x' }] },
      'invalid_input',
      'messages[1].tool_call_id',
    ],
    [
      {
        messages: [
          ...HI,
          {
            role: 'assistant',
            tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{"a"' } }],
          },
        ],
      },
      'invalid_input',
      'messages[1].tool_calls[0].function.arguments',
    ],
    [
      { messages: [...HI, { role: 'assistant', tool_calls: [{ id: 'c', type: 'custom', custom: {} }] }] },
      'unsupported_value',
      'messages[1].tool_calls[0].type',
    ],
    [{ messages: [{ role: 'owner', content: 'x' }] }, 'invalid_input', 'messages[0].role'],
    [{ tools: [{ type: 'custom', custom: { name: 'g' } }] }, 'unsupported_value', 'tools[0].type'],
    [{ tools: [tool('a b')] }, 'invalid_input', 'tools[0].function.name'],
    [
      { tools: [tool('a')], tool_choice: { type: 'function', function: { name: 'b' } } },
      'invalid_input',
      'tool_choice',
    ],
    [
      { response_format: { type: 'json_schema', json_schema: { schema: { $ref: 'https://x.test/s' } } } },
      'unsupported_value',
      'response_format.json_schema.schema',
    ],
    [
      {
        response_format: {
          type: 'json_schema',
          json_schema: {
            schema: { $ref: '#/$defs/a', $defs: { a: { properties: { b: { $ref: '#/$defs/a' } } } } },
          },
        },
      },
      'unsupported_value',
      'response_format.json_schema.schema',
    ],
    [{ reasoning_effort: 'enormous' }, 'invalid_input', 'reasoning_effort'],
  ])('is refused by name: %j', (body, code, param) => {
    expect(refusal(() => chat(body))).toEqual({ code, param })
  })

  test('web search is refused where it is not switched on', () => {
    const asked = parsedBody(ChatRequest, { model: 'm', messages: HI, web_search_options: {} })
    const off = { ...context('claude-opus-5-5'), webSearch: false }
    expect(refusal(() => chatToMessages(asked, off)).param).toBe('web_search_options')
  })

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

describe('a field of a response', () => {
  test.each([
    ['instructions', { instructions: 'brief' }, { system: [{ type: 'text', text: 'brief' }] }],
    ['max_output_tokens', { max_output_tokens: 5 }, { max_tokens: 5 }],
    ['effort', { reasoning: { effort: 'high' } }, { output_config: { effort: 'high' } }],
    [
      'flat tools',
      { tools: [{ type: 'function', name: 'f', parameters: {} }], tool_choice: 'auto' },
      { tools: [{ name: 'f' }], tool_choice: { type: 'auto' } },
    ],
    [
      'web search',
      { tools: [{ type: 'web_search' }] },
      { tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
    ],
    [
      'a schema',
      { text: { format: { type: 'json_schema', name: 'x', schema: { type: 'object' } } } },
      { output_config: { format: { schema: { type: 'object', additionalProperties: false } } } },
    ],
    [
      'an easy message',
      { input: [{ role: 'user', content: 'x' }] },
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }] },
    ],
    [
      'a file at an address',
      { input: [{ role: 'user', content: [{ type: 'input_file', file_url: 'https://x.test/a.pdf' }] }] },
      { messages: [{ content: [{ type: 'document', source: { type: 'url' } }] }] },
    ],
    [
      'a picture',
      { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'https://x.test/a.png' }] }] },
      { messages: [{ content: [{ type: 'image' }] }] },
    ],
  ])('%s', (_what, body, expected) => {
    expect(responses(body).request).toMatchObject(expected)
  })

  test.each([
    [{ previous_response_id: 'r' }, 'previous_response_id'],
    [{ store: true }, 'store'],
    [{ background: true }, 'background'],
    [{ conversation: 'c' }, 'conversation'],
    [{ input: [{ type: 'item_reference', id: 'x' }] }, 'input[0].type'],
    [{ input: [{ type: 'computer_call' }] }, 'input[0].type'],
    [{ input: [{ type: 'function_call_output', call_id: 'c', output: 'x' }] }, 'input[0].call_id'],
    [{ tools: [{ type: 'file_search' }] }, 'tools[0].type'],
    [{ tools: [{ type: 'function' }] }, 'tools[0].name'],
  ])('is refused by name: %j', (body, param) => {
    expect(refusal(() => responses(body)).param).toBe(param)
  })

  test('store: false and fields without meaning are taken', () => {
    expect(
      responses({ store: false, truncation: 'auto', service_tier: 'auto', metadata: { a: 'b' } }).warnings,
    ).toEqual([])
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
