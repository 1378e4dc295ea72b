/** What requests per minute mean for every ledger whose clock a test can move. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Ledger } from '../../core/ports.ts'
import { fakeClock } from '../support/clock.ts'
import { admission, NO_LIMITS } from '../support/records.ts'

type Clock = ReturnType<typeof fakeClock>
const MINUTE_MS = 60_000
/** How much longer than its minute a call may count. */
const SLACK_MS = 1_000

/** `reserve` of a fresh ledger on this clock, and how to close it. */
export type OpenMinute = (clock: Clock) => Promise<{ reserve: Ledger['reserve']; close(): Promise<void> }>

/** `runs`: how many sequences of calls are tried; fewer where each takes long. */
export function minuteContract(name: string, open: OpenMinute, runs = 100) {
  const withLedger = async (work: (reserve: Ledger['reserve'], clock: Clock) => Promise<void>) => {
    const clock = fakeClock(Date.UTC(2026, 10, 25, 12))
    const { reserve, close } = await open(clock)
    await work(reserve, clock).finally(close)
  }
  const rated = (requestsPerMinute: number) => admission({ user: { ...NO_LIMITS, requestsPerMinute } })

  describe(`requests per minute: ${name}`, () => {
    test('let no more calls into any minute, and tell when the next may come', () =>
      withLedger(async (reserve, clock) => {
        const times: number[] = []
        for (let second = 0; second < 150; second++) {
          if ((await reserve(rated(3))).ok) times.push(second)
          clock.advance(1_000)
        }
        expect(times).toEqual([0, 1, 2, 60, 61, 62, 120, 121, 122])
        // The last came at second 122, and it is second 150.
        const resetAt = clock.now() + 32_000
        expect(await reserve(rated(1))).toMatchObject({ ok: false, limit: 'requests_per_minute', resetAt })
        clock.advance(32_000)
        expect(await reserve(rated(1))).toMatchObject({ ok: true })
      }))

    test('whenever calls come: never more than the limit in a minute, refused for no second too long, let in when told', async () => {
      const pauses = fc.array(
        fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 40_000 })),
        {
          minLength: 1,
          maxLength: 60,
        },
      )
      await fc.assert(
        fc.asyncProperty(pauses, fc.integer({ min: 1, max: 8 }), async (pauses, most) => {
          await withLedger(async (reserve, clock) => {
            const passed: number[] = []
            const within = (ms: number) => passed.filter((at) => at > clock.elapsed() - ms).length
            const ask = async () => {
              const answer = await reserve(rated(most))
              if (!answer.ok) expect(within(MINUTE_MS + SLACK_MS)).toBeGreaterThanOrEqual(most)
              else {
                expect(within(MINUTE_MS)).toBeLessThan(most)
                passed.push(clock.elapsed())
              }
              return answer
            }
            for (const pause of pauses) {
              clock.advance(pause)
              await ask()
            }
            const last = await ask()
            if (last.ok || last.limit === 'unavailable') return
            clock.advance(last.resetAt - clock.now() - 1)
            expect(await ask()).toMatchObject({ ok: false, limit: 'requests_per_minute' })
            clock.advance(1)
            expect(await ask()).toMatchObject({ ok: true })
          })
        }),
        { numRuns: runs },
      )
    }, 60_000)
  })
}
