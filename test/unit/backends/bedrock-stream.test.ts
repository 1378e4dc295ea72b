import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBedrockEvents } from '../../../core/backends/kinds/bedrock-events.ts'
import { asServerSentEvents } from '../../../core/backends/kinds/bedrock-stream.ts'
import type { UpstreamReply } from '../../../core/ports.ts'
import { PING } from '../../../core/sse/ping.ts'
import { chunkFrame, damaged, exceptionFrame, frame } from '../../support/amazon-frames.ts'
import { fakeClock } from '../../support/clock.ts'

const START = '{"type":"message_start","message":{"id":"msg_bdrk_1","usage":{"input_tokens":3}}}'
const DELTA = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grüße 👋"}}'
const STOP = '{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3}}'
const sse = (...events: string[]) =>
  events.map((data) => `event: ${JSON.parse(data).type}\ndata: ${data}\n\n`).join('')

function read(chunks: readonly Uint8Array[]): string {
  const events = createBedrockEvents()
  const texts = chunks.map((chunk) => new TextDecoder().decode(events.write(chunk)))
  events.end()
  return texts.join('')
}

describe("Bedrock's event stream", () => {
  const whole = Buffer.concat([START, DELTA, STOP].map(chunkFrame))

  test('becomes the events of Claude byte for byte, wherever its frames are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), whole.length]
        const chunks = at.slice(1).map((end, i) => whole.subarray(at[i], end))
        expect(read(chunks)).toBe(sse(START, DELTA, STOP))
      }),
      { numRuns: 300 },
    )
    expect(read([...whole].map((byte) => Uint8Array.of(byte)))).toBe(sse(START, DELTA, STOP))
  })

  test('gives each event on as soon as its frame is whole', () => {
    const events = createBedrockEvents()
    const first = chunkFrame(START)
    expect(events.write(first.subarray(0, -1))).toBeUndefined()
    expect(new TextDecoder().decode(events.write(first.subarray(-1)))).toBe(sse(START))
  })

  test('with a wrong checksum, an impossible length or an end within a frame is refused', () => {
    expect(() => read([damaged(chunkFrame(DELTA))])).toThrow('checksum')
    expect(() => read([Buffer.from('HTTP/1.1 200 OK')])).toThrow('impossible length')
    expect(() => read([Buffer.alloc(16)])).toThrow('impossible length')
    expect(() => read([chunkFrame(DELTA).subarray(0, -3)])).toThrow('ended within a frame')
    expect(() => read([frame({ ':message-type': 'event', ':event-type': 'chunk' }, '{"p":"a"}')])).toThrow()
  })

  test.each([
    ['throttlingException', 'rate_limit_error'],
    ['serviceUnavailableException', 'overloaded_error'],
    ['validationException', 'invalid_request_error'],
    ['modelStreamErrorException', 'api_error'],
    ['internalServerException', 'api_error'],
    ['modelTimeoutException', 'api_error'],
    ['somethingNewException', 'api_error'],
  ])('ends with the error that %s is to Claude (%s)', (name, type) => {
    const said = 'arn:aws:bedrock:us-east-1:123456789012:inference-profile/x of 123456789012 failed'
    const text = read([chunkFrame(START), exceptionFrame(name, said), chunkFrame(DELTA)])
    const error = { type: 'error', error: { type, message: 'arn:… of … failed' } }
    expect(text).toBe(`${sse(START)}event: error\ndata: ${JSON.stringify(error)}\n\n`)
  })

  test('ends with an error of the service itself, which has a code instead of a type', () => {
    const headers = { ':message-type': 'error', ':error-code': 'InternalFailure', ':error-message': 'Sorry.' }
    expect(read([frame(headers, '')])).toContain('{"type":"api_error","message":"Sorry."}')
  })

  test('loses signs of life and what is no event of Claude, and keeps an event of several lines one event', () => {
    const others = [frame({ ':message-type': 'event', ':event-type': 'other' }, '{}'), chunkFrame('{"p":1}')]
    expect(read(others)).toBe('')
    expect(read([chunkFrame('{"type":"ping",\r\n"a":1}')])).toBe(
      'event: ping\ndata: {"type":"ping",\ndata: "a":1}\n\n',
    )
  })
})

describe('a reply of Bedrock', () => {
  const headers: UpstreamReply['headers'] = [
    ['content-type', 'application/vnd.amazon.eventstream'],
    ['content-length', '99'],
    ['x-amzn-requestid', 'r1'],
  ]
  /** A reply whose chunks the test sends one by one; each is written when the reader took the one before. */
  function replyOf(first: Uint8Array, rest: Promise<Uint8Array | undefined>[]) {
    const given = { cancelled: 0 }
    const reply: UpstreamReply = {
      status: 200,
      headers,
      first,
      async pipe(sink) {
        await sink.write(first)
        for (const next of rest) {
          const chunk = await next
          if (chunk) await sink.write(chunk)
        }
      },
      cancel: () => {
        given.cancelled += 1
      },
    }
    return { reply, given }
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve))

  test('is one in server-sent events, with its first events ready to be judged', async () => {
    const { reply } = replyOf(chunkFrame(START), [Promise.resolve(chunkFrame(STOP))])
    const made = asServerSentEvents(reply, fakeClock())
    expect(made.headers).toEqual([
      ['x-amzn-requestid', 'r1'],
      ['content-type', 'text/event-stream; charset=utf-8'],
    ])
    expect(new TextDecoder().decode(made.first)).toBe(sse(START))
    let text = ''
    await made.pipe({
      write(chunk) {
        text += new TextDecoder().decode(chunk)
      },
    })
    expect(text).toBe(sse(START, STOP))
  })

  test('pings after each 15 s of silence, and not while the reader takes its time', async () => {
    const clock = fakeClock()
    const second = Promise.withResolvers<Uint8Array>()
    const slow = Promise.withResolvers<void>()
    const written: string[] = []
    const made = asServerSentEvents(replyOf(chunkFrame(START), [second.promise]).reply, clock)
    const done = made.pipe({
      write(chunk) {
        written.push(chunk === PING ? 'ping' : new TextDecoder().decode(chunk))
        if (written.length === 3) return slow.promise
      },
    })
    clock.advance(14_999)
    expect(written).toEqual([sse(START)])
    clock.advance(1)
    clock.advance(15_000)
    expect(written).toEqual([sse(START), 'ping', 'ping'])
    // The second ping is being taken: neither another one nor the next event comes before it was.
    clock.advance(60_000)
    second.resolve(chunkFrame(STOP))
    await settled()
    expect(written).toHaveLength(3)
    slow.resolve()
    await done
    expect(written).toEqual([sse(START), 'ping', 'ping', sse(STOP)])
    expect(clock.timers()).toBe(0)
  })

  test('is given up when its first bytes are damaged, and rejects when later ones are', async () => {
    const broken = replyOf(damaged(chunkFrame(START)), [])
    expect(() => asServerSentEvents(broken.reply, fakeClock())).toThrow('checksum')
    expect(broken.given.cancelled).toBe(1)
    const clock = fakeClock()
    const later = replyOf(chunkFrame(START), [Promise.resolve(damaged(chunkFrame(STOP)))])
    await expect(asServerSentEvents(later.reply, clock).pipe({ write: () => {} })).rejects.toThrow('checksum')
    const cut = replyOf(chunkFrame(START), [Promise.resolve(chunkFrame(STOP).subarray(0, 20))])
    await expect(asServerSentEvents(cut.reply, clock).pipe({ write: () => {} })).rejects.toThrow(
      'within a frame',
    )
    expect(clock.timers()).toBe(0)
  })

  test('waits for a reader that is slow', async () => {
    const slow = Promise.withResolvers<void>()
    const made = asServerSentEvents(
      replyOf(chunkFrame(START), [Promise.resolve(chunkFrame(STOP))]).reply,
      fakeClock(),
    )
    let written = 0
    const done = made.pipe({
      write() {
        written += 1
        return slow.promise
      },
    })
    await settled()
    expect(written).toBe(1)
    slow.resolve()
    await done
    expect(written).toBe(2)
  })
})
