/** The half of a ledger that writes calls down; the other half, limits, is in one process's memory or shared. */
import type { CallRecord, MaybePromise } from '../../../core/ports.ts'

export interface Records {
  /** A call was let in: what is written if this process dies before its end. */
  reserve(record: CallRecord): void
  /** Final figures are known while the answer still flows. */
  update(record: CallRecord): void
  /** The call is over. Repeatable: its id is the key. */
  settle(record: CallRecord): MaybePromise<void>
  /** Whether anything at all can be written down. */
  works(): boolean
  /** Whether there is memory for another row; without it no call is let in, so that none is lost. */
  hasRoom(): boolean
  healthy(): boolean
  close(): Promise<void>
}
