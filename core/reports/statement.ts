/** What one month cost each billing group. The statements of all groups add up to the log. */
import { and, eq } from 'drizzle-orm'
import { addDays, createCalendar } from '../calendar.ts'
import { groupMembers, groups } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import type { ReportDates } from './buckets.ts'
import type { Dimension, ReportFilter } from './grouped.ts'
import { type Report, reportOf } from './report.ts'
import type { ReportQuestion } from './report-page.ts'

/** A month of a time zone as dates. */
export function datesOfMonth({ month, timeZone }: Asked): ReportDates {
  const next = addDays(`${month}-28`, 4)
  return { startDate: `${month}-01`, endDate: addDays(`${next.slice(0, 7)}-01`, -1), timeZone }
}

/** The month (YYYY-MM) before the one of a moment (ms since 1970). */
export function monthBefore(at: number, timeZone: string): string {
  const first = `${createCalendar(timeZone).dateAt(at).slice(0, 8)}01`
  return addDays(first, -1).slice(0, 7)
}

interface Asked {
  /** YYYY-MM */
  month: string
  timeZone: string
}

const question = (asked: Asked, filter: ReportFilter, dimension?: Dimension): ReportQuestion => ({
  dimensions: dimension ? [dimension] : [],
  bucket: dimension ? 'none' : 'day',
  filter,
  dates: datesOfMonth(asked),
  compare: true,
  sort: dimension ? 'cost' : 'time',
  order: dimension ? 'desc' : 'asc',
})
const ALL = { skip: 0, take: undefined }

/** One row for each group that had calls, the most expensive first; those of no group are group 0. */
export function statementsOf(db: Db, asked: Asked): Promise<Report> {
  return reportOf(db, question(asked, {}, 'group'), ALL)
}

export interface Statement {
  group: { id: number; name: string }
  byUser: Report
  byModel: Report
  byProject: Report
  byDay: Report
}

/** The statement of one group, also a deleted one; undefined if it never existed, or if `ledBy` (a user) does not lead it. */
export async function statementOf(
  db: Db,
  asked: Asked & { groupId: number; ledBy?: number | undefined },
): Promise<Statement | undefined> {
  const { groupId, ledBy } = asked
  const [group] = await db
    .select({ id: groups.id, name: groups.name })
    .from(groups)
    .where(eq(groups.id, groupId))
  if (!group || (ledBy !== undefined && !(await leads(db, ledBy, groupId)))) return undefined
  const filter = { groupId, ledBy }
  const by = (dimension?: Dimension) => reportOf(db, question(asked, filter, dimension), ALL)
  const [byUser, byModel, byProject, byDay] = await Promise.all([
    by('user'),
    by('model'),
    by('project'),
    by(),
  ])
  return { group, byUser, byModel, byProject, byDay }
}

async function leads(db: Db, userId: number, groupId: number): Promise<boolean> {
  const { role, userId: member, groupId: of } = groupMembers
  const rows = await db
    .select({ of })
    .from(groupMembers)
    .where(and(eq(member, userId), eq(of, groupId), eq(role, 'lead')))
  return rows.length > 0
}
