import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { firstMessageOf, type Inspected, inspect, userIdOf, withModel } from '../../core/calls/inspect.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const inspected = (text: string) => inspect(encoder.encode(text))

function good(text: string): Extract<Inspected, { ok: true }> {
  const result = inspected(text)
  if (!result.ok) throw new Error(result.problem)
  return result
}

/** With what is only looked for when it is needed. */
function told(text: string) {
  const { metadata, messages, ...rest } = good(text)
  const looked = { ...rest, metadata, messages }
  return { ...rest, userId: userIdOf(looked), first: firstMessageOf(encoder.encode(text), looked) }
}

describe('what a request says of itself', () => {
  test('is read from its top level', () => {
    const text =
      '{"tools":[{"model":"no","stream":false}],"model":"claude-opus-5-5","stream":true,"max_tokens":1024,' +
      '"metadata":{"user_id":"u1"},"messages":[ {"role":"user","content":"hi {"},{"role":"assistant"}]}'
    const { first, modelSpans, ...rest } = told(text)
    expect(rest).toEqual({ ok: true, model: 'claude-opus-5-5', stream: true, maxTokens: 1024, userId: 'u1' })
    const slices = [...modelSpans, ...(first ? [first] : [])]
    expect(slices.map(({ start, end }) => text.slice(start, end))).toEqual([
      '"claude-opus-5-5"',
      '{"role":"user","content":"hi {"}',
    ])
  })

  test.each([
    ['no stream', '{"model":"m"}', { stream: false, maxTokens: undefined, userId: undefined }],
    ['an escaped key and value', '{"mod\\u0065l":"\\u006d"}', { model: 'm' }],
    [
      'a key twice',
      '{"model":"m","stream":true,"stream":false,"max_tokens":1,"max_tokens":2}',
      { stream: false, maxTokens: 2 },
    ],
    ['max_tokens in words', '{"model":"m","max_tokens":"many"}', { maxTokens: undefined }],
    ['metadata of another kind', '{"model":"m","metadata":[1]}', { userId: undefined }],
    ['a user id of another kind', '{"model":"m","metadata":{"user_id":7}}', { userId: undefined }],
    ['long metadata', `{"model":"m","metadata":{"user_id":"${'x'.repeat(20_000)}"}}`, { userId: undefined }],
    ['no messages', '{"model":"m"}', { first: undefined }],
    ['messages of another kind', '{"model":"m","messages":"{}"}', { first: undefined }],
    ['a first message of another kind', '{"model":"m","messages":["{",{}]}', { first: undefined }],
    ['empty messages', '{"model":"m","messages":[],"a":{}}', { first: undefined }],
    ['the longest model', `{"model":"${'\\u0041'.repeat(256)}"}`, { model: 'A'.repeat(256) }],
    ['a byte order mark', '\ufeff{"model":"m"}', { model: 'm' }],
    [
      'a name from every prototype',
      '{"model":"m","constructor":{},"__proto__":{"model":"x"}}',
      { model: 'm' },
    ],
  ])('is understood with %s', (_, text, expected) => {
    expect(told(text)).toMatchObject({ ok: true, ...expected })
  })

  test.each([
    ['The body is not a JSON object.', ''],
    ['The body is not a JSON object.', '[]'],
    ['The body is not a JSON object.', '{"model":"m"'],
    ['The body is not a JSON object.', '{"model":"m"}{}'],
    ['model: a non-empty string is required.', '{}'],
    ['model: a non-empty string is required.', '{"model":""}'],
    ['model: a non-empty string is required.', '{"model":7}'],
    ['model: a non-empty string is required.', '{"model":"\\q"}'],
    ['model: it is given twice with different values.', '{"model":"a","model":"b"}'],
    ['model: it is given twice with different values.', '{"model":"a","model":null}'],
    ['model: this is too long for a name.', `{"model":"${'a'.repeat(257)}"}`],
    ['model: this is too long for a name.', `{"model":"${'a'.repeat(5000)}"}`],
    ['model: control characters are not allowed.', '{"model":"a\\nb"}'],
    ['model: control characters are not allowed.', '{"model":"a\\u0085b"}'],
    ['stream: true or false is expected.', '{"model":"m","stream":"true"}'],
    ['stream: true or false is expected.', '{"model":"m","stream":null}'],
    ['stream: true or false is expected.', '{"model":"m","stream":{"a":"long enough not to be kept"}}'],
  ])('is refused: %s %s', (problem, text) => {
    expect(inspected(text)).toEqual({ ok: false, problem })
  })

  test('is refused when the model is no UTF-8', () => {
    const bytes = encoder.encode('{"model":"a?"}')
    bytes[11] = 0xff
    expect(inspect(bytes).ok).toBe(false)
  })

  test('finds the first message of a body of any size', () => {
    const first = `{"role":"user","content":"${'x"'.replace('"', '\\"').repeat(5000)}"}`
    const text = `{"messages":[\n${first},{"role":"assistant"}],"model":"m"}`
    const { start, end } = told(text).first ?? { start: 0, end: 0 }
    expect(text.slice(start, end)).toBe(first)
  })
})

describe('another model', () => {
  test('is put in place of every span, and all other bytes stay', () => {
    const text = '{ "model" : "a","messages":[{"model":"a","x":"é"}],"mod\\u0065l":"\\u0061"}'
    const changed = decoder.decode(withModel(encoder.encode(text), good(text).modelSpans, 'new "one"'))
    expect(changed).toBe(
      '{ "model" : "new \\"one\\"","messages":[{"model":"a","x":"é"}],"mod\\u0065l":"new \\"one\\""}',
    )
  })

  test('changes nothing but the model, whatever else the request holds', () => {
    const rest = fc.dictionary(
      fc.string().filter((key) => key !== 'stream' && key !== '__proto__'),
      fc.jsonValue(),
    )
    const name = fc.string({ minLength: 1, unit: 'grapheme-ascii' })
    fc.assert(
      fc.property(rest, rest, name, name, (before, after, model, next) => {
        const request = Object.assign({ ...before, model: '', ...after }, { model })
        const text = JSON.stringify(request)
        const result = JSON.parse(
          decoder.decode(withModel(encoder.encode(text), good(text).modelSpans, next)),
        )
        expect(result).toEqual({ ...JSON.parse(text), model: next })
      }),
    )
  })
})
