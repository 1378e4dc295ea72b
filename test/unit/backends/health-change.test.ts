import { describe, expect, test } from 'vitest'
import { type Health, NOBODY, parsedHealth, standingOf } from '../../../core/backends/health.ts'
import { ANN, BOB } from '../../support/backends.ts'
import {
  COOLING,
  DISABLED,
  EJECTED,
  FRESH,
  failed,
  NOW,
  next,
  record,
  SETTINGS,
  TROUBLED,
  UNAVAILABLE,
} from '../../support/health.ts'

describe('a record', () => {
  test('of what was never seen begins clean', () => {
    expect(next(undefined, { kind: 'checking', what: 'model', at: NOW })).toEqual({
      ...FRESH,
      checkedAt: { account: 0, model: NOW },
      revision: 1,
    })
  })

  test('has another revision with each change', () => {
    expect(next(record({ revision: 7 }), failed())?.revision).toBe(8)
  })

  test('is read as a store keeps it, and is none otherwise', () => {
    const full = record({
      ...EJECTED,
      lastTry: { person: 1, endsAt: 2 },
      failures: [{ at: 1, person: 2 }],
      doubts: [...TROUBLED.doubts],
    })
    for (const health of [
      FRESH,
      full,
      DISABLED,
      UNAVAILABLE,
      COOLING,
      record({ cause: 'one_person' }),
      record({ cause: 'unpaid' }),
      record({ doubts: [{ what: 'model', at: 1, person: 1 }] }),
    ]) {
      expect(parsedHealth(JSON.stringify(health))).toEqual(health)
    }
    for (const change of [
      { state: 'odd' },
      { cause: 'odd' },
      { failures: [{ at: 1 }] },
      { doubts: [{ what: 'odd', at: 1, person: 1 }] },
      { lastTry: {} },
      { checkedAt: {} },
      { revision: undefined },
    ]) {
      expect(parsedHealth(JSON.stringify({ ...FRESH, ...change }))).toBeUndefined()
    }
    expect(parsedHealth('nonsense')).toBeUndefined()
  })
})

describe('what is over by itself', () => {
  test.each([COOLING, UNAVAILABLE])('$state: the next event finds it healthy since its end', (health) => {
    const at = health.until
    expect(next(health, { kind: 'checking', what: 'model', at })).toMatchObject({
      state: 'healthy',
      reason: '',
      since: health.until,
      until: 0,
    })
    expect(next(health, { kind: 'checking', what: 'model', at: at - 1 })).toMatchObject({
      state: health.state,
    })
    expect([standingOf(health, at - 1), standingOf(health, at)]).toEqual([health.state, 'usable'])
  })

  test.each([EJECTED, DISABLED])('is not what is $state', (health) => {
    expect(next(health, { kind: 'checking', what: 'model', at: health.until })?.state).toBe(health.state)
  })
})

describe('a success', () => {
  const succeeded = (health: Health, sentAt = NOW) => next(health, { kind: 'succeeded', at: NOW, sentAt })
  const clean = { ...FRESH, revision: 4 }

  test('forgets all that was', () => {
    const troubled = record({
      since: 5,
      ...TROUBLED,
      failures: [...TROUBLED.failures],
      doubts: [...TROUBLED.doubts],
      reason: 'r',
      strikes: 1,
      failedBy: ANN,
      lastTry: { person: 1, endsAt: 1 },
    })
    expect(succeeded(troubled)).toEqual({ ...clean, since: 5 })
    for (const health of [EJECTED, DISABLED, UNAVAILABLE, COOLING])
      expect(succeeded(health)).toEqual({ ...clean, since: NOW })
  })

  test.each([
    { failures: [{ at: 1, person: 1 }] },
    { doubts: [{ what: 'rate' as const, at: 1, person: 1 }] },
    { strikes: 1 },
    { failures: [{ at: 1, person: 1 }], doubts: [{ what: 'rate' as const, at: 1, person: 1 }] },
    { doubts: [{ what: 'rate' as const, at: 1, person: 1 }], strikes: 1 },
    { failures: [{ at: 1, person: 1 }], strikes: 1 },
  ])('changes %j', (given) => {
    expect(succeeded(record(given))).toEqual(clean)
  })

  test('changes nothing of what is well', () => {
    expect(succeeded(record({ since: 5 }))).toBeUndefined()
  })

  test.each([EJECTED, DISABLED])('of a call that was sent before it was $state changes nothing', (health) => {
    expect(succeeded(health, health.since - 1)).toBeUndefined()
    expect(succeeded(health, health.since)?.state).toBe('healthy')
  })

  test.each([UNAVAILABLE, COOLING])('of any call ends what is $state', (health) => {
    expect(succeeded(health, 0)?.state).toBe('healthy')
  })
})

describe('a first byte of a last try', () => {
  test('makes healthy what is out, and keeps what is known of it', () => {
    const health = { ...EJECTED, strikes: 2, failures: [{ at: NOW, person: ANN }] }
    expect(next(health, { kind: 'opened', at: NOW })).toEqual({
      ...health,
      state: 'healthy',
      cause: '',
      reason: '',
      since: NOW,
      until: 0,
      revision: 4,
    })
    expect(next(record({}), { kind: 'opened', at: NOW })).toBeUndefined()
  })
})

describe('a failure', () => {
  test('tells why, unless something else is told already', () => {
    expect(next(undefined, failed())).toMatchObject({
      state: 'healthy',
      reason: 'x',
      failures: [{ at: NOW, person: ANN }],
    })
    expect(next(COOLING, failed())).toMatchObject({ state: 'cooling_down', reason: 'r', failures: [{}] })
  })

  test.each([UNAVAILABLE, EJECTED, DISABLED])(
    'of a call under way changes nothing of what is $state',
    (health) => {
      expect(next(health, failed())).toBeUndefined()
    },
  )

  test('ejects at the threshold, by people or by the network, and from two on by one person', () => {
    const outcome = (threshold: number, ...events: ReturnType<typeof failed>[]) => {
      const settings = { ...SETTINGS, failureThreshold: threshold }
      return events.reduce<Health | undefined>(
        (health, event) => next(health, event, settings) ?? health,
        undefined,
      )
    }
    expect(outcome(1, failed())?.state).toBe('healthy')
    expect(outcome(1, failed({ alone: true }))?.state).toBe('ejected')
    expect(outcome(1, failed({ person: NOBODY }))?.state).toBe('ejected')
    expect(outcome(2, failed(), failed({ person: BOB }))?.state).toBe('ejected')
    expect(outcome(3, failed({ person: NOBODY }), failed({ person: NOBODY }))?.state).toBe('healthy')
    expect(
      outcome(3, failed({ person: NOBODY }), failed({ person: NOBODY }), failed({ person: NOBODY }))?.cause,
    ).toBe('failures')
    expect(outcome(3, failed({ alone: true }), failed({ alone: true }))?.state).toBe('healthy')
  })

  test('keeps the newest of one person', () => {
    let health: Health | undefined
    for (let i = 0; i < 6; i++) health = next(health, failed({ at: NOW + i })) ?? health
    expect(health?.failures.map(({ at }) => at - NOW)).toEqual([2, 3, 4, 5])
  })
})

describe('a half-open call that fails', () => {
  test('makes the wait twice as long, and tells whose it was', () => {
    expect(next(EJECTED, failed({ trial: true }))).toMatchObject({
      state: 'ejected',
      strikes: 1,
      until: NOW + 60_000,
      reason: 'x',
      failedBy: ANN,
      lastTry: { person: ANN, endsAt: NOW },
    })
  })

  test('of the same person again only tells that they tried', () => {
    const health = { ...EJECTED, failedBy: ANN, strikes: 1 }
    expect(next(health, failed({ trial: true }))).toEqual({
      ...health,
      lastTry: { person: ANN, endsAt: NOW },
      revision: 4,
    })
    expect(next({ ...health, failedBy: NOBODY }, failed({ trial: true, person: NOBODY }))?.strikes).toBe(2)
  })

  test('waits as long as the account’s cause says', () => {
    const untilOf = (cause: Health['cause']) =>
      (next({ ...DISABLED, cause }, failed({ trial: true }))?.until ?? 0) - NOW
    expect([untilOf('refused'), untilOf('unpaid'), untilOf('')]).toEqual([120_000, 600_000, 60_000])
  })
})
