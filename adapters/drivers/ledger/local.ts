/** Ledger of one process: limits are counted in its memory, exact within that process. */

import { createLimitCounters } from '../../../core/limits/counters.ts'
import { allSpent } from '../../../core/limits/seed.ts'
import type { Clock, Db, Ledger } from '../../../core/ports.ts'
import { NOTHING_USED, type Records } from './records.ts'

export async function localLedger(parts: {
  db: Db
  records: Records
  failClosed: boolean
  clock: Clock
}): Promise<Ledger> {
  const { db, records, failClosed, clock } = parts
  const counters = createLimitCounters(clock)
  let seeded = false
  await records.takeOver({
    settle(record) {
      if (seeded) counters.addUse(record)
    },
  })
  counters.seed(await allSpent(db, clock.now()))
  seeded = true
  return {
    reserve(call) {
      if (!records.hasRoom() || (failClosed && !records.works())) {
        return { ok: false, limit: 'unavailable' }
      }
      const admitted = counters.reserve(call)
      if (admitted.ok && !records.reserve(call.begun, failClosed) && failClosed) {
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
    respent: counters.addUse,
    // The journal has the calls of processes that died.
    sweep: async () => {},
    healthy: records.healthy,
    waiting: records.waiting,
    close: records.close,
  }
}
