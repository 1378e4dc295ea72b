/** What every Ledger must do, whatever it keeps its state in, and what those must do that processes share. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { limitSpent, usageHourly, usageLogs } from '../../core/db/schema.ts'
import { RENEW_MS } from '../../core/limits/decide.ts'
import { createPeriods } from '../../core/limits/period.ts'
import type { CallRecord, Clock, Db, Ledger } from '../../core/ports.ts'
import { repairSums } from '../../core/reports/repair.ts'
import { fakeClock } from '../support/clock.ts'
import type { OpenedStore } from '../support/memory-store.ts'
import { admission, type GivenLimits, SET_BACK_MS, waitOf } from '../support/records.ts'
import { fileStore } from '../support/stores.ts'

export interface LedgerSuite {
  name: string
  /** Counts by the month; opened twice on one database it is the same ledger, in two processes. Timers are those of `clock`. */
  open(db: Db, clock?: Clock): Promise<Ledger>
  /** Lets all holds expire, as if time had passed in which nobody renewed them. */
  expireHolds?(db: Db): Promise<void>
  /** Default: a libSQL file. */
  openStore?(): Promise<OpenedStore>
  /** How many calls come at once, and how many are written; fewer where each takes long. */
  parallel?: number
  written?: number
}

type Given = Omit<NonNullable<Parameters<typeof admission>[0]>, 'record'>
const call = (given: Given = {}, record: Partial<CallRecord> = {}) => {
  const made = admission({ ...given, record: { createdAt: Date.now(), ...record } })
  ids.add(made.begun.id)
  return made
}
/** Calls of the running test. Those of earlier ones that were never settled get their rows at any time. */
const ids = new Set<string>()
const rowsIn = async (db: Db) =>
  (await db.select().from(usageLogs)).filter(({ requestId }) => ids.has(requestId))
const limited = (limits: GivenLimits) => limits
const monthEnd = () => createPeriods('UTC').spanOf('monthly', Date.now()).end

export function ledgerContract({
  name,
  open,
  openStore = fileStore,
  parallel = 500,
  written = 1200,
}: LedgerSuite) {
  describe(`ledger: ${name}`, () => {
    let store: OpenedStore
    let ledger: Ledger
    beforeEach(async () => {
      ids.clear()
      store = await openStore()
      ledger = await open(store.db)
    }, 30_000)
    afterEach(async () => {
      await ledger.close()
      await store.close()
    })
    const rows = () => rowsIn(store.db)

    test('books a call once, however often it is settled', async () => {
      const one = call()
      expect(await ledger.reserve(one)).toMatchObject({ ok: true })
      const done = { ...one.begun, outcome: 'ok', estimated: false } as const
      await Promise.all([ledger.settle(done), ledger.settle(done)])
      await expect.poll(async () => (await rows()).map(({ requestId }) => requestId)).toEqual([done.id])
      expect(await store.db.select().from(usageHourly)).toMatchObject([{ requests: 1, costMicros: 500 }])
    })

    test(`lets exactly 100 of ${parallel} parallel calls in on a budget for 100`, async () => {
      const user = limited({ budgetMicros: 100 * 500 })
      const answers = await Promise.all(
        Array.from({ length: parallel }, () => ledger.reserve(call({ user }))),
      )
      expect(answers.filter(({ ok }) => ok)).toHaveLength(100)
    }, 40_000)

    test('counts what is used now, also where a clock that was ahead has counted', async () => {
      const { spanOf } = createPeriods('UTC')
      const { start, end } = spanOf('monthly', Date.now())
      const spent = { owner: 'user:1', period: 'monthly', tokens: 0 } as const
      const { db, close } = await openStore()
      await db.insert(limitSpent).values([
        { ...spent, start, micros: 500 },
        { ...spent, start: spanOf('monthly', end).end, micros: 1 },
      ])
      const begun = await open(db)
      const user = limited({ budgetMicros: 500 })
      expect(await begun.reserve(call({ user }))).toMatchObject({ ok: false, held: false, resetAt: end })
      await begun.close()
      await close()
    })

    test('gives a hold back for a call that cost nothing', async () => {
      const user = limited({ budgetMicros: 500 })
      const one = call({ user })
      expect(await ledger.reserve(one)).toMatchObject({ ok: true })
      expect(await ledger.reserve(call({ user }))).toMatchObject({ ok: false, limit: 'budget', held: true })
      await ledger.settle({ ...one.begun, costMicros: 0, outcome: 'error' })
      expect(await ledger.reserve(call({ user }))).toMatchObject({ ok: true })
    })

    test('counts what a call used instead of what was held for it, once', async () => {
      const user = limited({ budgetMicros: 1_000 })
      const one = call({ user, costMicros: 900 })
      await ledger.reserve(one)
      const done = { ...one.begun, costMicros: 400 }
      await Promise.all(Array.from({ length: 10 }, () => ledger.settle(done)))
      await ledger.settle(done)
      const fits = (budgetMicros: number) => ledger.reserve(call({ user: limited({ budgetMicros }) }))
      const spent = { ok: false, limit: 'budget', held: false }
      expect(await fits(400)).toMatchObject(spent)
      await expect.poll(async () => (await rows()).length).toBe(1)
      expect(await fits(400)).toMatchObject(spent)
      expect(await fits(401)).toMatchObject({ ok: true })
    })

    test('lets a call in while anything is left, and then nothing until it is settled', async () => {
      const user = limited({ budgetMicros: 1_000 })
      const large = call({ user, costMicros: 50_000 })
      expect(await ledger.reserve(large)).toMatchObject({ ok: true })
      const refused = await ledger.reserve(call({ user, costMicros: 1 }))
      expect(refused).toMatchObject({ ok: false, limit: 'budget', scope: 'user', held: true })
      expect(waitOf(refused)).toBeGreaterThan(0)
      expect(waitOf(refused)).toBeLessThanOrEqual(5_000 + SET_BACK_MS)
      await ledger.settle({ ...large.begun, costMicros: 999 })
      const last = call({ user, costMicros: 50_000 })
      expect(await ledger.reserve(last)).toMatchObject({ ok: true })
      await ledger.settle({ ...last.begun, costMicros: 1 })
      const resetAt = monthEnd()
      expect(await ledger.reserve(call({ user, costMicros: 1 }))).toEqual({
        ok: false,
        limit: 'budget',
        scope: 'user',
        id: 1,
        period: 'monthly',
        held: false,
        resetAt,
      })
    })

    test('holds the worst case of a call when fewer than ten are left of a limit, else what is usual', async () => {
      const estimates = { worst: { tokens: 100, costMicros: 100 }, usual: { tokens: 1, costMicros: 1 } }
      const passed = async (user: GivenLimits, keyId: number) => {
        const answers = await Promise.all(
          Array.from({ length: 30 }, () =>
            ledger.reserve(call({ user, ...estimates }, { userId: keyId, keyId })),
          ),
        )
        return answers.filter(({ ok }) => ok).length
      }
      // Two that hold what is usual, then ten with at most a thousand left.
      expect(await passed(limited({ budgetMicros: 1_001 }), 11)).toBe(12)
      expect(await passed(limited({ quotaTokens: 1_001 }), 12)).toBe(12)
      expect(await passed(limited({ budgetMicros: 1_100 }), 13)).toBe(30)
    })

    test('tells the larger share of quota and budget that is used, and when the period ends', async () => {
      const user = limited({ quotaTokens: 144, budgetMicros: 5_000 })
      const resetAt = monthEnd()
      const one = call({ user })
      expect(await ledger.reserve(one)).toEqual({ ok: true, used: { share: 0, period: 'monthly', resetAt } })
      // 36 tokens.
      await ledger.settle({ ...one.begun, outcome: 'ok' })
      expect(await ledger.reserve(call({ user }))).toEqual({
        ok: true,
        used: { share: 0.25, period: 'monthly', resetAt },
      })
      expect(await ledger.reserve(call())).toEqual({ ok: true, used: undefined })
    })

    test('holds a key to its limits beside those of its user', async () => {
      const key = limited({ quotaTokens: 36 })
      expect(await ledger.reserve(call({ key }))).toMatchObject({ ok: true })
      expect(await ledger.reserve(call({ key }))).toMatchObject({ ok: false, limit: 'quota', scope: 'key' })
      const other = { keyId: 2 }
      expect(await ledger.reserve(call({ key }, other))).toMatchObject({ ok: true })
      const user = limited({ quotaTokens: 72 })
      const both = { user, key: limited({ quotaTokens: 36 }) }
      expect(await ledger.reserve(call(both, other))).toMatchObject({
        ok: false,
        limit: 'quota',
        scope: 'user',
      })
    })

    test('lets only so many calls run at once; one that ends makes room', async () => {
      const user = limited({ concurrentRequests: 2 })
      const [one, two] = [call({ user }), call({ user })]
      expect([(await ledger.reserve(one)).ok, (await ledger.reserve(two)).ok]).toEqual([true, true])
      const refused = await ledger.reserve(call({ user }))
      expect(refused).toMatchObject({ ok: false, limit: 'concurrency', scope: 'user' })
      expect(waitOf(refused)).toBeLessThanOrEqual(1_000 + SET_BACK_MS)
      await ledger.settle(one.begun)
      expect((await ledger.reserve(call({ user }))).ok).toBe(true)
      expect((await ledger.reserve(call({ user }))).ok).toBe(false)
      expect((await ledger.reserve(call({ user }, { userId: 2, keyId: 2 }))).ok).toBe(true)
    })

    test('lets only so many calls come in a minute, also when they have ended', async () => {
      const key = limited({ requestsPerMinute: 2 })
      for (let i = 0; i < 2; i++) {
        const one = call({ key })
        expect(await ledger.reserve(one)).toMatchObject({ ok: true })
        await ledger.settle(one.begun)
      }
      await expect.poll(async () => (await rows()).length).toBe(2)
      const refused = await ledger.reserve(call({ key }))
      expect(refused).toMatchObject({ ok: false, limit: 'requests_per_minute', scope: 'key' })
      expect(waitOf(refused)).toBeGreaterThan(30_000)
      expect(waitOf(refused)).toBeLessThanOrEqual(60_000 + SET_BACK_MS)
      expect((await ledger.reserve(call({ key }, { keyId: 2 }))).ok).toBe(true)
    })

    test('a call that it never let in is booked, and frees nothing', async () => {
      const user = limited({ concurrentRequests: 1 })
      await ledger.reserve(call({ user }))
      await ledger.settle(call().begun)
      await expect.poll(async () => (await rows()).length).toBe(1)
      expect(await ledger.reserve(call({ user }))).toMatchObject({ ok: false, limit: 'concurrency' })
    })

    test('counts what was recorded before it was opened', async () => {
      const one = call()
      await ledger.reserve(one)
      await ledger.settle(one.begun)
      await ledger.close()
      ledger = await open(store.db)
      const user = limited({ budgetMicros: 500 })
      expect(await ledger.reserve(call({ user }))).toMatchObject({ ok: false, limit: 'budget' })
    })

    test('writes out everything when it is closed', async () => {
      const calls = Array.from({ length: written }, () => call())
      for (const one of calls) await ledger.reserve(one)
      await Promise.all(calls.map((one) => ledger.settle(one.begun)))
      await ledger.close()
      expect(await rows()).toHaveLength(written)
    }, 40_000)
  })
}

/** What processes must not only do each for itself. */
export function sharedLedgerContract({
  name,
  open,
  openStore = fileStore,
  expireHolds,
  parallel = 500,
}: LedgerSuite) {
  describe(`ledger of two processes: ${name}`, () => {
    let store: OpenedStore
    let one: Ledger
    let two: Ledger
    beforeEach(async () => {
      ids.clear()
      store = await openStore()
      one = await open(store.db)
      two = await open(store.db)
    }, 30_000)
    afterEach(async () => {
      await one.close()
      await two.close()
      await store.close()
    })

    test(`together they let exactly 100 of ${parallel} calls in on a budget for 100`, async () => {
      const user = limited({ budgetMicros: 100 * 500 })
      const answers = await Promise.all(
        Array.from({ length: parallel }, (_, i) => (i % 2 ? one : two).reserve(call({ user }))),
      )
      expect(answers.filter(({ ok }) => ok)).toHaveLength(100)
    }, 40_000)

    test(`nor do they let more of ${parallel} in while the first of them end`, async () => {
      const user = limited({ budgetMicros: 100 * 500 })
      const passed = await Promise.all(
        Array.from({ length: parallel }, async (_, i) => {
          const ledger = i % 2 ? one : two
          const mine = call({ user })
          const { ok } = await ledger.reserve(mine)
          if (ok) await ledger.settle({ ...mine.begun, outcome: 'ok' })
          return ok
        }),
      )
      expect(passed.filter(Boolean)).toHaveLength(100)
    }, 40_000)

    test('requests a minute and at once are one limit for all', async () => {
      const slow = { user: limited({ requestsPerMinute: 2 }) }
      expect([(await one.reserve(call(slow))).ok, (await two.reserve(call(slow))).ok]).toEqual([true, true])
      const refused = { ok: false, limit: 'requests_per_minute', scope: 'user' }
      expect(await one.reserve(call(slow))).toMatchObject(refused)
      const few = { user: limited({ concurrentRequests: 3 }) }
      expect((await two.reserve(call(few))).ok).toBe(true)
      expect(await one.reserve(call(few))).toMatchObject({ ok: false, limit: 'concurrency' })
    })

    test('what one has settled the other counts at once, and not again when its row is there', async () => {
      const first = call()
      await one.reserve(first)
      await one.settle({ ...first.begun, costMicros: 300, outcome: 'ok' })
      const fits = (budgetMicros: number) => two.reserve(call({ user: limited({ budgetMicros }) }))
      const spent = { ok: false, limit: 'budget', held: false }
      expect(await fits(300)).toMatchObject(spent)
      await expect.poll(async () => (await rowsIn(store.db)).length).toBe(1)
      expect(await fits(300)).toMatchObject(spent)
      expect(await fits(301)).toMatchObject({ ok: true })
    })

    describe.skipIf(!expireHolds)('of which one dies', () => {
      const lonely = { user: limited({ concurrentRequests: 1 }) }
      const outcomes = async () => {
        const rows = await rowsIn(store.db)
        return rows.map(({ requestId, outcome, costMicros }) => [requestId, outcome, costMicros])
      }

      test('what it held is free when nobody renews it, and its calls are in the log', async () => {
        const lost = call(lonely)
        expect(await one.reserve(lost)).toMatchObject({ ok: true })
        expect((await two.reserve(call(lonely))).ok).toBe(false)
        await two.sweep()
        expect(await outcomes()).toEqual([])
        await expireHolds?.(store.db)
        await two.sweep()
        expect(await outcomes()).toEqual([[lost.begun.id, 'interrupted', 500]])
        expect((await two.reserve(call(lonely))).ok).toBe(true)
        // Its use counts.
        const spent = { ok: false, limit: 'budget', held: false }
        expect(await two.reserve(call({ user: limited({ budgetMicros: 500 }) }))).toMatchObject(spent)
        await two.sweep()
        expect(await outcomes()).toHaveLength(1)
      })

      test('or only seemed to, the end of its call corrects the row', async () => {
        const slow = call(lonely)
        await one.reserve(slow)
        await expireHolds?.(store.db)
        await two.sweep()
        await one.settle({ ...slow.begun, costMicros: 300, outcome: 'ok', estimated: false })
        await expect.poll(outcomes).toEqual([[slow.begun.id, 'ok', 300]])
        expect(await repairSums(store.db, 0)).toBe(false)
      })

      test('or lives: it renews what its calls hold', async () => {
        const clock = fakeClock(Date.now())
        const living = await open(store.db, clock)
        const long = call(lonely)
        expect(await living.reserve(long)).toMatchObject({ ok: true })
        for (let i = 0; i < 2; i++) {
          await expireHolds?.(store.db)
          clock.advance(RENEW_MS)
          await expect.poll(async () => (await two.reserve(call(lonely))).ok).toBe(false)
        }
        await living.settle({ ...long.begun, outcome: 'ok' })
        await expireHolds?.(store.db)
        clock.advance(RENEW_MS)
        expect((await two.reserve(call(lonely))).ok).toBe(true)
        await living.close()
      })
    })
  })
}
