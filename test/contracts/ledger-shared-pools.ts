/** A pool over four processes, of which one may die: what ledgers must do that processes share. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Ledger } from '../../core/ports.ts'
import { fakeClock } from '../support/clock.ts'
import type { OpenedStore } from '../support/memory-store.ts'
import { admission, type GivenLimits } from '../support/records.ts'
import { fileStore } from '../support/stores.ts'
import type { PoolSuite } from './ledger-pools.ts'

const COST = 500
const PEOPLE = 20
/** In calls. */
const POOL = 50
const limit = (calls: number): GivenLimits => ({ amounts: [{ period: 'monthly', micros: calls * COST }] })

export function sharedPoolContract({ name, open, openStore = fileStore, expireHolds }: PoolSuite) {
  describe(`a pool of four processes: ${name}`, () => {
    let store: OpenedStore
    let ledgers: Ledger[]
    beforeEach(async () => {
      store = await openStore()
      ledgers = []
      for (let i = 0; i < 3; i++) ledgers.push(await open(store.db))
      // Its timers never fire, so that nothing is renewed.
      ledgers.push(await open(store.db, fakeClock(Date.now())))
    }, 30_000)
    afterEach(async () => {
      for (const ledger of ledgers) await ledger.close()
      await store.close()
    })

    /** Each of twenty people, who have limits of their own, in a group of 50 calls below one of more, makes `calls` calls. */
    async function load(calls: number, given: { worst?: number; costs(): number; dies?: Ledger }) {
      let spent = 0
      const everybody = Array.from({ length: PEOPLE * calls }, async (_, i) => {
        const ledger = ledgers[i % ledgers.length]
        const userId = 1 + (i % PEOPLE)
        const worst = { tokens: 36, costMicros: given.worst ?? COST }
        const call = admission({
          user: limit(7),
          groups: [
            [3, limit(POOL)],
            [2, limit(POOL + 25)],
          ],
          worst,
          usual: { ...worst, costMicros: Math.min(COST, worst.costMicros) },
          record: { userId, keyId: userId, createdAt: Date.now() },
        })
        const answer = await ledger?.reserve(call)
        if (!answer?.ok) return
        const costMicros = given.costs()
        spent += ledger === given.dies ? call.begun.costMicros : costMicros
        if (ledger !== given.dies) await ledger?.settle({ ...call.begun, costMicros, outcome: 'ok' })
      })
      await Promise.all(everybody)
      return spent
    }
    const next = async () => {
      const record = { userId: 99, keyId: 99, createdAt: Date.now() }
      return await ledgers[0]?.reserve(admission({ groups: [[3, limit(POOL)]], record }))
    }

    test('lets exactly as much pass as it has, where calls cost what was estimated', async () => {
      let spent = 0
      for (let wave = 0; wave < 2; wave++) spent += await load(3, { costs: () => COST })
      expect(spent).toBe(POOL * COST)
      expect(await next()).toMatchObject({ ok: false, scope: 'group', id: 3, held: false })
    }, 60_000)

    test('is overspent by one call at most, where they cost anything up to the worst', async () => {
      let spent = 0
      let seed = 7
      const worst = 6 * COST
      const costs = () => {
        seed = (seed * 48_271) % 2_147_483_647
        return 1 + (seed % worst)
      }
      for (let wave = 0; wave < 4; wave++) spent += await load(2, { worst, costs })
      expect(spent).toBeGreaterThanOrEqual((POOL - 5) * COST)
      expect(spent).toBeLessThan(POOL * COST + worst)
    }, 60_000)

    test.skipIf(!expireHolds)(
      'is exact again after one died in the middle, once its holds have expired',
      async () => {
        const dies = ledgers[3]
        let spent = dies ? await load(2, { costs: () => COST, dies }) : 0
        expect(spent).toBe(2 * PEOPLE * COST)
        await expireHolds?.(store.db)
        await ledgers[0]?.sweep()
        ledgers = ledgers.slice(0, 3)
        for (let wave = 0; wave < 3; wave++) spent += await load(2, { costs: () => COST })
        expect(spent).toBe(POOL * COST)
        expect(await next()).toMatchObject({ ok: false, scope: 'group', id: 3, held: false })
        await dies?.close()
      },
      60_000,
    )
  })
}
