/**
 * Statements on one connection to a file that other processes may have locked.
 *
 * Decision: they wait between attempts instead of using SQLite's busy timeout, because the native driver is synchronous and
 * would keep everything else of its thread waiting.
 */
import { DatabaseUnavailable } from '../../../core/errors.ts'
import type { Sql } from './client.ts'
import { type Connection, connect, SqlError } from './connection.ts'
import { heal } from './heal.ts'
import { checkIntegrity } from './integrity.ts'

const PATIENCE_MS = 5_000

export interface PatientSql extends Sql {
  close(): void
}

/**
 * Opens a database file, has its texts readable, and its integrity checked unless that is done elsewhere (`background`).
 * `pragmas` hold for each connection. `check` throws when the file must not be touched any more.
 */
export async function openSql(
  path: string,
  pragmas: string,
  { check = () => {}, background = false }: { check?: () => void; background?: boolean } = {},
): Promise<PatientSql> {
  const sql = patientSql(connect(path, pragmas), check)
  try {
    await sql.execute({ sql: 'pragma journal_mode = wal', args: [] })
    if (!background) await checkIntegrity(sql)
    await heal(sql)
    return sql
  } catch (cause) {
    sql.close()
    throw cause
  }
}

/** Statements on a connection of one's own; each waits for at most `patienceMs` while the file is locked. */
export function patientSql(
  connection: Connection,
  check: () => void = () => {},
  patienceMs: number = PATIENCE_MS,
): PatientSql {
  let closed = false
  const checkAll = () => {
    // Another statement would open it anew.
    if (closed) throw new DatabaseUnavailable('The database is closed.')
    check()
  }
  const patiently = <T>(action: () => T) => retried({ connection, check: checkAll, patienceMs }, action)
  return {
    execute: (statement) => patiently(() => connection.execute(statement)),
    batch: (statements) => patiently(() => connection.batch(statements)),
    close() {
      closed = true
      connection.close()
    },
  }
}

async function retried<T>(
  { connection, check, patienceMs }: { connection: Connection; check: () => void; patienceMs: number },
  action: () => T,
): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (let wait = 2; ; wait = Math.min(wait * 2, 100)) {
    check()
    try {
      return action()
    } catch (cause) {
      if (cause instanceof SqlError && cause.code === 'SQLITE_FULL') {
        throw new DatabaseUnavailable('The disk of the database is full.', { cause })
      }
      if (!isBusy(cause)) throw cause
      if (performance.now() > deadline) {
        throw new DatabaseUnavailable('The database is locked by another process.', { cause })
      }
    }
    // A statement that met a lock stays open in the native driver and pins its snapshot, so that every later write fails until
    // there is a new connection: https://github.com/tursodatabase/libsql-client-ts/issues/350
    connection.close()
    // Random, so that two waiting processes do not retry at the same moments.
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())))
  }
}

function isBusy(cause: unknown): boolean {
  return cause instanceof SqlError && /^SQLITE_(BUSY|LOCKED)$/.test(cause.code)
}
