/**
 * Ledger of all isolates: each user's limits in a Durable Object of his own, records written directly. When his object
 * cannot be reached calls pass and are recorded, or none passes, as `failClosed` says.
 */
import type { Period } from '../../../core/policy.ts'
import type { Clock, Ledger, Logger } from '../../../core/ports.ts'
import { periodOf } from '../../../core/usage/period.ts'
import type { LedgerObject } from '../../workers/objects.ts'
import type { Records } from './records.ts'

export function durableLedger(parts: {
  namespace: DurableObjectNamespace<LedgerObject>
  records: Records
  period: Period
  failClosed: boolean
  clock: Clock
  logger: Logger
}): Ledger {
  const { namespace, records, period, failClosed, clock, logger } = parts
  const objectOf = (userId: number) => namespace.getByName(`user ${userId}`)
  let works = true

  function failed(cause: unknown) {
    if (works)
      logger.error('ledger.limits_failed', { cause: String(cause), calls: failClosed ? 'refused' : 'pass' })
    works = false
  }

  return {
    async reserve(call) {
      try {
        const admitted = await objectOf(call.begun.userId).admit(call, period)
        works = true
        return admitted
      } catch (cause) {
        failed(cause)
        if (failClosed) return { ok: false, limit: 'unavailable' }
        return { ok: true, used: undefined, resetAt: periodOf(period, clock.now()).end }
      }
    },
    note: records.note,
    async settle(record) {
      // First the row: an object that was put away counts anew from the database.
      await records.write(record)
      await objectOf(record.userId).settle(record).catch(failed)
    },
    healthy: () => works && records.healthy(),
    close: records.close,
  }
}
