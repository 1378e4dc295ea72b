/** Puts a backup in the place of the database file, while no gateway works on it. */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'libsql'
import { Refusal } from '../../core/errors.ts'
import { connectionsClosed } from '../drivers/storage/close.ts'
import { belongsTo, hasPages, headAt } from '../drivers/storage/file-head.ts'
import { asideName } from '../drivers/storage/left-log.ts'
import { takeDatabase } from '../drivers/storage/presence.ts'
import { type Checked, checkBackup } from './check.ts'
import { type Copied, copyFile } from './copy.ts'
import { type Journals, sortJournals } from './journals.ts'

export interface Restored extends Checked {
  /** Where the former database is; undefined if there was none. */
  kept: string | undefined
  journals: Journals
}

/**
 * Restores the backup in `file` to `path`. Neither is changed unless the backup is good; the former database is kept beside it.
 * Throws a Refusal that says why not.
 */
export async function restore(path: string, file: string, copied: Copied): Promise<Restored> {
  const source = statSync(file, { throwIfNoEntry: false })
  if (!source?.isFile()) throw new Refusal('not_found', `There is no file ${file}.`)
  const present = statSync(path, { throwIfNoEntry: false })
  // Numbers of files repeat on other disks.
  if (source.ino === present?.ino && source.dev === present.dev) {
    throw new Refusal('body_invalid', `${file} is the database itself.`)
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const held = takeDatabase(path)
  const inUse = `A process works on ${path}: stop the gateway first.`
  if (!held) throw new Refusal('conflict', inUse)
  const copy = `${path}.restoring`
  try {
    if (await hasConnections(path)) throw new Refusal('conflict', inUse)
    await copyBackup(file, copy, copied)
    const checked = await checkBackup(copy, file)
    const kept = putInPlace(copy, path)
    return { ...checked, kept, journals: sortJournals(join(dirname(path), 'journal'), checked.identity) }
  } finally {
    for (const end of ['', '-wal', '-shm', '-journal']) rmSync(copy + end, { force: true })
    held.release()
  }
}

/** Whether a process has the database open that is no server of this version: an older one, a command, another program. */
async function hasConnections(path: string): Promise<boolean> {
  const log = `${path}-wal`
  const head = existsSync(path) && headAt(path)
  // To open it would mix it with a log that is not its own.
  if (!head || (existsSync(log) && !belongsTo(log, head))) return false
  const connection = new Database(path)
  try {
    // In this mode the first read takes the file for itself alone.
    connection.exec('pragma locking_mode = exclusive')
    connection.exec('begin exclusive; select 1 from sqlite_master; rollback')
    return false
  } catch (cause) {
    return cause instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(cause.code)
  } finally {
    connection.close()
    // It moves the log into the file, so that what is kept is one file.
    await connectionsClosed()
  }
}

/** Copies a backup together with its write-ahead log, if somebody copied a database that had one. */
async function copyBackup(file: string, copy: string, copied: Copied) {
  for (const end of ['-wal', '-shm', '-journal']) rmSync(copy + end, { force: true })
  const log = `${file}-wal`
  if (existsSync(log) && hasPages(log)) {
    const head = headAt(file)
    if (head && !belongsTo(log, head)) {
      throw new Refusal(
        'body_invalid',
        `${log} belongs to another database than ${file}: move it away first.`,
      )
    }
    await copyFile(log, `${copy}-wal`, copied)
  }
  await copyFile(file, copy, copied)
}

/** Exchanges the two files. At every moment `path` leads to one of them, unless the disk knows no links. */
function putInPlace(copy: string, path: string): string | undefined {
  sync(copy)
  const kept = existsSync(path) ? asideName(path) : undefined
  if (kept) {
    try {
      linkSync(path, kept)
    } catch {
      renameSync(path, kept)
    }
  }
  const log = `${path}-wal`
  if (existsSync(log) && hasPages(log)) renameSync(log, `${kept ?? asideName(path)}-wal`)
  for (const end of ['-wal', '-shm', '-journal']) rmSync(path + end, { force: true })
  chmodSync(copy, 0o600)
  renameSync(copy, path)
  sync(dirname(path))
  return kept
}

function sync(path: string) {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}
