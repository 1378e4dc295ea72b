import { describe, expect, test } from 'vitest'
import { countedKeys, createCharacterCounter } from '../../../core/metering/characters.ts'

const encoder = new TextEncoder()
const KEYS = countedKeys(['text', 'thinking'], ['input'])

/** Characters that are counted in these lines of JSON, in pieces of this many bytes. */
function counted(json: string, size = 1_000) {
  const counter = createCharacterCounter(KEYS)
  const bytes = encoder.encode(json)
  for (let from = 0; from < bytes.length; from += size) {
    const piece = bytes.subarray(from, from + size)
    for (let i = 0; i < piece.length; i++) i = counter.read(piece, i)
  }
  return counter.count()
}

describe('the characters that a model wrote', () => {
  test.each<[string, string, number]>([
    ['a text', '{"text":"12345"}', 5],
    ['two texts', '{"text":"123","thinking":"45"}', 5],
    ['a text with spaces around it', '{ "text" : "12345" , "x" : 1 }', 5],
    ['a text over lines', '{\n"text":\r\n"12345"}', 5],
    ['a text further in', '{"content":[{"type":"text","text":"123"},{"text":"45"}]}', 5],
    ['no other text', '{"signature":"12345","name":"text"}', 0],
    ['no text of a longer name', '{"texts":"1","tex":"2","xtext":"3","thinking2":"4"}', 0],
    ['no value that is no text', '{"text":12345,"x":"12345"}', 0],
    ['no text that is in an array or object', '{"text":["12345"],"thinking":{"a":"1"}}', 0],
    ['an empty text', '{"text":""}', 0],
    ['characters of several bytes once', '{"text":"é€😀"}', 3],
    ['escapes once', '{"text":"\\n\\"\\\\\\/"}', 4],
    ['escapes of four digits once', '{"text":"\\u00e9\\u20ac1"}', 3],
    ['what looks like a digit of an escape', '{"text":"\\nabcd"}', 5],
    ['a quote in an escape', '{"text":"a\\"b","x":"c"}', 3],
    ['no text whose key is escaped', '{"te\\u0078t":"12345"}', 0],
    ['no text whose key is escaped otherwise', '{"tex\\t":"12345"}', 0],
    ['all of a value, with its punctuation', '{"input":{"a":[1,"b"]}}', '{"a":[1,"b"]}'.length],
    ['all of an array', '{"input":[1,{"a":"\\n"}]}', '[1,{"a":"\\n"}]'.length - 1],
    ['no spaces of a value', '{"input": { "a" : "b c" } }', '{"a":"b c"}'.length],
    ['a value that is a string as a text', '{"input":"123"}', 3],
    ['nothing of a value that is a number', '{"input":12345}', 0],
    ['what follows a value', '{"input":{},"x":"12345","text":"1"}', 3],
    ['keys in a value as its characters', '{"input":{"text":"1"}}', '{"text":"1"}'.length],
  ])('are %s', (_, json, characters) => {
    expect(counted(json)).toBe(characters)
    for (const size of [1, 2, 3, 5]) expect(counted(json, size)).toBe(characters)
  })

  test('of a JSON that does not count are none', () => {
    const counter = createCharacterCounter(KEYS)
    const add = (json: string) => counter.read(encoder.encode(json), 0)
    add('{"text":"123"}')
    counter.endText(true)
    add('{"text":"45"}')
    counter.endText(false)
    expect(counter.count()).toBe(3)
    add('{"text":"6')
    expect(counter.count()).toBe(4)
    counter.endText(true)
    // The string that was open is over.
    add('{"text":"78"}')
    counter.endText(true)
    expect(counter.count()).toBe(6)
  })

  test.each(['{"text', '{"text":"1\\', '{"text":"\\u12', '{"input":{"a":1', '{"text":'])(
    'of what is cut as %s say nothing about the next JSON',
    (cut) => {
      const counter = createCharacterCounter(KEYS)
      counter.read(encoder.encode(cut), 0)
      counter.endText(false)
      counter.read(encoder.encode('"x":"1","text":"234"'), 0)
      expect(counter.count()).toBe(3)
    },
  )

  test('are read to the end of the line, and from where it is said', () => {
    const counter = createCharacterCounter(KEYS)
    const bytes = encoder.encode('xx{"text":"1"}\n{"text":"2"}')
    expect(counter.read(bytes, 2)).toBe(14)
    expect(counter.count()).toBe(1)
    expect(counter.read(encoder.encode('"text":"ab\rcd"'), 0)).toBe(10)
    expect(counter.count()).toBe(3)
  })
})
