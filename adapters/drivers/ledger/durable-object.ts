/** Ledger for Workers: the limits of each user are in a Durable Object; each isolate writes its own records. */
import type { Ledger } from '../../../core/ports.ts'
import type { LedgerObject } from '../durable-objects/ledger.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

export function durableLedger({
  namespace,
  ...parts
}: SharedParts & { namespace: DurableObjectNamespace<LedgerObject> }): Promise<Ledger> {
  const objectOf = (userId: number) => namespace.getByName(`user ${userId}`)
  return sharedLedger(parts, {
    async reserve(call) {
      return await objectOf(call.begun.userId).reserve(call, parts.period)
    },
    async settle(record, written) {
      // The row is written first, because an evicted object reads its counts from the database again.
      await written
      await objectOf(record.userId).settle(record)
    },
  })
}
