/** Ledger of one process: limits are counted in its memory, exact within that process. */

import { createLimitCounters } from '../../../core/limits/counters.ts'
import type { Clock, Db, Ledger } from '../../../core/ports.ts'
import { usedSince } from '../../../core/reports/write.ts'
import type { Period } from '../../../core/settings.ts'
import { NOTHING_USED, type Records } from './records.ts'

export async function localLedger(parts: {
  db: Db
  records: Records
  period: Period
  failClosed: boolean
  clock: Clock
}): Promise<Ledger> {
  const { db, records, failClosed, clock } = parts
  const counters = createLimitCounters(clock, parts.period)
  let seeded = false
  await records.takeOver({
    settle(record) {
      if (seeded) counters.addUse(record)
    },
  })
  counters.seed(await usedSince(db, counters.span().start))
  seeded = true
  return {
    reserve(call) {
      if (!records.hasRoom() || (failClosed && !records.works())) {
        return { ok: false, limit: 'unavailable' }
      }
      const admitted = counters.reserve(call)
      if (admitted.ok && !records.reserve(call.begun) && failClosed) {
        counters.settle({ ...call.begun, ...NOTHING_USED })
        return { ok: false, limit: 'unavailable' }
      }
      return admitted
    },
    peek: counters.peek,
    update: records.update,
    settle(record) {
      counters.settle(record)
      return records.settle(record)
    },
    // The journal has the calls of processes that died.
    sweep: async () => {},
    healthy: records.healthy,
    waiting: records.waiting,
    close: records.close,
  }
}
