/** Writes finished calls: the row of each and all sums, in one batch, each request id once. */
import { type SQL, sql } from 'drizzle-orm'
import * as z from 'zod'
import { usageSums } from '../db/schema.ts'
import type { CallRecord, Db } from '../ports.ts'
import type { Used } from './holds.ts'
import { latencyOfLog } from './latency.ts'
import {
  addToHourly,
  addToLatency,
  addToSums,
  type Cut,
  DAY_MS,
  HOUR_MS,
  ofHours,
  ofLog,
  ofSums,
} from './sums.ts'
import { since, TOTAL_TOKENS } from './totals.ts'

export { HOUR_MS }

const count = z.int().nonnegative()

/** A record as the journal keeps it. */
export const StoredRecord: z.ZodType<CallRecord> = z.strictObject({
  id: z.string().min(1),
  userId: z.int(),
  keyId: z.int(),
  requestedModel: z.string(),
  model: z.string(),
  backend: z.string(),
  inputTokens: count,
  outputTokens: count,
  cacheReadTokens: count,
  cacheWrite5mTokens: count,
  cacheWrite1hTokens: count,
  costMicros: count,
  statusCode: z.int(),
  outcome: z.enum(['ok', 'error', 'client_aborted', 'upstream_cut', 'interrupted']),
  estimated: z.boolean(),
  unpriced: z.boolean(),
  stream: z.boolean(),
  attempts: count,
  latencyMs: count,
  ttftMs: count.nullable(),
  extra: z.string().nullable(),
  createdAt: z.int(),
})

/**
 * Writes records, each given as its JSON text, in one atomic batch with one parameter, whatever their number. A request
 * id that is in the log already changes nothing, neither there nor in the sums. Ids must differ within a call.
 */
export async function writeRecords(db: Db, records: readonly string[]): Promise<void> {
  if (records.length === 0) return
  // Ids only grow, and nothing comes between within a batch: these are the rows that it has just inserted.
  const added = sql`usage_logs where id > (select log_id from usage_summed)`
  await db.batch([
    // As jsonb each record is parsed once, instead of once for every field.
    db.run(sql`
      with list as materialized (select jsonb(value) as call from json_each(${`[${records.join(',')}]`}))
      insert into usage_logs (request_id, user_id, api_key_id, requested_model, model, backend, input_tokens,
        output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code,
        outcome, estimated, unpriced, stream, attempts, latency_ms, ttft_ms, extra, created_at)
      select call->>'id', call->>'userId', call->>'keyId', call->>'requestedModel', call->>'model', call->>'backend',
        call->>'inputTokens', call->>'outputTokens', call->>'cacheReadTokens', call->>'cacheWrite5mTokens',
        call->>'cacheWrite1hTokens', call->>'costMicros', call->>'statusCode', call->>'outcome', call->>'estimated',
        call->>'unpriced', call->>'stream', call->>'attempts', call->>'latencyMs', call->>'ttftMs', call->>'extra',
        call->>'createdAt'
      from list where true on conflict (request_id) do nothing`),
    db.run(addToHourly(ofLog(added))),
    db.run(addToSums(ofLog(added))),
    db.run(addToLatency(latencyOfLog(added))),
    db.run(allIsSummed()),
  ])
}

/** Comes last in a batch: tells that all rows of the log are in the sums. */
function allIsSummed(): SQL {
  return sql`update usage_summed set log_id = (select coalesce(max(id), 0) from usage_logs)`
}

/**
 * Compares the sums since `start` (ms, at an hour's start) with the log and makes them anew if they differ. They are
 * written with the rows, so this only mends what other hands have done. Answers whether it had to.
 */
export async function repairSums(db: Db, start: number): Promise<boolean> {
  const day = Math.floor(start / DAY_MS) * DAY_MS
  const log = sql`usage_logs where created_at >= ${start}`
  const hoursOfDays = ofHours(sql`usage_hourly where hour >= ${day}`)
  const latencyHours = sql`select start, backend, bucket, requests from usage_latency where unit = 'hour' and start >= ${day}`
  if (await agree(db, start, day)) return false
  await db.batch([
    db.run(sql`delete from usage_hourly where hour >= ${start}`),
    db.run(addToHourly(ofLog(log))),
    db.run(sql`delete from usage_sums where cut in ('site_quarter', 'site_hour') and start >= ${start}`),
    db.run(addToSums(ofLog(log), ['site_quarter', 'site_hour'])),
    db.run(sql`delete from usage_sums where cut in ('site_day', 'key_day', 'full_day') and start >= ${day}`),
    db.run(addToSums(hoursOfDays, ['site_day', 'key_day', 'full_day'])),
    db.run(sql`delete from usage_sums where cut = 'total'`),
    db.run(addToSums(ofSums(sql`usage_sums where cut = 'full_day'`), ['total'])),
    db.run(sql`delete from usage_latency where start >= iif(unit = 'day', ${day}, ${start})`),
    db.run(addToLatency(latencyOfLog(log), ['hour'])),
    db.run(addToLatency(latencyHours, ['day'])),
    db.run(allIsSummed()),
  ])
  return true
}

/** Whether the log since `start`, every cut since then or since its day, and the totals tell the same. */
async function agree(db: Db, start: number, day: number): Promise<boolean> {
  const site = (cut: Cut, from: number) =>
    figuresOf(ofSums(sql`usage_sums where cut = ${cut} and user_id = 0 and start >= ${from}`))
  const people = (cut: Cut) =>
    figuresOf(
      ofSums(sql`usage_sums where cut = ${cut} and start >= ${day}
        and user_id in (select distinct user_id from usage_sums where cut = 'total')`),
    )
  const ever = (cut: Cut) => figuresOf(ofSums(sql`usage_sums where cut = ${cut}`))
  const timed = (unit: string, from: number) =>
    sql`(select total(requests) from usage_latency where unit = ${unit} and start >= ${from})`
  const [told] = await db.all<{ same: number }>(sql`
    with told as materialized (select
      ${figuresOf(ofLog(sql`usage_logs where created_at >= ${start}`))} as of_log,
      ${figuresOf(ofHours(sql`usage_hourly where hour >= ${day}`))} as of_days)
    select of_log = ${figuresOf(ofHours(sql`usage_hourly where hour >= ${start}`))}
      and of_log = ${site('site_quarter', start)} and of_log = ${site('site_hour', start)}
      and of_days = ${site('site_day', day)} and of_days = ${people('key_day')} and of_days = ${people('full_day')}
      and ${ever('key_day')} = ${ever('total')} and coalesce(of_log->>0, 0) = ${timed('hour', start)}
      and coalesce(of_days->>0, 0) = ${timed('day', day)} as same
    from told`)
  return told?.same === 1
}

/** One text of everything that two ways of adding up the same calls must agree on. `rows` has the shape of sums. */
function figuresOf(rows: SQL): SQL {
  return sql`(select json_array(sum(requests), sum(errors), sum(input_tokens + output_tokens + cache_read_tokens
    + cache_write_5m_tokens + cache_write_1h_tokens), sum(cost_micros), sum(latency_ms), max(last_at)) from (${rows}))`
}

/** What each user and key has used since `start` (ms, at a UTC day's start; 0 = ever), from the coarsest sums. */
export async function usedSince(db: Db, start: number): Promise<Used[]> {
  return db
    .select({
      userId: usageSums.userId,
      keyId: usageSums.apiKeyId,
      tokens: TOTAL_TOKENS,
      costMicros: sql<number>`sum(${usageSums.costMicros})`.mapWith(Number),
    })
    .from(usageSums)
    .where(since(start))
    .groupBy(usageSums.userId, usageSums.apiKeyId)
}
