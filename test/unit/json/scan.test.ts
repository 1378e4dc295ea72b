import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createScan, type Member, wantedKeys } from '../../../core/json/scan.ts'

const encoder = new TextEncoder()

/** Everything the scan tells of `bytes`, given in pieces that end at `cuts`, when these keys are wanted. */
function scanned(
  bytes: Uint8Array,
  {
    cuts = [],
    keys = ['a', 'b'],
    most = 1_000_000,
    mostNested = Number.POSITIVE_INFINITY,
    mostValues = Number.POSITIVE_INFINITY,
  }: { cuts?: number[]; keys?: string[]; most?: number; mostNested?: number; mostValues?: number } = {},
) {
  const members: Member[] = []
  const wanted = wantedKeys(Object.fromEntries(keys.map((key) => [key, most])))
  const scan = createScan(wanted, (member) => members.push(member), { mostNested, mostValues })
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  let from = 0
  for (const end of ends) {
    scan.write(bytes.slice(from, end))
    from = end
  }
  return { state: scan.state(), members }
}
const scannedText = (text: string, keys?: string[]) => scanned(encoder.encode(text), keys && { keys })

describe('a scan of the top level', () => {
  test('in steps finds the same as at once', () => {
    const told = (text: string, bytesAStep: number) => {
      const chunk = encoder.encode(text)
      const found: unknown[] = []
      const scan = createScan(wantedKeys({ a: 100, b: 0 }), (member) => found.push(member), {
        onNested: (_, from, to) => found.push([from, to]),
      })
      for (let at = 0; at < chunk.length; ) at = scan.read(chunk, at, at + bytesAStep)
      return [scan.state(), found]
    }
    const pieces = fc.array(fc.constantFrom('{', '}', '[', ']', '"a"', '"b\\""', ':', ',', '1', ' '), {
      maxLength: 30,
    })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          pieces.map((all) => all.join('')),
        ),
        fc.integer({ min: 1, max: 6 }),
        (text, step) => {
          const whole = `{"a":${text},"b":[${text}]}`
          expect(told(whole, step)).toEqual(told(whole, whole.length * 4))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('finds members, spans and values', () => {
    const text = ' {"a" : [1,{"b":"]}"}], "mod\\u0065l":"x\\"y" ,"other":{"a":1},"n":-1.5e+3,"t":true}\n'
    const { state, members } = scannedText(text, ['t', 'n', 'a', 'model', 'mod'])
    expect(state).toBe('complete')
    expect(members.map(({ key, start, end }) => [key, text.slice(start, end)])).toEqual([
      ['a', '[1,{"b":"]}"}]'],
      ['model', '"x\\"y"'],
      ['n', '-1.5e+3'],
      ['t', 'true'],
    ])
    for (const { start, end, text: found } of members) expect(found).toBe(text.slice(start, end))
  })

  test.each([
    ['a byte order mark', '\ufeff{"a":1}'],
    ['nothing in it', '{}'],
    ['white space everywhere', '\t{ \r\n"a" :\t1 , "b": [ ] }  \n'],
  ])('takes an object with %s', (_, text) => {
    expect(scannedText(text).state).toBe('complete')
  })

  test.each([
    ['an array', '[1]'],
    ['a word', 'true'],
    ['a comma at the end', '{"a":1,}'],
    ['a comma at the start', '{,"a":1}'],
    ['no colon', '{"a" 1}'],
    ['two values', '{"a":1 2}'],
    ['two commas', '{"a":1,,"b":2}'],
    ['a bare key', '{a:1}'],
    ['no value', '{"a":}'],
    ['a wrong bracket', '{"a":[}]}'],
    ['a bracket too many', '{"a":1}}'],
    ['two objects', '{}{}'],
    ['a broken escape in a key', '{"\\q":1}'],
    ['a byte order mark after white space', ' \ufeff{}'],
    ['a page', '<html>'],
  ])('refuses %s', (_, text) => {
    expect(scannedText(text).state).toBe('invalid')
  })

  test.each(['', ' ', '{', '{"a', '{"a"', '{"a":', '{"a":"x\\', '{"a":[', '{"a":1', '{"a":1,'])(
    'waits for more after %j',
    (text) => {
      expect(scannedText(text)).toMatchObject({ state: 'open' })
    },
  )

  test('refuses a byte order mark that is cut short', () => {
    expect(scanned(Uint8Array.of(0xef, 0x7b, 0x7d)).state).toBe('invalid')
  })

  test('matches brackets ten thousand deep, and refuses what no reader takes', () => {
    const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`
    expect(scannedText(nested(10_000)).state).toBe('complete')
    expect(scannedText(nested(200_000)).state).toBe('too deep')
  })

  test('counts commas below the top level too, wherever the bytes are cut', () => {
    const bytes = encoder.encode('{"a":[1,{"b":",,","c":2}],"d":3,"e":{}}')
    for (const cuts of [[], [7], [...bytes.keys()]]) {
      expect(scanned(bytes, { cuts, mostValues: 5 }).state).toBe('complete')
      expect(scanned(bytes, { cuts, mostValues: 4 }).state).toBe('too many')
    }
  })

  test('counts objects and lists below the top level, wherever the bytes are cut', () => {
    const bytes = encoder.encode('{"a":[{},{"b":"[{"}],"c":{}}')
    for (const cuts of [[], [7], [...bytes.keys()]]) {
      expect(scanned(bytes, { cuts, mostNested: 4 }).state).toBe('complete')
      expect(scanned(bytes, { cuts, mostNested: 3 }).state).toBe('too many')
    }
  })

  test('keeps no value longer than asked, and finds no key longer than a kilobyte', () => {
    const long = 'k'.repeat(2000)
    const bytes = encoder.encode(`{"a":"1234","b":"12345","${long}\\n":1,"${long}":1}`)
    for (const cuts of [[], [9, 22, 40]]) {
      const { state, members } = scanned(bytes, { most: 6, keys: ['a', 'b', `${long}\n`], cuts })
      expect(state).toBe('complete')
      expect(members.map(({ key, text }) => [key, text?.length])).toEqual([
        ['a', 6],
        ['b', undefined],
      ])
    }
  })

  test('is the same wherever the bytes are cut', () => {
    const text = '\ufeff{"a\\"\\\\":"x\\\\\\"é€😀","b":[{"c":"]\\\\"},-1],"d":null,"é":{}} '
    const bytes = encoder.encode(text)
    const keys = ['a"\\', 'b', 'd', 'é']
    const whole = scanned(bytes, { keys })
    expect(whole.members).toHaveLength(4)
    for (let cut = 0; cut <= bytes.length; cut++) expect(scanned(bytes, { keys, cuts: [cut] })).toEqual(whole)
    expect(scanned(bytes, { keys, cuts: [...bytes.keys()] })).toEqual(whole)
  })

  test('agrees with JSON.parse on keys and values', () => {
    const keys = fc.string({ unit: 'binary', maxLength: 50 })
    const cuts = fc.array(fc.nat(), { maxLength: 5 })
    const spaces = fc.constantFrom(undefined, 1, '\t')
    fc.assert(
      fc.property(
        fc.dictionary(keys, fc.jsonValue(), { noNullPrototype: true }),
        spaces,
        cuts,
        (object, space, cuts) => {
          const text = JSON.stringify(object, undefined, space)
          const keys = Object.keys(object)
          const { state, members } = scanned(encoder.encode(text), { cuts, keys })
          expect(state).toBe('complete')
          const found = members.map(({ key, text }) => [key, JSON.parse(text ?? '')])
          expect(found).toEqual(Object.entries(JSON.parse(text)))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('does not depend on the cuts for any bytes at all, and never throws', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .string({ unit: fc.constantFrom(...'{}[]":,\\ a1'), maxLength: 60 })
        .map((text) => encoder.encode(text)),
    )
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 6 }), (bytes, cuts) => {
        expect(scanned(bytes, { cuts })).toEqual(scanned(bytes))
      }),
      { numRuns: 2000 },
    )
  })
})
