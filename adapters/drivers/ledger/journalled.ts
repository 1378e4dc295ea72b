/**
 * Records of one process with a disk: appended to its journal before the last byte leaves, then batched into the
 * database. A process that is killed loses nothing: the next start replays what it left.
 */
import type { Clock, Db, Logger } from '../../../core/ports.ts'
import { recordText, writeRecords } from '../../../core/usage/record.ts'
import { openJournal, readJournals } from './journal.ts'
import type { Records } from './records.ts'

const FLUSH_MS = 200
const RETRY_MS = 1_000
const BATCH_ROWS = 500
const STORED_WAIT_MS = 250

export async function journalledRecords(parts: {
  db: Db
  /** Folder of the journal. */
  folder: string
  clock: Clock
  logger: Logger
}): Promise<Records> {
  const { db, folder, clock, logger } = parts
  await replay(db, folder, logger)

  let journalWorks = true
  let databaseWorks = true
  const journal = openJournal(
    folder,
    (cause) => {
      if (journalWorks) logger.error('journal.failed', { cause: String(cause) })
      journalWorks = false
    },
    () => {
      if (!journalWorks) logger.info('journal.works_again')
      journalWorks = true
    },
  )

  const pending = new Map<string, string>()
  let cancelTimer: (() => void) | undefined
  let flushing: Promise<void> | undefined

  function schedule(ms: number) {
    cancelTimer ??= clock.after(ms, () => {
      cancelTimer = undefined
      void flush()
    })
  }
  function flush(): Promise<void> {
    flushing ??= writePending().finally(() => {
      flushing = undefined
      if (pending.size > 0) schedule(databaseWorks ? 0 : RETRY_MS)
    })
    return flushing
  }
  async function writePending() {
    const batch = [...pending].slice(0, BATCH_ROWS)
    try {
      await writeRecords(
        db,
        batch.map(([, text]) => text),
      )
      for (const [id] of batch) pending.delete(id)
      journal.stored(batch.map(([id]) => id))
      if (!databaseWorks) logger.info('ledger.database_works_again', { rows: batch.length })
      databaseWorks = true
    } catch (cause) {
      if (databaseWorks) logger.error('ledger.database_failed', { cause: String(cause), rows: pending.size })
      databaseWorks = false
    }
  }

  /** What an answer made may be named at once, and to another process: its last byte waits a little for the database. */
  function soonStored(id: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = clock.after(STORED_WAIT_MS, resolve)
    void flush()
      .then(() => (pending.has(id) ? flush() : undefined))
      .then(cancel)
      .then(resolve)
    return promise
  }

  let closing: Promise<void> | undefined
  async function close() {
    cancelTimer?.()
    await flushing
    // What the database does not take now stays in the journal for the next start.
    for (let rows = -1; pending.size > 0 && rows !== pending.size; ) {
      rows = pending.size
      await writePending()
    }
    journal.close()
  }

  return {
    reserve: journal.begin,
    update: (record) => journal.append(record.id, recordText(record)),
    settle(record) {
      const text = recordText(record)
      journal.append(record.id, text)
      pending.set(record.id, text)
      if (record.madeObjects?.length) return soonStored(record.id)
      if (pending.size >= BATCH_ROWS) void flush()
      else schedule(FLUSH_MS)
    },
    works: () => journalWorks || databaseWorks,
    healthy: () => journalWorks && databaseWorks,
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** Writes what earlier processes journalled but did not store. Harmless to repeat: a request id is written once. */
async function replay(db: Db, folder: string, logger: Logger) {
  const { records, damaged, discard } = readJournals(folder)
  const all = [...records.values()]
  for (let from = 0; from < all.length; from += BATCH_ROWS) {
    await writeRecords(db, all.slice(from, from + BATCH_ROWS))
  }
  discard()
  if (all.length > 0 || damaged > 0) logger.warn('journal.replayed', { records: all.length, damaged })
}
