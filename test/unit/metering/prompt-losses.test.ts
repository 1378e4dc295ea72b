import { describe, expect, test } from 'vitest'
import { promptLossesOf } from '../../../core/metering/prompt-losses.ts'

const miss = (type: unknown, tokens?: unknown) => ({
  cache_miss_reason: { type, cache_missed_input_tokens: tokens },
})
const loss = (kind: string, reason: string, blocks: number, tokens = 0) => ({ kind, reason, blocks, tokens })

describe('a missed cache', () => {
  const changed = ['model', 'system', 'tools', 'messages'].map((what) => `${what}_changed`)
  test.each([...changed, 'previous_message_not_found', 'unavailable'])(
    'is told with its reason: %s',
    (reason) => {
      expect(promptLossesOf(miss(reason, 500), undefined)).toEqual([loss('cache_miss', reason, 0, 500)])
    },
  )

  test('of another reason is told as such, so that there are only so many', () => {
    expect(promptLossesOf(miss('invented', 5), undefined)).toEqual([loss('cache_miss', 'other', 0, 5)])
  })

  test.each([-1, 1.5, '7', 1_000_000_001, undefined])('of %j tokens is told without them', (tokens) => {
    expect(promptLossesOf(miss('model_changed', tokens), undefined)).toEqual([
      loss('cache_miss', 'model_changed', 0, 0),
    ])
  })

  test.each([0, 1_000_000_000])('of %i tokens is told with them', (tokens) => {
    expect(promptLossesOf(miss('model_changed', tokens), undefined)[0]?.tokens).toBe(tokens)
  })

  test.each([undefined, null, {}, miss(5), 'x', { cache_miss_reason: null }])(
    'is none in %j',
    (diagnostics) => {
      expect(promptLossesOf(diagnostics, undefined)).toEqual([])
    },
  )
})

describe('thinking that was lost', () => {
  test.each([
    'model_binding_mismatch',
    'prefix_binding_mismatch',
    'organization_binding_mismatch',
    'end_user_binding_mismatch',
  ])('is told with its reason: %s', (reason) => {
    expect(promptLossesOf(undefined, [{ type: 'thinking_dropped', reason }])).toEqual([
      loss('thinking_dropped', reason, 1),
    ])
  })

  test('is counted by kind and reason', () => {
    const reason = 'model_binding_mismatch'
    const entries = [
      { type: 'thinking_dropped', reason },
      { type: 'thinking_mismatch_allowed', reason },
      { type: 'thinking_dropped', reason },
      { type: 'thinking_dropped' },
      { type: 'thinking_dropped', reason: 'invented' },
      { type: 'thinking_dropped', reason: 5 },
    ]
    expect(promptLossesOf(undefined, entries)).toEqual([
      loss('thinking_dropped', reason, 2),
      loss('thinking_mismatch_allowed', reason, 1),
      loss('thinking_dropped', 'other', 3),
    ])
  })

  test('is nothing else, and nothing that cannot be read', () => {
    const odd = [
      { type: 'cache_miss', reason: 'model_changed' },
      { type: 'invented' },
      5,
      null,
      { reason: 'x' },
    ]
    expect(promptLossesOf(undefined, odd)).toEqual([])
    expect(promptLossesOf(undefined, { type: 'thinking_dropped' })).toEqual([])
  })

  test('is told beside a missed cache of the same reason', () => {
    const entries = [{ type: 'thinking_dropped', reason: 'invented' }]
    expect(promptLossesOf(miss('invented'), entries)).toEqual([
      loss('cache_miss', 'other', 0),
      loss('thinking_dropped', 'other', 1),
    ])
  })
})
