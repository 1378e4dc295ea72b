/** Takes over the journals of dead processes: their records are settled and written, then their files are deleted. */
import { rmSync, statSync } from 'node:fs'
import { createOutage } from '../../../core/outage.ts'
import type { Clock, Db, Logger } from '../../../core/ports.ts'
import { parseRecord } from '../../../core/reports/stored-record.ts'
import { unwrittenIds, writeRecords } from '../../../core/reports/write.ts'
import { MINUTE_MS } from '../../../core/units.ts'
import { type JournalFiles, journalsIn, lockPath } from './journal-files.ts'
import { recordsOf } from './journal-lines.ts'
import { lockFile } from './journal-lock.ts'
import type { LeftCalls } from './records.ts'

const BATCH_ROWS = 500
const INTERVAL_MS = 30_000
/** A journal without a lock, as older releases wrote them, is deleted once nobody has written to it for this long. */
const QUIET_MS = 10 * MINUTE_MS

export interface Takeover {
  /**
   * Takes what dead processes left, now and then every half minute. Resolves after the first time. Never rejects: what cannot be
   * taken is logged, and tried again next time.
   */
  start(left: LeftCalls): Promise<void>
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
  async function take(journal: JournalFiles, left: LeftCalls) {
    if (journal.database === undefined) await takeWithoutLock(parts, journal, left, sizes)
    else if (journal.database === database) await takeLocked(parts, journal, left)
    else reportOther(journal)
  }

  async function takeAll(left: LeftCalls) {
    let failed = false
    for (const journal of journalsIn(folder).filter(({ name }) => name !== own)) {
      try {
        await take(journal, left)
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
  async function start(left: LeftCalls): Promise<void> {
    taking = takeAll(left)
    await taking
    if (!stopped) cancel = clock.after(INTERVAL_MS, () => void start(left))
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

async function takeLocked(parts: Parts, { name, files }: JournalFiles, left: LeftCalls) {
  const lock = await lockFile(lockPath(parts.folder, name))
  // Its process lives.
  if (!lock) return
  try {
    for (const path of files) {
      await replay(parts, path, name, left)
      rmSync(path, { force: true })
    }
    await left.taken?.(name)
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
  { name, files }: JournalFiles,
  left: LeftCalls,
  sizes: Map<string, number>,
) {
  for (const path of files) {
    const { size, mtimeMs } = statSync(path)
    if (sizes.get(path) !== size) await replay(parts, path, name, left)
    sizes.set(path, size)
    if (Date.now() - mtimeMs > QUIET_MS) rmSync(path, { force: true })
  }
}

/** Writes the records of a file. A row that exists already is kept, or corrected if the call was taken for interrupted. */
async function replay({ db, logger }: Parts, path: string, name: string, left: LeftCalls) {
  const total = { records: 0, damaged: 0 }
  for (const { records, damaged } of recordsOf(path, BATCH_ROWS)) {
    const unwritten = await unwrittenIds(db, [...records.keys()])
    // First settled, because limits that are counted from the rows in between would count them twice.
    await Promise.all(unwritten.map((id) => left.settle(parseRecord(records.get(id) ?? ''), name)))
    await writeRecords(db, [...records.values()])
    total.records += records.size
    total.damaged += damaged
  }
  if (total.records > 0 || total.damaged > 0) logger.warn('journal.replayed', total)
}
