/** One connection to an SQLite file by the native driver, which answers in the turn of the event loop that asks. */
import type { InValue, Value } from '@libsql/client/sqlite3'
import Database from 'libsql'

export interface Statement {
  sql: string
  args: readonly InValue[]
}

/** Rows are arrays, because an object for each costs several times what reading it does. */
export interface Answer {
  columns: string[]
  rows: Value[][]
  /** How many rows a statement without an answer changed. */
  changes: number
  lastId: bigint | undefined
}

/** `code`: what SQLite calls it, without the extension, such as SQLITE_BUSY: https://www.sqlite.org/rescode.html */
export class SqlError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SqlError'
    this.code = code
  }
}

/** All methods throw SqlError; RangeError or TypeError for a value that SQLite does not have. */
export interface Connection {
  execute(statement: Statement): Answer
  /** All or nothing. It takes the write lock at its start. */
  batch(statements: readonly Statement[]): Answer[]
  /** A later statement opens it anew. */
  close(): void
}

type Prepared = ReturnType<Database.Database['prepare']>
/** Prepared statements by their text, the one used last at the end. */
type Kept = Map<string, Prepared>

/**
 * So many are kept. Preparing costs as much as running, and the native driver holds on to each statement until it is collected,
 * 25 KB that V8 does not know of.
 */
const KEPT = 100

/** It is opened by the first statement, and `pragmas` run before that. */
export function connect(path: string, pragmas: string): Connection {
  let database: Database.Database | undefined
  const kept: Kept = new Map()
  const opened = () => {
    database ??= named(() => openWith(path, pragmas))
    return database
  }
  const run = (sql: string) => named(() => opened().exec(sql))
  return {
    execute: (statement) => executed(opened(), kept, statement),
    batch(statements) {
      run('begin immediate')
      try {
        const answers = statements.map((statement) => executed(opened(), kept, statement))
        run('commit')
        return answers
      } catch (cause) {
        if (opened().inTransaction) run('rollback')
        throw cause
      }
    },
    close() {
      kept.clear()
      database?.close()
      database = undefined
    },
  }
}

function openWith(path: string, pragmas: string): Database.Database {
  const opened = new Database(path)
  try {
    opened.exec(pragmas)
    return opened
  } catch (cause) {
    opened.close()
    throw cause
  }
}

function executed(database: Database.Database, kept: Kept, { sql, args }: Statement): Answer {
  const values = args.map(bound)
  return named(() => {
    const statement = kept.get(sql) ?? database.prepare(sql).safeIntegers(true)
    // One that fails may be left half run, and is not used again.
    kept.delete(sql)
    const answer = answerOf(statement, values)
    kept.set(sql, statement)
    if (kept.size > KEPT) kept.delete(kept.keys().next().value ?? '')
    return answer
  })
}

function answerOf(statement: Prepared, values: unknown[]): Answer {
  if (!statement.reader) {
    const { changes, lastInsertRowid } = statement.run(values)
    return { columns: [], rows: [], changes, lastId: BigInt(lastInsertRowid) }
  }
  const columns = statement.columns().map(({ name }) => name)
  const rows = statement.raw(true).all(values).map(readable)
  return { columns, rows, changes: 0, lastId: undefined }
}

function named<T>(action: () => T): T {
  try {
    return action()
  } catch (cause) {
    if (!(cause instanceof Database.SqliteError)) throw cause
    const code = /^SQLITE_[A-Z]+/.exec(cause.code)?.[0] ?? cause.code
    throw new SqlError(code, `${code}: ${cause.message}`, { cause })
  }
}

/** A value as the native driver takes it. */
function bound(value: InValue) {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`SQLite has no ${value}.`)
  if (value === undefined) throw new TypeError('SQLite has no undefined.')
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value instanceof Date) return value.getTime()
  return value instanceof ArrayBuffer ? Buffer.from(value) : value
}

/** A row of the native driver, whose integers are bigints, because a number could be another one. */
function readable(row: unknown): Value[] {
  if (!Array.isArray(row)) throw new TypeError('The native driver answered a row that is no array.')
  for (let at = 0; at < row.length; at++) {
    const value: unknown = row[at]
    if (typeof value === 'bigint') row[at] = numberOf(value)
    else if (value instanceof Uint8Array) row[at] = Uint8Array.from(value).buffer
  }
  return row
}

function numberOf(value: bigint): number {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw new RangeError(`${value} is more than a number can hold.`)
}
