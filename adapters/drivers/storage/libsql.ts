/** Db on a libSQL file, for a command or a test. */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { LastCommit } from '../../../core/looking.ts'
import type { Db, Logger } from '../../../core/ports.ts'
import { dbOf, type Sql } from './client.ts'
import { connectionsClosed } from './close.ts'
import { isLarge } from './integrity.ts'
import { putAsideForeignLog } from './left-log.ts'
import { openSql } from './patience.ts'

export interface Storage {
  db: Db
  /** Absent unless the database is a file that other threads may open. */
  file?: ServedFile
  lastCommit?: LastCommit
  /** After the last process closed it, a database is one file, without a write-ahead log. */
  close(): Promise<void>
}

/** A file that a server watches. */
export interface ServedFile {
  path: string
  /** For each connection to it. */
  pragmas: string
  /** Throws DatabaseUnavailable if it must not be touched any more. */
  check(): void
}

const UNGUARDED = 'pragma synchronous = normal'

/**
 * Opens the database file, or creates it with mode 0600. Rejects with an Error that names the path if it cannot be used. The
 * caller must have no other connection to the file.
 */
export async function openFile(path: string, logger: Pick<Logger, 'warn'> = { warn() {} }): Promise<Storage> {
  const memory = path === ':memory:'
  if (!memory) {
    putAsideForeignLog(path, logger)
    prepareFile(path)
  }
  const sql = await usable(path, () => openSql(path, UNGUARDED, { background: isLarge(path) }))
  return storageOf(sql, async () => {
    sql.close()
    if (!memory) await connectionsClosed()
  })
}

/** The result of `open`, or an Error that names the file. */
export async function usable<T>(path: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (cause) {
    throw new Error(`Database ${path} cannot be used: ${reason(cause)}`, { cause })
  }
}

/** The storage on a file. */
export function storageOf(sql: Sql, close: Storage['close']): Storage {
  return {
    db: dbOf(sql),
    close,
  }
}

/** Makes the file and its folder if they are missing, for this user alone. */
export function prepareFile(path: string) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  const stats = statSync(path)
  if (!stats.isFile()) throw new Error(`Database ${path} is not a file.`)
  if (stats.mode & 0o077) chmodSync(path, 0o600)
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
