/** What the query layer asks of a database, on anything that runs statements. */
import type { Client, InStatement, ResultSet, Value } from '@libsql/client/sqlite3'
import { drizzle } from 'drizzle-orm/libsql/sqlite3'
import * as schema from '../../../core/db/schema.ts'
import type { Db } from '../../../core/ports.ts'
import type { Answer, Statement } from './connection.ts'

/** Rejects with SqlError, or with DatabaseUnavailable. */
export interface Sql {
  execute(statement: Statement): Promise<Answer>
  /** All or nothing. */
  batch(statements: readonly Statement[]): Promise<Answer[]>
}

export function dbOf(sql: Sql): Db {
  return drizzle(clientOf(sql), { schema })
}

/** Without transactions over several turns of the event loop, because all statements share one connection. */
function clientOf(sql: Sql): Client {
  const missing = () => Promise.reject(new Error('This database has no transactions but batches.'))
  return {
    execute: async (statement: InStatement) => resultOf(await sql.execute(statementOf(statement))),
    batch: async (statements) =>
      (
        await sql.batch(
          statements.map((given) =>
            statementOf(Array.isArray(given) ? { sql: given[0], args: given[1] ?? [] } : given),
          ),
        )
      ).map(resultOf),
    migrate: missing,
    transaction: missing,
    executeMultiple: missing,
    sync: missing,
    close() {},
    reconnect() {},
    closed: false,
    protocol: 'file',
  }
}

function statementOf(given: InStatement): Statement {
  if (typeof given === 'string') return { sql: given, args: [] }
  const { sql, args = [] } = given
  if (!Array.isArray(args)) throw new TypeError('Values are given in order.')
  return { sql, args }
}

function resultOf({ columns, rows, changes, lastId }: Answer): ResultSet {
  return {
    columns,
    columnTypes: [],
    rows: rowsOf(columns, rows),
    rowsAffected: changes,
    lastInsertRowid: lastId,
    toJSON: () => ({ columns, rows }),
  }
}

/** Rows with their values by index and by name. Of several with one name the first counts. */
function rowsOf(columns: readonly string[], rows: readonly Value[][]) {
  prepareFor(columns.length)
  const names = columns.map((name, at) => {
    return columns.indexOf(name) === at && !/^\d+$/.test(name) ? name : undefined
  })
  return rows.map((values) => new NamedRow(names, values))
}

/** Names are its own properties; indexes are of its prototype, because properties that cannot be counted cost ten times as much. */
class NamedRow {
  readonly #values: readonly Value[];
  [name: string]: Value

  constructor(names: readonly (string | undefined)[], values: readonly Value[]) {
    this.#values = values
    for (let at = 0; at < names.length; at++) {
      const name = names[at]
      if (name !== undefined) this[name] = values[at] ?? null
    }
  }

  get length(): number {
    return this.#values.length
  }

  static valueAt(row: NamedRow, at: number): Value {
    return row.#values[at] ?? null
  }
}

let prepared = 0

/** Gives rows the indexes that this many columns need. */
function prepareFor(columns: number) {
  for (; prepared < columns; prepared++) {
    const at = prepared
    Object.defineProperty(NamedRow.prototype, at, {
      get(this: NamedRow) {
        return NamedRow.valueAt(this, at)
      },
    })
  }
}
