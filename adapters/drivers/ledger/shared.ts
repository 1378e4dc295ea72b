/**
 * What ledgers have in common whose limits are kept outside the process: records by each for itself, and one answer to
 * a place that cannot be reached. Calls pass without limits and are recorded, or none passes, as `failClosed` says.
 */

import { createLimitCounters } from '../../../core/limits/counters.ts'
import { periodOf } from '../../../core/limits/period.ts'
import { createOutage } from '../../../core/outage.ts'
import type { Admission, Admitted, CallRecord, Clock, Ledger, Logger } from '../../../core/ports.ts'
import type { Period } from '../../../core/settings.ts'
import type { Records } from './records.ts'

const NOTHING_USED = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  costMicros: 0,
}

export interface SharedParts {
  records: Records
  period: Period
  failClosed: boolean
  clock: Clock
  logger: Logger
}

/** Limits outside the process. Both reject when they cannot be reached. */
export interface SharedLimits {
  reserve(call: Admission): Promise<Admitted>
  /** Frees the hold of a call and counts what it used; `written` is done when its row is where it is safe. */
  settle(record: CallRecord, written: Promise<void>): Promise<void>
}

export function sharedLedger(parts: SharedParts, limits: SharedLimits): Ledger {
  const { records, period, failClosed, clock, logger } = parts
  /** What this process admitted itself. */
  const own = createLimitCounters(clock, period)
  const outage = createOutage(logger, {
    failed: 'ledger.limits_failed',
    worksAgain: 'ledger.limits_work_again',
  })
  const worked = () => outage.worked()
  const failed = (cause: unknown) => outage.failed(cause, { calls: failClosed ? 'refused' : 'pass' })

  return {
    async reserve(call) {
      if (!records.hasRoom() || (failClosed && !records.works())) {
        return { ok: false, limit: 'unavailable' }
      }
      let admitted: Admitted
      try {
        admitted = await limits.reserve(call)
        worked()
      } catch (cause) {
        failed(cause)
        if (failClosed) {
          // Perhaps only the answer was lost: a call that does not take place must not hold its place for an hour.
          void limits.settle({ ...call.begun, ...NOTHING_USED }, Promise.resolve()).catch(() => {})
          return { ok: false, limit: 'unavailable' }
        }
        admitted = { ok: true, used: undefined, resetAt: periodOf(period, clock.now()).end }
      }
      if (admitted.ok) {
        own.count(call)
        records.reserve(call.begun)
      }
      return admitted
    },
    peek: own.peek,
    update: records.update,
    async settle(record) {
      // What it used is counted elsewhere.
      own.settle({ ...record, ...NOTHING_USED })
      // Written before anything is waited for: the last byte leaves right after.
      const written = Promise.resolve(records.settle(record))
      // What cannot be freed expires, and what it cost is in the database for the next count.
      await Promise.all([written, limits.settle(record, written).then(worked, failed)])
    },
    healthy: () => outage.works() && records.healthy(),
    close: records.close,
  }
}
