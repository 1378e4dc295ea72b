import { describe, expect, test } from 'vitest'
import { shippedAbilities } from '../../../adapters/shared/tables.ts'
import pricing from '../../../config/pricing.json' with { type: 'json' }
import type { Call } from '../../../core/calls/call.ts'
import { reservationOf } from '../../../core/limits/reservation.ts'
import { PriceList } from '../../../core/pricing/list.ts'
import { createPrices } from '../../../core/pricing/prices.ts'
import { call } from '../../support/call.ts'

const prices = createPrices(PriceList.parse(pricing))
const NOW = Date.UTC(2026, 10, 25)

/** For an Opus of 400 bytes that asks for 100,000 tokens. */
function reserved(given: Partial<Call> = {}, reserveOutputTokens?: number) {
  const asked = call({ body: new Uint8Array(400), maxTokens: 100_000, createdAt: NOW, ...given })
  const settings = { limits: { reserveOutputTokens } }
  const catalogue = { known: () => undefined }
  // What a reservation asks of them.
  return reservationOf({ prices, abilities: shippedAbilities(), settings, catalogue } as never, asked)
}
const worst = (given: Partial<Call>) => reserved(given).worst

describe('a reservation', () => {
  test('is the input by its size and all of max_tokens', () => {
    const estimate = { tokens: 100_100, costMicros: 100 * 4 + 100_000 * 20 }
    expect(reserved()).toEqual({ inputTokens: 100, worst: estimate, usual: estimate })
  })

  test('usually assumes no longer answer than is configured', () => {
    const { usual, worst } = reserved({}, 4096)
    expect(usual).toEqual({ tokens: 4196, costMicros: 100 * 4 + 4096 * 20 })
    expect(worst.tokens).toBe(100_100)
    expect(reserved({ maxTokens: 10 }, 4096).usual).toEqual(reserved({ maxTokens: 10 }).worst)
  })

  test.each<[string, Partial<Call>, number, number]>([
    [
      'content by reference: all that fits into the model',
      { namesContentByReference: true },
      1_000_000,
      100_000,
    ],
    ['a tool that fetches: the same', { serverToolUses: 1 }, 1_000_000, 100_000],
    [
      'a body that is larger than that',
      { serverToolUses: 1, body: new Uint8Array(4_400_000) },
      1_100_000,
      100_000,
    ],
    ['a model of which nobody knows more', { model: 'x', namesContentByReference: true }, 200_000, 100_000],
    ['no max_tokens: the longest answer', { maxTokens: undefined }, 100, 128_000],
    ['max_tokens beyond any model', { maxTokens: Number.MAX_SAFE_INTEGER }, 100, 1_000_000],
  ])('for %s', (_, given, input, output) => {
    expect(worst(given).tokens).toBe(input + output)
  })

  test('costs what the most expensive model that may answer does, searches, speed, place and long caches besides', () => {
    const plain = 100 * 4 + 100_000 * 20
    expect(worst({ otherModels: ['claude-haiku-5-5'] }).costMicros).toBe(plain)
    expect(worst({ otherModels: ['claude-fable-5'] }).costMicros).toBe(100 * 10 + 100_000 * 50)
    expect(worst({ fast: true }).costMicros).toBe(2 * plain)
    expect(worst({ geoUs: true }).costMicros).toBe(1.1 * plain)
    expect(worst({ longCache: true }).costMicros).toBe(100 * 8 + 100_000 * 20)
    const searching = worst({ serverToolUses: 3, webSearches: 3 }).costMicros
    expect(searching).toBe(1_000_000 * 4 + 100_000 * 20 + 30_000)
    expect(Number.isSafeInteger(worst({ webSearches: 1e300 }).costMicros)).toBe(true)
    const many = Array.from({ length: 200_000 }, (_, i) => `claude-${i}`)
    expect(worst({ otherModels: many }).tokens).toBe(100_100)
  })
})
