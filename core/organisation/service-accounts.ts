/** Service accounts: users of programs, whose keys admins and the leads of the group that owns them make. */
import { and, asc, eq, type SQL, sql } from 'drizzle-orm'
import type { User } from '../auth/account.ts'
import { users } from '../db/schema.ts'
import { invalidField, nothingHere } from '../errors.ts'
import type { Db } from '../ports.ts'
import { problem } from '../problems.ts'
import { leads } from './members.ts'

/** Whether a user may make and end the keys of a service account: an active admin, or a lead of its group. */
export function keeps(keeperId: SQL, accountId: SQL): SQL {
  return sql`exists (select 1 from users as account where account.id = ${accountId} and account.kind = 'service' and account.deleted_at is null
    and (exists (select 1 from users as keeper
        where keeper.id = ${keeperId} and keeper.role = 'admin' and keeper.status = 'active')
      or ${leads(keeperId, sql`account.billing_group_id`)}))`
}

/** The service accounts whose keys this user may make and end, by name. */
export function listServiceAccounts(db: Db, keeperId: number): Promise<User[]> {
  return db
    .select()
    .from(users)
    .where(and(eq(users.kind, 'service'), keeps(sql`${keeperId}`, sql`${users.id}`)))
    .orderBy(asc(users.itcode))
}

/** One of them. Throws a Refusal not_found. */
export async function serviceAccountOf(db: Db, keeperId: number, id: number): Promise<User> {
  const [account] = await db
    .select()
    .from(users)
    .where(and(eq(users.id, id), keeps(sql`${keeperId}`, sql`${users.id}`)))
  if (!account) throw nothingHere()
  return account
}

/** Throws a Refusal invalid_input unless calls can be booked to this group. */
export async function assertBills(db: Db, groupId: number | null | undefined): Promise<void> {
  if (groupId === null || groupId === undefined) return
  const found = await db.all(
    sql`select 1 from groups where id = ${groupId} and id <> 0 and bills and deleted_at is null`,
  )
  if (found.length === 0) throw invalidField('billing_group_id', problem('billing_group'))
}

/** Throws a Refusal invalid_input unless the user is a member of this billing group. */
export async function assertBillsTo(
  db: Db,
  userId: number,
  groupId: number | null | undefined,
): Promise<void> {
  if (groupId === null || groupId === undefined) return
  const found = await db.all(sql`
    select 1 from group_members as mine join groups on groups.id = mine.group_id
    where mine.user_id = ${userId} and groups.id = ${groupId} and groups.bills and groups.deleted_at is null`)
  if (found.length === 0) throw invalidField('billing_group_id', problem('own_billing_group'))
}
