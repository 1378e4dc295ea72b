import { describe, expect, test } from 'vitest'
import { createOpenAiStreamMeter, OPENAI_ANSWERS } from '../../../core/metering/openai.ts'
import { createWholeMeter } from '../../../core/metering/whole-answer.ts'
import { billed, one, told } from '../../support/usage-streams.ts'

const encoder = new TextEncoder()
const stream = (...events: (object | string)[]) => {
  const texts = events.map(
    (event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`,
  )
  return told(createOpenAiStreamMeter(), encoder.encode(texts.join('')))
}
const named = (name: string, data: object) =>
  told(createOpenAiStreamMeter(), encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`))
const whole = (answer: unknown) =>
  told(createWholeMeter(OPENAI_ANSWERS), encoder.encode(JSON.stringify(answer)))
const delta = (content: object) => ({ choices: [{ index: 0, delta: content }] })
const USAGE = { prompt_tokens: 10, completion_tokens: 4 }

describe('a chat that is streamed', () => {
  test('is told by its last usage, and is over with [DONE]', () => {
    expect(
      stream(
        delta({ content: 'x' }),
        { usage: { ...USAGE, completion_tokens: 9 } },
        { usage: USAGE },
        '[DONE]',
      ),
    ).toEqual({
      state: 'complete',
      error: undefined,
      ...billed({ input: 10, output: 4 }),
    })
  })

  test('is open, then its usage is known, then it is complete', () => {
    const begun = delta({ content: 'x' })
    expect(stream(begun).state).toBe('open')
    expect(stream(begun, { usage: USAGE }).state).toBe('usage')
    expect(stream(begun, { usage: USAGE }, '[DONE]').state).toBe('complete')
    expect(stream({ usage: null }).state).toBe('open')
  })

  test('is estimated by what was written while no usage came', () => {
    const written = [
      delta({ role: 'assistant', content: '12345678' }),
      delta({ reasoning_content: '1234' }),
      delta({ reasoning: '1234' }),
      delta({ refusal: '1234' }),
      delta({
        tool_calls: [{ function: { name: 'not counted', arguments: '12345678' } }, { function: null }],
      }),
      { choices: [{ delta: { content: '1234' } }, { delta: { content: '1' } }, { delta: null }, 5] },
      delta({ content: 7 }),
    ]
    expect(stream(...written)).toMatchObject({ parts: one({ output: 9 }), estimated: true, state: 'open' })
    expect(stream(...written, { usage: USAGE })).toMatchObject({
      parts: one({ input: 10, output: 4 }),
      estimated: false,
    })
  })
})

describe('a response that is streamed', () => {
  const last = (type: string) => ({ type, response: { usage: { input_tokens: 3, output_tokens: 2 } } })

  test.each(['completed', 'incomplete', 'failed'])('is told by its last event, response.%s', (how) => {
    expect(stream(last(`response.${how}`))).toMatchObject({
      state: 'complete',
      parts: one({ input: 3, output: 2 }),
      estimated: false,
    })
  })

  test.each(['response.completed.x', 'x.response.completed', 'response.created'])(
    'is not over with %s',
    (type) => {
      expect(stream(last(type)).state).toBe('usage')
    },
  )

  test('is told by the name of an event where its data has no type', () => {
    expect(named('response.completed', { response: {} }).state).toBe('complete')
    expect(named('response.completed', { type: 'other' }).state).toBe('open')
    // What is cut may have had a type.
    const cut = encoder.encode('event: response.completed\ndata: {"a":1}')
    const meter = createOpenAiStreamMeter()
    meter.write(cut)
    expect(meter.state()).toBe('open')
  })

  test('is estimated by its deltas', () => {
    const events = [
      { type: 'response.output_text.delta', delta: '12345678' },
      { type: 'response.function_call_arguments.delta', delta: '1' },
      { type: 'response.output_text.done', delta: 'not counted' },
      { type: 'response.output_text.delta', delta: 7 },
    ]
    expect(stream(...events)).toMatchObject({ parts: one({ output: 3 }), estimated: true })
  })
})

test.each([
  ['an error in it', { error: { message: 'x' } }, 'api_error'],
  ['an event of type error', { type: 'error', message: 'x' }, 'api_error'],
  ['an error that is null', { error: null, type: 'response.created' }, undefined],
])('a stream with %s', (_, event, error) => {
  expect(stream(event).error).toBe(error)
})

test('an error before any output costs nothing', () => {
  expect(stream({ error: { message: 'x' } })).toMatchObject({ inputUnknown: false, estimated: true })
  expect(stream(delta({ content: 'x' }))).toMatchObject({ inputUnknown: true })
})

test('nonsense is passed over', () => {
  expect(stream('nonsense', '[1]', '5', 'null', { usage: 5 }, { choices: {} })).toMatchObject({
    state: 'open',
  })
})

describe('what was used', () => {
  test.each([
    ['of a chat', { prompt_tokens: 10, completion_tokens: 4 }, { input: 10, output: 4 }],
    ['of a response', { input_tokens: 10, output_tokens: 4 }, { input: 10, output: 4 }],
    [
      'with a cache that was read',
      { prompt_tokens: 10, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 6 } },
      { input: 4, cacheRead: 6, output: 4 },
    ],
    [
      'with a cache that was written',
      {
        input_tokens: 10,
        output_tokens: 4,
        input_tokens_details: { cached_tokens: 3, cache_write_tokens: 2 },
      },
      { input: 5, cacheRead: 3, cacheWrite5m: 2, output: 4 },
    ],
    [
      'with more from the cache than there was',
      { prompt_tokens: 1, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 6 } },
      { cacheRead: 6, output: 4 },
    ],
    ['without counts', { prompt_tokens: 'x' }, {}],
  ])('%s is told in the words of Claude', (_, usage, tokens) => {
    expect(stream({ usage }).parts).toEqual(one(tokens))
    expect(whole({ usage }).parts).toEqual(one(tokens))
  })
})

describe('what is no count', () => {
  const withCached = (cached_tokens: unknown) => ({ ...USAGE, prompt_tokens_details: { cached_tokens } })

  test.each([
    ['a prompt in text', { ...USAGE, prompt_tokens: '10' }, { output: 4 }],
    ['a negative prompt', { ...USAGE, prompt_tokens: -10 }, { output: 4 }],
    ['an answer in text', { ...USAGE, completion_tokens: '4' }, { input: 10 }],
    ['a cache in text', withCached('6'), { input: 10, output: 4 }],
    ['a negative cache', withCached(-6), { input: 10, output: 4 }],
  ])('%s makes the figures estimated and raises nothing', (_, usage, tokens) => {
    expect(stream({ usage })).toMatchObject({ parts: one(tokens), estimated: true, inputUnknown: false })
    expect(whole({ usage })).toMatchObject({ parts: one(tokens), estimated: true, inputUnknown: false })
  })

  test('a prompt that is not told is unknown', () => {
    expect(stream({ usage: { completion_tokens: 4 } })).toMatchObject({ inputUnknown: true })
  })
})

describe('a whole answer', () => {
  test('is estimated by its texts where it has no usage', () => {
    const message = { role: 'assistant', content: '12345678', refusal: '1234', reasoning_content: '1234' }
    expect(whole({ choices: [{ message }] })).toMatchObject({ parts: one({ output: 4 }), estimated: true })
    expect(whole({ output: [{ content: [{ type: 'output_text', text: '12345' }] }] })).toMatchObject({
      parts: one({ output: 2 }),
    })
    const call = { function: { name: 'f', arguments: '1234' } }
    expect(whole({ choices: [{ message: { reasoning: '1234', tool_calls: [call] } }] })).toMatchObject({
      parts: one({ output: 2 }),
    })
  })
})
