/** Backups every so often. All servers on a database look after them; a lock in their folder lets one at a time make one. */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import type { Config } from '../../config/schema.ts'
import { createOutage } from '../../core/outage.ts'
import type { Clock, Db, Logger } from '../../core/ports.ts'
import { MINUTE_MS } from '../../core/units.ts'
import { lockFile } from '../drivers/ledger/journal-lock.ts'
import { runScript, type Script } from '../shared/script.ts'

const COPY = join(import.meta.dirname, `copy-script${extname(import.meta.filename)}`)
const LOOK_MS = 1_000
const RETRY_MS = 10 * MINUTE_MS
const NAME = /^gateway-(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)Z\.db$/
/** The end of the name of a backup that is not whole yet. */
const PART = '.part'

export interface Backups {
  /** Gives up a backup that is being made. */
  stop(): Promise<void>
}

type Place = Pick<Config, 'backup' | 'database'>

/** `current`: the settings in force. */
export function scheduleBackups(
  current: () => Place,
  { db, clock, logger }: { db: Db; clock: Clock; logger: Logger },
): Backups {
  const outage = createOutage(logger, { failed: 'backup.failed', worksAgain: 'backup.works_again' })
  let running: Script | undefined
  let making: Promise<void> | undefined
  let failedAt = Number.NEGATIVE_INFINITY

  async function make(place: Place) {
    const folder = folderOf(place)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const lock = await lockFile(join(folder, 'backup.lock'))
    if (!lock) return
    try {
      const at = clock.now()
      if (!isDue(place, at)) return
      for (const name of readdirSync(folder)) if (name.endsWith(PART)) rmSync(join(folder, name))
      const file = join(folder, nameOf(at))
      running = runScript(COPY, [place.database.path, file + PART])
      await running.done
      // Rejects if the file was replaced meanwhile, and the copy is of neither.
      await db.run(sql`select 1`)
      renameSync(file + PART, file)
      for (const old of datedUpTo(at, folder).slice(place.backup.keep)) rmSync(join(folder, old.name))
      logger.info('backup.made', { file, bytes: statSync(file).size, ms: clock.now() - at })
    } finally {
      running = undefined
      lock.remove()
    }
  }
  async function look() {
    const place = current()
    if (place.backup.every === null || clock.elapsed() - failedAt < Math.min(RETRY_MS, place.backup.every))
      return
    try {
      if (!isDue(place, clock.now())) return
      await make(place)
      outage.worked()
    } catch (cause) {
      failedAt = clock.elapsed()
      if (!stopped) outage.failed(cause, { folder: folderOf(place) })
    }
  }
  let stopped = false
  const timer = setInterval(() => {
    making ??= look().finally(() => {
      making = undefined
    })
  }, LOOK_MS)
  return {
    async stop() {
      stopped = true
      clearInterval(timer)
      running?.stop()
      await making
    },
  }
}

/** By the dates in names, so that a restart changes nothing. */
function isDue(place: Place, now: number): boolean {
  const [newest] = datedUpTo(now, folderOf(place))
  return !newest || now - newest.at >= (place.backup.every ?? Number.POSITIVE_INFINITY)
}

/** Backups of a clock that was ahead count as none until their date: newer ones would else be removed for them. */
function datedUpTo(now: number, folder: string) {
  return backupsIn(folder).filter(({ at }) => at <= now)
}

function folderOf({ backup, database }: Place): string {
  return backup.folder || join(dirname(database.path), 'backups')
}

/** Whole backups that the schedule made, newest first. Other files in the folder are left alone. */
function backupsIn(folder: string): { name: string; at: number }[] {
  return namesIn(folder)
    .flatMap((name) => {
      const [, day, hour, minute, second] = NAME.exec(name) ?? []
      return day ? [{ name, at: Date.parse(`${day}T${hour}:${minute}:${second}Z`) }] : []
    })
    .sort((one, other) => other.at - one.at)
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    // The first backup makes the folder.
    return []
  }
}

function nameOf(at: number): string {
  return `gateway-${new Date(at).toISOString().slice(0, 19).replaceAll(':', '-')}Z.db`
}
