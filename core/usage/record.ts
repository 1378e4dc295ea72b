/** Writes finished calls: the row of each and all sums, in one batch, each request id once. */
import { sql } from 'drizzle-orm'
import * as z from 'zod'
import { usageSums } from '../db/schema.ts'
import type { CallRecord, Db } from '../ports.ts'
import type { Used } from './holds.ts'
import { latencyOfLog } from './latency.ts'
import { addToHourly, addToLatency, addToSums, ofLog } from './sums.ts'
import { since, TOTAL_TOKENS } from './totals.ts'

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
    ...sumUp(db),
  ])
}

/** For a batch: adds up the rows that are in no sum yet. Ids only grow, so after an insert these are its rows. */
export function sumUp(db: Db) {
  const added = sql`usage_logs where id > (select log_id from usage_summed)`
  return [
    db.run(addToHourly(ofLog(added))),
    db.run(addToSums(ofLog(added))),
    db.run(addToLatency(latencyOfLog(added))),
    db.run(sql`update usage_summed set log_id = (select coalesce(max(id), 0) from usage_logs)`),
  ] as const
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
