import { sql } from 'drizzle-orm'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { auditEvents, spendLimits, users } from '../../../core/db/schema.ts'
import { grantingLimit } from '../../../core/limits/person-limit.ts'
import { deleteSpendLimit, listSpendLimits, setSpendLimit } from '../../../core/limits/spend-limit.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { refusalOf } from '../../support/refusals.ts'

const store = await memoryStore()
const { db } = store
const clock = fakeClock()
const parts = { db, clock, actor: COMMAND_LINE }
const ANN = { scope: 'user', scopeId: 1, period: 'monthly' } as const
afterAll(() => store.close())
beforeEach(async () => {
  for (const table of [spendLimits, users, auditEvents]) await db.delete(table)
  const ann = { id: 1, itcode: 'ann', name: '', role: 'user', status: 'active' } as const
  await db.insert(users).values({ ...ann, createdAt: 1, updatedAt: 1 })
})
const rows = async () =>
  (await listSpendLimits(db)).map(({ isSet, amountMicros, temporaryMicros, temporaryUntil }) => [
    isSet,
    amountMicros,
    temporaryMicros,
    temporaryUntil,
  ])
const soon = () => clock.now() + 1_000

describe('a spend limit', () => {
  test('is one row for each scope and period; what is not named stays', async () => {
    await setSpendLimit(parts, ANN, { amount: 5_000_000 })
    await setSpendLimit(parts, ANN, { temporary: { micros: 9_000_000, until: soon() } })
    expect(await rows()).toEqual([[true, 5_000_000, 9_000_000, soon()]])
    await setSpendLimit(parts, ANN, { amount: null })
    await setSpendLimit(parts, ANN, { temporary: null })
    expect(await rows()).toEqual([[true, null, null, null]])
    await setSpendLimit(parts, { ...ANN, period: 'daily' }, { amount: 0 })
    expect(await rows()).toHaveLength(2)
    expect(
      (await db.select().from(auditEvents)).map(({ action, target, before, after }) => [
        action,
        target,
        before,
        after,
      ])[1],
    ).toEqual([
      'limit.set',
      'limit:user:1:monthly',
      '{"temporary_usd":null,"temporary_until":null}',
      `{"temporary_usd":9,"temporary_until":"${new Date(soon()).toISOString()}"}`,
    ])
  })

  test('that two people change at once keeps what both set', async () => {
    await setSpendLimit(parts, ANN, { amount: 5_000_000 })
    await Promise.all([
      setSpendLimit(parts, ANN, { amount: 'none' }),
      setSpendLimit(parts, ANN, { temporary: { micros: 9_000_000, until: soon() } }),
    ])
    expect(await rows()).toEqual([[false, null, 9_000_000, soon()]])
    await Promise.all([
      setSpendLimit(parts, ANN, { amount: 7_000_000 }),
      setSpendLimit(parts, ANN, { temporary: null }),
    ])
    expect(await rows()).toEqual([[true, 7_000_000, null, null]])
    const made = { ...ANN, period: 'daily' } as const
    await Promise.all([
      setSpendLimit(parts, made, { amount: 1 }),
      setSpendLimit(parts, made, { temporary: { micros: 2, until: soon() } }),
    ])
    expect(await rows()).toContainEqual([true, 1, 2, soon()])
  })

  test('of which nothing is left is gone, and a temporary amount can stand alone', async () => {
    await setSpendLimit(parts, ANN, { amount: 5, temporary: { micros: 9, until: soon() } })
    await setSpendLimit(parts, ANN, { amount: 'none' })
    expect(await rows()).toEqual([[false, null, 9, soon()]])
    expect(await setSpendLimit(parts, ANN, { temporary: null })).toBeUndefined()
    expect(await rows()).toEqual([])
  })

  test('is of somebody who is there, and of a time to come', async () => {
    const refused = async (target: object, change: object = { amount: 5 }) =>
      (await refusalOf(setSpendLimit(parts, { ...ANN, ...target }, change))).code
    expect(await refused({ scopeId: 9 })).toBe('invalid_input')
    expect(await refused({ scope: 'group_pool', scopeId: 9 })).toBe('invalid_input')
    expect(await refused({ scope: 'group_each', scopeId: 0 })).toBe('invalid_input')
    expect(await refused({ scope: 'organisation_pool', scopeId: 1 })).toBe('invalid_input')
    expect(await refused({}, { temporary: { micros: 5, until: clock.now() } })).toBe('invalid_input')
    await setSpendLimit(parts, { ...ANN, scope: 'group_pool', scopeId: 0 }, { amount: 5 })
    await setSpendLimit(parts, { ...ANN, scope: 'organisation_each', scopeId: 0 }, { amount: 5 })
    expect(await rows()).toHaveLength(2)
  })

  test('is deleted once', async () => {
    const set = await setSpendLimit(parts, ANN, { amount: 5 })
    await deleteSpendLimit(parts, set?.id ?? 0)
    expect((await refusalOf(deleteSpendLimit(parts, set?.id ?? 0))).code).toBe('not_found')
  })
})

test('what is granted for good leaves what is temporary, and the other way round', async () => {
  const grant = async (micros: number, until: number | null, condition = sql`true`) =>
    db.batch([
      grantingLimit(db, { userId: 1 }, { micros, period: 'monthly', until }, { now: clock.now(), condition }),
    ])
  await grant(5, soon())
  expect(await rows()).toEqual([[false, null, 5, soon()]])
  await grant(7, null)
  expect(await rows()).toEqual([[true, 7, 5, soon()]])
  await grant(6, soon() + 1)
  expect(await rows()).toEqual([[true, 7, 6, soon() + 1]])
  await grant(8, null, sql`false`)
  expect(await rows()).toEqual([[true, 7, 6, soon() + 1]])
})

test('what raises a limit for good ends a temporary amount that is not above it, and leaves one that is', async () => {
  const raise = (micros: number) =>
    db.batch([
      grantingLimit(
        db,
        { userId: 1 },
        { micros, period: 'monthly', until: null, raises: true },
        { now: clock.now(), condition: sql`true` },
      ),
    ])
  await setSpendLimit(parts, ANN, { amount: 2, temporary: { micros: 9, until: soon() } })
  await raise(5)
  expect(await rows()).toEqual([[true, 5, 9, soon()]])
  await raise(9)
  expect(await rows()).toEqual([[true, 9, null, null]])
})
