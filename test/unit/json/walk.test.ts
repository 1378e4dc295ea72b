import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { elementsOf } from '../../../core/json/elements.ts'
import { keysToFind, walkObjects } from '../../../core/json/walk.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const KEYS = keysToFind(['a', 'id'], ['skip'])

/** Each wanted member of each object, found by walking the bytes. */
function walked(text: string): string[] {
  const bytes = encoder.encode(text)
  const found: string[] = []
  walkObjects(bytes, { start: 0, end: bytes.length }, 'top', KEYS, ({ members, path }) => {
    for (const [key, { start, end }] of members) {
      const value = JSON.stringify(JSON.parse(decoder.decode(bytes.subarray(start, end))))
      found.push(`${path()}.${key} = ${value}`)
    }
  })
  return found.sort()
}

/** The same, found by parsing all of it. */
function parsed(value: unknown, path = 'top'): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    const own = !Array.isArray(value) && (key === 'a' || key === 'id')
    const below = key === 'skip' && !Array.isArray(value) ? [] : parsed(inner, `${path}.${key}`)
    return [...(own ? [`${path}.${key} = ${JSON.stringify(inner)}`] : []), ...below]
  })
}

describe('walking through JSON', () => {
  test('finds what parsing finds', () => {
    const key = fc.constantFrom('a', 'id', 'skip', 'b', 'q"x', 'b\\s', 'é', 'u0061')
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.boolean(), fc.constant(null)),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
      ),
    }))
    fc.assert(
      fc.property(tree, fc.constantFrom(undefined, 1, '\t \r\n'), (value, space) => {
        const text = JSON.stringify(value, null, space)
        expect(walked(text)).toEqual(parsed(JSON.parse(text)).sort())
      }),
      { numRuns: 500 },
    )
  })

  test('tells keys that are escaped, and those that come twice', () => {
    const bytes = encoder.encode('[{"\\u0061":1},{"id":1,"i\\u0064":2},{"a ":1}]')
    const seen: unknown[] = []
    walkObjects(bytes, { start: 0, end: bytes.length }, 'x', KEYS, ({ members, repeated, path }) => {
      seen.push([path(), [...members.keys()], repeated])
    })
    expect(seen).toEqual([
      ['x.0', ['a'], undefined],
      ['x.1', ['id'], 'id'],
    ])
  })

  test('tells of a long path its beginning, and of a long key nothing', () => {
    const told = (text: string) => {
      const bytes = encoder.encode(text)
      let path = ''
      walkObjects(bytes, { start: 0, end: bytes.length }, 'x', KEYS, (object) => {
        path = object.path()
      })
      return path
    }
    expect(told(`{"${'k'.repeat(1_000)}":[{"a":1}]}`)).toBe('x....0')
    expect(told(`${'['.repeat(5_000)}{"a":1}${']'.repeat(5_000)}`)).toBe(`x${'.0'.repeat(32)}...`)
  })

  test('gives the elements of an array one by one', () => {
    const text = ' [ {"a":[1,2]} ,"x,]", 3.5,[[]] ,null ]'
    const bytes = encoder.encode(text)
    const spans = [...elementsOf(bytes, { start: 1, end: bytes.length })]
    expect(spans.map(({ start, end }) => text.slice(start, end).trim())).toEqual([
      '{"a":[1,2]}',
      '"x,]"',
      '3.5',
      '[[]]',
      'null',
    ])
  })

  test('throws nothing, whatever the bytes', () => {
    const piece = fc.constantFrom('{', '}', '[', ']', '"a"', '"skip"', ':', ',', '1', '"', '\\', ' ', 'null')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const bytes = encoder.encode(pieces.join(''))
        const span = { start: 0, end: bytes.length }
        walkObjects(bytes, span, 'x', KEYS, ({ path, scalar }) => void [path(), scalar('a')])
        expect([...elementsOf(bytes, span)].length).toBeLessThanOrEqual(bytes.length)
      }),
    )
  })
})
