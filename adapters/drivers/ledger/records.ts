/** The part of a ledger that writes the records of calls; the other part is its limits. */
import type { CallRecord, MaybePromise } from '../../../core/ports.ts'

export interface Records {
  /** A call is admitted; `record` is what to leave if this process dies before its end. */
  reserve(record: CallRecord): void
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
