/** Ledger of all isolates: each user's limits in a Durable Object of their own, records by each isolate for itself. */
import type { Ledger } from '../../../core/ports.ts'
import type { LedgerObject } from '../durable-objects/ledger.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

export function durableLedger({
  namespace,
  ...parts
}: SharedParts & { namespace: DurableObjectNamespace<LedgerObject> }): Ledger {
  const objectOf = (userId: number) => namespace.getByName(`user ${userId}`)
  return sharedLedger(parts, {
    async reserve(call) {
      return await objectOf(call.begun.userId).reserve(call, parts.period)
    },
    async settle(record, written) {
      // First the row: an object that was put away counts anew from the database.
      await written
      await objectOf(record.userId).settle(record)
    },
  })
}
