import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createScan, type Member, wantedKeys } from '../../../core/json/scan.ts'
import { reshaped } from '../../../core/json/splice.ts'

const WANTED = wantedKeys({ model: 0, stream: 0, 'a"\\b': 0 })

function without(json: string, added = '"v":1'): string {
  const bytes = new TextEncoder().encode(json)
  const found: Member[] = []
  createScan(WANTED, (member) => found.push(member)).write(bytes)
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(reshaped(bytes, found, added))
}

describe('an object with other members', () => {
  test.each([
    ['{"model":"m"}', '{"v":1}'],
    ['{ "model" : "m" , "b" : [1, 2] }', '{"v":1 , "b" : [1, 2] }'],
    ['{"b":2,"stream":true}', '{"v":1,"b":2}'],
    ['{"b":2,\n  "stream": true,\n  "model": "m",\n  "c": 3\n}', '{"v":1,"b":2,\n  "c": 3\n}'],
    ['{"model":"m","stream":true,"model":"m"}', '{"v":1}'],
    ['{"model":"m","b":2}', '{"v":1,"b":2}'],
    ['{"b":{"model":"stays"}}', '{"v":1,"b":{"model":"stays"}}'],
    ['{"m\\u006fdel":"m","x":"\\"model\\":1"}', '{"v":1,"x":"\\"model\\":1"}'],
    ['{"x":1,"a\\"\\\\b":5}', '{"v":1,"x":1}'],
    [' \ufeff{"b":1}'.slice(1), '\ufeff{"v":1,"b":1}'],
    ['{ }', '{"v":1 }'],
  ])('%s becomes %s', (given, made) => {
    expect(without(given)).toBe(made)
  })

  test('means the same but for them, whatever else it holds and however it is spaced', () => {
    const key = fc.constantFrom('model', 'stream', 'a"\\b', 'b', 'c\\', '"', '')
    const json = fc.tuple(fc.array(fc.tuple(key, fc.jsonValue()), { maxLength: 8 }), fc.boolean())
    fc.assert(
      fc.property(json, ([members, spaced]) => {
        const text = JSON.stringify(Object.fromEntries(members), null, spaced ? 2 : 0)
        // JSON has no -0.
        const object: Record<string, unknown> = JSON.parse(text)
        const { model: _m, stream: _s, 'a"\\b': _a, ...kept } = object
        expect(JSON.parse(without(text))).toEqual({ v: 1, ...kept })
      }),
      { numRuns: 500 },
    )
  })
})
