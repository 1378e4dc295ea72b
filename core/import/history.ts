/** Imports applications and usage. */
import { and, eq, sql } from 'drizzle-orm'
import type * as z from 'zod'
import { applications, grants, usageLogs } from '../db/schema.ts'
import { createPeriods } from '../limits/period.ts'
import type { CallRecord } from '../ports.ts'
import { NOT_BOOKED } from '../record.ts'
import { recordText } from '../reports/stored-record.ts'
import { writeRecords } from '../reports/write.ts'
import { keptSince } from '../retention/retention.ts'
import { microsOf } from '../units.ts'
import { GoApplication, GoUsage } from './go-rows.ts'
import { type ImportParts, type ImportReport, rowsOf } from './rows.ts'

/** Imports applications. An approved one becomes a grant, because the Go gateway had none. */
/** The earlier gateway counted in UTC. */
const UTC = createPeriods('UTC')

export async function importApplications(
  { db, read, prices }: ImportParts,
  report: ImportReport,
  userIds: ReadonlyMap<number, number>,
): Promise<void> {
  for await (const rows of rowsOf(read, 'applications', GoApplication, report)) {
    for (const row of rows) {
      const userId = userIds.get(row.user_id)
      if (userId === undefined) {
        report.skipped.push(`applications ${row.id}: its user ${row.user_id} is not there`)
        continue
      }
      const { model, reason, status, created_at: createdAt } = row
      const same = and(
        eq(applications.userId, userId),
        eq(applications.model, model),
        eq(applications.createdAt, createdAt),
      )
      if ((await db.select({ id: applications.id }).from(applications).where(same)).length > 0) {
        report.present.applications += 1
        continue
      }
      const reviewerId = userIds.get(row.reviewer_id ?? 0) ?? null
      const times = { createdAt, updatedAt: row.updated_at }
      const free = await db.select().from(applications).where(eq(applications.id, row.id))
      const [made] = await db
        .insert(applications)
        .values({
          ...(free.length > 0 ? {} : { id: row.id }),
          userId,
          model,
          reason,
          status,
          reviewerId,
          reviewNote: row.review_note,
          ...times,
        })
        .onConflictDoNothing()
        .returning({ id: applications.id })
      if (!made) {
        report.skipped.push(`applications ${row.id}: another one for ${model} is pending already`)
        continue
      }
      report.added.applications += 1
      if (status !== 'approved') continue
      const grant = { userId, model: prices.canonical(model), applicationId: made.id, grantedBy: reviewerId }
      await db
        .insert(grants)
        .values({ ...grant, createdAt: row.updated_at })
        .onConflictDoNothing()
    }
  }
}

/** Imports the log and adds it to the sums. A row that was imported before changes nothing. */
export async function importUsage(
  { db, read }: ImportParts,
  report: ImportReport,
  userIds: ReadonlyMap<number, number>,
  keyIds: ReadonlyMap<number, number>,
): Promise<void> {
  const [first] = await db.select({ n: sql<number>`count(*)`.mapWith(Number) }).from(usageLogs)
  let before = first?.n ?? 0
  const since = await keptSince(db)
  let tooOld = 0
  for await (const rows of rowsOf(read, 'usage_logs', GoUsage, report)) {
    const records = rows.flatMap((row) => {
      // A row that was imported before and is not kept any more would be added to the sums again.
      if (row.created_at < since) {
        tooOld += 1
        return []
      }
      const userId = userIds.get(row.user_id)
      if (userId !== undefined) return [recordOf(row, userId, keyIds.get(row.api_key_id ?? 0) ?? 0)]
      report.skipped.push(`usage_logs ${row.id}: its user ${row.user_id} is not there`)
      return []
    })
    await writeRecords(db, records.map(recordText))
    const [now] = await db.select({ n: sql<number>`count(*)`.mapWith(Number) }).from(usageLogs)
    const added = (now?.n ?? 0) - before
    before += added
    report.added.usage_logs += added
    report.present.usage_logs += records.length - added
  }
  if (tooOld > 0) report.skipped.push(`usage_logs: ${tooOld} calls are older than what is kept (usage.keep)`)
}

/** The id contains the time, because rows of two imported databases may have the same number. */
function recordOf(row: z.output<typeof GoUsage>, userId: number, keyId: number): CallRecord {
  return {
    id: `go_${row.id}_${row.created_at}`,
    userId,
    keyId,
    requestedModel: row.model,
    model: row.model,
    backend: row.backend,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    cacheReadTokens: 0,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    costMicros: microsOf(row.cost_usd),
    statusCode: row.status_code,
    outcome: row.status_code >= 200 && row.status_code < 300 ? 'ok' : 'error',
    estimated: false,
    unpriced: false,
    stream: false,
    attempts: 1,
    latencyMs: row.latency_ms,
    ttftMs: null,
    extra: null,
    promptLosses: [],
    ...NOT_BOOKED,
    periodStarts: UTC.startsAt(row.created_at),
    createdAt: row.created_at,
  }
}
