import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ledgerHolds } from '../../../core/db/schema.ts'
import { createLimitCounters } from '../../../core/limits/counters.ts'
import { periodOf } from '../../../core/limits/period.ts'
import { reserveShared, settleShared, sweepHolds } from '../../../core/limits/shared.ts'
import type { Limits } from '../../../core/ports.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore, type OpenedStore } from '../../support/memory-store.ts'
import { admission, NO_LIMITS } from '../../support/records.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const SPAN = periodOf('monthly', NOW)
const HOUR_MS = 3_600_000

let store: OpenedStore
beforeAll(async () => {
  store = await memoryStore()
})
afterEach(async () => void (await store.db.delete(ledgerHolds)))
afterAll(() => store.close())
const holds = () => store.db.select().from(ledgerHolds)
const reserve = (call: ReturnType<typeof admission>, now = NOW) => reserveShared(store.db, call, SPAN, now)

describe('limits in the database', () => {
  test('decide as those in memory do, whatever calls come and end', async () => {
    const few = fc.integer({ min: 0, max: 3 })
    const limits: fc.Arbitrary<Limits> = fc.record({
      quotaTokens: fc.constantFrom(0, 100, 500),
      budgetMicros: fc.constantFrom(0, 100, 500),
      requestsPerMinute: few,
      concurrentRequests: few,
    })
    const step = fc.record({
      pause: fc.constantFrom(0, 1, 500, 20_000, 60_000),
      tokens: fc.integer({ min: 1, max: 60 }),
      costMicros: fc.integer({ min: 1, max: 60 }),
      keyId: fc.constantFrom(1, 2),
      ends: fc.nat(3),
    })
    await fc.assert(
      fc.asyncProperty(limits, limits, fc.array(step, { maxLength: 25 }), async (user, key, steps) => {
        await store.db.delete(ledgerHolds)
        const clock = fakeClock(NOW)
        const counters = createLimitCounters(clock, 'monthly')
        const running: ReturnType<typeof admission>['begun'][] = []
        for (const { pause, tokens, costMicros, keyId, ends } of steps) {
          clock.advance(pause)
          const usual = { tokens: Math.ceil(tokens / 2), costMicros: Math.ceil(costMicros / 2) }
          const record = { createdAt: clock.now(), keyId }
          const call = admission({ user, key, tokens, costMicros, usual, record })
          const answer = await reserve(call, clock.now())
          expect(answer).toEqual(counters.reserve(call))
          if (answer.ok) running.push({ ...call.begun, costMicros: Math.floor(costMicros / 3) })
          const [done] = ends > 1 ? running.splice(0, 1) : []
          if (!done) continue
          counters.settle(done)
          await settleShared(store.db, done, SPAN.start)
        }
      }),
      { numRuns: 12 },
    )
  })

  test('hold what a call may cost, for an hour and for its minute', async () => {
    const user = { ...NO_LIMITS, requestsPerMinute: 5 }
    const call = admission({ user, tokens: 40, costMicros: 7, record: { userId: 3, keyId: 4 } })
    await reserve(call)
    expect(await holds()).toEqual([
      {
        id: call.begun.id,
        userId: 3,
        apiKeyId: 4,
        tokens: 40,
        costMicros: 7,
        running: true,
        minuteEndsAt: NOW + 60_000,
        endsAt: NOW + HOUR_MS,
      },
    ])
  })

  test('count no minute for a call without such a limit', async () => {
    await reserve(admission())
    expect(await holds()).toMatchObject([{ minuteEndsAt: 0 }])
    await store.db.delete(ledgerHolds)
    await reserve(admission({ key: { ...NO_LIMITS, requestsPerMinute: 1 } }))
    expect(await holds()).toMatchObject([{ minuteEndsAt: NOW + 60_000 }])
  })

  test('hold nothing for a call that is refused', async () => {
    const user = { ...NO_LIMITS, concurrentRequests: 1 }
    await reserve(admission({ user }))
    expect(await reserve(admission({ user }))).toMatchObject({ ok: false, limit: 'concurrency' })
    expect(await holds()).toHaveLength(1)
  })

  test('are free again an hour after a process died, for those who call and for all by a sweep', async () => {
    const user = { ...NO_LIMITS, concurrentRequests: 1 }
    const call = (userId: number) => admission({ user, record: { userId } })
    for (const userId of [1, 2, 3]) await reserve(call(userId))
    expect(await reserve(call(1), NOW + HOUR_MS - 1)).toMatchObject({ ok: false })
    expect(await reserve(call(1), NOW + HOUR_MS)).toMatchObject({ ok: true })
    // Nobody else's was looked at.
    expect(await holds()).toHaveLength(3)
    await sweepHolds(store.db, NOW + HOUR_MS - 1)
    expect(await holds()).toHaveLength(3)
    await sweepHolds(store.db, NOW + HOUR_MS)
    expect(await holds()).toHaveLength(1)
  })
})

describe('a call that is over', () => {
  test('holds what it used, once', async () => {
    const call = admission({ tokens: 1_000 })
    await reserve(call)
    await settleShared(store.db, call.begun, SPAN.start)
    expect(await holds()).toMatchObject([{ tokens: 36, costMicros: 500, running: false }])
    await settleShared(store.db, { ...call.begun, costMicros: 9 }, SPAN.start)
    expect(await holds()).toMatchObject([{ costMicros: 500 }])
  })

  test('holds nothing of a period that is over', async () => {
    for (const createdAt of [SPAN.start - 1, SPAN.start]) {
      const call = admission({ record: { createdAt } })
      await reserve(call)
      await settleShared(store.db, call.begun, SPAN.start)
    }
    const found = await holds()
    expect(found.map(({ tokens, costMicros }) => [tokens, costMicros]).sort()).toEqual([
      [0, 0],
      [36, 500],
    ])
  })

  test('leaves the holds of others as they are', async () => {
    const [one, other] = [admission(), admission()]
    await reserve(one)
    await reserve(other)
    await settleShared(store.db, one.begun, SPAN.start)
    expect((await holds()).find(({ id }) => id === other.begun.id)?.running).toBe(true)
  })
})
