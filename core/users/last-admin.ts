/** One active administrator stays, because nobody else could make another. */
import { type SQL, sql } from 'drizzle-orm'
import { Refusal } from '../errors.ts'
import type { Db } from '../ports.ts'

/**
 * Whether a user can stop being an active administrator. It stands in the statement that changes them, because two
 * administrators who demote each other at the same moment would both pass a check before it.
 */
export function isNotLastAdmin(id: number): SQL {
  return sql`(users.role <> 'admin' or users.status <> 'active' or exists (select 1 from users as other_admin
    where other_admin.role = 'admin' and other_admin.status = 'active' and other_admin.id <> ${id}))`
}

/** Whether they are the only active administrator. */
export async function isLastAdmin(db: Db, id: number): Promise<boolean> {
  const found = await db.all(sql`select 1 from users where users.id = ${id} and not ${isNotLastAdmin(id)}`)
  return found.length > 0
}

export function lastAdmin(): Refusal {
  return new Refusal('conflict', 'There must be another active administrator first.')
}
