import { expect, test } from 'vitest'
import { minuteTokens, promptOf, totalTokens } from '../../../core/metering/tokens.ts'

const record = {
  inputTokens: 1,
  outputTokens: 10,
  cacheReadTokens: 100,
  cacheWrite5mTokens: 1_000,
  cacheWrite1hTokens: 10_000,
}

test('quotas count tokens of every kind', () => {
  expect(totalTokens(record)).toBe(11_111)
})

test('limits a minute count all but those that came from the cache', () => {
  expect(minuteTokens(record)).toBe(11_011)
})

test('a prompt is what was read, from the cache or not', () => {
  const tokens = { input: 1, output: 10, cacheRead: 100, cacheWrite5m: 1_000, cacheWrite1h: 10_000 }
  expect(promptOf(tokens)).toBe(11_101)
})
