/** Rows as JSON texts, because drivers take longer for a value, and more memory, than SQLite for the text of all. */
import { type SQL, sql } from 'drizzle-orm'

/** D1 takes so many arguments of a function: https://developers.cloudflare.com/d1/platform/limits/ */
const MOST_ARGUMENTS = 32

/** The text of a row with these columns. */
export function rowText(columns: readonly SQL[]): SQL<string> {
  const parts: SQL[] = []
  for (let at = 0; at < columns.length; at += MOST_ARGUMENTS) {
    parts.push(sql`json_array(${sql.join(columns.slice(at, at + MOST_ARGUMENTS), sql`, `)})`)
  }
  return sql<string>`json_array(${sql.join(parts, sql`, `)})`
}

/** The values of the columns in each of these texts. */
export function valuesIn(texts: readonly string[]): unknown[][] {
  const rows: unknown[][][] = JSON.parse(`[${texts.join()}]`)
  return rows.map((parts) => parts.flat())
}
