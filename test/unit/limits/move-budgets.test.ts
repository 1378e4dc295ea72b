import { afterEach, beforeEach, expect, test } from 'vitest'
import { auditEvents, spendLimits, users } from '../../../core/db/schema.ts'
import { moveBudgets } from '../../../core/limits/move-budgets.ts'
import { ownAmounts } from '../../../core/limits/spend-limit.ts'
import type { Settings } from '../../../core/settings.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore, type OpenedStore } from '../../support/memory-store.ts'

let store: OpenedStore
beforeEach(async () => {
  store = await memoryStore()
  const budgets = [0, 2_500_000, 200_000_000]
  for (const [i, budgetMicros] of budgets.entries()) {
    const person = { id: i + 1, itcode: `p${i}`, name: '', role: 'user', status: 'active' } as const
    await store.db.insert(users).values({ ...person, budgetMicros, createdAt: 1, updatedAt: 1 })
  }
})
afterEach(() => store.close())

const parts = () => {
  const limits = { period: 'weekly', defaultBudgetMicros: 200_000_000 }
  return { db: store.db, clock: fakeClock(), settings: { limits } as unknown as Settings } // what is read of them
}

test('budgets of earlier releases become limits of the period, but those that hold for everybody anyway', async () => {
  await moveBudgets(parts())
  const { db } = store
  expect(await db.select().from(spendLimits)).toMatchObject([
    {
      scope: 'user',
      scopeId: 2,
      period: 'weekly',
      amountMicros: 2_500_000,
      isSet: true,
      temporaryUntil: null,
    },
  ])
  expect(await ownAmounts(db, [1, 2, 3], 'weekly')).toEqual(new Map([[2, 2_500_000]]))
  expect(await db.select().from(auditEvents)).toMatchObject([
    { action: 'limit.moved', target: 'limit:user:2:weekly', after: '{"amount_usd":2.5}', actorId: null },
    { action: 'limit.is_default', target: 'limit:user:3:weekly', before: '{"amount_usd":200.0}' },
  ])
})

test('is done once for a database, however many processes start', async () => {
  await Promise.all([moveBudgets(parts()), moveBudgets(parts()), moveBudgets(parts())])
  await store.db.delete(spendLimits)
  await moveBudgets(parts())
  expect(await store.db.select().from(spendLimits)).toEqual([])
  expect(await store.db.select().from(auditEvents)).toHaveLength(2)
})
