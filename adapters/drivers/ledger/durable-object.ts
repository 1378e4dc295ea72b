/** Ledger for Workers: the limits of each user are in a Durable Object; each isolate writes its own records. */
import type { Ledger } from '../../../core/ports.ts'
import type { LedgerObject } from '../durable-objects/ledger.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

/** `seedMs`: after this time an object takes what was used from the database again. */
export function durableLedger(
  parts: SharedParts & { namespace: DurableObjectNamespace<LedgerObject>; seedMs: number },
): Promise<Ledger> {
  const { namespace, period, seedMs } = parts
  const objectOf = (userId: number) => namespace.getByName(`user ${userId}`)
  return sharedLedger(parts, {
    reserve: async (call) => await objectOf(call.begun.userId).reserve(call, { period, seedMs }),
    async renew(call) {
      await objectOf(call.begun.userId).renew(call)
    },
    async settle(record, written) {
      // The row is written first, because an evicted object reads its counts from the database again.
      await written
      await objectOf(record.userId).settle(record)
    },
    // Each object writes the rows of its own.
    lost: async () => [],
  })
}
