/** Which model a newcomer begins with. */
import { expect, test } from 'vitest'
import { suggestedModel } from '../../../site/src/lib/models/suggested.ts'

const NOW = Date.UTC(2026, 10, 27)
const rates = (output: number) => ({
  input: output / 5,
  output,
  cache_read: 0,
  cache_write_5m: 0,
  cache_write_1h: 0,
})
const model = (id: string, output: number | null, given: object = {}) => ({
  id,
  access: 'open' as const,
  pricing: output === null ? null : rates(output),
  retires_at: null,
  ...given,
})
const FABLE = model('claude-fable-5-2', 40)
const OPUS = model('claude-opus-5-5', 20)
const SONNET = model('claude-sonnet-5-5', 10)
const OLD_SONNET = model('claude-sonnet-4-5', 15)
const HAIKU = model('claude-haiku-5-5', 0.5)
const ended = { retires_at: '2026-11-01T00:00:00Z' }

test.each([
  ['the newest Sonnet', [FABLE, OPUS, SONNET, OLD_SONNET, HAIKU], 'claude-sonnet-5-5'],
  ['one that lasts', [OPUS, { ...SONNET, ...ended }, OLD_SONNET], 'claude-sonnet-4-5'],
  ['one that may be used', [OPUS, model('claude-sonnet-5-5', 10, { access: 'approval' })], 'claude-opus-5-5'],
  ['one that was granted', [model('claude-sonnet-5-5', 10, { access: 'granted' })], 'claude-sonnet-5-5'],
  ['the middle by price, not the most expensive', [FABLE, OPUS, HAIKU], 'claude-opus-5-5'],
  ['the cheaper of two', [FABLE, HAIKU], 'claude-haiku-5-5'],
  ['one without a price, where there is no other', [model('kimi', null)], 'kimi'],
  ['an ended one, where there is no other', [{ ...OPUS, ...ended }], 'claude-opus-5-5'],
  ['none, where none may be used', [model('x', 1, { access: 'closed' })], undefined],
])('%s', (_, models, expected) => {
  expect(suggestedModel(models, NOW)?.id).toBe(expected)
})
