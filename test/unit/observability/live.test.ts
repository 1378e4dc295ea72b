import { describe, expect, test } from 'vitest'
import { createLive, figuresOf, type LiveFigures, type Reader } from '../../../core/observability/live.ts'
import type { LiveState } from '../../../core/observability/processes.ts'
import { fakeClock } from '../../support/clock.ts'
import { keptLogs } from '../../support/logs.ts'

const NOTHING = { calls: 0, failed: 0, input: 0, output: 0, cacheRead: 0, cacheWrite: 0, costMicros: 0 }
const state = (given: Partial<LiveState> = {}): LiveState => ({
  callsInFlight: 0,
  recent: { tenSeconds: NOTHING, minute: NOTHING },
  backends: [],
  ...given,
})

function scene() {
  const clock = fakeClock()
  let leaving = false
  let fails = false
  const live = createLive({
    clock,
    logger: keptLogs(),
    processes: {
      figures: async () => [],
      async live() {
        if (fails) throw new Error('nobody answers')
        return [state()]
      },
    },
    leaving: () => leaving,
  })
  const reader = (given: Partial<Reader> = {}) => {
    const taken: LiveFigures[] = []
    const told = { ended: false, taken }
    const leave = live.read({
      ready: () => true,
      take: (figures) => void taken.push(figures),
      allowed: async () => true,
      end() {
        told.ended = true
      },
      ...given,
    })
    return { ...told, leave, taken, ended: () => told.ended }
  }
  /** Seconds go by, one after the other, with all that follows from each. */
  const pass = async (seconds: number) => {
    for (let i = 0; i < seconds; i += 1) {
      clock.advance(1_000)
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
    }
  }
  return { clock, live, reader, pass, leave: () => (leaving = true), fail: (now: boolean) => (fails = now) }
}

describe('a live stream', () => {
  test('begins at once, goes on every second, and nothing runs without a reader', async () => {
    const { clock, live, reader, pass } = scene()
    const one = reader()
    await pass(3)
    expect(one.taken).toHaveLength(4)
    one.leave()
    await pass(1)
    expect([live.readers(), clock.timers(), one.taken.length]).toEqual([0, 0, 4])
    const two = reader()
    await pass(1)
    expect(two.taken).toHaveLength(2)
  })

  test('drops what a slow reader does not take, and ends when it took nothing for half a minute', async () => {
    const { live, reader, pass } = scene()
    let ready = false
    const slow = reader({ ready: () => ready })
    await pass(20)
    expect(slow.taken).toHaveLength(0)
    ready = true
    await pass(1)
    expect(slow.taken).toHaveLength(1)
    ready = false
    await pass(31)
    expect([slow.ended(), live.readers()]).toEqual([true, 0])
  })

  test('ends within three seconds after the session', async () => {
    const { reader, pass } = scene()
    let signedIn = true
    const one = reader({ allowed: async () => signedIn })
    await pass(10)
    expect(one.ended()).toBe(false)
    signedIn = false
    await pass(3)
    expect(one.ended()).toBe(true)
  })

  test('ends where it cannot be known whether the session is still good', async () => {
    const { reader, pass } = scene()
    const one = reader({ allowed: () => Promise.reject(new Error('no database')) })
    await pass(3)
    expect(one.ended()).toBe(true)
  })

  test('ends with the process, which does not wait for it', async () => {
    const { reader, pass, leave } = scene()
    const one = reader()
    leave()
    await pass(1)
    expect(one.ended()).toBe(true)
  })

  test('leaves out the seconds in which nobody answers, and goes on', async () => {
    const { reader, pass, fail } = scene()
    const one = reader()
    await pass(1)
    fail(true)
    await pass(5)
    expect([one.taken.length, one.ended()]).toEqual([2, false])
    fail(false)
    await pass(1)
    expect(one.taken).toHaveLength(3)
  })

  test('is refused when too many are open', () => {
    const { reader, live } = scene()
    for (let i = 0; i < 50; i += 1) reader()
    expect(() => reader()).toThrow(/too many/i)
    expect(live.readers()).toBe(50)
  })
})

describe('live figures', () => {
  test('are those of all processes together, with the worst that any of them sees of a backend', () => {
    const of = (
      callsInFlight: number,
      tokens: number,
      backend: LiveState['backends'][number]['state'],
    ): LiveState => ({
      callsInFlight,
      recent: {
        tenSeconds: { ...NOTHING, input: tokens, output: 10 },
        minute: { ...NOTHING, calls: 4, failed: 1, input: 30, cacheRead: 70, costMicros: 250_000 },
      },
      backends: [{ name: 'a', state: backend, inFlight: callsInFlight }],
    })
    expect(figuresOf([of(2, 90, 'healthy'), of(3, 190, 'ejected'), of(0, 0, 'failing')], 7)).toEqual({
      at: 7,
      processes: 3,
      callsInFlight: 5,
      callsPerMinute: 12,
      failedPerMinute: 3,
      tokensPerSecond: 31,
      outputTokensPerSecond: 3,
      costUsdPerMinute: 0.75,
      cacheHitShare: 0.7,
      backends: [{ name: 'a', state: 'ejected', inFlight: 5 }],
    })
  })

  test('have no share of cached input where there was none', () => {
    expect(figuresOf([state()], 0).cacheHitShare).toBeUndefined()
  })
})
