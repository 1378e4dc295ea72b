/** Groups by their members, of a company with many groups: nobody else may wait for them. */
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Db } from '../../../core/ports.ts'
import { parseFilter } from '../../../core/scim/filter.ts'
import { listScimGroups } from '../../../core/scim/list-groups.ts'
import { memoryStore } from '../../support/memory-store.ts'

const PEOPLE = 30
const GROUPS = 50

/** Everybody is in every group, but the last person in the last group alone. */
async function company() {
  const { db, close } = await memoryStore()
  const numbers = (count: number) =>
    sql.raw(`with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${count})`)
  await db.batch([
    db.run(sql`insert into users (id, itcode, name, role, status, created_at, updated_at) ${numbers(PEOPLE)}
      select n, 'p' || n, 'p' || n, 'user', 'active', 0, 0 from numbers`),
    db.run(sql`insert into scim_users (user_id, user_name, user_name_key, active, attributes, created_at, updated_at)
      select id, itcode, itcode, 1, '{}', 0, 0 from users`),
    db.run(sql`insert into groups (id, name, source, bills, created_at, updated_at) ${numbers(GROUPS)}
      select n, 'g' || n, 'scim', 0, 0, 0 from numbers`),
    db.run(sql`insert into group_members (group_id, user_id, role, created_at)
      select groups.id, users.id, 'member', 0 from groups cross join users
      where users.id < ${PEOPLE} or groups.id = ${GROUPS}`),
  ])
  /** Lists of members that each statement answered. */
  const read: number[] = []
  const counting: Db = new Proxy(db, {
    get(target, name) {
      if (name !== 'all') return Reflect.get(target, name)
      return async (...given: Parameters<Db['all']>) => {
        const rows = await target.all(...given)
        read.push(rows.length)
        return rows
      }
    },
  })
  return { db: counting, read, close }
}

test.each([
  ['members.value eq "30"', [1]],
  ['members eq "30"', [1]],
  ['members[value eq "30"]', [1]],
  ['displayName eq "g50" and members[value eq "30"]', [1]],
  ['members.display ew "30"', [20, 20, 10]],
])('%s reads few groups with their members at once', async (text, expected) => {
  const { db, read, close } = await company()
  const page = { start: 1, count: 10, members: true }
  const { total, found } = await listScimGroups(db, parseFilter(text), page)
  expect([total, found.map(({ group }) => group.name)]).toEqual([1, ['g50']])
  expect(read).toEqual(expected)
  await close()
})

test('pages of what meets a filter follow each other', async () => {
  const { db, close } = await company()
  const pageFrom = (start: number, members: boolean) =>
    listScimGroups(db, parseFilter('members.value eq "1" and displayName co "g"'), {
      start,
      count: 30,
      members,
    })
  const pages = [await pageFrom(1, true), await pageFrom(31, false)]
  expect(pages.map(({ total, found }) => [total, found.length, found[0]?.group.name])).toEqual([
    [GROUPS, 30, 'g1'],
    [GROUPS, 20, 'g31'],
  ])
  await close()
})
