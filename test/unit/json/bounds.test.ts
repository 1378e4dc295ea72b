/** JSON of upstreams, which is read only where it is not too deep and not too wide. */
import { describe, expect, test } from 'vitest'
import { boundedJson, MOST_NESTED, MOST_VALUES } from '../../../core/json/bounds.ts'
import { unpackSummary } from '../../../core/openai/reasoning-envelope.ts'
import { createClaudeReader } from '../../../core/openai/reply/events.ts'
import { wholeMessageEvents } from '../../../core/openai/reply/message.ts'

const objects = (count: number) => `[${'{},'.repeat(count - 1)}{}]`
const members = (count: number) => Array.from({ length: count }, (_, i) => `"a${i}":1`).join(',')
const block = (more: string) => `{"type":"text","text":"x","citations":${more}}`

describe("an upstream's JSON", () => {
  test('is read, however long its texts are', () => {
    const text = '{},'.repeat(MOST_VALUES)
    expect(boundedJson(JSON.stringify({ text, list: [1, 2] }))).toEqual({ text, list: [1, 2] })
  })

  test.each([
    ['objects', `{"a":${objects(MOST_NESTED + 1)}}`],
    ['members', `{"a":{${members(MOST_VALUES + 1)}}}`],
    ['members at its top', `{${members(MOST_VALUES + 1)}}`],
    ['brackets within each other', `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`],
  ])('is not read where it has more %s than can be read while others wait', (_, json) => {
    expect(boundedJson(json)).toBeUndefined()
  })

  test('is no message then, and no event', () => {
    const message = (citations: string) => `{"id":"msg_1","content":[${block(citations)}]}`
    expect(wholeMessageEvents(message('[]'))).toHaveLength(5)
    expect(wholeMessageEvents(message(objects(MOST_NESTED)))).toEqual([])
    const read = (citations: string) => {
      const event = `{"type":"content_block_start","index":0,"content_block":${block(citations)}}`
      const reader = createClaudeReader(() => {})
      reader.write(new TextEncoder().encode(`event: content_block_start\ndata: ${event}\n\n`))
    }
    read('[]')
    expect(() => read(objects(MOST_NESTED + 1))).toThrow(SyntaxError)
  })
})

test('what is packed into one item of a conversation has no more members than it has a meaning for', () => {
  expect(unpackSummary(btoa('{"summary":"x"}'))).toBe('x')
  for (const more of ['"b":1,"c":1', '"b":[]']) {
    expect(unpackSummary(btoa(`{"summary":"x",${more}}`))).toBeUndefined()
  }
})
