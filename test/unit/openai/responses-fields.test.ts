/** What becomes of every field of OpenAI's requests: mapped, given up with a warning, or refused by name. */
import { describe, expect, test } from 'vitest'
import { packReasoning } from '../../../core/openai/reasoning-envelope.ts'
import { refusal, responses } from '../../support/translation.ts'

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
    [{ background: true }, 'background'],
    [{ conversation: 'c' }, 'conversation'],
    [{ input: [{ type: 'item_reference', id: 'x' }] }, 'input[0].type'],
    [{ input: [{ type: 'function_call_output', call_id: 'c', output: 'x' }] }, 'input[0].call_id'],
    [{ tool_choice: { type: 'file_search' } }, 'tool_choice'],
    [{ input: [{ type: 'custom_tool_call', call_id: 'c', name: 'n' }] }, 'input[0].input'],
    [{ input: [{ type: 'local_shell_call_output', id: 'c', output: 'x' }] }, 'input[0].call_id'],
    [{ tools: [{ type: 'namespace', name: 'n', tools: [{ type: 'function' }] }] }, 'tools[0].tools[0].name'],
    [{ tools: [{ type: 'function' }] }, 'tools[0].name'],
  ])('is refused by name: %j', (body, param) => {
    expect(refusal(() => responses(body)).param).toBe(param)
  })

  test('store: true is warned of, as where it is left out, because only what follows may want what was stored', () => {
    expect(responses({ store: true }).warnings).toEqual(['ignored: store'])
  })

  test('store: false and fields without meaning are taken', () => {
    expect(
      responses({ store: false, truncation: 'disabled', service_tier: 'auto', metadata: { a: 'b' } })
        .warnings,
    ).toEqual([])
  })
})

test('what Claude said behind a call comes back before its calls, so that a program may go on with its results', () => {
  const called = (call_id: string) => ({ type: 'function_call', call_id, name: 'f', arguments: '{}' })
  const result = (call_id: string) => ({ type: 'function_call_output', call_id, output: 'x' })
  const thought = (thinking: string) => ({
    type: 'reasoning',
    encrypted_content: packReasoning({ type: 'thinking', thinking, signature: 's' }),
  })
  const said = { role: 'assistant', content: [{ type: 'output_text', text: 'both' }] }
  const kinds = (input: object[]) =>
    responses({ input: [{ role: 'user', content: 'go' }, ...input] }).request.messages.map(({ content }) =>
      content.map(({ type }) => type),
    )
  expect(kinds([called('a'), said, result('a')])).toEqual([['text'], ['text', 'tool_use'], ['tool_result']])
  const several = [thought('1'), called('a'), thought('2'), said, called('b'), result('a'), result('b')]
  expect(kinds(several)).toEqual([
    ['text'],
    ['thinking', 'thinking', 'text', 'tool_use', 'tool_use'],
    ['tool_result', 'tool_result'],
  ])
})
