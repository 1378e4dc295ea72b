/**
 * Which process owns which journal. The owner holds an SQLite write lock on a file beside it, which the kernel frees when the
 * process dies. Process ids say nothing: containers repeat them, and they are used again.
 */
import { closeSync, existsSync, openSync, rmSync } from 'node:fs'
import Database from 'libsql'

export interface FileLock {
  /** Frees the lock and deletes its file. */
  remove(): void
}

/** Locks the file, which is created if it is missing; undefined while a living process holds it. Throws if it cannot be used. */
export async function lockFile(path: string): Promise<FileLock | undefined> {
  // A descriptor that is closed would free a lock that this process holds on the same file.
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  const lock = new Database(path)
  try {
    // Nothing is ever written to the file, so that it needs no journal of its own.
    lock.exec('pragma journal_mode = off; begin immediate')
  } catch (cause) {
    lock.close()
    if (cause instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(cause.code)) return undefined
    throw cause
  }
  const release = () => {
    lock.exec('rollback')
    lock.close()
  }
  // Its holder until now may have deleted it; who holds the lock of a deleted file holds nothing.
  if (!existsSync(path)) {
    release()
    return undefined
  }
  return {
    remove() {
      rmSync(path, { force: true })
      release()
    },
  }
}
