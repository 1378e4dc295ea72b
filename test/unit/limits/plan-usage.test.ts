import { expect, test } from 'vitest'
import { planUsage } from '../../../core/limits/plan-usage.ts'

const cap = (
  period: 'daily' | 'weekly' | 'monthly' | 'total',
  micros: number | null,
  usedMicros: number,
) => ({
  period,
  micros,
  usedMicros,
  source: 'user' as const,
  resetsAt: Date.UTC(2026, 11, 1),
})

test('shows the fullest limit, and each in cents and whole percents', () => {
  expect(
    planUsage([cap('daily', 20_000_000, 1_000_000), cap('monthly', 500_000_000, 271_400_000)], new Map()),
  ).toEqual({
    extra_usage: {
      is_enabled: true,
      monthly_limit: 50_000,
      used_credits: 27_140,
      utilization: 54,
      currency: 'USD',
    },
    limits: [
      {
        kind: 'spend',
        group: 'daily',
        percent: 5,
        resets_at: '2026-12-01T00:00:00.000Z',
        severity: 'normal',
        is_active: false,
      },
      {
        kind: 'spend',
        group: 'monthly',
        percent: 54,
        resets_at: '2026-12-01T00:00:00.000Z',
        severity: 'normal',
        is_active: true,
      },
    ],
  })
})

test('without a limit that is renewed, shows what was used by day, week and month', () => {
  const used = new Map([
    ['daily', { micros: 10_000, tokens: 1 }],
    ['monthly', { micros: 1_230_000, tokens: 1 }],
  ])
  expect(planUsage([cap('total', 1, 0), cap('weekly', null, 5)], used)).toEqual({
    extra_usage: {
      is_enabled: true,
      monthly_limit: null,
      used_credits: 123,
      utilization: null,
      currency: 'USD',
    },
    limits: [],
    daily: { limit: null, used_credits: 1, utilization: null },
    weekly: { limit: null, used_credits: 0, utilization: null },
  })
})

test('a limit of nothing is full, and one that is overspent is no more than that', () => {
  const { limits } = planUsage([cap('daily', 0, 0), cap('weekly', 10, 25)], new Map())
  expect(limits.map(({ percent }) => percent)).toEqual([100, 100])
})
