/**
 * Watches the database file of a running server, and is the only one that moves its write-ahead log into it.
 *
 * SQLite would do both without a look: it goes on using a file that somebody replaced, and a checkpoint would then write pages
 * of the old database into the new one. Here a checkpoint follows a look, and there is none after a difference was seen.
 */
import { type BigIntStats, fstatSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'libsql'
import { createOutage } from '../../../core/outage.ts'
import type { Logger } from '../../../core/ports.ts'
import { headOf } from './file-head.ts'
import { type Held, shareDatabase, takeDatabase } from './presence.ts'

const LOOK_MS = 1_000
/** SQLite's own limit of a thousand pages. */
const CHECKPOINT_BYTES = 4 * 1024 * 1024
const RESTORE_WAIT_MS = 5_000

export interface Guard {
  /** Why the database must not be touched any more; undefined while all is well. */
  problem(): string | undefined
  /** Looks a last time. With a problem nothing may be closed, because closing the last connection is a checkpoint. */
  close(): void
}

/** For every connection to a guarded file. */
export const GUARDED =
  'pragma wal_autocheckpoint = 0; pragma journal_size_limit = 0; pragma synchronous = normal'

/** Holds the file for a server, before it opens it. Rejects while somebody replaces the file. */
export async function enter(path: string): Promise<Held> {
  const deadline = performance.now() + RESTORE_WAIT_MS
  for (;;) {
    const held = shareDatabase(path)
    if (held) return held
    if (performance.now() > deadline) throw new Error(`Database ${path} is being restored.`)
    await sleep(100)
  }
}

/**
 * Begins to watch a file that was opened, and is in WAL mode. `file` is a descriptor of it from before it was opened: one that
 * is closed frees the locks of all connections.
 */
export function guardFile(
  path: string,
  file: number,
  { logger, onProblem }: { logger: Pick<Logger, 'info' | 'error'>; onProblem(problem: string): void },
): Guard {
  const connection = new Database(path)
  connection.exec(GUARDED)
  // The log and its index are there as long as there is a connection.
  connection.exec('select 1 from sqlite_master')
  const seen = { file: idOf(path), log: idOf(`${path}-wal`), index: idOf(`${path}-shm`) }
  const moveLog = logMover(connection, logger)
  /** The mark that the file had at the last look. */
  let last = headOf(file)?.mark
  let suspicion: string | undefined
  let problem: string | undefined

  function difference(): string | undefined {
    const other = differs(idOf(path), seen.file)
    if (other) return other
    if (idOf(`${path}-wal`) !== seen.log || idOf(`${path}-shm`) !== seen.index) {
      return 'its write-ahead log is gone or another'
    }
    const head = headOf(file)
    if (!head?.usesLog || !mayFollow(last, head.mark, markOf(connection)))
      return 'another file was copied over it'
    last = head.mark
    return undefined
  }
  function looked(): string | undefined {
    try {
      return unlessBusy(difference)
    } catch (cause) {
      return `it cannot be read: ${cause}`
    }
  }
  function tick() {
    if (problem) return
    const before = suspicion
    suspicion = looked()
    if (!suspicion) {
      if (sizeOf(`${path}-wal`) > CHECKPOINT_BYTES) moveLog()
    } else if (before) {
      problem = suspicion
      onProblem(problem)
      logger.error('database.replaced', { path, problem, hint: 'restart the gateway' })
    }
  }
  const timer = setInterval(tick, LOOK_MS)
  return {
    problem: () => problem,
    close() {
      clearInterval(timer)
      problem ??= looked()
      if (problem) onProblem(problem)
      else connection.close()
    },
  }
}

/**
 * Gives the file a mark of its own, so that no copy that was made before is taken for it. Only the first server does it, while
 * it keeps others out. Call it when the file is open, and before `enter`.
 */
export function markFile(path: string): void {
  const held = takeDatabase(path)
  if (!held) return
  const connection = new Database(path)
  try {
    connection.exec('pragma journal_mode = wal')
    connection.exec(GUARDED)
    unlessBusy(() => {
      // The log must have the mark that the file has already before it has the next.
      writeMark(connection, (mark) => mark)
      writeMark(connection, () => Math.floor(Math.random() * 2 ** 30))
      moveAll(connection)
    })
  } finally {
    connection.close()
    held.release()
  }
}

function logMover(connection: Database.Database, logger: Pick<Logger, 'info' | 'error'>) {
  const checkpoints = createOutage(logger, {
    failed: 'database.checkpoint_failed',
    worksAgain: 'database.checkpoint_works_again',
  })
  return () => {
    try {
      unlessBusy(() => checkpoint(connection))
      checkpoints.worked()
    } catch (cause) {
      checkpoints.failed(cause)
    }
  }
}

/** Moves the log into the file. At every moment the log has the mark that the file has, or is empty. */
function checkpoint(connection: Database.Database) {
  writeMark(connection, (mark) => mark + 1)
  moveAll(connection)
}

function moveAll(connection: Database.Database) {
  connection.pragma('wal_checkpoint(passive)')
  // The first page of the log that begins now.
  writeMark(connection, (mark) => mark)
}

/**
 * Whether the file can have this mark after `last`, while the newest one is `newest`. Marks count up, and one that is in the log
 * may come into the file much later, because somebody who reads for long keeps it out.
 */
function mayFollow(last: number | undefined, mark: number, newest: number): boolean {
  return mark === last || mark === newest || (last !== undefined && last < mark && mark < newest)
}

function writeMark(connection: Database.Database, next: (mark: number) => number) {
  connection.exec('begin immediate')
  try {
    connection.exec(`pragma application_id = ${next(markOf(connection))}; commit`)
  } catch (cause) {
    connection.exec('rollback')
    throw cause
  }
}

/** The mark of the newest first page, in the file or its log. */
function markOf(connection: Database.Database): number {
  const row = connection.prepare('pragma application_id').raw().get()
  if (!Array.isArray(row)) throw new TypeError('SQLite answered no application id.')
  return Number(row[0])
}

/** The result of `action`; undefined if another process is in its way, because the next look comes soon. */
function unlessBusy<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch (cause) {
    if (cause instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(cause.code)) return undefined
    throw cause
  }
}

/** Why the path does not lead to the file of this descriptor; undefined if it does. */
export function replaced(path: string, file: number): string | undefined {
  return differs(idOf(path), idIn(fstatSync(file, { bigint: true })))
}

function differs(now: string | undefined, seen: string | undefined): string | undefined {
  if (now === seen) return undefined
  return now ? 'it is another file now' : 'it is gone'
}

/** Which file a path leads to; undefined if to none. */
function idOf(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats && idIn(stats)
}

function idIn({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
