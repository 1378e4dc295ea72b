import { eq } from 'drizzle-orm'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { settingsFrom } from '../../../config/settings.ts'
import { apiKeys, groupMembers, groupModels, groups, spendLimits, users } from '../../../core/db/schema.ts'
import type { Caller } from '../../../core/keys/caller.ts'
import { createKeyCache } from '../../../core/keys/key-cache.ts'
import type { Period } from '../../../core/settings.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { NO_TOKENS } from '../../support/no-tokens.ts'
import { load, MINIMAL } from '../config/settings.ts'

const times = { createdAt: 1, updatedAt: 1 }
const store = await memoryStore()
const { db } = store
afterAll(() => store.close())
beforeEach(async () => {
  for (const table of [groupMembers, groupModels, spendLimits, apiKeys, users]) await db.delete(table)
  await db.delete(groups).where(eq(groups.bills, true))
  await db.delete(groups)
  await addGroup(0, { name: 'unassigned' })
  await addUser(1)
  await addUser(2)
})

const addGroup = (id: number, given: Partial<typeof groups.$inferInsert> = {}) =>
  db.insert(groups).values({ id, name: `g${id}`, source: 'direct', bills: true, ...times, ...given })
const join = (userId: number, groupId: number) =>
  db.insert(groupMembers).values({ userId, groupId, role: 'member', createdAt: 1 })
const limit = (
  scope: (typeof spendLimits.$inferInsert)['scope'],
  scopeId: number,
  amountMicros: number | null,
  given: Partial<typeof spendLimits.$inferInsert> & { period?: Period } = {},
) => db.insert(spendLimits).values({ scope, scopeId, amountMicros, period: 'monthly', ...times, ...given })

/** A user with the key `key-ID`. */
async function addUser(id: number, given: Partial<typeof users.$inferInsert> = {}) {
  await db
    .insert(users)
    .values({ id, itcode: `u${id}`, name: '', role: 'user', status: 'active', ...times, ...given })
  const key = { id, userId: id, name: '', prefix: '', last4: '', status: 'active', ...times } as const
  await db.insert(apiKeys).values({ ...key, hash: `#key-${id}` })
}

async function cached(limits: object = {}) {
  const clock = fakeClock()
  const settings = settingsFrom(load({ ...MINIMAL, limits }))
  const cache = createKeyCache({
    db,
    clock,
    sha256: (text) => `#${text}`,
    settings,
    accessTokens: NO_TOKENS,
    waitUntil: () => {},
  })
  await cache.refresh()
  return { ...cache, clock, of: (id: number) => cache.find([`key-${id}`]) }
}

/** Whose amounts hold for a caller: [scope id, micro-dollars by period]. */
function amountsOf({ counters }: Caller) {
  return counters.flatMap(({ scope, id, limits }) => {
    const { amounts } = limits
    return amounts.length === 0 ? [] : [[`${scope} ${id}`, ...amounts.map((one) => [one.period, one.micros])]]
  })
}

describe('what a call counts against', () => {
  test('is the user, the key, the booked group, its parents and the organisation, limited or not', async () => {
    await addGroup(5)
    await addGroup(6, { parentId: 5 })
    await addGroup(7, { parentId: 6 })
    await join(1, 7)
    const { of } = await cached()
    expect(of(1).billingGroupIds).toEqual([7, 6, 5])
    expect(of(1).counters.map(({ scope, id, name }) => [scope, id, name])).toEqual([
      ['user', 1, undefined],
      ['key', 1, undefined],
      ['group', 7, 'g7'],
      ['group', 6, 'g6'],
      ['group', 5, 'g5'],
      ['organisation', 0, undefined],
    ])
    expect(of(2).billingGroupIds).toEqual([0])
  })

  test('has the pools of these, and none of the groups that they are merely in', async () => {
    await addGroup(5, { priority: 1 })
    await addGroup(6, { priority: 2 })
    await join(1, 5)
    await join(1, 6)
    await limit('group_pool', 5, 50)
    await limit('group_pool', 6, 60)
    await limit('organisation_pool', 0, 70, { period: 'daily' })
    const { of } = await cached()
    expect(amountsOf(of(1))).toEqual([
      ['group 5', ['monthly', 50]],
      ['organisation 0', ['daily', 70]],
    ])
    expect(amountsOf(of(2))).toEqual([['organisation 0', ['daily', 70]]])
  })

  test('is booked to the group of the key while its owner is in it', async () => {
    await addGroup(5)
    await addGroup(6)
    await join(1, 5)
    await join(1, 6)
    await db.update(apiKeys).set({ billingGroupId: 6 })
    const { of, refresh } = await cached()
    expect([of(1), of(2)].map(({ billingGroupIds }) => billingGroupIds)).toEqual([[6], [0]])
    await db.delete(groupMembers).where(eq(groupMembers.groupId, 6))
    await refresh()
    expect(of(1).billingGroupIds).toEqual([5])
  })
})

describe('a call that names a group to be booked to', () => {
  test('is booked there, with its pools, while its owner is in it', async () => {
    await addGroup(5)
    await addGroup(6, { priority: 200 })
    await join(1, 5)
    await join(1, 6)
    await addGroup(7)
    await limit('group_pool', 6, 60)
    const { of, clock } = await cached()
    const billed = of(1).billedTo('g6', clock.now())
    expect([billed?.billingGroupIds, billed?.keyId]).toEqual([[6], 1])
    expect(billed && amountsOf(billed)).toEqual([['group 6', ['monthly', 60]]])
    expect([of(1).billedTo('g7', clock.now()), of(1).billedTo('nobody', clock.now())]).toEqual([
      undefined,
      undefined,
    ])
    expect(of(1).billingGroupIds).toEqual([5])
  })
})

describe('a change of a group', () => {
  test('holds from the next call on for everybody in it, and leaves others alone', async () => {
    await addGroup(5)
    await join(1, 5)
    const { of, refresh } = await cached()
    const [before] = [of(1)]
    expect(of(1)).toBe(before)
    await limit('group_each', 5, 10)
    await db.insert(groupModels).values({ groupId: 5, model: 'claude-opus-*', access: 'deny' })
    await refresh()
    expect(amountsOf(of(1))).toEqual([['user 1', ['monthly', 10]]])
    expect(of(1).models.deny).toEqual(['claude-opus-*'])
    expect([amountsOf(of(2)), of(2).models.deny]).toEqual([[], []])
  })

  test('that is deleted books its people elsewhere', async () => {
    await addGroup(5)
    await join(1, 5)
    const { of, refresh } = await cached()
    expect(of(1).billingGroupIds).toEqual([5])
    await db.update(groups).set({ deletedAt: 9 }).where(eq(groups.id, 5))
    await refresh()
    expect(of(1).billingGroupIds).toEqual([0])
  })

  test('of the organisation holds for everybody', async () => {
    const { of, refresh } = await cached()
    of(1)
    await limit('organisation_each', 0, 11)
    await limit('organisation_pool', 0, 99)
    await refresh()
    for (const id of [1, 2]) {
      expect(amountsOf(of(id))).toEqual([
        [`user ${id}`, ['monthly', 11]],
        ['organisation 0', ['monthly', 99]],
      ])
    }
  })
})

test.each(['user', 'group_each', 'organisation_each', 'group_pool', 'organisation_pool'] as const)(
  'a temporary amount of %s ends at its time, without a change in the database',
  async (scope) => {
    await addGroup(5)
    await join(1, 5)
    const { of, clock, refresh } = await cached()
    const temporary = { temporaryMicros: 30, temporaryUntil: clock.now() + 1_000 }
    await limit(scope, scope === 'user' ? 1 : scope.startsWith('group') ? 5 : 0, 20, temporary)
    await refresh()
    const amounts = () => amountsOf(of(1)).map((one) => one[1])
    expect(amounts()).toEqual([['monthly', 30]])
    clock.advance(999)
    expect(amounts()).toEqual([['monthly', 30]])
    clock.advance(1)
    expect(amounts()).toEqual([['monthly', 20]])
  },
)

test('a service account spends nothing before it has a limit, has no limits of members, and obeys the models of its owner', async () => {
  await addGroup(5)
  await limit('group_each', 5, 10)
  await limit('organisation_each', 0, 10)
  await db.insert(groupModels).values({ groupId: 5, model: 'claude-opus-*', access: 'deny' })
  await addUser(3, { kind: 'service', billingGroupId: 5 })
  const { of, refresh } = await cached({ default_budget_usd: 1 })
  expect(amountsOf(of(3))).toEqual([['user 3', ['total', 0]]])
  expect(of(3)).toMatchObject({ billingGroupIds: [5], models: { deny: ['claude-opus-*'] } })
  await limit('user', 3, 7, { period: 'daily' })
  await refresh()
  expect(amountsOf(of(3))).toEqual([['user 3', ['daily', 7]]])
})

test('a key with lists brings them along', async () => {
  await db
    .update(apiKeys)
    .set({ models: '["claude-haiku-*"]', networks: '["10.0.0.0/8"]' })
    .where(eq(apiKeys.id, 1))
  const { of } = await cached()
  expect(of(1).models.only).toEqual(['claude-haiku-*'])
  expect(of(1).networks).toHaveLength(1)
  expect([of(2).models.only, of(2).networks]).toEqual([undefined, undefined])
})
