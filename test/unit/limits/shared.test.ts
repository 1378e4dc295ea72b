import fc from 'fast-check'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { ledgerHolds, limitSpent, usageLogs, usageSummed } from '../../../core/db/schema.ts'
import { createLimitCounters } from '../../../core/limits/counters.ts'
import { HOLD_EXPIRY_MS } from '../../../core/limits/decide.ts'
import { PERIODS } from '../../../core/limits/period.ts'
import {
  lostCalls,
  renewShared,
  reserveShared,
  settleShared,
  sweepHolds,
} from '../../../core/limits/shared.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import { HOUR_MS } from '../../../core/units.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { admission, type GivenLimits, NO_LIMITS } from '../../support/records.ts'

const NOW = Date.UTC(2026, 10, 23, 12)

const store = await memoryStore()
afterEach(async () => void (await store.db.delete(ledgerHolds)))
afterAll(() => store.close())
const holds = () => store.db.select().from(ledgerHolds)
const reserve = (call: ReturnType<typeof admission>, now = NOW) => reserveShared(store.db, call, now)

describe('limits in the database', () => {
  test('decide as those in memory do, whatever calls come and end', async () => {
    const few = fc.integer({ min: 0, max: 3 })
    const some = fc.constantFrom(undefined, 0, 100, 500)
    const amount = fc.record({ period: fc.constantFrom(...PERIODS), tokens: some, micros: some })
    const limits: fc.Arbitrary<GivenLimits> = fc.record({
      amounts: fc.uniqueArray(amount, { selector: ({ period }) => period, maxLength: 3 }),
      requestsPerMinute: few,
      tokensPerMinute: fc.constantFrom(0, 0, 30, 90),
      concurrentRequests: few,
    })
    const pool = fc.record({ amounts: fc.array(amount, { maxLength: 1 }) })
    const step = fc.record({
      pause: fc.constantFrom(0, 1, 500, 20_000, 60_000, 6 * HOUR_MS),
      tokens: fc.integer({ min: 1, max: 60 }),
      costMicros: fc.integer({ min: 1, max: 60 }),
      userId: fc.constantFrom(1, 2),
      ends: fc.nat(3),
      isWritten: fc.boolean(),
    })
    const all = fc.record({ user: limits, key: limits, pool, parent: pool, organisation: pool })
    await fc.assert(
      fc.asyncProperty(all, fc.array(step, { maxLength: 25 }), async (given, steps) => {
        for (const table of [ledgerHolds, usageLogs, limitSpent]) await store.db.delete(table)
        await store.db.update(usageSummed).set({ logId: 0, groupedId: 0 })
        const clock = fakeClock(NOW)
        const counters = createLimitCounters(clock)
        const running: ReturnType<typeof admission>['begun'][] = []
        const unwritten: string[] = []
        const { pool, parent, ...limits } = given
        for (const { pause, tokens, costMicros, userId, ends, isWritten } of steps) {
          // A settled call counts for an hour without a row.
          if (pause > HOUR_MS) await writeRecords(store.db, unwritten.splice(0))
          for (let passed = 0; passed < pause; passed += HOLD_EXPIRY_MS - 1) {
            clock.advance(Math.min(HOLD_EXPIRY_MS - 1, pause - passed))
            for (const { id } of running) await renewShared(store.db, id, clock.now())
          }
          const usual = { tokens: Math.ceil(tokens / 2), costMicros: Math.ceil(costMicros / 2) }
          const record = { createdAt: clock.now(), userId, keyId: userId }
          const call = admission({
            ...limits,
            groups: [
              [3, pool],
              [4, parent],
            ],
            tokens,
            costMicros,
            usual,
            record,
          })
          const answer = await reserve(call, clock.now())
          expect(answer).toEqual(counters.reserve(call))
          if (answer.ok) running.push({ ...call.begun, costMicros: Math.floor(costMicros / 3) })
          const [done] = ends > 1 ? running.splice(0, 1) : []
          if (!done) continue
          counters.settle(done)
          await settleShared(store.db, done, clock.now())
          unwritten.push(recordText(done))
          if (isWritten) await writeRecords(store.db, unwritten.splice(0))
        }
      }),
      { numRuns: 40 },
    )
  })

  test('hold what a call may cost, until its hold expires and its minute ends, and what is recorded if its process dies', async () => {
    const user = { ...NO_LIMITS, requestsPerMinute: 5 }
    const call = admission({ user, tokens: 40, costMicros: 7, record: { userId: 3, keyId: 4 } })
    await reserve(call)
    expect(await holds()).toEqual([
      {
        id: call.begun.id,
        userId: 3,
        apiKeyId: 4,
        billingGroups: ',0,',
        dayStart: Date.UTC(2026, 10, 23),
        weekStart: Date.UTC(2026, 10, 23),
        monthStart: Date.UTC(2026, 10, 1),
        tokens: 40,
        costMicros: 7,
        running: true,
        minuteEndsAt: NOW + 60_000,
        minuteTokens: null,
        tokensEndAt: 0,
        endsAt: NOW + HOLD_EXPIRY_MS,
        record: recordText(call.begun),
        states: expect.stringContaining('[0,-1,'),
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

  test('are free again when a process that died does not renew them, and its calls wait for their rows', async () => {
    const user = { ...NO_LIMITS, concurrentRequests: 1 }
    const call = (userId: number) => admission({ user, record: { userId } })
    const [first] = [call(1), call(2)].map(async (one) => {
      await reserve(one)
      return one.begun
    })
    const renewed = await first
    const end = NOW + HOLD_EXPIRY_MS
    await renewShared(store.db, renewed?.id ?? '', NOW + 1)
    expect(await reserve(call(1), end)).toMatchObject({ ok: false })
    expect(await reserve(call(2), end - 1)).toMatchObject({ ok: false })
    expect(await reserve(call(2), end)).toMatchObject({ ok: true })
    expect(await lostCalls(store.db, end - 1)).toEqual([])
    expect(await lostCalls(store.db, end)).toHaveLength(1)
    expect(await lostCalls(store.db, end + 1)).toHaveLength(2)
    // Their rows are not written yet.
    await sweepHolds(store.db, end + 1)
    expect(await holds()).toHaveLength(3)
  })

  test('that are settled are over an hour later, also if no row ever comes', async () => {
    const call = admission()
    await reserve(call)
    await settleShared(store.db, call.begun, NOW)
    await sweepHolds(store.db, NOW + HOUR_MS - 1)
    expect(await holds()).toHaveLength(1)
    expect(await lostCalls(store.db, NOW + HOUR_MS)).toEqual([])
    await sweepHolds(store.db, NOW + HOUR_MS)
    expect(await holds()).toEqual([])
  })
})

describe('a call that is over', () => {
  test('holds what it used, once', async () => {
    const call = admission({ tokens: 1_000 })
    await reserve(call)
    await settleShared(store.db, call.begun, NOW)
    expect(await holds()).toMatchObject([{ tokens: 36, costMicros: 500, running: false }])
    await settleShared(store.db, { ...call.begun, costMicros: 9 }, NOW)
    expect(await holds()).toMatchObject([{ costMicros: 500 }])
  })

  test('leaves the holds of others as they are', async () => {
    const [one, other] = [admission(), admission()]
    await reserve(one)
    await reserve(other)
    await settleShared(store.db, one.begun, NOW)
    expect((await holds()).find(({ id }) => id === other.begun.id)?.running).toBe(true)
  })
})
