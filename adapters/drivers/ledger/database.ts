/**
 * Ledger for processes and machines that share only a database. Limits are in its tables: exact over all processes, but each
 * call waits for a round trip first. Each process writes its own records.
 */

import {
  lostCalls,
  renewShared,
  reserveShared,
  settleShared,
  sweepHolds,
} from '../../../core/limits/shared.ts'
import type { Ledger } from '../../../core/ports.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

/** `clock` must agree with the clocks of the other processes: see database-clock.ts. */
export function databaseLedger(parts: SharedParts): Promise<Ledger> {
  const { db, clock } = parts
  return sharedLedger(parts, {
    reserve: (call) => reserveShared(db, call, clock.now()),
    renew: ({ begun }) => renewShared(db, begun.id, clock.now()),
    settle: (record) => settleShared(db, record, clock.now()),
    async lost() {
      await sweepHolds(db, clock.now())
      return lostCalls(db, clock.now())
    },
  })
}
