import { describe, expect, test } from 'vitest'
import { Refusal } from '../../../core/errors.ts'
import { spliced } from '../../../core/json/splice.ts'
import { inspectNative } from '../../../core/openai/native-request.ts'

const encoder = new TextEncoder()
const chat = (text: string) => inspectNative(encoder.encode(text), true)
const response = (text: string) => inspectNative(encoder.encode(text), false)
const of = (members: object) => JSON.stringify({ model: 'm', ...members })
const refusal = (read: () => unknown) => {
  try {
    read()
  } catch (thrown) {
    if (thrown instanceof Refusal) return `${thrown.code} ${thrown.message}`
    throw thrown
  }
  return undefined
}

describe('of a request that goes on as it came', () => {
  test.each<[string, object, object]>([
    ['the limit of an answer', { max_completion_tokens: 7 }, { maxTokens: 7, answers: 1 }],
    ['the larger of two limits', { max_tokens: 9, max_completion_tokens: 7 }, { maxTokens: 9 }],
    ['a limit that is null as none', { max_tokens: null }, { maxTokens: undefined }],
    [
      'a limit that is no number as none',
      { max_tokens: '5', max_completion_tokens: 7 },
      { maxTokens: undefined },
    ],
    ['how many answers are asked for', { n: 3 }, { answers: 3 }],
    ['whether it is streamed', { stream: true }, { stream: true }],
    ['that null streams nothing', { stream: null }, { stream: false }],
    ['what it is cached by', { prompt_cache_key: 'k' }, { promptCacheKey: 'k' }],
    [
      'pictures by address as content that nobody can measure',
      { messages: [{ content: [{ type: 'image_url', image_url: { url: 'https://a.test/b.png' } }] }] },
      { contentByReference: true },
    ],
    [
      'pictures in it as content that its size tells',
      { messages: [{ content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } }] }] },
      { contentByReference: false },
    ],
    [
      'the arguments of a tool as text',
      { messages: [{ tool_calls: [{ function: { arguments: '{"url":"https://a.test"}' } }] }] },
      { contentByReference: false },
    ],
    [
      'tools of the backend, and none of the client',
      { tools: [{ type: 'function', function: { name: 'f' } }, { type: 'custom' }], web_search_options: {} },
      { serverTools: [{ type: 'web_search_options', path: 'web_search_options' }] },
    ],
    [
      'the models that it falls back to',
      { models: ['a', 'b'], fallbacks: [{ model: 'c' }, 'd'] },
      {
        models: [
          { name: 'a', path: 'models' },
          { name: 'b', path: 'models' },
          { name: 'd', path: 'fallbacks' },
          { name: 'c', path: 'fallbacks.0.model' },
        ],
      },
    ],
  ])('%s is known', (_, members, expected) => {
    expect(chat(of(members))).toMatchObject(expected)
  })

  test.each<[string, object, object]>([
    ['the limit', { max_output_tokens: 7 }, { maxTokens: 7 }],
    ['what is stored elsewhere', { previous_response_id: 'resp_1' }, { contentByReference: true }],
    ['that nothing is', { previous_response_id: null, input: 'hi' }, { contentByReference: false }],
    [
      'a file',
      { input: [{ content: [{ type: 'input_file', file_id: 'f' }] }] },
      { contentByReference: true },
    ],
    [
      'tools of the backend and MCP servers',
      {
        tools: [
          { type: 'web_search' },
          { type: 'mcp', server_url: 'https://mcp.test' },
          { type: 'namespace', tools: [{ type: 'function', name: 'f' }] },
        ],
      },
      {
        serverTools: [
          { type: 'web_search', path: 'tools.0.type' },
          { type: 'mcp', path: 'tools.1.type' },
        ],
        mcpServers: [{ url: 'https://mcp.test', path: 'tools.1.server_url' }],
      },
    ],
  ])('of a response, %s is known', (_, members, expected) => {
    expect(response(of(members))).toMatchObject(expected)
  })

  test.each([
    ['[]', 'body_invalid The body is not a JSON object.'],
    ['{}', 'body_invalid model: a non-empty string is required.'],
    ['{"model":"a","model":"b"}', 'body_invalid model: it is given twice with different values.'],
    [
      '{"model":"a","tools":[{"type":"mcp","type":"function"}]}',
      'body_invalid tools.0.type: it is given twice.',
    ],
    [
      '{"model":"a","background":true}',
      'body_invalid background: an answer that is fetched later cannot be metered; stream it.',
    ],
  ])('%s is refused', (text, expected) => {
    expect(refusal(() => response(text))).toBe(expected)
  })
})

describe('a streamed chat is made to tell its usage', () => {
  const asking = (text: string) => {
    const body = encoder.encode(text)
    const { usageSplice } = inspectNative(body, true)
    return usageSplice && new TextDecoder().decode(spliced(body, [usageSplice]))
  }

  test.each([
    [
      'without options',
      ' {"model":"m","stream":true}',
      ' {"stream_options":{"include_usage":true},"model":"m","stream":true}',
    ],
    [
      'with options that are null',
      '{"model":"m","stream":true,"stream_options": null }',
      '{"model":"m","stream":true,"stream_options": {"include_usage":true} }',
    ],
    [
      'with empty options',
      '{"model":"m","stream":true,"stream_options":{ }}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true }}',
    ],
    [
      'with other options, whose numbers stay what they are',
      '{"model":"m","stream":true,"stream_options":{"a":12345678901234567890}}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true,"a":12345678901234567890}}',
    ],
    [
      'where the client declined it',
      '{"model":"m","stream":true,"stream_options":{"include_usage" : false,"a":1}}',
      '{"model":"m","stream":true,"stream_options":{"include_usage" : true,"a":1}}',
    ],
  ])('%s', (_, text, expected) => {
    expect(asking(text)).toBe(expected)
  })

  test.each([
    ['the client asks itself', '{"model":"m","stream":true,"stream_options":{"include_usage":true}}'],
    ['it is not streamed', '{"model":"m"}'],
    ['the backend has to refuse it', '{"model":"m","stream":true,"stream_options":5}'],
  ])('unless %s', (_, text) => {
    expect(asking(text)).toBeUndefined()
  })

  test('but a response is not, because it always does', () => {
    expect(response('{"model":"m","stream":true}').usageSplice).toBeUndefined()
  })
})
