import { describe, expect, test } from 'vitest'
import { limitHeaders, limitRefusal } from '../../../core/limits/refusals.ts'
import type { Admitted } from '../../../core/ports.ts'
import type { Settings } from '../../../core/settings.ts'

type Denied = Extract<Admitted, { ok: false }>

const NOW = Date.UTC(2026, 10, 25)
const RESET = Date.UTC(2026, 11, 1)
const settingsWith = (period: string, publicUrl = '') =>
  ({ limits: { period }, publicUrl }) as unknown as Settings // what a refusal reads of them
const MONTHLY = settingsWith('monthly')
const told = (denied: Partial<Denied>, settings = MONTHLY) => {
  const whole = { ok: false, scope: 'user', held: false, resetAt: NOW + 3_000, ...denied } as Denied
  const { code, message, retryAfterMs } = limitRefusal(settings, whole, NOW)
  return { code, message, retryAfterMs }
}

describe('a call that a limit refuses learns', () => {
  test.each<[string, Partial<Denied>, string, string]>([
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

  test('where to ask for more', () => {
    const settings = settingsWith('daily', 'https://gateway.test')
    expect(told({ limit: 'budget' }, settings).message).toBe(
      'Your daily budget is used up; it is renewed on 2026-11-25 00:00 UTC. See https://gateway.test or ask an administrator for more.',
    )
  })

  test('that a limit of all time is never renewed', () => {
    expect(told({ limit: 'quota' }, settingsWith('total'))).toEqual({
      code: 'quota_exceeded',
      message: 'Your token quota is used up. Ask an administrator for more.',
      retryAfterMs: undefined,
    })
    expect(told({ limit: 'budget', held: true }, settingsWith('total')).message).toContain(
      'left of your budget.',
    )
  })

  test('that nobody can tell', () => {
    expect(told({ limit: 'unavailable' } as Partial<Denied>)).toEqual({
      code: 'limits_unavailable',
      message: 'Limits cannot be checked right now, so no call can be made. Try later.',
      retryAfterMs: undefined,
    })
  })
})

describe('the headers that Claude Code reads', () => {
  const headers = (used: number | undefined, settings = MONTHLY) =>
    Object.fromEntries(limitHeaders(settings, { ok: true, used, resetAt: RESET + 999 }))
  const PREFIX = 'anthropic-ratelimit-unified'

  test('tell the share that is used, and when it begins anew in seconds', () => {
    expect(headers(0.256)).toEqual({
      [`${PREFIX}-status`]: 'allowed',
      [`${PREFIX}-representative-claim`]: 'overage',
      [`${PREFIX}-overage-status`]: 'allowed',
      [`${PREFIX}-overage-utilization`]: '0.26',
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
    expect(headers(0.999)[`${PREFIX}-overage-utilization`]).toBe('0.99')
  })

  test('say of a call over its limit what is spent, for which period, and nothing that hides our sentence', () => {
    const refused = (denied: Partial<Denied>, settings = MONTHLY) =>
      Object.fromEntries(
        limitRefusal(
          settings,
          { ok: false, scope: 'user', held: false, resetAt: RESET, ...denied } as Denied,
          NOW,
        ).headers,
      )
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
    expect(refused({ limit: 'quota', scope: 'key' }, settingsWith('daily'))).toMatchObject({
      ...spent,
      [`${PREFIX}-overage-period`]: 'daily',
    })
    expect(refused({ limit: 'budget' }, settingsWith('total'))).toEqual(spent)
    expect(refused({ limit: 'unavailable' } as Partial<Denied>)).toEqual({
      [`${PREFIX}-overage-disabled-reason`]: 'fetch_error',
    })
    // What passes by itself is no spent allowance.
    expect(refused({ limit: 'budget', held: true })).toEqual({})
    expect(refused({ limit: 'requests_per_minute' })).toEqual({})
  })

  test('name no end of a limit of all time', () => {
    expect(Object.keys(headers(0.5, settingsWith('total')))).not.toContain(`${PREFIX}-reset`)
    expect(Object.keys(headers(0.5, settingsWith('total')))).toHaveLength(4)
  })

  test('are none without a limit', () => {
    expect(headers(undefined)).toEqual({})
  })
})
