/** What every Ledger must do with limits of several periods and of people who share one, whatever it keeps its state in. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Admission, Ledger } from '../../core/ports.ts'
import type { Period } from '../../core/settings.ts'
import type { OpenedStore } from '../support/memory-store.ts'
import { admission, type GivenLimits, SET_BACK_MS, waitOf } from '../support/records.ts'
import { fileStore } from '../support/stores.ts'
import type { LedgerSuite } from './ledger.ts'

export interface PoolSuite extends LedgerSuite {
  /** Pools are asked after the person, and only while they are limited; so they know nothing of calls from before. */
  asksPoolsInTurn?: boolean
}

type Given = Omit<NonNullable<Parameters<typeof admission>[0]>, 'record'>
const COST = 500
const call = (given: Given = {}, userId = 1, createdAt = Date.now()) =>
  admission({ ...given, record: { userId, keyId: userId, createdAt } })
const limit = (calls: number, period: Period = 'monthly'): GivenLimits => ({
  amounts: [{ period, micros: calls * COST }],
})
const done = ({ begun }: Admission, costMicros = begun.costMicros) =>
  ({ ...begun, costMicros, outcome: 'ok', estimated: false }) as const
const SPENT = { ok: false, limit: 'budget', held: false }
const HELD = { ok: false, limit: 'budget', held: true }
const OK = { ok: true }

export function poolContract({ name, open, openStore = fileStore, asksPoolsInTurn = false }: PoolSuite) {
  describe(`limits of several periods and pools: ${name}`, () => {
    let store: OpenedStore
    let ledger: Ledger
    beforeEach(async () => {
      store = await openStore()
      ledger = await open(store.db)
    }, 30_000)
    afterEach(async () => {
      await ledger.close()
      await store.close()
    })
    const reserve = async (given: Given, userId = 1) => await ledger.reserve(call(given, userId))
    async function use(one: Admission, costMicros = COST) {
      const answer = await ledger.reserve(one)
      if (answer.ok) await ledger.settle(done(one, costMicros))
      return answer
    }

    test('each period has its own amount, and the spent one that is renewed last is named', async () => {
      const amounts = (daily: number, monthly: number): GivenLimits => ({
        amounts: [
          { period: 'daily', micros: daily * COST },
          { period: 'monthly', micros: monthly * COST },
          { period: 'total', micros: 100 * COST },
        ],
      })
      expect(await use(call({ user: amounts(1, 2) }))).toMatchObject({ ...OK, used: { share: 0 } })
      expect(await reserve({ user: amounts(1, 2) })).toMatchObject({ ...SPENT, period: 'daily' })
      expect(await reserve({ user: amounts(1, 1) })).toMatchObject({ ...SPENT, period: 'monthly' })
      const next = await reserve({ user: amounts(2, 4) })
      expect(next).toMatchObject({ ...OK, used: { share: 0.5, period: 'daily' } })
    })

    test('a limit of 0 lets nothing pass, and one without an amount everything', async () => {
      expect(await reserve({ user: limit(0) })).toMatchObject(SPENT)
      expect(await reserve({ user: { amounts: [{ period: 'monthly' }] } })).toMatchObject(OK)
    })

    test('a pool is one limit for all who are booked to it, and says whose it is', async () => {
      const groups: Given['groups'] = [
        [3, limit(2)],
        [2, limit(9)],
      ]
      const [one, two] = [call({ groups }, 1), call({ groups }, 2)]
      expect([(await ledger.reserve(one)).ok, (await ledger.reserve(two)).ok]).toEqual([true, true])
      expect(await reserve({ groups }, 3)).toMatchObject({ ...HELD, scope: 'group', id: 3 })
      await ledger.settle(done(one))
      await ledger.settle(done(two))
      expect(await reserve({ groups }, 3)).toMatchObject({ ...SPENT, scope: 'group', id: 3 })
      // The parent counts what its groups used, and the organisation everything.
      const others = {
        groups: [
          [5, {}],
          [2, limit(2)],
        ],
      } satisfies Given
      expect(await reserve(others, 3)).toMatchObject({ ...SPENT, scope: 'group', id: 2 })
      expect(await reserve({ organisation: limit(2) }, 3)).toMatchObject({
        ...SPENT,
        scope: 'organisation',
        id: 0,
      })
      expect(await reserve({ groups: [[5, limit(1)]], organisation: limit(3) }, 3)).toMatchObject(OK)
    })

    test('a call that one of them refuses holds nothing of the others', async () => {
      const full = { groups: [[3, limit(0)]] } satisfies Given
      // Whoever is asked before the pool has counted a request of the minute.
      const user = { ...limit(1), concurrentRequests: 1, requestsPerMinute: asksPoolsInTurn ? 0 : 1 }
      expect(await reserve({ user, ...full })).toMatchObject({ ...SPENT, scope: 'group' })
      await expect.poll(() => reserve({ user })).toMatchObject(OK)
    })

    test('a limit that is raised, lowered or first set while calls run holds at once', async () => {
      const unlimited = [call(), call()]
      for (const one of unlimited) await ledger.reserve(one)
      expect(await reserve({ user: limit(2) })).toMatchObject(HELD)
      const third = call({ user: limit(3) })
      expect(await ledger.reserve(third)).toMatchObject(OK)
      expect(await reserve({ user: limit(3) })).toMatchObject(HELD)
      for (const one of [...unlimited, third]) await ledger.settle(done(one))
      expect(await reserve({ user: limit(1) })).toMatchObject(SPENT)
      expect(await reserve({ user: limit(3) })).toMatchObject(SPENT)
      expect(await reserve({ user: limit(4) })).toMatchObject(OK)
    })

    test.skipIf(asksPoolsInTurn)('so does one of a pool', async () => {
      const groups = (pool: GivenLimits): Given => ({ groups: [[3, pool]] })
      const before = call(groups({}))
      await ledger.reserve(before)
      expect(await reserve(groups(limit(1)), 2)).toMatchObject(HELD)
      await ledger.settle(done(before))
      expect(await reserve(groups(limit(1)), 2)).toMatchObject(SPENT)
      expect(await reserve(groups(limit(2)), 2)).toMatchObject(OK)
    })

    test('a person who moves leaves behind what was booked, and takes their own use along', async () => {
      const before = call({ groups: [[3, limit(5)]] })
      await ledger.reserve(before)
      const after = { groups: [[4, limit(1)]] } satisfies Given
      expect(await use(call(after))).toMatchObject(OK)
      await ledger.settle(done(before))
      expect(await reserve({ groups: [[3, limit(1)]] }, 2)).toMatchObject(SPENT)
      expect(await reserve({ groups: [[4, limit(2)]] }, 2)).toMatchObject(OK)
      expect(await reserve({ user: limit(2), groups: [[5, {}]] })).toMatchObject({ ...SPENT, scope: 'user' })
    })

    test.each<[string, string, Period, last: string, next: string]>([
      ['a day of 25 hours', 'Europe/Berlin', 'daily', '2026-10-25T22:59:59Z', '2026-10-25T23:00:00Z'],
      ['a day of 23 hours', 'Europe/Berlin', 'daily', '2027-03-28T21:59:59Z', '2027-03-28T22:00:00Z'],
      ['a day of +05:45', 'Asia/Kathmandu', 'daily', '2027-04-01T18:14:59Z', '2027-04-01T18:15:00Z'],
      ['a week over New Year', 'America/New_York', 'weekly', '2028-01-03T04:59:59Z', '2028-01-03T05:00:00Z'],
    ])('%s ends when it does there', async (_, timeZone, period, last, next) => {
      const [lastAt, nextAt] = [Date.parse(last), Date.parse(next)]
      const firstAt = period === 'weekly' ? lastAt - 3 * 86_400_000 : lastAt - 22 * 3_600_000
      const user = limit(1, period)
      const at = (createdAt: number) => call({ user, timeZone }, 1, createdAt)
      expect(await use(at(firstAt))).toMatchObject(OK)
      expect(await ledger.reserve(at(lastAt))).toMatchObject({ ...SPENT, period, resetAt: nextAt })
      expect(await ledger.reserve(at(nextAt))).toMatchObject({ ...OK, used: { share: 0 } })
    })

    test('50 calls at once of 64,000 tokens overspend $10 by one call at most', async () => {
      const worst = { tokens: 64_000, costMicros: 1_600_000 }
      const usual = { tokens: 4_000, costMicros: 100_000 }
      const given = {
        user: { amounts: [{ period: 'monthly', micros: 10_000_000 }] },
        worst,
        usual,
      } satisfies Given
      let spent = 0
      for (let wave = 0; wave < 3; wave++) {
        const calls = Array.from({ length: 50 }, () => call(given))
        const answers = await Promise.all(calls.map((one) => ledger.reserve(one)))
        for (const [i, one] of calls.entries()) {
          if (!answers[i]?.ok) continue
          spent += worst.costMicros
          await ledger.settle(done(one, worst.costMicros))
        }
      }
      expect(spent).toBeGreaterThanOrEqual(10_000_000)
      expect(spent).toBeLessThan(10_000_000 + worst.costMicros)
      expect(await ledger.reserve(call(given))).toMatchObject(SPENT)
    }, 30_000)

    test('tokens per minute are those that are held and those of the last minute, without what came from the cache', async () => {
      const given = { user: { tokensPerMinute: 100 }, tokens: 50 } satisfies Given
      const [one, two] = [call(given), call(given)]
      expect([(await ledger.reserve(one)).ok, (await ledger.reserve(two)).ok]).toEqual([true, true])
      const refused = { ok: false, limit: 'tokens_per_minute', scope: 'user', id: 1 }
      expect(await reserve(given)).toMatchObject(refused)
      // 33 of 36.
      await ledger.settle(done(one))
      await ledger.settle(done(two))
      expect(await use(call(given))).toMatchObject(OK)
      expect(await use(call(given))).toMatchObject(OK)
      const answer = await reserve(given)
      expect(answer).toMatchObject(refused)
      expect(waitOf(answer)).toBeGreaterThan(30_000)
      expect(waitOf(answer)).toBeLessThanOrEqual(61_000 + SET_BACK_MS)
      expect(await reserve(given, 2)).toMatchObject(OK)
    })
  })
}
