/** Logs the failure of something outside once, and once that it works again, instead of at every attempt. */
import { rootOf } from './errors.ts'
import type { Fields, Logger } from './ports.ts'

export interface Outage {
  failed(cause: unknown, fields?: Fields): void
  worked(fields?: Fields): void
  /** Whether the last attempt worked; true before the first. */
  works(): boolean
}

/** `events`: the log events of the first failure and of the first success after it. */
export function createOutage(
  logger: Pick<Logger, 'error' | 'info'>,
  events: { failed: string; worksAgain: string },
): Outage {
  let works = true
  return {
    failed(cause, fields) {
      if (works) logger.error(events.failed, { ...fields, cause: String(rootOf(cause)) })
      works = false
    },
    worked(fields) {
      if (!works) logger.info(events.worksAgain, fields)
      works = true
    },
    works: () => works,
  }
}
