/** One active administrator stays, because nobody else could make another. */
import { type SQL, sql } from 'drizzle-orm'
import { Refusal } from '../errors.ts'

/**
 * Whether a user can stop being an active administrator. It stands in the statement that changes them, because two
 * administrators who demote each other at the same moment would both pass a check before it.
 */
export function isNotLastAdmin(id: number): SQL {
  return sql`(users.role <> 'admin' or users.status <> 'active' or exists (select 1 from users as other_admin
    where other_admin.role = 'admin' and other_admin.status = 'active' and other_admin.id <> ${id}))`
}

export function lastAdmin(): Refusal {
  return new Refusal('conflict', 'There must be another active administrator first.')
}
