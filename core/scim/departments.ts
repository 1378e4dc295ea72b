/** Whose calls a group pays for by what the directory says of them. */
import { sql } from 'drizzle-orm'
import { users } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { type Document, departmentsIn } from './document.ts'
import { ENTERPRISE_SCHEMA } from './names.ts'

/** The billing group that is called like the department, else like the cost centre. */
export async function departmentOf(db: Db, wanted: Document): Promise<number | null> {
  const names = departmentsIn(wanted)
  if (names.length === 0) return null
  const [group] = await db.all<{ id: number }>(sql`
    select groups.id from json_each(${JSON.stringify(names)}) as named join groups on groups.name = named.value
    where groups.bills and groups.deleted_at is null and groups.id <> 0 order by named.key limit 1`)
  return group?.id ?? null
}

/**
 * For the batch that makes, renames or changes a group: people whose department or cost centre it is are booked to it from now on,
 * because directories push people before there are groups for them.
 */
export function payingForDepartment(db: Db, name: string) {
  const said = (attribute: string) =>
    sql`json_extract(attributes, ${`$."${ENTERPRISE_SCHEMA}".${attribute}`})`
  const group = sql`(select id from groups where name = ${name} and bills and deleted_at is null and id <> 0)`
  return db
    .update(users)
    .set({ directoryGroupId: group })
    .where(sql`exists (select 1 from groups where id = ${group}) and ${users.directoryGroupId} is not ${group}
      and exists (select 1 from scim_users where scim_users.user_id = ${users.id} and (${said('department')} = ${name}
        or (${users.directoryGroupId} is null and ${said('costCenter')} = ${name})))`)
}
