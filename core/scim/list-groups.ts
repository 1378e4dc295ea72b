/** Groups as their directory reads them back. */
import { and, asc, eq, gt, isNull, type SQL, sql } from 'drizzle-orm'
import { groups } from '../db/schema.ts'
import { parsedJson } from '../json/parse.ts'
import type { Group } from '../organisation/groups.ts'
import type { Db } from '../ports.ts'
import type { Document } from './document.ts'
import { equals, type Filter, matches } from './filter.ts'
import { metaOf } from './kept.ts'

export interface KeptGroup {
  group: Group
  resource: Document
}

/** So many are read at once, because other work has to go on, and one may have all people of the company in it. */
const ROWS_READ = 200
const WITH_MEMBERS_READ = 20

/** Those that meet the filter, by their ids; `start` is the number of the first one wanted, from 1 on. */
export async function listScimGroups(
  db: Db,
  filter: Filter | undefined,
  { start, count, members }: { start: number; count: number; members: boolean },
): Promise<{ total: number; found: KeptGroup[] }> {
  const isKept = and(eq(groups.source, 'scim'), isNull(groups.deletedAt))
  const page = { from: start - 1, to: start - 1 + count }
  if (!filter) {
    const rows = await db
      .select()
      .from(groups)
      .where(isKept)
      .orderBy(asc(groups.id))
      .limit(count)
      .offset(page.from)
    return { total: await db.$count(groups, isKept), found: await described(db, rows, members) }
  }
  const where = and(isKept, indexed(filter))
  const ofMembers = JSON.stringify(filter).includes('"members"')
  const limit = ofMembers ? WITH_MEMBERS_READ : ROWS_READ
  const found: KeptGroup[] = []
  let total = 0
  let after = 0
  for (;;) {
    const rows = await db
      .select()
      .from(groups)
      .where(and(where, gt(groups.id, after)))
      .orderBy(asc(groups.id))
      .limit(limit)
    for (const one of await described(db, rows, ofMembers)) {
      const { group, resource } = one
      if (!matches(filter, { ...resource, id: String(group.id), meta: metaOf('Group', group) })) continue
      if (total >= page.from && total < page.to) found.push(one)
      total += 1
    }
    const last = rows.length < limit ? undefined : rows.at(-1)
    if (!last) break
    after = last.id
  }
  const rest = found.map(({ group }) => group)
  return { total, found: members === ofMembers ? found : await described(db, rest, members) }
}

function indexed(filter: Filter): SQL | undefined {
  const ids = equals(filter, 'id')
  if (ids) return sql`${groups.id} in (select value from json_each(${JSON.stringify(ids.map(Number))}))`
  const externalIds = equals(filter, 'externalId')
  if (externalIds)
    return sql`${groups.externalId} in (select value from json_each(${JSON.stringify(externalIds)}))`
  const people = equals(filter, 'members.value') ?? equals(filter, 'members')
  const ofPeople = sql`select group_id from group_members where user_id in (
    select value from json_each(${JSON.stringify(people?.map(Number))}))`
  return people && sql`${groups.id} in (${ofPeople})`
}

/** With the people in them whom the directory keeps, if `members`. */
export async function described(db: Db, rows: readonly Group[], members: boolean): Promise<KeptGroup[]> {
  const ids = JSON.stringify(rows.map(({ id }) => id))
  const lists = members && rows.length > 0 ? await membersOf(db, ids) : new Map<number, unknown>()
  return rows.map((group) => {
    const known = group.externalId === null ? {} : { externalId: group.externalId }
    const list = members ? { members: lists.get(group.id) ?? [] } : {}
    return { group, resource: { displayName: group.name, ...known, ...list } }
  })
}

/** One text for each group, because it may have thousands of members. */
async function membersOf(db: Db, ids: string): Promise<Map<number, unknown>> {
  const rows = await db.all<{ id: number; members: string }>(sql`
    select member.group_id as id, json_group_array(json_object('value', cast(member.user_id as text),
      'display', scim_users.user_name, 'type', 'User')) as members
    from group_members as member join scim_users on scim_users.user_id = member.user_id
    where member.group_id in (select value from json_each(${ids})) group by member.group_id`)
  return new Map(rows.map(({ id, members }) => [id, parsedJson(members)]))
}
