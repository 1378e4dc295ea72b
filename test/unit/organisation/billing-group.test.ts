import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { groupMembers, groups, users } from '../../../core/db/schema.ts'
import {
  type BillingGroup,
  billingGroupIds,
  billingGroupOf,
} from '../../../core/organisation/billing-group.ts'
import { memoryStore } from '../../support/memory-store.ts'

const group = (id: number, given: Partial<BillingGroup> = {}): [number, BillingGroup] => [
  id,
  { id, bills: true, priority: 100, parentId: null, ...given },
]
const owner = (
  groupIds: number[],
  billingGroupId: number | null = null,
  directoryGroupId: number | null = null,
) => ({
  groupIds,
  billingGroupId,
  directoryGroupId,
})

describe('a call is booked', () => {
  const groups = new Map([
    group(1),
    group(2, { priority: 5 }),
    group(3, { bills: false, priority: 1 }),
    group(4, { parentId: 2 }),
    group(5, { parentId: 4 }),
  ])

  test('to the group of the key, while its owner is in it', () => {
    expect(billingGroupIds(groups, owner([1, 2]), 1)).toEqual([1])
    expect(billingGroupIds(groups, owner([2]), 1)).toEqual([2])
    expect(billingGroupIds(groups, owner([2, 3]), 3)).toEqual([2])
  })

  test('else to the one that an administrator chose, whether or not they are in it', () => {
    expect(billingGroupIds(groups, owner([2], 1), null)).toEqual([1])
    expect(billingGroupIds(groups, owner([2], 3), null)).toEqual([2])
    expect(billingGroupIds(groups, owner([2], 9), null)).toEqual([2])
  })

  test('else to that of their department in the directory', () => {
    expect(billingGroupIds(groups, owner([2], null, 1), null)).toEqual([1])
    expect(billingGroupIds(groups, owner([2], 4, 1), null)).toEqual([4, 2])
    expect(billingGroupIds(groups, owner([2], null, 3), null)).toEqual([2])
  })

  test('else to their billing group of the lowest priority, then of the lowest id, else to none', () => {
    expect(billingGroupIds(groups, owner([1, 2, 3]), null)).toEqual([2])
    expect(billingGroupIds(new Map([group(8), group(7)]), owner([8, 7]), null)).toEqual([7])
    expect(billingGroupIds(groups, owner([3]), null)).toEqual([0])
    expect(billingGroupIds(groups, owner([]), 1)).toEqual([0])
  })

  test('and to the parents of that group, each once', () => {
    expect(billingGroupIds(groups, owner([5]), null)).toEqual([5, 4, 2])
    const circle = new Map([group(1, { parentId: 2 }), group(2, { parentId: 1 })])
    expect(billingGroupIds(circle, owner([1]), null)).toEqual([1, 2])
  })
})

describe('the rule in SQL', () => {
  const opened = memoryStore()
  afterAll(async () => (await opened).close())

  test('is the same', async () => {
    const { db } = await opened
    const times = { createdAt: 1, updatedAt: 1 }
    const id = fc.integer({ min: 1, max: 4 })
    const some = fc.record({
      groups: fc.uniqueArray(
        fc.record({
          id,
          bills: fc.boolean(),
          priority: fc.integer({ min: 0, max: 2 }),
          isDeleted: fc.boolean(),
        }),
        { selector: (one) => one.id },
      ),
      joined: fc.uniqueArray(id),
      chosen: fc.option(id),
    })
    const rule = fc.asyncProperty(some, async ({ groups: all, joined, chosen }) => {
      for (const table of [groupMembers, groups, users]) await db.delete(table)
      for (const { isDeleted, ...one } of all) {
        const row = { ...one, name: `g${one.id}`, source: 'direct', deletedAt: isDeleted ? 5 : null } as const
        await db.insert(groups).values({ ...row, ...times })
      }
      const person = { id: 7, itcode: 'ann', name: '', role: 'user', status: 'active', ...times } as const
      await db.insert(users).values({ ...person, billingGroupId: chosen })
      for (const groupId of joined) {
        await db.insert(groupMembers).values({ groupId, userId: 7, role: 'member', createdAt: 1 })
      }
      const live = new Map(all.filter(({ isDeleted }) => !isDeleted).map((one) => group(one.id, one)))
      const [expected] = billingGroupIds(live, owner(joined, chosen), null)
      const [row] = await db.all<{ id: number }>(sql`select ${billingGroupOf(sql`7`)} as id`)
      expect(row?.id).toBe(expected)
    })
    await fc.assert(rule, { numRuns: 60 })
  })
})
