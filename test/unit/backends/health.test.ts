import { describe, expect, test } from 'vitest'
import { type Health, NOBODY, standingOf } from '../../../core/backends/health.ts'
import { type HealthEvent, nextHealth } from '../../../core/backends/health-change.ts'

const SETTINGS = { failureThreshold: 5, cooldownMs: 30_000 }
const NOW = Date.UTC(2026, 10, 25)
const ANN = 1
const BOB = 2

/** The record after these events, each a second after the one before unless it says when. */
function recordAfter(...events: (Partial<HealthEvent> & Pick<HealthEvent, 'kind'>)[]): Health | undefined {
  let record: Health | undefined
  for (const [i, event] of events.entries()) {
    const whole = {
      at: NOW + i * 1000,
      person: ANN,
      alone: false,
      trial: false,
      reason: 'x',
      sentAt: NOW,
      ...event,
    }
    record = nextHealth(record, whole as HealthEvent, SETTINGS) ?? record // as given, with all fields any kind has
  }
  return record
}
const failed = (person: number, more: object = {}) => ({ kind: 'failed' as const, person, ...more })
const times = <T>(n: number, event: T): T[] => Array.from({ length: n }, () => event)

describe('failures', () => {
  test('of one person never eject while others call there', () => {
    expect(recordAfter(...times(50, failed(ANN)))).toMatchObject({
      state: 'healthy',
      failures: times(4, { person: ANN }),
    })
  })
  test('of two people eject at the threshold', () => {
    expect(recordAfter(...times(4, failed(ANN)), failed(BOB))).toMatchObject({
      state: 'ejected',
      cause: 'failures',
    })
  })
  test('of a person who is alone there eject, and say nothing about the account', () => {
    expect(recordAfter(...times(5, failed(ANN, { alone: true })))).toMatchObject({
      state: 'ejected',
      cause: 'one_person',
    })
  })
  test('of the network eject without anybody', () => {
    expect(recordAfter(...times(5, failed(NOBODY)))).toMatchObject({ state: 'ejected', cause: 'failures' })
  })
  test('count for a minute only', () => {
    const old = times(4, failed(ANN, { at: NOW }))
    expect(recordAfter(...old, failed(BOB, { at: NOW + 60_000 }))).toMatchObject({ state: 'healthy' })
  })
  test('are forgotten with any success', () => {
    const record = recordAfter(...times(4, failed(ANN)), { kind: 'succeeded', sentAt: NOW }, failed(BOB))
    expect(record).toMatchObject({ state: 'healthy', failures: [{ person: BOB }] })
  })
})

describe('an ejection', () => {
  const ejected = [...times(4, failed(ANN)), failed(BOB)]
  test('lasts for the cool-down, then one call is let through', () => {
    const record = recordAfter(...ejected)
    const until = NOW + 4_000 + 30_000
    expect(record?.until).toBe(until)
    expect([standingOf(record, until - 1), standingOf(record, until)]).toEqual(['ejected', 'due'])
  })
  test('gives the half-open call to one person at a time', () => {
    const at = NOW + 60_000
    const claimed = recordAfter(...ejected, { kind: 'claimed', person: ANN, at })
    expect(standingOf(claimed, at)).toBe('ejected')
    expect(nextHealth(claimed, { kind: 'claimed', person: BOB, at: at + 1 }, SETTINGS)).toBeUndefined()
    expect(standingOf(claimed, at + 5_000)).toBe('due')
  })
  test('doubles with each half-open call that fails, up to five minutes', () => {
    const waits: number[] = []
    let record = recordAfter(...ejected)
    for (let person = 10; person < 16; person++) {
      const at = record?.until ?? 0
      const event = { kind: 'failed', at, person, alone: false, trial: true, reason: 'x' } as const
      record = nextHealth(record, event, SETTINGS)
      waits.push((record?.until ?? 0) - at)
    }
    expect(waits).toEqual([60_000, 120_000, 240_000, 300_000, 300_000, 300_000])
  })
  test('is not made longer by the same person again', () => {
    const at = NOW + 60_000
    const once = recordAfter(...ejected, failed(ANN, { trial: true, at }))
    const again = nextHealth(
      once,
      { kind: 'failed', at: at + 60_000, person: ANN, alone: false, trial: true, reason: 'x' },
      SETTINGS,
    )
    expect([again?.until, again?.strikes]).toEqual([once?.until, 1])
  })
  test('is not made longer by calls that were under way', () => {
    expect(recordAfter(...ejected, ...times(9, failed(3)))?.until).toBe(recordAfter(...ejected)?.until)
  })
  test('ends with a call that was sent after it began, and not with an older one', () => {
    expect(recordAfter(...ejected, { kind: 'succeeded', sentAt: NOW })?.state).toBe('ejected')
    expect(recordAfter(...ejected, { kind: 'succeeded', sentAt: NOW + 5_000 })?.state).toBe('healthy')
  })
})

describe('a cool-down', () => {
  const cooling = (seconds: number) => ({ kind: 'cooldown' as const, until: NOW + seconds * 1000 })
  test('is never shortened by a later answer', () => {
    expect(recordAfter(cooling(60), cooling(10))?.until).toBe(NOW + 60_000)
    expect(recordAfter(cooling(10), cooling(60))?.until).toBe(NOW + 60_000)
  })
  test('is over by itself', () => {
    const record = recordAfter(cooling(60))
    expect([standingOf(record, NOW + 59_999), standingOf(record, NOW + 60_000)]).toEqual([
      'cooling_down',
      'usable',
    ])
  })
  test.each([
    ['rate', 10_000],
    ['model', 60_000],
  ] as const)(
    'after a doubtful %s refusal takes two people within %i ms and no success between',
    (what, within) => {
      const doubt = (person: number, at: number) => ({ kind: 'doubted' as const, what, person, at })
      expect(recordAfter(...times(9, doubt(ANN, NOW)))?.state).toBe('healthy')
      expect(recordAfter(doubt(ANN, NOW), doubt(BOB, NOW + within))?.state).toBe('cooling_down')
      expect(recordAfter(doubt(ANN, NOW), doubt(BOB, NOW + within + 1))?.state).toBe('healthy')
      const between = { kind: 'succeeded' as const, at: NOW + 1 }
      expect(recordAfter(doubt(ANN, NOW), between, doubt(BOB, NOW + 2))?.state).toBe('healthy')
    },
  )
})

describe('a disabled account', () => {
  const disabled = (cause: 'refused' | 'unpaid', more: object = {}) => ({
    kind: 'disabled' as const,
    cause,
    person: NOBODY,
    ...more,
  })
  test.each([
    ['refused', 60_000],
    ['unpaid', 300_000],
  ] as const)('that is %s gets one call after %i ms', (cause, wait) => {
    const record = recordAfter(disabled(cause))
    expect([standingOf(record, NOW + wait - 1), standingOf(record, NOW + wait)]).toEqual(['disabled', 'due'])
  })
  test('waits for the reset that it names', () => {
    expect(recordAfter(disabled('unpaid', { until: NOW + 86_400_000 }))?.until).toBe(NOW + 86_400_000)
  })
  test('waits twice as long each time, an hour at most', () => {
    let record = recordAfter(disabled('unpaid'))
    const waits: number[] = []
    for (let person = 10; person < 15; person++) {
      const at = record?.until ?? 0
      record = nextHealth(record, { kind: 'disabled', at, cause: 'unpaid', person, reason: 'x' }, SETTINGS)
      waits.push(((record?.until ?? 0) - at) / 60_000)
    }
    expect(waits).toEqual([10, 20, 40, 60, 60])
  })
  test('is half-open at once when somebody says that it may be well', () => {
    expect(standingOf(recordAfter(disabled('refused'), { kind: 'reset', at: NOW + 1 }), NOW + 1)).toBe('due')
  })
})

test('one call of our own asks in ten seconds', () => {
  const checking = { kind: 'checking', what: 'account', at: NOW } as const
  const record = nextHealth(undefined, checking, SETTINGS)
  expect(nextHealth(record, { ...checking, at: NOW + 9_999 }, SETTINGS)).toBeUndefined()
  expect(nextHealth(record, { ...checking, at: NOW + 10_000 }, SETTINGS)).toBeDefined()
  expect(nextHealth(record, { ...checking, what: 'model' }, SETTINGS)).toBeDefined()
})

test('a backend with another address or credential starts healthy', () => {
  expect(recordAfter(...times(5, failed(NOBODY)), { kind: 'renewed' })).toMatchObject({
    state: 'healthy',
    failures: [],
  })
})
