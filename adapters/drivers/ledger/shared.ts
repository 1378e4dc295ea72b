/**
 * The common part of ledgers with limits outside the process. Each process writes its own records. While the limits cannot be
 * reached, calls are refused if `failClosed`; otherwise they pass without limits and are recorded.
 */

import { createLimitCounters } from '../../../core/limits/counters.ts'
import { RENEW_MS } from '../../../core/limits/decide.ts'
import { createOutage } from '../../../core/outage.ts'
import type { Admission, Admitted, CallRecord, Clock, Db, Ledger, Logger } from '../../../core/ports.ts'
import { parseRecord } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import { type LeftCalls, NOTHING_USED, type Records } from './records.ts'

export interface SharedParts {
  db: Db
  records: Records
  failClosed: boolean
  clock: Clock
  logger: Logger
}

/** Limits outside the process. All methods reject if these cannot be reached. */
export interface SharedLimits {
  /** Holds the call's estimate for HOLD_EXPIRY_MS. */
  reserve(call: Admission): Promise<Admitted>
  /** Holds it for another HOLD_EXPIRY_MS. Absent where holds end when their process does. */
  renew?(call: Admission): Promise<void>
  /** Frees the hold of a call and counts its use. `written` resolves when its record is safe. */
  settle(record: CallRecord, written: Promise<void>): Promise<void>
  /** Follows a change of limit_spent; absent where that is read for every call, or again within a minute. */
  respent?(change: Parameters<Ledger['respent']>[0]): Promise<void>
  /** What is done with the calls that dead processes left; by default they are settled. */
  left?: LeftCalls
  /** Texts of the records of calls whose holds expired, because nobody renewed them. They are told again until they are settled. */
  lost(): Promise<string[]>
}

const OUTAGE = { failed: 'ledger.limits_failed', worksAgain: 'ledger.limits_work_again' }

export async function sharedLedger(parts: SharedParts, limits: SharedLimits): Promise<Ledger> {
  const { records, failClosed, clock, logger } = parts
  /** Calls that this process admitted, for `peek`. */
  const own = createLimitCounters(clock)
  const renewals = createRenewals(clock, limits)
  const outage = createOutage(logger, OUTAGE)
  const failed = (cause: unknown) => outage.failed(cause, { calls: failClosed ? 'refused' : 'pass' })
  const settleWritten = (record: CallRecord) => limits.settle(record, Promise.resolve()).catch(() => {})
  /** Frees what a call holds that is refused after all. */
  const giveBack = ({ begun }: Admission) => void settleWritten({ ...begun, ...NOTHING_USED })

  await records.takeOver(limits.left ?? { settle: settleWritten })
  return {
    async reserve(call) {
      if (!records.hasRoom() || (failClosed && !records.works())) {
        return { ok: false, limit: 'unavailable' }
      }
      let admitted: Admitted
      try {
        admitted = await limits.reserve(call)
        outage.worked()
      } catch (cause) {
        failed(cause)
        if (failClosed) {
          // Perhaps only the answer was lost.
          giveBack(call)
          return { ok: false, limit: 'unavailable' }
        }
        admitted = { ok: true, used: undefined }
      }
      if (admitted.ok && !records.reserve(call.begun, failClosed) && failClosed) {
        giveBack(call)
        return { ok: false, limit: 'unavailable' }
      }
      if (admitted.ok) {
        own.count(call)
        renewals.begin(call)
      }
      return admitted
    },
    peek: own.peek,
    update: records.update,
    async settle(record) {
      renewals.end(record.id)
      // Without its use, which `limits` counts.
      own.settle({ ...record, ...NOTHING_USED })
      // Called before any await, because the last byte is sent at the end of this turn.
      const written = Promise.resolve(records.settle(record))
      // A hold that cannot be freed expires; the use is in the database and counted from there.
      await Promise.all([written, limits.settle(record, written).then(() => outage.worked(), failed)])
    },
    respent: (change) => limits.respent?.(change),
    sweep: () => recordLost(parts, limits),
    healthy: () => outage.works() && records.healthy(),
    waiting: records.waiting,
    close: records.close,
  }
}

/** Writes the rows of calls that nobody renews, and frees what they hold. */
async function recordLost({ db, logger }: SharedParts, limits: SharedLimits): Promise<void> {
  const lost = await limits.lost()
  if (lost.length === 0) return
  await writeRecords(db, lost)
  await Promise.all(lost.map((text) => limits.settle(parseRecord(text), Promise.resolve())))
  logger.warn('ledger.calls_interrupted', { calls: lost.length })
}

/** Renews the holds of calls under way. Each has a timer of its own, because on Workers it must belong to the call's request. */
function createRenewals(clock: Clock, limits: SharedLimits) {
  const cancels = new Map<string, () => void>()
  function begin(call: Admission) {
    if (!limits.renew) return
    const renew = () => {
      begin(call)
      // The next attempt comes before the hold expires.
      limits.renew?.(call).catch(() => {})
    }
    cancels.set(call.begun.id, clock.after(RENEW_MS, renew))
  }
  return {
    begin,
    end(id: string) {
      cancels.get(id)?.()
      cancels.delete(id)
    },
  }
}
