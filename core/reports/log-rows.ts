/** Rows of the log, with the names of what they are of. */
import { desc, eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import type { SQLiteSelect } from 'drizzle-orm/sqlite-core'
import { apiKeys, usageLogs, users } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { rowText, valuesIn } from './row-text.ts'

/** A row with the names of its key and user, also of deleted ones; null if they never existed here. */
export type LogRow = Omit<typeof usageLogs.$inferSelect, 'extra'> & {
  keyName: string | null
  itcode: string | null
}

const { extra: _extra, ...OWN } = getTableColumns(usageLogs)
const COLUMNS = { ...OWN, keyName: apiKeys.name, itcode: users.itcode }
const LISTED = Object.entries(COLUMNS).map(([name, { dataType }]) => ({
  name,
  isBoolean: dataType === 'boolean',
}))

/** The rows with these ids (a select), newest first. */
export async function rowsOf(db: Db, ids: SQL): Promise<LogRow[]> {
  return withNames(db.select(COLUMNS).from(usageLogs).$dynamic(), ids)
}

/** As rowsOf, of many rows. */
export async function manyRowsOf(db: Db, ids: SQL): Promise<LogRow[]> {
  const text = rowText(Object.values(COLUMNS).map((column) => sql`${column}`))
  const found = await withNames(db.select({ text }).from(usageLogs).$dynamic(), ids)
  return valuesIn(found.map((row) => row.text)).map((values) => {
    const fields: unknown[][] = LISTED.map(({ name, isBoolean }, at) => [
      name,
      isBoolean ? values[at] === 1 : values[at],
    ])
    return Object.fromEntries(fields)
  })
}

function withNames<Query extends SQLiteSelect>(query: Query, ids: SQL) {
  return query
    .leftJoin(apiKeys, eq(apiKeys.id, usageLogs.apiKeyId))
    .leftJoin(users, eq(users.id, usageLogs.userId))
    .where(sql`${usageLogs.id} in (${ids})`)
    .orderBy(desc(usageLogs.createdAt), desc(usageLogs.id))
}
