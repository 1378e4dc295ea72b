/**
 * Who works on a database file. Each server holds a shared lock on a file beside it for as long as it lives; who replaces the
 * database holds an exclusive one. They are SQLite's own locks, which the kernel frees when a process dies, also across
 * containers that share a volume. Process ids would repeat there.
 */
import { closeSync, existsSync, openSync } from 'node:fs'
import Database from 'libsql'

export interface Held {
  release(): void
}

/** Holds the lock that servers share; undefined while somebody replaces the database. The folder must be there. */
export function shareDatabase(path: string): Held | undefined {
  // A transaction takes its shared lock with its first read.
  return hold(path, 'begin; select 1 from sqlite_master')
}

/** Holds the lock of who replaces the database; undefined while a server lives on it. The folder must be there. */
export function takeDatabase(path: string): Held | undefined {
  return hold(path, 'begin exclusive')
}

function hold(path: string, sql: string): Held | undefined {
  const file = `${path}.lock`
  // Not opened if it is there, because closing a file frees all locks that this process has on it.
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600))
  const lock = new Database(file)
  try {
    lock.exec(sql)
  } catch (cause) {
    lock.close()
    if (cause instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(cause.code)) return undefined
    throw cause
  }
  return {
    release() {
      lock.exec('rollback')
      lock.close()
    },
  }
}
