/** What a killed server left beside the database file, before SQLite reads it. */
import { renameSync, rmSync, statSync } from 'node:fs'
import type { Logger } from '../../../core/ports.ts'
import { belongsTo, hasPages, headAt } from './file-head.ts'
import { takeDatabase } from './presence.ts'

const TRIES = 3

/**
 * Puts a write-ahead log aside that is of another database file, because SQLite would mix the two. Throws if the file itself is
 * gone, or if a server still works on the other file.
 */
export function putAsideForeignLog(path: string, logger: Pick<Logger, 'warn'>): void {
  const log = `${path}-wal`
  if (!hasPages(log)) return
  if (!(statSync(path, { throwIfNoEntry: false })?.size ?? 0)) {
    throw new Error(
      `Database ${path} is gone, but its write-ahead log is there. Put the file back or restore a backup (cli restore); to ` +
        `begin with an empty database, move ${log} away.`,
    )
  }
  // More than once, because a checkpoint of a server may come between reading the one and the other.
  for (let tries = 0; tries < TRIES; tries++) {
    const head = headAt(path)
    // What is no database at all SQLite refuses by itself.
    if (!head || belongsTo(log, head)) return
  }
  const held = takeDatabase(path)
  if (!held)
    throw new Error(`Database ${path} was replaced while a gateway runs on it. Stop that gateway first.`)
  const kept = asideName(log)
  renameSync(log, kept)
  rmSync(`${path}-shm`, { force: true })
  held.release()
  logger.warn('database.foreign_log', {
    path,
    kept,
    hint: 'the database was replaced since it was last used',
  })
}

/** A name for what is put aside: the path and the date, such as gateway.db.2026-11-26T04-15-00-123Z. */
export function asideName(path: string): string {
  return `${path}.${new Date().toISOString().replaceAll(/[:.]/g, '-')}`
}
