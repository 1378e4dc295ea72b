/** The queue of everything that people ask for, and what was decided of it, with what they used so far. */
import { type SQL, sql } from 'drizzle-orm'
import { capsOf, usedByPeople } from '../limits/caps.ts'
import type { Periods } from '../limits/period.ts'
import type { Clock, Db } from '../ports.ts'
import type { Period, Settings } from '../settings.ts'
import type { ApplicationStatus } from './list.ts'

/** What is asked for: an application for a model, or a request for a higher limit. */
export interface QueueRef {
  kind: 'application' | 'request'
  id: number
}

interface QueueRow extends QueueRef {
  userId: number
  itcode: string
  /** Of an application. */
  model: string | null
  /** Of a request: which limit. */
  period: Period | null
  amountMicros: number | null
  reason: string
  status: ApplicationStatus
  reviewerId: number | null
  reviewerItcode: string | null
  reviewNote: string | null
  /** The grant that an application led to, while that is not revoked. */
  grantId: number | null
  grantedMicros: number | null
  grantedUntil: number | null
  createdAt: number
  updatedAt: number
}

export interface QueueItem extends Omit<QueueRow, 'period'> {
  /** Of a request the one that it is for, of an application that of limits.period. */
  period: Period
  /** By the person in the current period, in micro-dollars. */
  usedMicros: number
  /** What they may spend in it; null = unlimited. */
  limitMicros: number | null
}

interface QueueFilter {
  /** `all` is also what was withdrawn. */
  status: 'pending' | 'decided' | 'all'
  /** Whose. */
  userId?: number | undefined
  /** Text in account or model, taken literally; case is ignored. */
  q?: string | undefined
}

const IN_STATUS: Readonly<Record<QueueFilter['status'], SQL>> = {
  pending: sql`status = 'pending'`,
  decided: sql`status in ('approved', 'rejected')`,
  all: sql`true`,
}

/** One page of what waits, oldest first, or of what was decided or of all, newest first; and how many there are. */
export async function listQueue(
  parts: { db: Db; clock: Clock; settings: Pick<Settings, 'limits'>; periods: Periods },
  { status, userId, q }: QueueFilter,
  { page, pageSize }: { page: number; pageSize: number },
): Promise<{ items: QueueItem[]; total: number }> {
  const { db } = parts
  const isWanted = sql.join(
    [IN_STATUS[status], ...(userId === undefined ? [] : [sql`user_id = ${userId}`])],
    sql` and `,
  )
  const text = q?.toLowerCase()
  const found = sql`from (
      select 'application' as kind, id, user_id, model, null as period, null as amount_micros, reason, status, reviewer_id,
        review_note, null as granted_micros, null as granted_until, created_at, updated_at
      from applications where ${isWanted}
      union all
      select 'request', id, user_id, null, period, amount_micros, reason, status, reviewer_id,
        review_note, granted_micros, granted_until, created_at, updated_at
      from increase_requests where ${isWanted}
    ) as one join users as owners on owners.id = one.user_id
    where ${text ? sql`instr(owners.itcode || ' ' || coalesce(lower(one.model), ''), ${text}) > 0` : sql`true`}`
  const order =
    status === 'pending'
      ? sql`one.created_at, one.kind, one.id`
      : sql`one.updated_at desc, one.kind, one.id desc`
  const [[counted], rows] = await Promise.all([
    db.all<{ total: number }>(sql`select count(*) as total ${found}`),
    db.all<QueueRow>(sql`
      select one.kind, one.id, one.user_id as "userId", owners.itcode, one.model, one.period,
        one.amount_micros as "amountMicros", one.reason, one.status, one.reviewer_id as "reviewerId",
        (select itcode from users where users.id = one.reviewer_id) as "reviewerItcode", one.review_note as "reviewNote",
        (select id from grants where one.kind = 'application' and application_id = one.id) as "grantId",
        one.granted_micros as "grantedMicros", one.granted_until as "grantedUntil",
        one.created_at as "createdAt", one.updated_at as "updatedAt"
      ${found} order by ${order} limit ${pageSize} offset ${(page - 1) * pageSize}`),
  ])
  return { items: await withUse(parts, rows), total: counted?.total ?? 0 }
}

async function withUse(
  { db, clock, settings, periods }: Parameters<typeof listQueue>[0],
  rows: readonly QueueRow[],
): Promise<QueueItem[]> {
  const now = clock.now()
  const items = rows.map((row) => ({ ...row, period: row.period ?? settings.limits.period }))
  const userIds = [...new Set(items.map(({ userId }) => userId))]
  const wanted = [...new Set(items.map(({ period }) => period))]
  const caps = await capsOf({ db, settings }, userIds, now)
  const used = new Map(
    await Promise.all(
      wanted.map(
        async (period) => [period, await usedByPeople({ db, periods }, userIds, period, now)] as const,
      ),
    ),
  )
  return items.map((item) => ({
    ...item,
    usedMicros: used.get(item.period)?.get(item.userId)?.micros ?? 0,
    limitMicros: caps.get(item.userId)?.find(({ period }) => period === item.period)?.micros ?? null,
  }))
}
