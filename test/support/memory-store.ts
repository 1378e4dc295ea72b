/** A database in memory, migrated and empty: by itself, because the other drivers take seconds to load. */
import { sql } from 'drizzle-orm'
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { migrate } from '../../core/db/migrate.ts'
import type { Db } from '../../core/ports.ts'

export interface OpenedStore {
  db: Db
  close(): Promise<void>
}

/** Statements that make another database as the first one was migrated, because that takes six times as long. */
let made: string[] | undefined

export async function memoryStore(): Promise<OpenedStore> {
  const { db, close } = await openFile(':memory:')
  if (made) {
    const [first, ...others] = made.map((statement) => db.run(sql.raw(statement)))
    if (first) await db.batch([first, ...others])
  } else {
    await migrate(db)
    made = await statementsOf(db)
  }
  return { db, close }
}

/** Tables and their rows, then what is about them. */
async function statementsOf(db: Db): Promise<string[]> {
  const parts = await db.all<{ type: string; name: string; sql: string }>(
    sql`select type, name, sql from sqlite_master where sql is not null and name not like 'sqlite_%'`,
  )
  const tables = parts.filter(({ type }) => type === 'table')
  const others = parts.filter(({ type }) => type !== 'table')
  const rows = await Promise.all(tables.map(({ name }) => rowsOf(db, name)))
  return [...tables.map((table) => table.sql), ...rows.flat(), ...others.map((other) => other.sql)]
}

/** The rows of a table, as statements. */
export async function rowsOf(db: Db, table: string): Promise<string[]> {
  const rows = await db.all<Record<string, unknown>>(sql.raw(`select * from "${table}"`))
  return rows.map((row) => {
    const columns = Object.keys(row).map((column) => `"${column}"`)
    return `insert into "${table}" (${columns}) values (${Object.values(row).map(literal)})`
  })
}

function literal(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'number' ? String(value) : `'${String(value).replaceAll("'", "''")}'`
}
