/** Streamed answers as pages read them. */
import { expect, test } from 'vitest'
import { createAnswerReader, StreamError } from '../../../site/src/lib/ask/answer.ts'

const event = (type: string, fields: object = {}) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
const delta = (fields: object) => event('content_block_delta', { index: 0, delta: fields })
const STREAM = [
  event('message_start', {
    message: { usage: { input_tokens: 3, cache_read_input_tokens: 40, output_tokens: 1 } },
  }),
  event('ping'),
  delta({ type: 'thinking_delta', thinking: 'Hm. ' }),
  delta({ type: 'text_delta', text: 'Grüß ' }),
  delta({ type: 'text_delta', text: 'Gott\n' }),
  event('of_tomorrow', { delta: 7 }),
  event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 12 } }),
  event('message_stop'),
].join('')

test.each([1, 7, STREAM.length])('are the same, whether they come in pieces of %d characters', (size) => {
  const reader = createAnswerReader()
  let answer: unknown
  for (let at = 0; at < STREAM.length; at += size) answer = reader.take(STREAM.slice(at, at + size))
  expect(answer).toEqual({
    text: 'Grüß Gott\n',
    thinking: 'Hm. ',
    inputTokens: 43,
    outputTokens: 12,
    stopReason: 'end_turn',
    isWhole: true,
  })
})

test('that break off say why', () => {
  const reader = createAnswerReader()
  expect(reader.take(delta({ text: 'half' }))).toMatchObject({ text: 'half', isWhole: false })
  const broken = event('error', { error: { type: 'overloaded_error', message: 'Overloaded' } })
  expect(() => reader.take(broken)).toThrow(new StreamError('overloaded_error', 'Overloaded'))
})
