import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import pricing from '../../../config/pricing.json' with { type: 'json' }
import type { BilledUsage, TokenCounts } from '../../../core/metering/tokens.ts'
import { PriceList } from '../../../core/pricing/list.ts'
import { createPrices } from '../../../core/pricing/prices.ts'
import { billed, NONE } from '../../support/usage-streams.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')
const M = 1_000_000
const list = PriceList.parse(pricing)
const prices = createPrices(list)
const OPUS = 'claude-opus-5-5'
const priced = (tokens: Partial<TokenCounts>, change?: Partial<BilledUsage>, model = OPUS) =>
  prices.cost(billed(tokens, change), model, NOW)

const count = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 2 * M }))
const tokens = fc.record({
  input: count,
  output: count,
  cacheRead: count,
  cacheWrite5m: count,
  cacheWrite1h: count,
})
const model = fc.constantFrom(...list.models.map(({ id }) => id), 'nobody-knows', 'claude-opus-5-5-fast')
const usage = fc.record({
  parts: fc.array(fc.record({ model: fc.option(model, { nil: undefined }), tokens }), { maxLength: 4 }),
  webSearches: fc.integer({ min: 0, max: 20 }),
  fast: fc.boolean(),
  batch: fc.boolean(),
  geoUs: fc.boolean(),
})

describe('the parts of a cost', () => {
  test('add up to it, of nested iterations, fast, batch and in the US', () => {
    fc.assert(
      fc.property(usage, model, (given, name) => {
        const price = prices.cost(billed({}, given), name, NOW)
        const { inputMicros, outputMicros, cacheReadMicros, cacheWrite5mMicros, cacheWrite1hMicros } = price
        const parts = [inputMicros, outputMicros, cacheReadMicros, cacheWrite5mMicros, cacheWrite1hMicros]
        parts.push(price.serverToolMicros)
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(price.costMicros)
        for (const part of [...parts, price.savedMicros]) {
          expect(Number.isSafeInteger(part)).toBe(true)
          expect(Object.is(part, -0)).toBe(false)
        }
        expect(Math.min(...parts)).toBeGreaterThanOrEqual(0)
        expect(price.serverToolMicros).toBeGreaterThanOrEqual(given.webSearches * 10_000)
      }),
      { numRuns: 500 },
    )
  })

  test('are each class at its rate', () => {
    const {
      costMicros,
      savedMicros: _,
      ...parts
    } = priced(
      { input: M, output: M, cacheRead: M, cacheWrite5m: M, cacheWrite1h: M },
      { webSearches: 2, batch: true },
    )
    expect(parts).toEqual({
      inputMicros: 2 * M,
      outputMicros: 10 * M,
      cacheReadMicros: 0.1 * M,
      cacheWrite5mMicros: 2.5 * M,
      cacheWrite1hMicros: 4 * M,
      serverToolMicros: 20_000,
      unpriced: false,
    })
    expect(costMicros).toBe(18.62 * M)
  })

  test('have what rounding leaves over in the largest', () => {
    const tiny = { input: 1, cacheRead: 3, cacheWrite5m: 1 }
    const haiku = prices.cost(billed(tiny), 'claude-haiku-5-5', NOW)
    const exact = haiku.inputMicros + haiku.cacheReadMicros + haiku.cacheWrite5mMicros
    expect(exact).toBe(haiku.costMicros)
    expect(haiku.cacheWrite5mMicros).toBeGreaterThanOrEqual(haiku.inputMicros)
  })
})

describe('what the prompt cache saved', () => {
  const saved = (given: Partial<TokenCounts>, change?: Partial<BilledUsage>) =>
    priced(given, change).savedMicros

  test('is the difference to plain input', () => {
    const {
      input = 0,
      cache_read: read = 0,
      cache_write_5m: five = 0,
      cache_write_1h: hour = 0,
    } = prices.rates(OPUS, NOW) ?? {}
    expect(saved({ cacheRead: M })).toBeCloseTo((input - read) * M, 0)
    expect(saved({ cacheWrite5m: M })).toBeCloseTo((input - five) * M, 0)
    expect(saved({ cacheWrite1h: M, input: 5, output: 7 })).toBeCloseTo((input - hour) * M, 0)
    expect(saved({ cacheRead: M }, { batch: true })).toBeCloseTo(((input - read) * M) / 2, 0)
  })

  test('is negative where writing cost more, and nothing without a cache', () => {
    expect(saved({ cacheWrite5m: M })).toBeLessThan(0)
    expect(saved({ input: M, output: M }, { webSearches: 3 })).toBe(0)
    expect(saved(NONE)).toBe(0)
  })

  test('makes the cost of a call without one', () => {
    fc.assert(
      fc.property(tokens, fc.boolean(), (given, geoUs) => {
        const plain = priced(
          {
            input: given.input + given.cacheRead + given.cacheWrite5m + given.cacheWrite1h,
            output: given.output,
          },
          { geoUs },
        )
        const cached = priced(given, { geoUs })
        expect(Math.abs(cached.costMicros + cached.savedMicros - plain.costMicros)).toBeLessThanOrEqual(1)
      }),
      { numRuns: 200 },
    )
  })
})
