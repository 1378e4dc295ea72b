/** The part of a ledger that writes the records of calls; the other part is its limits. */
import type { CallRecord, MaybePromise } from '../../../core/ports.ts'

/** What is done with the calls that dead processes left. */
export interface LeftCalls {
  /** Called for each call that has no row yet, before its row is written. `journal`: the name of its process's records. */
  settle(record: CallRecord, journal: string): MaybePromise<void>
  /** All that was left under this name has its row. */
  taken?(journal: string): MaybePromise<void>
}

export interface Records {
  /** Tells these records from those of other processes. */
  name: string
  /** Writes the records that dead processes left, now and then every half minute. */
  takeOver(left: LeftCalls): Promise<void>
  /**
   * A call is admitted; `record` is what to leave if this process dies before its end. False if records cannot be kept; only
   * with `surely` this very record is known to be.
   */
  reserve(record: CallRecord, surely: boolean): boolean
  /** Usage is final, but the answer is still being sent. */
  update(record: CallRecord): void
  /** The call is over. Idempotent by the call's id. */
  settle(record: CallRecord): MaybePromise<void>
  /** Whether records can be written anywhere: to the disk or to the database. */
  works(): boolean
  /** Whether there is memory for another row. Without it no call is admitted, so that no record is lost. */
  hasRoom(): boolean
  healthy(): boolean
  /** Records that wait in memory for the database, and the size of the journal in bytes. */
  waiting(): { records: number; journalBytes: number }
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
