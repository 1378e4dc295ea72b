/** Rows that come as JSON texts, because drivers take longer for a value than SQLite for the text of all. */
import { type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'

/** The column `text` of a query for `readJson`: these values as a JSON array. */
export function jsonText(values: readonly unknown[]): SQL.Aliased<string> {
  const list = values.map((value) => sql`${value}`)
  return sql<string>`json_array(${sql.join(list, sql`, `)})`.as('text')
}

/** The rows of a query with the column `text`. */
export async function readJson<Values>(db: Db, query: SQLWrapper): Promise<Values[]> {
  return parsed(await db.all<{ text: string }>(query.getSQL()))
}

/** In bytes. People may make rows that are long, and D1 takes 2 MB for a value. */
const LONG_TEXT = 2_000

/**
 * The same in one text, which takes a third of the time where rows are many; a long row has one of its own. `query` has their `id`
 * too, which is the first of the values and by which they come, and at most 500 rows:
 * https://developers.cloudflare.com/d1/platform/limits/
 */
export async function readJsonPage<Values extends readonly [id: number, ...unknown[]]>(
  db: Db,
  query: SQLWrapper,
): Promise<Values[]> {
  const rows = await db.all<{ text: string }>(sql`
    select group_concat(text) as text from ${query} group by iif(octet_length(text) > ${LONG_TEXT}, id, 0)`)
  return parsed<Values>(rows).sort(([one], [other]) => one - other)
}

function parsed<Values>(rows: readonly { text: string }[]): Values[] {
  return JSON.parse(`[${rows.map(({ text }) => text).join()}]`)
}
