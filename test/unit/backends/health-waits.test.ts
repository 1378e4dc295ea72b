import { describe, expect, test } from 'vitest'
import { type Health, NOBODY } from '../../../core/backends/health.ts'
import { ANN, BOB } from '../../support/backends.ts'
import {
  COOLING,
  DISABLED,
  EJECTED,
  FRESH,
  NOW,
  next,
  record,
  TROUBLED,
  UNAVAILABLE,
} from '../../support/health.ts'

describe('a request to wait', () => {
  const cooldown = (health: Health | undefined, until = NOW + 5_000) =>
    next(health, { kind: 'cooldown', at: NOW, until, reason: 'c' })

  test('is kept with its reason, and ends doubts', () => {
    expect(cooldown(record({ doubts: [...TROUBLED.doubts] }))).toMatchObject({
      state: 'cooling_down',
      since: NOW,
      until: NOW + 5_000,
      reason: 'c',
      doubts: [],
    })
  })

  test('changes nothing of what is out, or waits for longer', () => {
    expect([cooldown(EJECTED), cooldown(DISABLED), cooldown(COOLING, COOLING.until)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(cooldown(COOLING, COOLING.until + 1)?.until).toBe(COOLING.until + 1)
  })
})

describe('a doubtful refusal', () => {
  const doubted = (health: Health, what: 'rate' | 'model', person: number, at = NOW) =>
    next(health, { kind: 'doubted', what, person, at, reason: 'd' })

  test.each([EJECTED, DISABLED, COOLING, UNAVAILABLE])('says nothing of what is $state', (health) => {
    expect(doubted(health, 'rate', ANN)).toBeUndefined()
  })

  test.each([
    ['rate', 10_000],
    ['model', 30_000],
  ] as const)('of two people (%s) makes it cool down for %i ms', (what, ms) => {
    const other = what === 'rate' ? 'model' : 'rate'
    const doubts = [{ what: other, at: NOW, person: BOB } as const, { what, at: NOW, person: ANN } as const]
    expect(doubted(record({ doubts }), what, BOB)).toMatchObject({
      state: 'cooling_down',
      since: NOW,
      until: NOW + ms,
      reason: 'd',
      doubts: [{ what: other }],
    })
  })

  test('is kept once for each kind', () => {
    const once = doubted(record({}), 'rate', ANN)
    const twice = once && doubted(once, 'model', BOB, NOW + 1)
    const again = twice && doubted(twice, 'rate', ANN, NOW + 2)
    expect(again?.doubts).toEqual([
      { what: 'model', at: NOW + 1, person: BOB },
      { what: 'rate', at: NOW + 2, person: ANN },
    ])
  })
})

describe('what is not offered', () => {
  const told = (health: Health | undefined) => next(health, { kind: 'not_offered', at: NOW, reason: 'n' })

  test('is unavailable for five minutes, and nothing else is known of it', () => {
    expect(
      told(
        record({
          ...TROUBLED,
          failures: [...TROUBLED.failures],
          doubts: [...TROUBLED.doubts],
          cause: 'failures',
          lastTry: { person: 1, endsAt: 1 },
        }),
      ),
    ).toMatchObject({
      state: 'unavailable',
      since: NOW,
      until: NOW + 300_000,
      reason: 'n',
      failures: [],
      doubts: [],
      cause: '',
      lastTry: null,
    })
  })

  test('is so since it was first told', () => {
    expect(told(UNAVAILABLE)?.since).toBe(UNAVAILABLE.since)
  })

  test('changes nothing of a disabled account', () => {
    expect(told(DISABLED)).toBeUndefined()
  })
})

describe('an account', () => {
  const refused = { kind: 'disabled', at: NOW, cause: 'refused', person: BOB, reason: 'd' } as const

  test('is ejected as a whole unless it is out already', () => {
    const ejected = { kind: 'ejected', at: NOW, reason: 'e' } as const
    expect(next(record({ strikes: 1 }), ejected)).toMatchObject({
      state: 'ejected',
      cause: 'failures',
      since: NOW,
      until: NOW + 60_000,
      reason: 'e',
    })
    expect([next(EJECTED, ejected), next(DISABLED, ejected)]).toEqual([undefined, undefined])
  })

  test('is ejected for as long as is configured, even beyond five minutes', () => {
    const settings = { failureThreshold: 5, cooldownMs: 600_000 }
    expect(next(record({ strikes: 3 }), { kind: 'ejected', at: NOW, reason: 'e' }, settings)?.until).toBe(
      NOW + 600_000,
    )
  })

  test('is disabled from any state, with strikes of its own', () => {
    expect(next({ ...EJECTED, strikes: 4 }, refused)).toMatchObject({
      state: 'disabled',
      cause: 'refused',
      strikes: 0,
      since: NOW,
      until: NOW + 60_000,
    })
  })

  test('that is disabled takes the newest reason while it waits', () => {
    expect(next(DISABLED, { ...refused, cause: 'unpaid' })).toEqual({
      ...DISABLED,
      cause: 'unpaid',
      reason: 'd',
      revision: 4,
    })
  })

  test('that is met disabled again waits twice as long, unless the same person met it', () => {
    const due = { ...DISABLED, until: NOW }
    expect(next(due, refused)).toMatchObject({
      strikes: 1,
      until: NOW + 120_000,
      failedBy: BOB,
      lastTry: { person: BOB, endsAt: NOW },
      reason: 'd',
      since: DISABLED.since,
    })
    expect(next({ ...due, failedBy: BOB, strikes: 1 }, refused)).toMatchObject({
      strikes: 1,
      until: NOW + 120_000,
    })
    expect(next({ ...due, failedBy: NOBODY, strikes: 1 }, { ...refused, person: NOBODY })?.strikes).toBe(2)
    expect(next(due, { ...refused, until: NOW + 1e9 })?.until).toBe(NOW + 1e9)
  })

  test('is half-open at once and without strikes when it is reset', () => {
    const health = { ...DISABLED, strikes: 3, lastTry: { person: 1, endsAt: NOW + 5_000 } }
    expect(next(health, { kind: 'reset', at: NOW })).toEqual({
      ...health,
      until: NOW,
      lastTry: null,
      strikes: 0,
      revision: 4,
    })
    expect(next(record({}), { kind: 'reset', at: NOW })).toBeUndefined()
  })

  test('with another address is clean, if it was not', () => {
    expect(next({ ...DISABLED, strikes: 3 }, { kind: 'renewed', at: NOW })).toEqual({
      ...FRESH,
      since: NOW,
      revision: 4,
    })
    expect(next(record({}), { kind: 'renewed', at: NOW })).toBeUndefined()
  })

  test('is asked by one call of our own in ten seconds, also after the clock was set back', () => {
    const asked = record({ checkedAt: { account: NOW, model: 0 } })
    const asks = (at: number) => next(asked, { kind: 'checking', what: 'account', at }) !== undefined
    expect([asks(NOW), asks(NOW + 9_999), asks(NOW + 10_000), asks(NOW - 1)]).toEqual([
      false,
      false,
      true,
      true,
    ])
    expect(next(asked, { kind: 'checking', what: 'model', at: NOW })?.checkedAt).toEqual({
      account: NOW,
      model: NOW,
    })
  })

  test('lets one half-open call through for five seconds', () => {
    const claim = (health: Health) => next(health, { kind: 'claimed', at: NOW, person: ANN })
    expect(claim({ ...DISABLED, until: NOW })?.lastTry).toEqual({ person: ANN, endsAt: NOW + 5_000 })
    expect([claim(DISABLED), claim({ ...COOLING, until: NOW }), claim(FRESH)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })
})
