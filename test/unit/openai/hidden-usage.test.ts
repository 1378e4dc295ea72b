import { describe, expect, test } from 'vitest'
import { hidingUsage } from '../../../core/openai/reply/hidden-usage.ts'
import type { HeaderPairs, Reply } from '../../../core/ports.ts'

const STREAM: HeaderPairs = [['content-type', 'text/event-stream; charset=utf-8']]
const encoder = new TextEncoder()

/** What goes to the client for each piece that comes from the backend. */
async function shown(pieces: readonly string[], change: Partial<Reply> = {}) {
  const texts: string[] = []
  let text = ''
  const reply = hidingUsage({
    status: 200,
    headers: STREAM,
    async pipe(sink) {
      for (const piece of pieces) {
        await sink.write(encoder.encode(piece))
        texts.push(text)
        text = ''
      }
    },
    ...change,
  })
  await reply.pipe({
    write(bytes) {
      text += new TextDecoder().decode(bytes)
    },
  })
  return { texts: [...texts, text], whole: [...texts, text].join(''), headers: reply.headers }
}

const said = '{"choices":[{"delta":{"content":"hi"}}]}'
const usage = '"usage":{"prompt_tokens":1}'

describe('the usage that only the gateway asked for is hidden', () => {
  test.each([
    ['as it is usually written', `{"choices":[],${usage}}`],
    ['with spaces', '{ "choices" : [ ] , "usage" : { "prompt_tokens" : 1 } }'],
    ['without choices', `{${usage}}`],
    ['with choices that are null', `{"choices":null,${usage}}`],
    ['with usage first', `{${usage},"choices":[]}`],
  ])('%s', async (_, event) => {
    const { whole } = await shown([`data: ${said}\n\ndata: ${event}\n\ndata: [DONE]\n\n`])
    expect(whole).toBe(`data: ${said}\n\ndata: [DONE]\n\n`)
  })

  test.each([
    ['LF', '\n'],
    ['CR LF', '\r\n'],
    ['CR', '\r'],
  ])('with lines that end in %s, wherever the stream is cut, and not one byte more', async (_, end) => {
    const before = `data: ${said}${end}${end}`
    const after = `data: [DONE]${end}${end}`
    const whole = `${before}data: {"choices":[],${usage}}${end}${end}${after}`
    for (let cut = 0; cut <= whole.length; cut++) {
      expect((await shown([whole.slice(0, cut), whole.slice(cut)])).whole).toBe(before + after)
    }
    expect((await shown([...whole])).whole).toBe(before + after)
  })

  test('of a stream whose length was announced, which is not true any more', async () => {
    const { headers } = await shown([], { headers: [...STREAM, ['content-length', '9']] })
    expect(headers).toEqual(STREAM)
  })
})

describe('shown is', () => {
  test.each([
    ['usage beside choices', `{"choices":[{"delta":{}}],${usage}}`],
    ['no usage', '{"choices":[],"usage":null}'],
    ['what a content filter found', '{"choices":[],"prompt_filter_results":[{}]}'],
    ['the word in what the model says', '{"choices":[],"a":"\\"usage\\":{"}'],
  ])('%s', async (_, event) => {
    expect((await shown([`data: ${event}\n\n`])).whole).toBe(`data: ${event}\n\n`)
  })

  test('a comment at once, because it keeps the connection alive', async () => {
    const { texts } = await shown([': ping\n\n', `data: ${said}\n\n`])
    expect(texts[0]).toBe(': ping\n\n')
  })

  test('an event that is too large to be held, whole', async () => {
    const large = `data: {"choices":[],"pad":"${'x'.repeat(70_000)}",${usage}}\n\n`
    const pieces = [large.slice(0, 66_000), large.slice(66_000), `data: ${said}\n\n`]
    const { texts, whole } = await shown(pieces)
    expect(texts[0]).toBe(pieces[0])
    expect(whole).toBe(pieces.join(''))
  })

  test('an answer that is no stream, and one that failed, as they came', async () => {
    const text = `{"choices":[],${usage}}`
    const json: HeaderPairs = [['content-type', 'application/json']]
    expect((await shown([text], { headers: json })).whole).toBe(text)
    expect((await shown([`data: ${text}\n\n`], { status: 429 })).whole).toBe(`data: ${text}\n\n`)
  })
})
