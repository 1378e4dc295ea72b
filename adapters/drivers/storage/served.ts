/**
 * Db on the database file of a server. A thread of its own runs the statements, because the native driver is synchronous and
 * would keep every stream waiting.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'libsql'
import type { Logger } from '../../../core/ports.ts'
import { connectionsClosed } from './close.ts'
import { type DatabaseThread, inThread, startDatabaseThread } from './database-host.ts'
import { enter, GUARDED, markFile } from './guard.ts'
import { checkInBackground, isLarge } from './integrity.ts'
import { watchCommits } from './last-commit.ts'
import { putAsideForeignLog } from './left-log.ts'
import { prepareFile, type Storage, storageOf, usable } from './libsql.ts'

/**
 * As openFile, for a server: nobody can restore a backup meanwhile, and a file that somebody puts in its place is noticed. All
 * statements reject from then on, so that neither file is damaged. `fsync`: whether a batch is on the disk itself when it
 * resolves; else power loss may take the last ones back. `thread`: started already, because that takes a while.
 */
export async function openServedFile(
  path: string,
  logger: Logger,
  { fsync, thread = startDatabaseThread() }: { fsync: boolean; thread?: DatabaseThread | undefined },
): Promise<Storage> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  putAsideForeignLog(path, logger)
  prepareFile(path)
  await usable(path, async () => markFile(path))
  const held = await enter(path)
  const file = openSync(path, 'r')
  const anchor = anchorAt(path)
  const commits = watchCommits(path)
  const background = isLarge(path)
  const pragmas = fsync ? `${GUARDED}; pragma synchronous = full` : GUARDED
  const database = inThread(thread, { path, file, pragmas, background }, logger)
  await usable(path, database.open)
  const stopCheck = background ? checkInBackground(path, logger) : () => {}
  const storage = storageOf(database.sql, async () => {
    stopCheck()
    if (!(await database.close())) return
    anchor.close()
    await connectionsClosed()
    closeSync(file)
    commits.close()
    held.release()
  })
  return { ...storage, file: { path, pragmas, check: database.check }, lastCommit: commits.lastCommit }
}

/**
 * A connection that stays open, because a thread that ends closes its own, and closing the last one moves the write-ahead log
 * into a file that nobody has looked at.
 */
function anchorAt(path: string): Database.Database {
  const anchor = new Database(path)
  anchor.exec(GUARDED)
  // The log and its index are there as long as there is a connection.
  anchor.exec('select 1 from sqlite_master')
  return anchor
}
