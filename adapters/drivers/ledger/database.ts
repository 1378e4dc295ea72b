/**
 * Ledger of many processes and machines that share a database and nothing else: limits in its tables, exact over all of
 * them, at the price of a round trip before each call. Records by each process for itself.
 */

import { periodOf } from '../../../core/limits/period.ts'
import { reserveShared, settleShared } from '../../../core/limits/shared.ts'
import type { Db, Ledger } from '../../../core/ports.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

export function databaseLedger({ db, ...parts }: SharedParts & { db: Db }): Ledger {
  const { period, clock } = parts
  return sharedLedger(parts, {
    reserve(call) {
      const now = clock.now()
      return reserveShared(db, call, periodOf(period, now), now)
    },
    settle: (record) => settleShared(db, record, periodOf(period, clock.now()).start),
  })
}
