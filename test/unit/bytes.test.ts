/** Pieces of bytes that are joined later, and bytes that are read from text. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPieces, fromBase64, joined } from '../../core/bytes.ts'

const piece = fc.uint8Array({ maxLength: 40 })

describe('pieces of bytes', () => {
  test('are joined in their order, however large they are, also between two of them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(piece, fc.constantFrom(1, 300, 1_000)), { maxLength: 60 }),
        fc.nat({ max: 60 }),
        (given, look) => {
          const list = given.map(([bytes, times]) => joined(Array.from({ length: times }, () => bytes)))
          const pieces = createPieces()
          let seen: Uint8Array | undefined
          for (const [i, one] of list.entries()) {
            pieces.add(one)
            if (i === look) seen = pieces.bytes()
          }
          expect(pieces.size()).toBe(list.reduce((sum, { length }) => sum + length, 0))
          expect(seen).toEqual(look < list.length ? joined(list.slice(0, look + 1)) : undefined)
          expect(pieces.take()).toEqual(joined(list))
          expect([pieces.size(), pieces.take().length]).toEqual([0, 0])
        },
      ),
      { numRuns: 200 },
    )
  })

  test('leave those that were added as they were', () => {
    const first = Uint8Array.of(1, 2)
    const pieces = createPieces()
    pieces.add(first.subarray(0, 1))
    pieces.add(Uint8Array.of(9))
    expect([[...first], [...pieces.take()]]).toEqual([
      [1, 2],
      [1, 9],
    ])
  })
})

test('base64 is read as the bytes that it stands for', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(fromBase64(btoa(String.fromCharCode(...bytes)))).toEqual(bytes)
    }),
  )
  expect(() => fromBase64('&')).toThrow()
})
