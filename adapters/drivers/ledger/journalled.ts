/**
 * Records of a process with a disk. They are appended to its journal before anything of the same turn leaves the process, then
 * written to the database in batches. A killed process loses none, because other processes on the same folder, or the next start, take
 * its journal over.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { databaseId } from '../../../core/db/identity.ts'
import { createOutage } from '../../../core/outage.ts'
import type { CallRecord, Clock, Db, Logger } from '../../../core/ports.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import type { Turn } from '../turn.ts'
import { openJournal, type SetAside } from './journal.ts'
import { ownName } from './journal-files.ts'
import { type Batch, recordsOf } from './journal-lines.ts'
import { createTakeover } from './journal-takeover.ts'
import { watchJournal } from './journal-watch.ts'
import type { Records } from './records.ts'

const FLUSH_MS = 200
const RETRY_MS = 1_000
const BATCH_ROWS = 500
const STORED_WAIT_MS = 250
/** Rows that wait for the database in memory (about 10 MB); more than these wait only on disk. */
const HELD_ROWS = 10_000
/** The most rows in memory if the disk cannot be written either. */
const MOST_ROWS = 100_000

interface Parts {
  db: Db
  /** Folder of the journal. */
  folder: string
  /** Whether `settle` resolves only when the record is on the disk itself. */
  fsync?: boolean
  /** Orders the requests and answers of this process, which wait for their records. */
  turn: Turn
  clock: Clock
  logger: Logger
}

export async function journalledRecords(parts: Parts): Promise<Records> {
  const { db, fsync = false, clock, logger } = parts
  const { name, journal, takeover, disk, free } = await openOwnJournal(parts)
  const rows = createOutage(logger, {
    failed: 'ledger.database_failed',
    worksAgain: 'ledger.database_works_again',
  })
  const pending = new Map<string, string>()
  const setAside = rowsOnDisk(db, logger)
  const timer = oneTimer(clock, () => void flush())
  let flushing: Promise<void> | undefined
  let closing: Promise<void> | undefined

  function schedule(ms: number) {
    if (!closing) timer.begin(ms)
  }
  function flush(): Promise<void> {
    flushing ??= writePending().finally(() => {
      flushing = undefined
      if (pending.size > 0 || setAside.waits()) schedule(rows.works() ? 0 : RETRY_MS)
    })
    return flushing
  }
  async function writePending() {
    const batch = [...pending.entries().take(BATCH_ROWS)]
    try {
      await writeRecords(
        db,
        batch.map(([, text]) => text),
      )
      for (const [id] of batch) pending.delete(id)
      journal.stored(batch.map(([id]) => id))
      const written = batch.length + (await setAside.writeBatch())
      rows.worked({ rows: written })
    } catch (cause) {
      rows.failed(cause, { rows: pending.size })
    }
  }
  function keepOnDisk() {
    const set = journal.setAside([...pending.keys()])
    if (!set) return
    setAside.add(set)
    pending.clear()
  }

  /** Resolves when the row is stored, or after STORED_WAIT_MS, because the next call may name the answer's objects elsewhere. */
  function soonStored(id: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = clock.after(STORED_WAIT_MS, resolve)
    void flush()
      .then(() => (pending.has(id) ? flush() : undefined))
      .then(cancel)
      .then(resolve)
    return promise
  }

  async function close() {
    timer.cancel()
    await takeover.stop()
    journal.write()
    // Records that the database does not take now stay in the journal for the next start.
    do await flush()
    while (rows.works() && (pending.size > 0 || setAside.waits()))
    if (pending.size > 0 && !disk.works()) logger.error('ledger.records_lost', { records: pending.size })
    journal.close()
    free()
  }
  const append = (record: CallRecord) => journal.append(record.id, recordText(record))

  return {
    name,
    takeOver: takeover.start,
    reserve(record, surely) {
      append(record)
      if (surely) journal.write()
      return disk.works()
    },
    update: append,
    settle(record) {
      const text = recordText(record)
      journal.append(record.id, text)
      pending.set(record.id, text)
      // Tried only once in HELD_ROWS records, in case the disk cannot be written.
      if (pending.size % HELD_ROWS === 0) keepOnDisk()
      const stored = record.madeObjects?.length ? soonStored(record.id) : undefined
      if (pending.size >= BATCH_ROWS) void flush()
      else schedule(FLUSH_MS)
      return fsync ? Promise.all([stored, journal.synced()]).then(() => {}) : stored
    },
    works: () => disk.works() || rows.works(),
    hasRoom: () => pending.size < MOST_ROWS,
    waiting: () => ({ records: pending.size, journalBytes: journal.bytes() }),
    healthy: () => disk.works() && rows.works() && takeover.works(),
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** A timer for one thing: while it runs, another beginning changes nothing. */
function oneTimer(clock: Pick<Clock, 'after'>, action: () => void) {
  let cancel: (() => void) | undefined
  return {
    begin(ms: number) {
      cancel ??= clock.after(ms, () => {
        cancel = undefined
        action()
      })
    },
    cancel: () => cancel?.(),
  }
}

async function openOwnJournal(parts: Parts) {
  const { db, folder, fsync = false, turn, logger } = parts
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const database = await databaseId(db)
  const { name, lock } = await ownName(folder, database)
  const disk = createOutage(logger, { failed: 'journal.failed', worksAgain: 'journal.works_again' })
  const journal = openJournal({ folder, name, fsync, turn, onError: disk.failed, onWritten: disk.worked })
  const unwatch = watchJournal({ ...parts, name, journal, disk })
  const free = () => {
    unwatch()
    lock.remove()
  }
  return { name, journal, takeover: createTakeover({ ...parts, own: name, database }), disk, free }
}

/** Rows of this process that wait only on disk, oldest file first. */
function rowsOnDisk(db: Db, logger: Pick<Logger, 'error'>) {
  const files: SetAside[] = []
  let batches: Generator<Batch> | undefined
  let batch: Batch | undefined
  /** Throws if a file cannot be read. It is read again from its beginning, because a generator that threw says that it is done. */
  function nextOf({ path }: SetAside): Batch | undefined {
    batches ??= recordsOf(path, BATCH_ROWS)
    try {
      return batches.next().value ?? undefined
    } catch (cause) {
      batches = undefined
      if (existsSync(path)) throw cause
      logger.error('ledger.records_lost', { journal: path, cause: String(cause) })
      return undefined
    }
  }
  return {
    add: (file: SetAside) => void files.push(file),
    waits: () => files.length > 0,
    /** Writes the next batch and returns its number of rows. Rejects if the database or the disk fails; the next call tries it again. */
    async writeBatch(): Promise<number> {
      const file = files[0]
      if (!file) return 0
      batch ??= nextOf(file)
      if (!batch) {
        files.shift()
        batches = undefined
        rmSync(file.path, { force: true })
        return 0
      }
      const records = [...batch.records].filter(([id]) => !file.unfinished.has(id))
      await writeRecords(
        db,
        records.map(([, text]) => text),
      )
      batch = undefined
      return records.length
    },
  }
}
