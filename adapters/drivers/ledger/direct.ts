/** Writes records directly to the database, for runtimes without a disk. A call ends when its row is written. */
import { systemClock } from '../../../core/clock.ts'
import type { Db, Logger } from '../../../core/ports.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import { untiring } from '../../../core/untiring.ts'
import type { Records } from './records.ts'

export function directRecords({ db, logger }: { db: Db; logger: Logger }): Records {
  let works = true
  return {
    name: '',
    takeOver: async () => {},
    reserve: () => true,
    update() {},
    async settle(record) {
      const { id } = record
      const texts = [recordText(record)]
      const waits = (cause: unknown, ms: number) => {
        works = false
        logger.warn('ledger.record_waits', { id, wait_ms: ms, cause: String(cause) })
      }
      try {
        // Again and again without harm, because a request id is written once.
        await untiring({ clock: systemClock, waits }, () => writeRecords(db, texts))
        works = true
      } catch (cause) {
        works = false
        logger.error('ledger.record_lost', { id, cause: String(cause) })
      }
    },
    works: () => works,
    hasRoom: () => true,
    healthy: () => works,
    waiting: () => ({ records: 0, journalBytes: 0 }),
    close: async () => {},
  }
}
