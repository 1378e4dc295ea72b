/** What is given up of a chat, and how x-gateway-warning says it. */
import { describe, expect, test } from 'vitest'
import { chat, FOUR_SIX, OLD, tool } from '../../support/translation.ts'

describe('a field of a chat', () => {
  test.each([
    ['temperature', { temperature: 0.2 }, 'claude-opus-5-5', 'temperature: this model takes none'],
    [
      'top_p',
      { top_p: 0.2, reasoning_effort: 'low' },
      FOUR_SIX,
      'top_p: this model takes none while it thinks',
    ],
    ['a high temperature', { temperature: 1.7 }, FOUR_SIX, 'temperature: at most 1'],
    ['a long answer', { max_tokens: 500_000 }, OLD, 'max_tokens: at most 64000 with this model'],
    ['an empty stop', { stop: ['a', ' '] }, OLD, 'stop[1]: white space alone ends nothing'],
    ['an effort', { reasoning_effort: 'xhigh' }, FOUR_SIX, 'reasoning_effort: max'],
    [
      'an effort',
      { reasoning_effort: 'high' },
      'claude-haiku-3-5',
      'reasoning_effort: this model does not think',
    ],
    [
      'no effort',
      { reasoning_effort: 'none' },
      'claude-fable-5-2',
      'reasoning_effort: low, because this model always thinks',
    ],
    [
      "Claude's thinking",
      { thinking: { type: 'disabled' } },
      'claude-opus-5-5',
      'thinking: this model takes adaptive only',
    ],
    ['a forced choice without tools', { tool_choice: 'required' }, OLD, 'tool_choice: there are no tools'],
    [
      'a strict tool',
      { tools: [tool('t', { strict: true, parameters: { type: 'object', properties: { a: {} } } })] },
      OLD,
      'tools[0].function.strict: the parameters have what Claude cannot keep a tool to',
    ],
    [
      'a keyword of a schema',
      {
        response_format: {
          type: 'json_schema',
          json_schema: { schema: { type: 'object', patternProperties: {}, additionalProperties: false } },
        },
      },
      OLD,
      'response_format.json_schema.schema.patternProperties',
    ],
    ['temperature and top_p', { temperature: 0.2, top_p: 0.2 }, FOUR_SIX, 'top_p ignored beside temperature'],
    [
      'forced tools',
      { tools: [tool('t'), tool('u')], tool_choice: 'required' },
      'claude-opus-5-5',
      'tool_choice downgraded to auto',
    ],
    [
      'forced tools while thinking',
      { tools: [tool('t'), tool('u')], tool_choice: 'required', reasoning_effort: 'low' },
      OLD,
      'tool_choice downgraded to auto',
    ],
    [
      'a limit below what thinking needs',
      { max_tokens: 500, reasoning_effort: 'low' },
      OLD,
      'max_tokens: 3072, because thinking needs so many',
    ],
    [
      'a limit below what thinking needs',
      { max_completion_tokens: 1_500, thinking: { type: 'enabled', budget_tokens: 2_000 } },
      OLD,
      'max_completion_tokens: 3024, because thinking needs so many',
    ],
    [
      'a tier of price or speed alone',
      { service_tier: 'flex' },
      'claude-opus-5-5',
      'service_tier: Claude has no such tier',
    ],
    [
      'a tier of price or speed alone',
      { service_tier: 'ultrafast' },
      'claude-opus-5-5',
      'service_tier: Claude has no such tier',
    ],
    ['a seed, by which answers are only nearly the same', { seed: 7 }, 'claude-opus-5-5', 'ignored: seed'],
    ['what nobody knows', { foo: 1, bar: 2 }, 'claude-opus-5-5', 'ignored: foo, bar'],
  ])('%s is given up with a warning where it has to be', (_what, body, model, warning) => {
    expect(chat(body, model).warnings).toEqual([warning])
  })
})
