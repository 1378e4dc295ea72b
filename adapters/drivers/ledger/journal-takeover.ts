/** Takes over the journals of dead processes: their records are settled and written, then their files are deleted. */
import { rmSync, statSync } from 'node:fs'
import { createOutage } from '../../../core/outage.ts'
import type { CallRecord, Clock, Db, Logger, MaybePromise } from '../../../core/ports.ts'
import { parseRecord } from '../../../core/reports/stored-record.ts'
import { unwrittenIds, writeRecords } from '../../../core/reports/write.ts'
import { MINUTE_MS } from '../../../core/units.ts'
import { type JournalFiles, journalsIn, lockPath } from './journal-files.ts'
import { recordsOf } from './journal-lines.ts'
import { lockFile } from './journal-lock.ts'

const BATCH_ROWS = 500
const INTERVAL_MS = 30_000
/** A journal without a lock, as older releases wrote them, is deleted once nobody has written to it for this long. */
const QUIET_MS = 10 * MINUTE_MS

/** Settles the call of a dead process, whose limits may be shared with living ones. */
type SettleLeft = (record: CallRecord) => MaybePromise<void>

export interface Takeover {
  /**
   * Takes what dead processes left, now and then every half minute. Resolves after the first time. Never rejects: what cannot be
   * taken is logged, and tried again next time.
   */
  start(settle: SettleLeft): Promise<void>
  /** Resolves when nothing is being taken any more. */
  stop(): Promise<void>
  /** False while a dead process's journal cannot be taken. */
  works(): boolean
}

interface Parts {
  db: Db
  folder: string
  /** Name of this process's own journal. */
  own: string
  /** Id of the database. */
  database: string
  clock: Clock
  logger: Logger
}

export function createTakeover(parts: Parts): Takeover {
  const { folder, own, database, clock, logger } = parts
  const events = { failed: 'journal.not_taken', worksAgain: 'journal.taken' }
  const outage = createOutage(logger, events)
  const reported = new Set<string>()
  const sizes = new Map<string, number>()

  function reportOther({ name, files }: JournalFiles) {
    if (files.length === 0 || reported.has(name)) return
    reported.add(name)
    logger.error('journal.of_other_database', { folder, journal: name, files: files.length })
  }
  async function take(journal: JournalFiles, settle: SettleLeft) {
    if (journal.database === undefined) await takeWithoutLock(parts, journal, settle, sizes)
    else if (journal.database === database) await takeLocked(parts, journal, settle)
    else reportOther(journal)
  }

  async function takeAll(settle: SettleLeft) {
    let failed = false
    for (const journal of journalsIn(folder).filter(({ name }) => name !== own)) {
      try {
        await take(journal, settle)
      } catch (cause) {
        failed = true
        outage.failed(cause, { journal: journal.name })
      }
    }
    if (!failed) outage.worked()
  }

  let taking = Promise.resolve()
  let cancel: (() => void) | undefined
  let stopped = false
  async function start(settle: SettleLeft): Promise<void> {
    taking = takeAll(settle)
    await taking
    if (!stopped) cancel = clock.after(INTERVAL_MS, () => void start(settle))
  }
  return {
    start,
    stop() {
      stopped = true
      cancel?.()
      return taking
    },
    works: outage.works,
  }
}

async function takeLocked(parts: Parts, { name, files }: JournalFiles, settle: SettleLeft) {
  const lock = await lockFile(lockPath(parts.folder, name))
  // Its process lives.
  if (!lock) return
  try {
    for (const path of files) {
      await replay(parts, path, settle)
      rmSync(path, { force: true })
    }
  } finally {
    lock.remove()
  }
}

/**
 * The process that owns the files may live, so that only quiet ones are deleted. Reading them again changes nothing. `sizes`:
 * the size of each when it was last read.
 */
async function takeWithoutLock(
  parts: Parts,
  { files }: JournalFiles,
  settle: SettleLeft,
  sizes: Map<string, number>,
) {
  for (const path of files) {
    const { size, mtimeMs } = statSync(path)
    if (sizes.get(path) !== size) await replay(parts, path, settle)
    sizes.set(path, size)
    if (Date.now() - mtimeMs > QUIET_MS) rmSync(path, { force: true })
  }
}

/** Writes the records of a file. A row that exists already is kept, or corrected if the call was taken for interrupted. */
async function replay({ db, logger }: Parts, path: string, settle: SettleLeft) {
  const total = { records: 0, damaged: 0 }
  for (const { records, damaged } of recordsOf(path, BATCH_ROWS)) {
    const unwritten = await unwrittenIds(db, [...records.keys()])
    // First settled, because limits that are counted from the rows in between would count them twice.
    await Promise.all(unwritten.map((id) => settle(parseRecord(records.get(id) ?? ''))))
    await writeRecords(db, [...records.values()])
    total.records += records.size
    total.damaged += damaged
  }
  if (total.records > 0 || total.damaged > 0) logger.warn('journal.replayed', total)
}
