/** Lists keys and devices with what they used. */
import { and, asc, count, eq, isNull, or, type SQL, sql } from 'drizzle-orm'
import { apiKeys, users } from '../db/schema.ts'
import { nothingHere } from '../errors.ts'
import type { Db } from '../ports.ts'
import { type Totals, totalsByKey } from '../reports/totals.ts'
import type { ApiKey } from './manage.ts'

export type ListedKey = { key: ApiKey; itcode: string } & Totals

/** Keys that are not deleted, with owner and use, oldest first; only those of `userId` if it is given. */
export async function listKeys(db: Db, userId?: number): Promise<ListedKey[]> {
  return listedKeys(
    db,
    and(eq(apiKeys.kind, 'key'), userId === undefined ? undefined : eq(apiKeys.userId, userId)),
  )
}

/** Everybody's or one person's keys, found by their name, their owner or how they begin, and how many match; a page of them, or all. */
export async function findKeys(
  db: Db,
  { userId, q }: { userId?: number | undefined; q?: string | undefined },
  part?: { page: number; pageSize: number },
): Promise<{ keys: ListedKey[]; total: number }> {
  const text = q?.toLowerCase()
  const where = and(
    eq(apiKeys.kind, 'key'),
    userId === undefined ? undefined : eq(apiKeys.userId, userId),
    text
      ? or(
          sql`instr(lower(${apiKeys.name}), ${text}) > 0`,
          sql`instr(${users.itcode}, ${text}) > 0`,
          sql`instr(lower(${apiKeys.prefix}), ${text}) > 0`,
        )
      : undefined,
  )
  const [counted] = await db
    .select({ total: count() })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(and(isNull(apiKeys.deletedAt), where))
  const keys = await listedKeys(db, where, part)
  return { keys, total: counted?.total ?? 0 }
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

/** Keys and devices that are not deleted, oldest first or `by` an order; all without `part`. */
export async function listedKeys(
  db: Db,
  where: SQL | undefined,
  part?: { page: number; pageSize: number; by?: SQL },
): Promise<ListedKey[]> {
  const found = db
    .select({ key: apiKeys, itcode: users.itcode })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(and(isNull(apiKeys.deletedAt), where))
    .orderBy(...(part?.by ? [part.by] : []), asc(apiKeys.id))
    .$dynamic()
  const rows = await (part ? found.limit(part.pageSize).offset((part.page - 1) * part.pageSize) : found)
  const ids = rows.map(({ key }) => key.id)
  const totals = await totalsByKey(db, ids)
  const none: Totals = { requests: 0, totalTokens: 0, costMicros: 0, lastUsedAt: null }
  return rows.map((row) => ({ ...row, ...none, ...totals.get(row.key.id) }))
}
