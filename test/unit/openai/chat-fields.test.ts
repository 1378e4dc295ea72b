/** What becomes of every field of OpenAI's requests: mapped, given up with a warning, or refused by name. */
import { describe, expect, test } from 'vitest'
import { chatToMessages } from '../../../core/openai/request/chat-request.ts'
import { ChatRequest } from '../../../core/openai/request/chat-shape.ts'
import { parsedBody } from '../../../core/openai/request/refuse.ts'
import { chat, context, FOUR_SIX, HI, OLD, refusal, tool } from '../../support/translation.ts'

const members = (name: string) => ({
  type: 'object',
  properties: { [name]: { type: 'string' } },
  required: [name],
  additionalProperties: false,
})

describe('a field of a chat', () => {
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
            schema: {
              type: 'object',
              properties: { a: { type: 'integer', description: '{minimum: 3}' } },
              additionalProperties: false,
            },
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
        tool_choice: { type: 'auto', disable_parallel_tool_use: true },
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
    [
      'a forced tool beside a format, which is for texts',
      {
        tools: [tool('t', { parameters: members('t') })],
        tool_choice: { type: 'function', function: { name: 't' } },
        response_format: { type: 'json_schema', json_schema: { schema: members('b') } },
      },
      'claude-opus-5-5',
      {
        output_config: { format: { type: 'json_schema', schema: members('t') } },
        tool_choice: { type: 'none' },
      },
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

  test('is passed over in silence where it asks for nothing', () => {
    const nothing = {
      metadata: {},
      store: false,
      seed: null,
      logit_bias: {},
      presence_penalty: 0,
      frequency_penalty: 0,
      service_tier: 'auto',
      prompt_cache_key: 'x',
      logprobs: false,
      top_logprobs: 0,
      verbosity: 'medium',
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
    [{ messages: [{ role: 'user', content: ' ' }] }, 'invalid_input', 'messages'],
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
})
