/** Ledger of one Worker isolate: limits in its memory, each record straight to the database. Exact within the isolate only. */
import type { Period } from '../../../core/policy.ts'
import type { Clock, Db, Ledger, Logger } from '../../../core/ports.ts'
import { createHolds } from '../../../core/usage/holds.ts'
import { usedSince, writeRecords } from '../../../core/usage/record.ts'

export function directLedger(parts: { db: Db; period: Period; clock: Clock; logger: Logger }): Ledger {
  const { db, clock, logger } = parts
  const holds = createHolds(clock, parts.period)
  let seeded: Promise<void> | undefined
  let works = true

  return {
    async reserve(call) {
      seeded ??= usedSince(db, holds.span().start).then((used) => holds.seed(used))
      await seeded.catch((cause) => {
        seeded = undefined
        logger.error('ledger.database_failed', { cause: String(cause) })
      })
      return holds.admit(call)
    },
    note() {},
    async settle(record) {
      holds.settle(record)
      try {
        await writeRecords(db, [JSON.stringify(record)])
        works = true
      } catch (cause) {
        works = false
        logger.error('ledger.record_lost', { id: record.id, cause: String(cause) })
      }
    },
    healthy: () => works,
    close: async () => {},
  }
}
