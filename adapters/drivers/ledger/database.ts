/**
 * Ledger for processes and machines that share only a database. Limits are in its tables: exact over all processes, but each
 * call waits for a round trip first. Each process writes its own records.
 */

import { periodOf } from '../../../core/limits/period.ts'
import { reserveShared, settleShared } from '../../../core/limits/shared.ts'
import type { Db, Ledger } from '../../../core/ports.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

export function databaseLedger({ db, ...parts }: SharedParts & { db: Db }): Promise<Ledger> {
  const { period, clock } = parts
  return sharedLedger(parts, {
    reserve(call) {
      const now = clock.now()
      return reserveShared(db, call, periodOf(period, now), now)
    },
    settle: (record) => settleShared(db, record, periodOf(period, clock.now()).start),
  })
}
