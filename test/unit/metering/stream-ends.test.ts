/** How a stream ends, and what of it is billed. */
import { describe, expect, test } from 'vitest'
import { createWholeMeter } from '../../../core/metering/whole-answer.ts'
import {
  block,
  end,
  frame,
  json,
  NONE,
  one,
  STARTED,
  start,
  stop,
  stream,
  text,
  told,
} from '../../support/usage-streams.ts'

const BEGUN = { input: 10, cacheRead: 5 }
const words = block({ type: 'text', text: '' })
const fallback = block({ type: 'fallback', from: { model: 'a' }, to: { model: 'b' } })
const failure = frame('error', { error: { type: 'overloaded_error', message: 'm' } })

describe('a stream that ends in a refusal', () => {
  const refused = end({ output_tokens: 7 }, 'refusal') + stop

  test('before any block is not billed', () => {
    expect(stream(start(STARTED) + refused)).toMatchObject({ parts: [], estimated: false })
  })

  test('after a block is billed, as one is that ends otherwise before any block', () => {
    const parts = one({ ...BEGUN, output: 7 })
    expect(stream(start(STARTED) + words + refused).parts).toEqual(parts)
    expect(stream(start(STARTED) + words + words + refused).parts).toEqual(parts)
    expect(stream(start(STARTED) + end({ output_tokens: 7 }) + stop).parts).toEqual(parts)
  })

  test('of every model that was asked is not billed, also when one gave way to the next', () => {
    expect(stream(start(STARTED) + fallback + refused).parts).toEqual([])
    expect(stream(start(STARTED) + fallback + fallback + refused).parts).toEqual([])
    expect(stream(start(STARTED) + fallback + words + refused).parts).toEqual(
      one({ ...BEGUN, output: 7 }, 'b'),
    )
    const hop = { type: 'fallback', from: { model: 'a' }, to: { model: 'b' } }
    const whole = (content: object[]) => json({ content, stop_reason: 'refusal', usage: { input_tokens: 5 } })
    expect(whole([hop]).parts).toEqual([])
    expect(whole([hop, { type: 'text', text: 'x' }]).parts).toEqual(one({ input: 5 }))
    expect(whole([hop, { type: 'text', text: 'x'.repeat(2_000) }]).parts).toEqual(one({ input: 5 }))
  })

  test('keeps it while later events give no reason', () => {
    const later = frame('message_delta', { delta: {}, usage: { output_tokens: 8 } })
    expect(stream(start(STARTED) + end({ output_tokens: 7 }, 'refusal') + later + stop).parts).toEqual([])
  })
})

test('a stream is billed to the model that a block of it fell back to, also when other blocks follow', () => {
  const parts = one({ ...BEGUN, output: 7 }, 'b')
  expect(stream(start(STARTED) + fallback + words + end({ output_tokens: 7 }) + stop).parts).toEqual(parts)
})

test('so is a whole answer to a request that names fallbacks', () => {
  const hop = (model: string) => ({ type: 'fallback', from: { model: 'a' }, to: { model } })
  const answer = JSON.stringify({
    content: [hop('b'), { type: 'text', text: 'x'.repeat(2_000) }, hop('c'), { type: 'text', text: 'y' }],
    usage: { input_tokens: 5, output_tokens: 7 },
  })
  const servedBy = (fallsBack: boolean) =>
    told(createWholeMeter(undefined, fallsBack), new TextEncoder().encode(answer)).parts[0]?.model
  expect([servedBy(true), servedBy(false)]).toEqual(['c', undefined])
})

describe('a stream that ends in an error', () => {
  test('before it told its input cost nothing', () => {
    expect(stream(failure)).toMatchObject({
      error: 'overloaded_error',
      inputUnknown: false,
      parts: one(NONE),
    })
  })

  test('after it wrote something costs an input that nobody knows', () => {
    expect(stream(words + text('12345678') + failure)).toMatchObject({
      inputUnknown: true,
      parts: one({ output: 2 }),
    })
    expect(stream(words).inputUnknown).toBe(true)
  })
})

test('an event whose data cannot be read makes the usage an estimate; unknown events do not', () => {
  const broken = 'event: message_delta\ndata: {"delta":5}\n\n'
  const unknown = frame('later', { usage: { output_tokens: 1_000 } })
  expect(stream(start(STARTED) + words + broken + end({ output_tokens: 7 }) + stop).estimated).toBe(true)
  expect(stream(start(STARTED) + words + unknown + end({ output_tokens: 7 }) + stop)).toMatchObject({
    estimated: false,
    parts: one({ ...BEGUN, output: 7 }),
  })
})

test('a delta without usage leaves the stream without a final one', () => {
  const silent = frame('message_delta', { delta: { stop_reason: 'end_turn' } })
  expect(stream(start(STARTED) + silent)).toMatchObject({ state: 'open', estimated: true })
})
