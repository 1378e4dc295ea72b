import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openingEvent } from '../../../core/sse/event-name.ts'
import { createEventReader, type StreamEvent } from '../../../core/sse/reader.ts'
import { inPieces, plainEvents } from '../../support/framings.ts'

const encoder = new TextEncoder()
const opening = (text: string) => openingEvent(encoder.encode(text))

/** The events of `bytes` in pieces that end at `cuts`, and all that was read in place. */
function read(bytes: Uint8Array, cuts: readonly number[] = [], inPlaceName?: string) {
  const events: Omit<StreamEvent, 'end'>[] = []
  let inPlace = ''
  const reader = createEventReader({
    onEvent: ({ end: _, ...event }) => void events.push(event),
    ...(inPlaceName && {
      inPlace: {
        name: inPlaceName,
        read(chunk, from) {
          let i = from
          for (; i < chunk.length && chunk[i] !== 10 && chunk[i] !== 13; i++)
            inPlace += String.fromCharCode(chunk[i] ?? 0)
          return i
        },
      },
    }),
  })
  for (const piece of inPieces(bytes, cuts)) reader.write(piece)
  reader.end()
  return { events, inPlace }
}

describe('the event reader', () => {
  const pieces = fc.constantFrom(
    '\ufeff',
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\n\n',
    ':',
    ': x',
    'data',
    'data:',
    'data: ',
    'data:  ',
    'event',
    'event:',
    'event: a',
    'event:message',
    'event:b',
    'retry: 5',
    'id: 7',
    '{"type":"a"}',
    'é',
    ' ',
    'x'.repeat(99),
  )
  const bytes = fc.oneof(
    fc.array(pieces, { maxLength: 30 }).map((list) => encoder.encode(list.join(''))),
    fc.uint8Array({ maxLength: 60 }),
  )

  test('tells what a plain reading of the whole text tells, wherever it is cut', () => {
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 8 }), (bytes, cuts) => {
        expect(read(bytes, cuts).events).toEqual(plainEvents(bytes))
      }),
      { numRuns: 5000 },
    )
  })

  test('reads in place what has the name for that, and keeps the rest', () => {
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 8 }), (bytes, cuts) => {
        const expected = plainEvents(bytes)
        const { events, inPlace } = read(bytes, cuts, 'a')
        expect(events.map(({ name }) => name)).toEqual(expected.map(({ name }) => name))
        for (const [at, event] of expected.entries()) {
          // Data that came after the name for that is not kept when another name follows.
          if (event.name !== 'a' && !hasTwoNames(bytes)) expect(events[at]).toEqual(event)
        }
        expect(read(bytes, [], 'a').inPlace).toBe(inPlace)
      }),
      {
        numRuns: 3000,
        // A line without a colon, then the usual beginning, then a space that is data.
        examples: [[new TextEncoder().encode('\u{feff}\nevent: a\ndata:  '), [5]]],
      },
    )
  })

  test('says where events end', () => {
    const ends: number[] = []
    const reader = createEventReader({ onEvent: ({ end }) => void ends.push(end) })
    reader.write(encoder.encode('data: 1\n\ndata: 2\r\n\r\nda'))
    reader.write(encoder.encode('ta: 3\n'))
    reader.write(encoder.encode('\ndata: 4'))
    reader.end()
    expect(ends).toEqual([9, 20, 1, 0])
  })

  test('keeps no more of an event than is asked for', () => {
    const found: (string | undefined)[] = []
    const most = (name: string | undefined) => (name === 'small' ? 3 : 10)
    const reader = createEventReader({ most, onEvent: ({ data }) => void found.push(data) })
    reader.write(encoder.encode('event: small\ndata: 1234\n\nevent: small\ndata: 123\n\ndata: 12345\n'))
    reader.write(encoder.encode('data: 123456\n\ndata: 1\ndata: 2\nevent: small\n\n'))
    expect(found).toEqual([undefined, '123', undefined, '1\n2'])
  })
})

function hasTwoNames(bytes: Uint8Array): boolean {
  return (new TextDecoder().decode(bytes).match(/event/g)?.length ?? 0) > 1
}

describe('the opening event', () => {
  const json = '{"type":"error","error":{"type":"overloaded_error"}}'
  test.each([
    ['as Claude writes it', `event: error\ndata: ${json}\n\n`],
    ['after a byte order mark', `\ufeffevent: error\ndata: ${json}\n\n`],
    ['with CRLF', `event: error\r\ndata: ${json}\r\n\r\n`],
    ['with CR', `event: error\rdata: ${json}\r\r`],
    [
      'after comments, pings and reconnection times',
      `: hi\n\nretry: 1\n\nevent: ping\ndata: {}\n\nid: 1\nevent:error\ndata:${json}\n\n`,
    ],
    ['with its fields the other way round', `data: ${json}\nevent: error\n\n`],
    ['without its name', `data: {"type": "ping"}\n\ndata: ${json}\n\n`],
    ['without a final blank line', `event: error\ndata: ${json}`],
    ['before others', `event: error\ndata: ${json}\n\nevent: message_stop\ndata: {}\n\n`],
  ])('is told %s', (_, text) => {
    expect(opening(text)).toMatchObject({ event: 'error', data: json })
  })

  test('is told of what was cut, as far as it came', () => {
    expect(opening('event: error\ndata: {"ty')).toEqual({ event: 'error', data: '{"ty', whole: false })
    expect(opening('data: {"type":"error","err')).toEqual({
      event: 'error',
      data: '{"type":"error","err',
      whole: false,
    })
  })

  test('is none before any data came', () => {
    for (const text of ['', ': comment\n\n', 'event: error\n', 'event: ping\ndata: {}\n\n', 'id'])
      expect(opening(text)).toBeUndefined()
  })
})
