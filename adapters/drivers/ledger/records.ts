/** The part of a ledger that writes the records of calls; the other part is its limits. */
import type { CallRecord, MaybePromise } from '../../../core/ports.ts'

export interface Records {
  /**
   * Writes the records that dead processes left, now and then every half minute. `settle` is called for each that has no row
   * yet, before its row is written.
   */
  takeOver(settle: (record: CallRecord) => MaybePromise<void>): Promise<void>
  /** A call is admitted; `record` is what to leave if this process dies before its end. False if it cannot be kept. */
  reserve(record: CallRecord): boolean
  /** Usage is final, but the answer is still being sent. */
  update(record: CallRecord): void
  /** The call is over. Idempotent by the call's id. */
  settle(record: CallRecord): MaybePromise<void>
  /** Whether records can be written anywhere: to the disk or to the database. */
  works(): boolean
  /** Whether there is memory for another row. Without it no call is admitted, so that no record is lost. */
  hasRoom(): boolean
  healthy(): boolean
  close(): Promise<void>
}

/** What a call used that was refused after all. */
export const NOTHING_USED = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  costMicros: 0,
}
