/** What every Ledger must do, whatever it keeps its state in. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { usageHourly, usageLogs } from '../../core/db/schema.ts'
import type { Db, Ledger } from '../../core/ports.ts'
import { admission, NO_LIMITS } from '../support/records.ts'
import { fileStore, type OpenedStore } from '../support/stores.ts'

export function ledgerContract(name: string, open: (db: Db) => Promise<Ledger>) {
  describe(`ledger: ${name}`, () => {
    let store: OpenedStore
    let ledger: Ledger
    beforeEach(async () => {
      store = await fileStore()
      ledger = await open(store.db)
    })
    afterEach(async () => {
      await ledger.close()
      await store.close()
    })
    const rows = () => store.db.select().from(usageLogs)

    test('books a call once, however often it is settled', async () => {
      const call = admission()
      expect(await ledger.reserve(call)).toMatchObject({ ok: true })
      const done = { ...call.begun, outcome: 'ok', estimated: false } as const
      await Promise.all([ledger.settle(done), ledger.settle(done)])
      await expect.poll(async () => (await rows()).map(({ requestId }) => requestId)).toEqual([done.id])
      expect(await store.db.select().from(usageHourly)).toMatchObject([{ requests: 1, costMicros: 500 }])
    })

    test('lets exactly 100 of 500 parallel calls in on a budget for 100', async () => {
      const user = { ...NO_LIMITS, budgetMicros: 100 * 500 }
      const answers = await Promise.all(
        Array.from({ length: 500 }, () => ledger.reserve(admission({ user }))),
      )
      expect(answers.filter(({ ok }) => ok)).toHaveLength(100)
    })

    test('gives a hold back for a call that cost nothing', async () => {
      const user = { ...NO_LIMITS, budgetMicros: 500 }
      const call = admission({ user })
      expect(await ledger.reserve(call)).toMatchObject({ ok: true })
      expect(await ledger.reserve(admission({ user }))).toMatchObject({ ok: false, limit: 'budget' })
      await ledger.settle({ ...call.begun, costMicros: 0, outcome: 'error' })
      expect(await ledger.reserve(admission({ user }))).toMatchObject({ ok: true })
    })

    test('counts what was recorded before it was opened', async () => {
      const createdAt = Date.now()
      const call = admission({ record: { createdAt } })
      await ledger.reserve(call)
      await ledger.settle(call.begun)
      await ledger.close()
      ledger = await open(store.db)
      const user = { ...NO_LIMITS, budgetMicros: 999 }
      expect(await ledger.reserve(admission({ user }))).toMatchObject({ ok: false, limit: 'budget' })
    })

    test('writes out everything when it is closed', async () => {
      const calls = Array.from({ length: 1200 }, () => admission())
      for (const call of calls) await ledger.reserve(call)
      await Promise.all(calls.map((call) => ledger.settle(call.begun)))
      await ledger.close()
      expect(await rows()).toHaveLength(1200)
    })
  })
}
