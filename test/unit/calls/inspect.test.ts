import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inspect } from '../../../core/calls/inspect.ts'
import { renamed as renamedAt } from '../../../core/calls/receive.ts'
import { Refusal } from '../../../core/errors.ts'
import { spliced } from '../../../core/json/splice.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const inspected = (text: string) => inspect(encoder.encode(text))
const renamed = (text: string, model: string) =>
  spliced(encoder.encode(text), renamedAt(inspected(text).modelSpans, model))
const refusal = (text: string) => {
  try {
    inspected(text)
  } catch (thrown) {
    if (thrown instanceof Refusal) return `${thrown.code} ${thrown.message}`
    throw thrown
  }
  return undefined
}

describe('what a request says of itself', () => {
  test('is read from its top level', () => {
    const text =
      '{"messages":[{"model":"no","stream":false}],"model":"claude-opus-5-5","stream":true,"max_tokens":1024,' +
      '"metadata":{"user_id":"u1"}}'
    const { modelSpans, messages, ...rest } = inspected(text)
    expect(rest).toMatchObject({
      model: 'claude-opus-5-5',
      stream: true,
      maxTokens: 1024,
      metadata: '{"user_id":"u1"}',
    })
    expect([...modelSpans, messages].map((span) => text.slice(span?.start, span?.end))).toEqual([
      '"claude-opus-5-5"',
      '[{"model":"no","stream":false}]',
    ])
  })

  test.each([
    ['no stream', '{"model":"m"}', { stream: false, maxTokens: undefined, metadata: undefined }],
    ['an escaped key and value', '{"mod\\u0065l":"\\u006d"}', { model: 'm' }],
    ['stream: null', '{"model":"m","stream":null}', { stream: false }],
    ['a key twice', '{"model":"m","stream":true,"stream":false}', { stream: false }],
    ['no messages', '{"model":"m"}', { messages: undefined }],
    ['long metadata', `{"model":"m","metadata":{"a":"${'x'.repeat(20_000)}"}}`, { metadata: undefined }],
    ['the longest model', `{"model":"${'\\u0041'.repeat(256)}"}`, { model: 'A'.repeat(256) }],
    ['a byte order mark', '\ufeff{"model":"m"}', { model: 'm' }],
    [
      'a name from every prototype',
      '{"model":"m","constructor":{},"__proto__":{"model":"x"}}',
      { model: 'm' },
    ],
    ['much nesting', `{"model":"m","messages":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, { model: 'm' }],
  ])('is understood with %s', (_, text, expected) => {
    expect(inspected(text)).toMatchObject(expected)
  })

  test.each([
    ['words', '"max_tokens":"many"'],
    ['a fraction', '"max_tokens":1.5'],
    ['zero', '"max_tokens":0'],
    ['less than zero', '"max_tokens":-5'],
    ['more than any number', '"max_tokens":1e400'],
    ['a number written oddly', '"max_tokens":0128'],
    ['one value after another', '"max_tokens":128000,"max_tokens":1'],
    ['an escaped second value', '"max_tokens":1,"max_token\\u0073":128000'],
    ['a fraction in a fallback', '"max_tokens":1,"fallbacks":[{"model":"m","max_tokens":0.5}]'],
  ])('counts as the largest possible with %s for max_tokens', (_, member) => {
    expect(inspected(`{"model":"m",${member}}`).maxTokens).toBeUndefined()
  })

  test('counts the most tokens that a fallback may give', () => {
    const fallbacks = '[{"model":"a","max_tokens":9000},{"model":"b","max_tokens":null},{"model":"c"}]'
    expect(inspected(`{"model":"m","max_tokens":10,"fallbacks":${fallbacks}}`).maxTokens).toBe(9000)
  })

  test.each([
    ['The body is not a JSON object.', ''],
    ['The body is not a JSON object.', '[]'],
    ['The body is not a JSON object.', '{"model":"m"'],
    ['The body is not a JSON object.', '{"model":"m"}{}'],
    ['The body is nested too deep.', `{"model":"m","messages":${'['.repeat(11_000)}${']'.repeat(11_000)}}`],
    ['The body has more than 1000 members.', `{"model":"m",${'"a":1,'.repeat(1_000)}"b":1}`],
    ['The body is nested too deep.', `{"model":"m","metadata":${'{"a":'.repeat(90_000)}`],
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
    ['stream: true or false is expected.', '{"model":"m","stream":{"a":"long enough not to be kept"}}'],
  ])('is refused: %s %s', (problem, text) => {
    expect(refusal(text)).toBe(`body_invalid ${problem}`)
  })

  test('is refused when the model is no UTF-8', () => {
    const bytes = encoder.encode('{"model":"a?"}')
    bytes[11] = 0xff
    expect(() => inspect(bytes)).toThrow(Refusal)
  })
})

describe('another model', () => {
  test('is put in place of every span, and all other bytes stay', () => {
    const text = '{ "model" : "a","messages":[{"model":"a","x":"é"}],"mod\\u0065l":"\\u0061"}'
    const changed = decoder.decode(renamed(text, 'new "one"'))
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
        const result = JSON.parse(decoder.decode(renamed(text, next)))
        expect(result).toEqual({ ...JSON.parse(text), model: next })
      }),
    )
  })
})
