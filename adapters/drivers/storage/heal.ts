/**
 * Replaces invalid UTF-8 in the texts of a database file before anything else reads it, because the native driver aborts the
 * process at such a text (value.rs of libsql 0.9 unwraps it) and imported files may have some. Here they are read only as
 * hexadecimal digits and compared as bytes.
 */
import type { InValue } from '@libsql/client/sqlite3'
import type { Sql } from './client.ts'
import { SqlError } from './connection.ts'

const DECODER = new TextDecoder()
const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** SQL condition for a text with anything but ASCII, which includes invalid bytes. */
const NOT_ASCII = "glob '*[^\u0001-\u007f]*'"
/** Number of texts of one column that are read at a time. */
const SLICE = 1000
/** This table grows without end, so only the rows added since the last start are checked. */
const LOG = 'usage_logs'
/** Their texts are those of the log. They may have millions of rows, so they are checked if new rows of the log have some. */
const DERIVED = new Set(['usage_hourly', 'usage_sums', 'usage_latency', 'prompt_losses'])

/** How often it begins again when a table changes while it reads, because another process migrates the database. */
const TRIES = 10

export async function heal(database: Sql): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await healAll(database)
    } catch (cause) {
      const isChanged = cause instanceof SqlError && cause.code === 'SQLITE_ERROR'
      if (!isChanged || tries === TRIES) throw cause
    }
  }
}

async function healAll(database: Sql): Promise<void> {
  const tables = await namesIn(database, "select name from sqlite_master where type = 'table'")
  const isFirst = !tables.includes(LOG) || (await seen(database)) === 0
  const healed = tables.includes(LOG) && (await healTable(database, LOG))
  for (const table of tables) {
    if (table === LOG || (DERIVED.has(table) && !isFirst && !healed)) continue
    await healTable(database, table)
  }
  if (tables.includes(LOG)) await remember(database)
}

/** Returns whether a new row of the table had a text that is not ASCII. */
async function healTable(database: Sql, table: string): Promise<boolean> {
  const columns = await textColumnsOf(database, table)
  if (columns.length === 0) return false
  const source = table === LOG ? `(select * from ${LOG} where id > ${await seen(database)})` : quoted(table)
  const unusual = columns.map((column) => `${quoted(column)} ${NOT_ASCII}`).join(' or ')
  const rows = await rowsOf(database, `select 1 from ${source} where ${unusual} limit 1`)
  if (rows.length > 0) for (const column of columns) await healColumn(database, table, column)
  return rows.length > 0
}

/** The highest id of the log at the last start, kept in user_version: https://www.sqlite.org/pragma.html#pragma_user_version */
async function seen(database: Sql): Promise<number> {
  const [row] = await rowsOf(database, 'pragma user_version')
  return Number(row?.[0])
}

async function remember(database: Sql) {
  const [row] = await rowsOf(database, `select coalesce(max(id), 0) from ${LOG}`)
  const last = Number(row?.[0])
  if (last !== (await seen(database)))
    await rowsOf(database, `pragma user_version = ${Math.min(last, 2 ** 31 - 1)}`)
}

async function healColumn(database: Sql, table: string, column: string): Promise<void> {
  const [from, name] = [quoted(table), quoted(column)]
  const bytes = `cast(${name} as blob)`
  for (let last = ''; ; ) {
    const rows = await rowsOf(
      database,
      `select distinct hex(${name}) as found from ${from} where ${name} ${NOT_ASCII} and hex(${name}) > ?
        order by found limit ${SLICE}`,
      [last],
    )
    for (const [found] of rows) {
      last = String(found)
      const blob = bytesOf(last)
      if (isReadable(blob)) continue
      await replace(database, `update or ignore ${from} set ${name} = ? where ${bytes} = ?`, blob, () =>
        rowsOf(database, `select 1 from ${from} where ${bytes} = ? limit 1`, [blob]).then(
          (left) => left.length === 0,
        ),
      )
    }
    if (rows.length < SLICE) return
  }
}

/** Replaces a text. If a unique column has the new text already, a number is appended. */
async function replace(database: Sql, sql: string, blob: Uint8Array, isDone: () => Promise<boolean>) {
  const text = DECODER.decode(blob)
  for (let n = 1; n < 1000; n++) {
    await rowsOf(database, sql, [n === 1 ? text : `${text}#${n}`, blob])
    if (await isDone()) return
  }
}

function isReadable(bytes: Uint8Array): boolean {
  try {
    STRICT.decode(bytes)
    return true
  } catch {
    return false
  }
}

async function textColumnsOf(database: Sql, table: string): Promise<string[]> {
  return namesIn(database, `select name from pragma_table_info(${literal(table)}) where type like '%text%'`)
}

/** Names that are not UTF-8 are left out, because none of our tables and columns has one. */
async function namesIn(database: Sql, select: string): Promise<string[]> {
  const rows = await rowsOf(database, `select hex(name) from (${select})`)
  return rows
    .map(([name]) => bytesOf(String(name)))
    .flatMap((bytes) => (isReadable(bytes) ? [DECODER.decode(bytes)] : []))
}

async function rowsOf(database: Sql, sql: string, args: InValue[] = []) {
  return (await database.execute({ sql, args })).rows
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) =>
    Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
  )
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
const literal = (text: string) => `'${text.replaceAll("'", "''")}'`
