/** Writes finished calls: the row of each and the hourly sums, in one batch, each request id once. */
import { gte, type SQL, sql } from 'drizzle-orm'
import * as z from 'zod'
import { usageHourly } from '../db/schema.ts'
import type { CallRecord, Db } from '../ports.ts'
import type { Used } from './holds.ts'

export const HOUR_MS = 3_600_000

/** Written out: a driver may bind a number as a real one, and a division would then leave the minutes in. */
const HOUR = sql.raw(String(HOUR_MS))
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
    // The rows that the statement before has inserted: ids only grow, and nothing comes between within a batch.
    db.run(sql`${insertSums(sql`(select * from usage_logs order by id desc limit changes())`)}
      on conflict do update set requests = requests + excluded.requests, errors = errors + excluded.errors,
        input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
        cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
        cache_write_5m_tokens = cache_write_5m_tokens + excluded.cache_write_5m_tokens,
        cache_write_1h_tokens = cache_write_1h_tokens + excluded.cache_write_1h_tokens,
        cost_micros = cost_micros + excluded.cost_micros, latency_ms = latency_ms + excluded.latency_ms,
        last_at = max(last_at, excluded.last_at)`),
  ])
}

/** Sums of log rows by hour, user, key, model and backend; `rows` is a table or a subquery. */
function insertSums(rows: SQL): SQL {
  return sql`
    insert into usage_hourly (hour, user_id, api_key_id, model, backend, requests, errors, input_tokens, output_tokens,
      cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, latency_ms, last_at)
    select created_at / ${HOUR} * ${HOUR}, user_id, api_key_id, model, backend, count(*), sum(outcome <> 'ok'),
      sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens),
      sum(cache_write_1h_tokens), sum(cost_micros), sum(latency_ms), max(created_at)
    from ${rows} where true group by 1, 2, 3, 4, 5`
}

/**
 * Compares the sums since `start` (ms, at an hour's start) with the log and makes them anew if they differ. They are
 * written with the rows, so this only mends what other hands have done. Answers whether it had to.
 */
export async function repairSums(db: Db, start: number): Promise<boolean> {
  const figures = sql`coalesce(sum(cost_micros), 0) as cost, coalesce(sum(input_tokens + output_tokens), 0) as tokens`
  const [same] = await db.all<{ same: number }>(sql`
    select l.n = h.n and l.cost = h.cost and l.tokens = h.tokens as same
    from (select count(*) as n, ${figures} from usage_logs where created_at >= ${start}) l,
      (select coalesce(sum(requests), 0) as n, ${figures} from usage_hourly where hour >= ${start}) h`)
  if (same?.same === 1) return false
  await db.batch([
    db.run(sql`delete from usage_hourly where hour >= ${start}`),
    db.run(insertSums(sql`(select * from usage_logs where created_at >= ${start})`)),
  ])
  return true
}

/** What each user and key has used since `start` (ms, at an hour's start), from the sums. */
export async function usedSince(db: Db, start: number): Promise<Used[]> {
  const tokens =
    sql<number>`sum(${usageHourly.inputTokens} + ${usageHourly.outputTokens} + ${usageHourly.cacheReadTokens}
    + ${usageHourly.cacheWrite5mTokens} + ${usageHourly.cacheWrite1hTokens})`.mapWith(Number)
  return db
    .select({
      userId: usageHourly.userId,
      keyId: usageHourly.apiKeyId,
      tokens,
      costMicros: sql<number>`sum(${usageHourly.costMicros})`.mapWith(Number),
    })
    .from(usageHourly)
    .where(gte(usageHourly.hour, start))
    .groupBy(usageHourly.userId, usageHourly.apiKeyId)
}
