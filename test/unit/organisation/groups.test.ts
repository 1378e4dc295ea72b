import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import {
  apiKeys,
  auditEvents,
  groupMembers,
  groupModels,
  groups,
  policies,
  spendLimits,
  users,
} from '../../../core/db/schema.ts'
import { Refusal } from '../../../core/errors.ts'
import { setSpendLimit } from '../../../core/limits/spend-limit.ts'
import {
  createGroup,
  deleteGroup,
  groupOf,
  listGroups,
  updateGroup,
} from '../../../core/organisation/groups.ts'
import { addAsLead, listMembers, removeMember, setMember } from '../../../core/organisation/members.ts'
import { groupModelsOf, modelsFor, setGroupModels } from '../../../core/organisation/models.ts'
import { createPolicy } from '../../../core/policies/manage.ts'
import { registerUser } from '../../../core/users/manage.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore } from '../../support/memory-store.ts'

const store = await memoryStore()
const { db } = store
const clock = fakeClock()
const parts = { db, clock, actor: COMMAND_LINE }
afterAll(() => store.close())
beforeEach(async () => {
  const tables = [groupMembers, groupModels, spendLimits, apiKeys, users, auditEvents, groups, policies]
  for (const table of tables) await db.delete(table)
  const builtIn = { id: 0, name: 'unassigned', source: 'direct', bills: true } as const
  await db.insert(groups).values({ ...builtIn, createdAt: 1, updatedAt: 1 })
})

/** What it answers, or the code of its refusal. */
async function outcome(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
    return 'done'
  } catch (cause) {
    return cause instanceof Refusal ? cause.code : cause
  }
}
const made = async (name: string, parentId: number | null = null) =>
  (await createGroup(parts, { name, parentId })).id
const person = async (itcode: string, kind: 'person' | 'service' = 'person') =>
  (await registerUser(parts, { itcode, role: 'user', kind, quotaTokens: 0 }))?.id ?? 0
const actions = async () => (await db.select().from(auditEvents)).map(({ action }) => action)

describe('a group', () => {
  test('has a name of its own, until it is deleted', async () => {
    const id = await made('sales')
    expect(await outcome(createGroup(parts, { name: 'sales' }))).toBe('conflict')
    const other = await made('other')
    expect(await outcome(updateGroup(parts, other, { name: 'sales' }))).toBe('conflict')
    await deleteGroup(parts, id)
    expect(await outcome(updateGroup(parts, other, { name: 'sales' }))).toBe('done')
    expect(await outcome(groupOf(db, id))).toBe('not_found')
    expect((await listGroups(db)).map(({ name }) => name)).toEqual(['unassigned', 'sales'])
  })

  test('has parents that are billing groups, three levels deep at most', async () => {
    const top = await made('top')
    const middle = await made('middle', top)
    const low = await made('low', middle)
    expect(await outcome(made('lower', low))).toBe('invalid_input')
    const alone = await made('alone')
    expect(await outcome(updateGroup(parts, alone, { parentId: low }))).toBe('invalid_input')
    expect(await outcome(updateGroup(parts, top, { parentId: alone }))).toBe('invalid_input')
    expect(await outcome(updateGroup(parts, alone, { parentId: middle }))).toBe('done')
    expect(await outcome(createGroup(parts, { name: 'role', bills: false, parentId: top }))).toBe(
      'invalid_input',
    )
    const role = (await createGroup(parts, { name: 'role', bills: false })).id
    expect(await outcome(updateGroup(parts, alone, { parentId: role }))).toBe('invalid_input')
    expect(await outcome(updateGroup(parts, middle, { bills: false }))).toBe('invalid_input')
    expect(await outcome(updateGroup(parts, alone, { parentId: 0 }))).toBe('invalid_input')
  })

  test('is never its own parent, however many change at once', async () => {
    const a = await made('a')
    const b = await made('b')
    expect(await outcome(updateGroup(parts, a, { parentId: a }))).toBe('invalid_input')
    const both = await Promise.all([
      outcome(updateGroup(parts, a, { parentId: b })),
      outcome(updateGroup(parts, b, { parentId: a })),
    ])
    expect(both.toSorted()).toEqual(['done', 'invalid_input'])
  })

  test('that others are below is not deleted', async () => {
    const top = await made('top')
    const low = await made('low', top)
    expect(await outcome(deleteGroup(parts, top))).toBe('conflict')
    await deleteGroup(parts, low)
    expect(await outcome(deleteGroup(parts, top))).toBe('done')
  })

  test('takes its memberships, limits and models along when it is deleted, and nothing of others', async () => {
    const [id, other] = [await made('a'), await made('b')]
    const ann = await person('ann')
    for (const group of [id, other]) {
      await setMember(parts, group, ann, 'member')
      await setSpendLimit(parts, { scope: 'group_pool', scopeId: group, period: 'daily' }, { amount: 5 })
      await setGroupModels(parts, group, { allow: ['x'], deny: [] })
    }
    const ofUser = { scope: 'user', scopeId: id, period: 'daily', createdAt: 1, updatedAt: 1 } as const
    await db.insert(spendLimits).values(ofUser)
    await deleteGroup(parts, id)
    expect((await db.select().from(groupMembers)).map(({ groupId }) => groupId)).toEqual([other])
    expect((await db.select().from(groupModels)).map(({ groupId }) => groupId)).toEqual([other])
    expect((await db.select().from(spendLimits)).map(({ scope, scopeId }) => [scope, scopeId])).toEqual([
      ['group_pool', other],
      ['user', id],
    ])
  })

  test('that is built in stays as it is', async () => {
    const ann = await person('ann')
    expect(await outcome(updateGroup(parts, 0, { name: 'x' }))).toBe('conflict')
    expect(await outcome(deleteGroup(parts, 0))).toBe('conflict')
    expect(await outcome(setMember(parts, 0, ann, 'member'))).toBe('conflict')
    expect(await outcome(setGroupModels(parts, 0, { allow: [], deny: ['*'] }))).toBe('conflict')
  })
})

describe('members', () => {
  test('are people, join once, lead and leave, each with its row in the audit', async () => {
    const [id, ann] = [await made('a'), await person('ann')]
    await setMember(parts, id, ann, 'member')
    await setMember(parts, id, ann, 'member')
    await setMember(parts, id, ann, 'lead')
    expect(await listMembers(db, id)).toMatchObject([{ userId: ann, role: 'lead' }])
    await removeMember(parts, id, ann)
    expect(await outcome(removeMember(parts, id, ann))).toBe('not_found')
    expect((await actions()).filter((action) => action.startsWith('group.m'))).toEqual([
      'group.member_add',
      'group.member_role',
      'group.member_remove',
    ])
    expect(await outcome(setMember(parts, id, await person('robot', 'service'), 'member'))).toBe('conflict')
    expect(await outcome(setMember(parts, id, 999, 'member'))).toBe('not_found')
  })

  test('of a group that a directory keeps cannot be changed here, except who leads it', async () => {
    const [id, ann] = [await made('a'), await person('ann')]
    await setMember(parts, id, ann, 'member')
    await db.update(groups).set({ source: 'scim' })
    expect(await outcome(setMember(parts, id, await person('bob'), 'member'))).toBe('conflict')
    expect(await outcome(setMember(parts, id, ann, 'lead'))).toBe('done')
    expect(await outcome(removeMember(parts, id, ann))).toBe('conflict')
  })
})

describe('a lead adds members', () => {
  const setUp = async () => {
    const id = (await createGroup(parts, { name: 'a', leadsAdd: true })).id
    const [lena, bob] = [await person('lena'), await person('bob')]
    await setMember(parts, id, lena, 'lead')
    return { id, lena, bob, add: () => outcome(addAsLead(parts, lena, id, bob)) }
  }

  test('where an administrator lets leads do that', async () => {
    const { id, bob, add } = await setUp()
    expect([await add(), await add()]).toEqual(['done', 'done'])
    expect((await listMembers(db, id)).find(({ userId }) => userId === bob)?.role).toBe('member')
  })

  test.each<[string, (id: number) => Promise<unknown>]>([
    ['that leads may not add to', (id) => updateGroup(parts, id, { leadsAdd: false })],
    ['with a rate', (id) => updateGroup(parts, id, { tokensPerMinute: 5 })],
    ['with a group above', async (id) => updateGroup(parts, id, { parentId: await made('top') })],
    ['with models', (id) => setGroupModels(parts, id, { allow: ['x'], deny: [] })],
    [
      'with a policy',
      (id) =>
        createPolicy(parts, { name: 'p', priority: 1, groupIds: [7_000, id], domains: [], settings: {} }),
    ],
    ...(['group_each', 'group_pool'] as const).map((scope): [string, (id: number) => Promise<unknown>] => [
      `with ${scope}`,
      (id) => setSpendLimit(parts, { scope, scopeId: id, period: 'daily' }, { amount: null }),
    ]),
  ])('and never to a group %s', async (_, change) => {
    const { id, add } = await setUp()
    await change(id)
    expect(await add()).toBe('conflict')
    expect(await listMembers(db, id)).toHaveLength(1)
  })

  test.each<[string, (id: number, lena: number) => Promise<unknown>]>([
    ['is a lead no more', (id, lena) => setMember(parts, id, lena, 'member')],
    ['has left', (id, lena) => removeMember(parts, id, lena)],
  ])('unless the lead %s', async (_, change) => {
    const { id, lena, add } = await setUp()
    await change(id, lena)
    expect(await add()).toBe('not_found')
  })
})

test('models are those of all groups of a person, in lower case and once; a list that is set again leaves no row', async () => {
  const [a, b, ann] = [await made('a'), await made('b'), await person('ann')]
  for (const group of [a, b]) await setMember(parts, group, ann, 'member')
  await setGroupModels(parts, a, { allow: ['Claude-Haiku-*', 'claude-haiku-*'], deny: ['x'] })
  await setGroupModels(parts, a, { allow: ['claude-haiku-*'], deny: ['x'] })
  await setGroupModels(parts, b, { allow: ['y'], deny: [] })
  expect(await groupModelsOf(db, a)).toEqual({ allow: ['claude-haiku-*'], deny: ['x'] })
  expect(await modelsFor(db, ann)).toEqual({ allow: ['claude-haiku-*', 'y'], deny: ['x'] })
  expect((await actions()).filter((action) => action === 'group.models')).toHaveLength(2)
  await setGroupModels(parts, a, { deny: ['z'] })
  await setGroupModels(parts, a, { allow: ['w'] })
  expect(await groupModelsOf(db, a)).toEqual({ allow: ['w'], deny: ['z'] })
  expect(await outcome(setGroupModels(parts, a, { allow: ['z'] }))).toBe('conflict')
  expect(await outcome(setGroupModels(parts, a, { allow: ['x'], deny: ['X'] }))).toBe('conflict')
})
