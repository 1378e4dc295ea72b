/**
 * The common part of ledgers with limits outside the process. Each process writes its own records. While the limits cannot be
 * reached, calls are refused if `failClosed`; otherwise they pass without limits and are recorded.
 */

import { createLimitCounters } from '../../../core/limits/counters.ts'
import { periodOf } from '../../../core/limits/period.ts'
import { createOutage } from '../../../core/outage.ts'
import type { Admission, Admitted, CallRecord, Clock, Ledger, Logger } from '../../../core/ports.ts'
import type { Period } from '../../../core/settings.ts'
import { NOTHING_USED, type Records } from './records.ts'

export interface SharedParts {
  records: Records
  period: Period
  failClosed: boolean
  clock: Clock
  logger: Logger
}

/** Limits outside the process. Both methods reject if these cannot be reached. */
export interface SharedLimits {
  reserve(call: Admission): Promise<Admitted>
  /** Frees the hold of a call and counts its use. `written` resolves when its record is safe. */
  settle(record: CallRecord, written: Promise<void>): Promise<void>
}

export async function sharedLedger(parts: SharedParts, limits: SharedLimits): Promise<Ledger> {
  const { records, period, failClosed, clock, logger } = parts
  /** Calls that this process admitted, for `peek`. */
  const own = createLimitCounters(clock, period)
  const outage = createOutage(logger, {
    failed: 'ledger.limits_failed',
    worksAgain: 'ledger.limits_work_again',
  })
  const worked = () => outage.worked()
  const failed = (cause: unknown) => outage.failed(cause, { calls: failClosed ? 'refused' : 'pass' })

  /** Frees what a call holds that is refused after all. */
  function giveBack({ begun }: Admission) {
    void limits.settle({ ...begun, ...NOTHING_USED }, Promise.resolve()).catch(() => {})
  }

  await records.takeOver((record) => limits.settle(record, Promise.resolve()).catch(() => {}))
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
          // Perhaps only the answer was lost.
          giveBack(call)
          return { ok: false, limit: 'unavailable' }
        }
        admitted = { ok: true, used: undefined, resetAt: periodOf(period, clock.now()).end }
      }
      if (admitted.ok) {
        if (!records.reserve(call.begun) && failClosed) {
          giveBack(call)
          return { ok: false, limit: 'unavailable' }
        }
        own.count(call)
      }
      return admitted
    },
    peek: own.peek,
    update: records.update,
    async settle(record) {
      // Without its use, which `limits` counts.
      own.settle({ ...record, ...NOTHING_USED })
      // Called before any await, because the last byte is sent right after.
      const written = Promise.resolve(records.settle(record))
      // A hold that cannot be freed expires; its use is in the database and counted from there.
      await Promise.all([written, limits.settle(record, written).then(worked, failed)])
    },
    healthy: () => outage.works() && records.healthy(),
    close: records.close,
  }
}
