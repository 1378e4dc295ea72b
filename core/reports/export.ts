/** The usage log for an export. */
import { type Actor, type AuditEvent, auditRow } from '../audit/record.ts'
import type { Clock, Db } from '../ports.ts'
import { allLogs, type LogFilter } from './log-pages.ts'
import type { LogRow } from './log-rows.ts'
import type { Range } from './range.ts'

/** All matching calls, newest first, in slices. The export is audited before the first slice is read. */
export async function exportLogs(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  wanted: {
    filter: LogFilter
    range: Range
    asked: Extract<AuditEvent, { action: 'usage.export' }>['after']
  },
): Promise<AsyncGenerator<LogRow[]>> {
  const { filter, range, asked } = wanted
  const target = filter.userId === undefined ? 'usage' : `user:${filter.userId}`
  await auditRow(db, { actor, at: clock.now(), action: 'usage.export', target, after: asked })
  return allLogs(db, filter, range)
}
