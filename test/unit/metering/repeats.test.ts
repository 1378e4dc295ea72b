import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countedKeys } from '../../../core/metering/characters.ts'
import { createRepeatReader, createRepeats } from '../../../core/metering/repeats.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const NAME = 'content_block_delta'
const BEFORE = `event: ${NAME}\ndata: {"text":"`
const AFTER = '"}\n\n'
const event = (text: string) => encoder.encode(`${BEFORE}${text}${AFTER}`)

/** What is passed of a chunk, and the characters that were counted, once the event of `learnt` is known. */
function passed(chunk: Uint8Array, learnt = event('Hello')) {
  const repeats = createRepeats()
  const text = { from: BEFORE.length, to: learnt.length - AFTER.length }
  repeats.learn(learnt, { from: 0, to: learnt.length }, text)
  const bytes = repeats.pass(chunk)
  return { count: repeats.count(), rest: decoder.decode(chunk.subarray(bytes)) }
}

describe('an event that repeats the one before', () => {
  test.each<[string, string, number]>([
    ['with a shorter text', 'abc', 3],
    ['with a longer one', 'What is longer than what was learnt', 35],
    ['without a text', '', 0],
    ['with characters of several bytes', 'é€😀', 3],
    ['with escapes', '\\n\\t\\"\\\\\\/', 5],
  ])('%s is passed, and its characters are counted', (_, text, characters) => {
    expect(passed(event(text))).toEqual({ count: characters, rest: '' })
  })

  test('is passed behind another one, up to what is not whole', () => {
    const two = encoder.encode(`${BEFORE}a${AFTER}${BEFORE}bc${AFTER}${BEFORE}def"}\n`)
    expect(passed(two)).toEqual({ count: 3, rest: `${BEFORE}def"}\n` })
  })

  test.each<[string, string]>([
    ['another beginning', `event: content_block_delta\ndata: {"index":1,"text":"a${AFTER}`],
    ['another end', `${BEFORE}a","index":1}\n\n`],
    ['an escape of four digits', `${BEFORE}\\u00e9${AFTER}`],
    ['a line end in its text', `${BEFORE}a\n${AFTER}`],
    ['a line end behind a backslash', `${BEFORE}a\\\n${AFTER}`],
    ['an end within its text', `${BEFORE}abc`],
    ['an end behind a backslash', `${BEFORE}abcdefghi\\`],
  ])('is none with %s', (_, text) => {
    expect(passed(encoder.encode(text))).toEqual({ count: 0, rest: text })
  })

  test('is none before one was learnt, or where one is too long to be kept', () => {
    const repeats = createRepeats()
    expect(repeats.pass(event('a'))).toBe(0)
    const long = encoder.encode(`${BEFORE}${'x'.repeat(1_000)}${AFTER}`)
    repeats.learn(long, { from: 0, to: long.length }, { from: 600, to: 601 })
    expect(repeats.pass(long)).toBe(0)
  })
})

test('as many characters are counted as if each byte came alone, in whatever pieces a stream comes', () => {
  const text = fc.constantFrom('Hello', 'Hello', 'day', '', '"', '\\', '\n', '\u2028', '😀', 'é')
  const delta = fc.oneof(
    text.map((text) => ({ text })),
    text.map((text) => ({ text, signature: 'abc' })),
    text.map((thinking) => ({ text: 'Hello', thinking })),
    text.map((signature) => ({ signature })),
  )
  const event = delta.map((data) => `data: ${JSON.stringify(data)}`)
  const lines = fc.oneof(
    { weight: 8, arbitrary: event.map((data) => [`event: ${NAME}`, data, '', '']) },
    { weight: 2, arbitrary: event.map((data) => [data, '', '']) },
    { weight: 2, arbitrary: event.map((data) => [`event: ${NAME}`, data]) },
    { weight: 1, arbitrary: event.map((data) => [data, `event: ${NAME}`, '', '']) },
    { weight: 1, arbitrary: event.map((data) => ['event: ping', data, '', '']) },
    fc.constantFrom([': comment', '', ''], ['', ''], [`event: ${NAME}`, 'data: {"text":"cut'], ['']),
  )
  const lineEnd = fc.constantFrom('\n', '\n', '\n', '\r\n', '\r')
  const pieces = fc.array(
    fc.tuple(lines, lineEnd).map(([lines, end]) => lines.join(end)),
    { maxLength: 12 },
  )
  const counted = (pieces: Iterable<Uint8Array>) => {
    const reader = createRepeatReader({
      name: NAME,
      keys: countedKeys(['text', 'thinking']),
      onEvent: ({ name }) => reader.endText(name === NAME),
    })
    for (const piece of pieces) reader.write(piece)
    return reader.characters()
  }
  fc.assert(
    fc.property(pieces, fc.nat(), (pieces, at) => {
      const bytes = encoder.encode(pieces.join(''))
      const alone = counted([...bytes].map((byte) => Uint8Array.of(byte)))
      expect(counted(pieces.map((piece) => encoder.encode(piece)))).toBe(alone)
      const cut = at % (bytes.length + 1)
      expect(counted([bytes.subarray(0, cut), bytes.subarray(cut)])).toBe(alone)
    }),
    { numRuns: 2_000 },
  )
})
