/** Lists keys and devices with what they used. */
import { and, asc, eq, isNull, type SQL } from 'drizzle-orm'
import { apiKeys, users } from '../db/schema.ts'
import { nothingHere } from '../errors.ts'
import type { Db } from '../ports.ts'
import { type Totals, totalsByKey } from '../reports/totals.ts'
import type { ApiKey } from './manage.ts'

export type ListedKey = { key: ApiKey; itcode: string; ownerKind: 'person' | 'service' } & Totals

export const NEVER_USED: Totals = { requests: 0, totalTokens: 0, costMicros: 0, lastUsedAt: null }

/** Keys that are not deleted, with owner and use, oldest first; only those of `userId` if it is given. */
export async function listKeys(db: Db, userId?: number): Promise<ListedKey[]> {
  return listedKeys(
    db,
    and(eq(apiKeys.kind, 'key'), userId === undefined ? undefined : eq(apiKeys.userId, userId)),
  )
}

/** The same of devices. */
export async function listDevices(db: Db, userId?: number): Promise<ListedKey[]> {
  return listedKeys(
    db,
    and(eq(apiKeys.kind, 'device'), userId === undefined ? undefined : eq(apiKeys.userId, userId)),
  )
}

/** A key with its use. Throws a Refusal not_found. */
export async function describedKey(db: Db, id: number): Promise<ListedKey> {
  const [listed] = await listedKeys(db, eq(apiKeys.id, id))
  if (!listed) throw nothingHere()
  return listed
}

/** Keys and devices that are not deleted, oldest first or `by` an order; all of them without a page. */
export async function listedKeys(
  db: Db,
  where: SQL | undefined,
  { page, pageSize, by }: { page?: number; pageSize?: number; by?: SQL } = {},
): Promise<ListedKey[]> {
  const found = db
    .select({ key: apiKeys, itcode: users.itcode, ownerKind: users.kind })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(and(isNull(apiKeys.deletedAt), where))
    .orderBy(...(by ? [by] : []), asc(apiKeys.id))
    .$dynamic()
  const rows = await (page && pageSize ? found.limit(pageSize).offset((page - 1) * pageSize) : found)
  const ids = rows.map(({ key }) => key.id)
  const totals = await totalsByKey(db, ids)
  return rows.map((row) => ({ ...row, ...NEVER_USED, ...totals.get(row.key.id) }))
}
