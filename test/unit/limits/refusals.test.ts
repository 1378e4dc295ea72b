import { describe, expect, test } from 'vitest'
import { limitHeaders, limitRefusal } from '../../../core/limits/refusals.ts'
import type { Counter, Denied, UsedShare } from '../../../core/ports.ts'
import type { Settings } from '../../../core/settings.ts'
import { NO_LIMITS } from '../../support/records.ts'

type AmountDenied = Extract<Denied, { held: boolean }>
type RateDenied = Exclude<Denied, { held: boolean }>

const NOW = Date.UTC(2026, 10, 25)
const RESET = Date.UTC(2026, 11, 1)
const settingsWith = (publicUrl = '', timeZone = 'UTC') =>
  ({ limits: { timeZone }, publicUrl }) as unknown as Settings // what a refusal reads of them
const POOLS: Counter[] = [
  { scope: 'group', id: 3, limits: NO_LIMITS, name: 'Research' },
  { scope: 'group', id: 4, limits: NO_LIMITS },
]
type Given = Partial<AmountDenied> | Partial<RateDenied>
const refusalOf = (denied: Given, settings: Settings) => {
  const isRate = denied.limit && !['quota', 'budget'].includes(denied.limit)
  const amount = isRate ? {} : { held: false, period: 'monthly' }
  const whole = { ok: false, scope: 'user', id: 1, resetAt: NOW + 3_000, ...amount, ...denied }
  return limitRefusal(settings, whole as Denied, POOLS, NOW)
}
const told = (denied: Given, settings = settingsWith()) => {
  const { code, message, retryAfterMs } = refusalOf(denied, settings)
  return { code, message, retryAfterMs }
}

describe('a call that a limit refuses learns', () => {
  test.each<[string, Given, string, string]>([
    [
      'that it came too soon',
      { limit: 'requests_per_minute' },
      'rate_limited',
      'The limit of requests per minute of your account is reached. Please slow down.',
    ],
    [
      'that its key is used too often',
      { limit: 'requests_per_minute', scope: 'key' },
      'rate_limited',
      'The limit of requests per minute of this API key is reached. Please slow down.',
    ],
    [
      'that others run',
      { limit: 'concurrency' },
      'rate_limited',
      'The limit of concurrent requests of your account is reached. Let one finish first.',
    ],
    [
      'that others of its key run',
      { limit: 'concurrency', scope: 'key' },
      'rate_limited',
      'The limit of concurrent requests of this API key is reached. Let one finish first.',
    ],
    [
      'that it read and wrote too much',
      { limit: 'tokens_per_minute' },
      'rate_limited',
      'The limit of tokens per minute of your account is reached. Please slow down.',
    ],
    [
      'that others of its group may use up the rest',
      { limit: 'budget', held: true, scope: 'group', id: 3 },
      'rate_limited',
      'Calls under way may use up what is left of the monthly budget of the group Research. Try again when one has ended.',
    ],
    [
      'whose pool is used up, by its name',
      { limit: 'budget', scope: 'group', id: 3, period: 'weekly' },
      'quota_exceeded',
      'The weekly budget of the group Research is used up; it is renewed on 2026-11-25 00:00 UTC. Ask an administrator for more.',
    ],
    [
      'whose pool is used up, by its number where nobody knows a name',
      { limit: 'budget', scope: 'group', id: 4, period: 'daily' },
      'quota_exceeded',
      'The daily budget of group 4 is used up; it is renewed on 2026-11-25 00:00 UTC. Ask an administrator for more.',
    ],
    [
      'that all have used up what there is',
      { limit: 'budget', scope: 'organisation', id: 0 },
      'quota_exceeded',
      'The monthly budget of the whole organisation is used up; it is renewed on 2026-11-25 00:00 UTC. Ask an administrator for more.',
    ],
    [
      'that others may use up the rest',
      { limit: 'budget', held: true },
      'rate_limited',
      'Calls under way may use up what is left of your monthly budget. Try again when one has ended.',
    ],
    [
      'that others of its key may use up the rest',
      { limit: 'quota', held: true, scope: 'key' },
      'rate_limited',
      "Calls under way may use up what is left of this API key's monthly token quota. Try again when one has ended.",
    ],
    [
      'when its quota is renewed',
      { limit: 'quota' },
      'quota_exceeded',
      'Your monthly token quota is used up; it is renewed on 2026-11-25 00:00 UTC. Ask an administrator for more.',
    ],
    [
      'when the budget of its key is renewed',
      { limit: 'budget', scope: 'key' },
      'quota_exceeded',
      "This API key's monthly budget is used up; it is renewed on 2026-11-25 00:00 UTC. Ask an administrator for more.",
    ],
  ])('%s', (_, denied, code, message) => {
    expect(told(denied)).toEqual({ code, message, retryAfterMs: 3_000 })
  })

  test('where to ask for more of their own budget', () => {
    const settings = settingsWith('https://gateway.test')
    expect(told({ limit: 'budget', period: 'daily' }, settings).message).toBe(
      'Your daily budget is used up; it is renewed on 2026-11-25 00:00 UTC. Ask for more at https://gateway.test/requests.',
    )
    for (const other of [{ limit: 'quota' }, { limit: 'budget', scope: 'group' }] as const)
      expect(told(other, settings).message).toMatch(/Ask an administrator for more\.$/)
  })

  test('when it is renewed by the clock that limits go by', () => {
    const settings = settingsWith('', 'Asia/Kathmandu')
    const resetAt = Date.UTC(2026, 10, 25, 18, 15)
    expect(told({ limit: 'budget', resetAt }, settings).message).toContain(
      'renewed on 2026-11-26 00:00 Asia/Kathmandu.',
    )
  })

  test('that a limit of all time is never renewed', () => {
    expect(told({ limit: 'quota', period: 'total' })).toEqual({
      code: 'quota_exceeded',
      message: 'Your token quota is used up. Ask an administrator for more.',
      retryAfterMs: undefined,
    })
    expect(told({ limit: 'budget', held: true, period: 'total' }).message).toContain('left of your budget.')
  })

  test('that nobody can tell', () => {
    expect(told({ limit: 'unavailable' } as unknown as Given)).toEqual({
      code: 'limits_unavailable',
      message: 'Limits cannot be checked right now, so no call can be made. Try later.',
      retryAfterMs: undefined,
    })
  })
})

describe('the headers that Claude Code reads', () => {
  const shown = (used: UsedShare | undefined) => Object.fromEntries(limitHeaders({ ok: true, used }))
  const headers = (share: number) => shown({ share, period: 'monthly', resetAt: RESET + 999 })
  const PREFIX = 'anthropic-ratelimit-unified'

  test('tell the share that is used, and when it begins anew in seconds', () => {
    expect(headers(0.256)).toEqual({
      [`${PREFIX}-status`]: 'allowed',
      [`${PREFIX}-representative-claim`]: 'overage',
      [`${PREFIX}-overage-status`]: 'allowed',
      [`${PREFIX}-overage-utilization`]: '0.25',
      [`${PREFIX}-reset`]: String(RESET / 1000),
      [`${PREFIX}-overage-reset`]: String(RESET / 1000),
    })
  })

  test('warn from three quarters on, and again near the end', () => {
    const warned = (used: number) => [
      headers(used)[`${PREFIX}-status`],
      headers(used)[`${PREFIX}-overage-status`],
      headers(used)[`${PREFIX}-overage-surpassed-threshold`],
    ]
    expect(warned(0.749)).toEqual(['allowed', 'allowed', undefined])
    expect(warned(0.75)).toEqual(['allowed_warning', 'allowed_warning', '0.75'])
    expect(warned(0.949)).toEqual(['allowed_warning', 'allowed_warning', '0.75'])
    expect(warned(0.95)).toEqual(['allowed_warning', 'allowed_warning', '0.95'])
  })

  test('never say that all is spent while calls pass', () => {
    const told = [0.999, 1, 1.2, 0.29, 0.749].map((share) => headers(share)[`${PREFIX}-overage-utilization`])
    expect(told).toEqual(['0.99', '0.99', '0.99', '0.29', '0.74'])
  })

  test('say of a call over its limit what is spent, for which period, and nothing that hides our sentence', () => {
    const refused = (denied: Given) =>
      Object.fromEntries(refusalOf({ resetAt: RESET, ...denied } as Given, settingsWith()).headers)
    const spent = {
      [`${PREFIX}-status`]: 'rejected',
      [`${PREFIX}-overage-utilization`]: '1',
      [`${PREFIX}-overage-surpassed-threshold`]: '1',
      [`${PREFIX}-overage-disabled-reason`]: 'org_spend_cap_reached',
    }
    const reset = {
      [`${PREFIX}-reset`]: String(RESET / 1000),
      [`${PREFIX}-overage-reset`]: String(RESET / 1000),
    }
    expect(refused({ limit: 'budget' })).toEqual({
      ...spent,
      ...reset,
      [`${PREFIX}-overage-period`]: 'monthly',
    })
    expect(refused({ limit: 'quota', scope: 'key', period: 'daily' })).toMatchObject({
      ...spent,
      [`${PREFIX}-overage-period`]: 'daily',
    })
    expect(refused({ limit: 'budget', period: 'total' })).toEqual(spent)
    for (const scope of ['group', 'organisation'] as const) {
      const pool = { ...spent, ...reset, [`${PREFIX}-overage-scope`]: 'group_pool' }
      expect(refused({ limit: 'budget', scope })).toEqual({
        ...pool,
        [`${PREFIX}-overage-period`]: 'monthly',
      })
    }
    expect(refused({ limit: 'unavailable' } as unknown as Given)).toEqual({
      [`${PREFIX}-overage-disabled-reason`]: 'fetch_error',
    })
    // What passes by itself is no spent allowance.
    expect(refused({ limit: 'budget', held: true })).toEqual({})
    expect(refused({ limit: 'requests_per_minute' })).toEqual({})
  })

  test('name no end of a limit of all time', () => {
    expect(Object.keys(shown({ share: 0.5, period: 'total', resetAt: RESET }))).not.toContain(
      `${PREFIX}-reset`,
    )
    expect(Object.keys(shown({ share: 0.5, period: 'total', resetAt: RESET }))).toHaveLength(4)
  })

  test('are none without a limit', () => {
    expect(shown(undefined)).toEqual({})
  })
})
