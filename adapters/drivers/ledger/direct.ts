/** Writes records directly to the database, for runtimes without a disk. A call ends when its row is written. */
import type { Db, Logger } from '../../../core/ports.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import type { Records } from './records.ts'

/**
 * How long a row is tried that the database does not take (ms). Workers end what they do 30 s after an answer:
 * https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil
 */
const PATIENCE_MS = 10_000
/** The first wait (ms); each is twice as long as the one before. */
const WAIT_MS = 50
const LONGEST_WAIT_MS = 2_000

export function directRecords({ db, logger }: { db: Db; logger: Logger }): Records {
  let works = true
  return {
    name: '',
    takeOver: async () => {},
    reserve: () => true,
    update() {},
    async settle(record) {
      const deadline = performance.now() + PATIENCE_MS
      const texts = [recordText(record)]
      for (let wait = WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
        try {
          // Again and again without harm, because a request id is written once.
          await writeRecords(db, texts)
          works = true
          return
        } catch (cause) {
          works = false
          if (performance.now() > deadline) {
            logger.error('ledger.record_lost', { id: record.id, cause: String(cause) })
            return
          }
          logger.warn('ledger.record_waits', { id: record.id, wait_ms: wait, cause: String(cause) })
        }
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    },
    works: () => works,
    hasRoom: () => true,
    healthy: () => works,
    waiting: () => ({ records: 0, journalBytes: 0 }),
    close: async () => {},
  }
}
