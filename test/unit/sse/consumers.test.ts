/** Whatever looks into streams, fed with the same events in any framing and any pieces. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createStreamMeter } from '../../../core/metering/anthropic-stream.ts'
import { createOpenAiStreamMeter } from '../../../core/metering/openai.ts'
import { type ClaudeEvent, createClaudeReader } from '../../../core/openai/reply/events.ts'
import { hidingUsage } from '../../../core/openai/reply/hidden-usage.ts'
import { openingEvent } from '../../../core/sse/event-name.ts'
import { framed, framing, inPieces, plainEvents } from '../../support/framings.ts'

interface Event {
  type: string
  [field: string]: unknown
}
const encoder = new TextEncoder()
const cuts = fc.array(fc.nat(), { maxLength: 8 })
const frames = fc.array(framing, { minLength: 1, maxLength: 6 })

const text = fc.string({ unit: 'grapheme', maxLength: 30 })
const written = fc.oneof(
  text.map((text) => ({ delta: { type: 'text_delta', text }, characters: text.length })),
  text.map((thinking) => ({ delta: { type: 'thinking_delta', thinking }, characters: thinking.length })),
  text.map((partial_json) => ({
    delta: { type: 'input_json_delta', partial_json },
    characters: partial_json.length,
  })),
  text.map((signature) => ({ delta: { type: 'signature_delta', signature }, characters: 0 })),
)
const usage = { input_tokens: 31, cache_read_input_tokens: 7, output_tokens: 2 }
const answer = fc.record({
  deltas: fc.array(written, { maxLength: 6 }),
  ending: fc.constantFrom('whole', 'error', 'no usage'),
})
type Answer = typeof answer extends fc.Arbitrary<infer A> ? A : never

function eventsOf({ deltas, ending }: Answer): Event[] {
  return [
    { type: 'message_start', message: { id: 'msg_1', usage } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'ping' },
    ...deltas.map(({ delta }) => ({ type: 'content_block_delta', index: 0, delta })),
    ...(ending === 'error' ? [{ type: 'error', error: { type: 'api_error', message: 'm' } }] : []),
    ...(ending === 'whole' ? [{ type: 'message_delta', delta: {}, usage: { output_tokens: 50 } }] : []),
    ...(ending === 'error' ? [] : [{ type: 'message_stop' }]),
  ]
}

describe('in any framing, cut anywhere', () => {
  test("the meter of Claude's streams and the translations read the same events", () => {
    fc.assert(
      fc.property(answer, frames, cuts, (given, framings, cuts) => {
        const events = eventsOf(given)
        const bytes = encoder.encode(framed(events, framings))
        expect(plainEvents(bytes).filter(({ data }) => data !== '').length).toBe(events.length)

        const meter = createStreamMeter()
        const read: ClaudeEvent[] = []
        const reader = createClaudeReader((event) => read.push(event))
        for (const piece of inPieces(bytes, cuts)) {
          meter.write(piece)
          reader.write(piece)
        }
        meter.end()
        reader.end()
        expect(read).toEqual(events)
        const characters = given.deltas.reduce(
          (sum, { delta, characters }) => sum + (characters && codePoints(delta)),
          0,
        )
        const output = given.ending === 'whole' ? 50 : Math.max(2, Math.ceil(characters / 4))
        expect(meter.state()).toBe('complete')
        expect(meter.error()).toBe(given.ending === 'error' ? 'api_error' : undefined)
        expect(meter.usage()).toMatchObject({
          estimated: given.ending !== 'whole',
          inputUnknown: false,
          parts: [{ tokens: { input: 31, cacheRead: 7, output } }],
        })
      }),
      { numRuns: 1500 },
    )
  })

  test('the opening event is the first that is no ping', () => {
    fc.assert(
      fc.property(frames, fc.boolean(), (framings, pinged) => {
        const error = { type: 'error', error: { type: 'overloaded_error', message: 'm' } }
        const events = pinged ? [{ type: 'ping' }, error] : [error]
        const opening = openingEvent(encoder.encode(framed(events, framings)))
        expect(opening?.event).toBe('error')
        expect(JSON.parse(opening?.data ?? '')).toEqual(error)
      }),
      { numRuns: 500 },
    )
  })

  const chunk = (content: string) => ({ object: 'chat.completion.chunk', choices: [{ delta: { content } }] })
  const usageAlone = {
    object: 'chat.completion.chunk',
    choices: [],
    usage: { prompt_tokens: 9, completion_tokens: 4 },
  }

  test("a chat in OpenAI's own form is metered, and loses nothing but the usage that nobody asked for", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 5 }), frames, cuts, async (texts, framings, cuts) => {
        const said = texts.map(chunk)
        const bytes = encoder.encode(framed([...said, usageAlone, { ...chunk(''), choices: [] }], framings))
        const pieces = inPieces(bytes, cuts)
        const meter = createOpenAiStreamMeter()
        for (const piece of pieces) meter.write(piece)
        meter.end()
        expect(meter.usage().parts).toMatchObject([{ tokens: { input: 9, output: 4 } }])
        const shown: Uint8Array[] = []
        const reply = hidingUsage({
          status: 200,
          headers: [['content-type', 'text/event-stream']],
          pipe: ({ write }) => void pieces.map((piece) => write(piece)),
        })
        await reply.pipe({ write: (piece) => void shown.push(piece) })
        const left = plainEvents(Buffer.concat(shown)).filter(({ data }) => data !== '')
        expect(left.map(({ data }) => JSON.parse(data))).toEqual([...said, { ...chunk(''), choices: [] }])
      }),
      { numRuns: 500 },
    )
  })
})

/** A character of several code units counts once. */
function codePoints(delta: object): number {
  return Object.entries(delta).reduce(
    (sum, [key, value]) => (key === 'type' ? sum : sum + [...String(value)].length),
    0,
  )
}
