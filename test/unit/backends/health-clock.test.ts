import { describe, expect, test } from 'vitest'
import { type Health, standingOf } from '../../../core/backends/health.ts'
import { type HealthEvent, nextHealth } from '../../../core/backends/health-change.ts'
import { DAY_MS, HOUR_MS } from '../../../core/units.ts'

const SETTINGS = { failureThreshold: 2, cooldownMs: 30_000 }
/** The right time; what the records say was written by a clock that was ahead of it. */
const NOW = Date.UTC(2026, 10, 25)
const [ANN, BOB] = [1, 2]

function recordAfter(seen: Health | undefined, ...events: HealthEvent[]): Health | undefined {
  return events.reduce((record, event) => nextHealth(record, event, SETTINGS) ?? record, seen)
}
const failed = (at: number, person: number, trial = false): HealthEvent => {
  return { kind: 'failed', at, person, alone: false, trial, reason: 'x' }
}
const outAt = (at: number) => recordAfter(undefined, failed(at, ANN), failed(at, BOB))

describe.each([
  ['a day', DAY_MS],
  ['an hour', HOUR_MS],
])('a clock that was %s ahead', (_, ahead) => {
  const then = NOW + ahead

  test('keeps no backend out for longer: one call may try it at once', () => {
    expect(standingOf(outAt(then), then)).toBe('ejected')
    expect(standingOf(outAt(then), NOW)).toBe('due')
    const disabled: HealthEvent = { kind: 'disabled', at: then, cause: 'refused', person: ANN, reason: 'x' }
    expect(standingOf(recordAfter(undefined, disabled), NOW)).toBe('due')
  })

  test('lets a pair that only cools down be used', () => {
    const cooldown: HealthEvent = { kind: 'cooldown', at: then, until: then + 60_000, reason: 'x' }
    const record = recordAfter(undefined, cooldown)
    expect([standingOf(record, then), standingOf(record, NOW)]).toEqual(['cooling_down', 'usable'])
  })

  test('does not keep the next try away, and a success heals', () => {
    const tried = recordAfter(outAt(then), { kind: 'claimed', at: then + 60_000, person: ANN })
    expect(standingOf(tried, then + 60_000)).toBe('ejected')
    expect(standingOf(tried, NOW)).toBe('due')
    const healed = recordAfter(tried, { kind: 'succeeded', at: NOW, sentAt: NOW - 1_000 })
    expect(healed).toMatchObject({ state: 'healthy', since: NOW })
  })

  test('leaves no evidence behind', () => {
    const record = recordAfter(undefined, failed(then, ANN), failed(NOW, BOB))
    expect(record).toMatchObject({ state: 'healthy', failures: [{ at: NOW, person: BOB }] })
  })

  test('does not turn a failed try into one after the other', () => {
    const record = recordAfter(outAt(then), { kind: 'claimed', at: NOW, person: ANN }, failed(NOW, ANN, true))
    expect(standingOf(record, NOW + 1)).toBe('ejected')
  })
})

test('a clock that is a second ahead, as clocks of machines are, changes nothing', () => {
  expect(standingOf(outAt(NOW + 1_000), NOW)).toBe('ejected')
})
