/** What a refusal says of a request that has another shape: which part of which message, and what is expected there. */
import { describe, expect, test } from 'vitest'
import { Refusal } from '../../../core/errors.ts'
import { chat, responses } from '../../support/translation.ts'

const user = (content: unknown) => ({ messages: [{ role: 'user', content }] })
const said = (translate: () => unknown) => {
  try {
    translate()
  } catch (cause) {
    if (cause instanceof Refusal) return cause.message
    throw cause
  }
  throw new Error('it was taken')
}

describe('a request of another shape', () => {
  test.each([
    [
      user([{ type: 'video' }]),
      'messages[0].content[0].type: one of text, image_url, file, input_audio is expected',
    ],
    [user([{ type: 'text', text: 5 }]), 'messages[0].content[0].text: a string is expected'],
    [user([{ type: 'image_url' }]), 'messages[0].content[0].image_url: an object is expected'],
    [user(5), 'messages[0].content: one of a string, an array is expected'],
    [user([{ type: 'text', text: 'x' }, 'y']), 'messages[0].content[1]: an object is expected'],
    [{ tool_choice: { type: 'custom' } }, 'tool_choice.type: one of function, allowed_tools is expected'],
    [{ tool_choice: 'maybe' }, 'tool_choice: one of none, auto, required, an object is expected'],
    [{ tool_choice: { type: 'function' } }, 'tool_choice.function: an object is expected'],
    [{ stop: 5 }, 'stop: one of a string, an array is expected'],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop: at most 4 sequences are expected'],
    [{ service_tier: 5 }, 'service_tier: a string is expected'],
    [
      { reasoning_effort: 5 },
      'reasoning_effort: one of none, minimal, low, medium, high, xhigh, max is expected',
    ],
  ])('of a chat is told at its place: %j', (body, message) => {
    expect(said(() => chat(body))).toBe(message)
  })

  test.each([
    [[{ role: 'user', content: [{ type: 'input_text' }] }], 'input[0].content[0].text: a string is expected'],
    [
      [{ role: 'owner', content: 'x' }],
      'input[0].role: one of user, assistant, system, developer is expected',
    ],
    [[{ type: 'message', role: 'user' }], 'input[0].content: one of a string, an array is expected'],
    [[{ type: 'function_call', call_id: 'c', name: 'f' }], 'input[0].arguments: a string is expected'],
    [
      [{ type: 'function_call_output', call_id: 'c' }],
      'input[0].output: one of a string, an array is expected',
    ],
    [
      [{ role: 'user', content: [{ type: 'input_audio' }] }],
      'input[0].content[0].type: one of input_text, output_text, text, input_image, input_file, refusal is expected',
    ],
    [5, 'input: one of a string, an array is expected'],
  ])('of a response is told at its place: %j', (input, message) => {
    expect(said(() => responses({ input }))).toBe(message)
  })
})
