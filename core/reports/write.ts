/** Writes finished calls: their rows and all sums in one batch, each request id only once. */
import { sql } from 'drizzle-orm'
import * as z from 'zod'
import { OBJECT_KINDS } from '../db/objects.ts'
import { usageSums } from '../db/schema.ts'
import type { Used } from '../limits/counters.ts'
import { LOSS_KINDS } from '../metering/prompt-losses.ts'
import { addObjects } from '../objects/manage.ts'
import type { CallRecord, Db } from '../ports.ts'
import { storable } from '../text.ts'
import { latencyOfLog } from './latency.ts'
import { addToPromptLosses } from './prompt-losses.ts'
import { addToHourly, addToLatency, addToSums, ofLog } from './rollups.ts'
import { since, TOTAL_TOKENS } from './totals.ts'

const count = z.int().nonnegative()

/** The columns of usage_logs that a record fills, in the order of StoredRecord. */
const COLUMNS = `request_id, user_id, api_key_id, requested_model, model, backend, input_tokens, output_tokens,
  cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code, outcome, estimated, unpriced,
  stream, attempts, latency_ms, ttft_ms, extra, created_at`
const VALUES = COLUMNS.split(',').map((_, at) => `call->>${at}`)

/** A record as the journal stores it and writeRecords takes it: a JSON array. */
export const StoredRecord = z.tuple([
  z.string().min(1), // request_id
  z.int(), // user_id
  z.int(), // api_key_id
  z.string(), // requested_model
  z.string(), // model
  z.string(), // backend
  count, // input_tokens
  count, // output_tokens
  count, // cache_read_tokens
  count, // cache_write_5m_tokens
  count, // cache_write_1h_tokens
  count, // cost_micros
  z.int(), // status_code
  z.enum(['ok', 'error', 'client_aborted', 'upstream_cut', 'interrupted']),
  z.boolean(), // estimated
  z.boolean(), // unpriced
  z.boolean(), // stream
  count, // attempts
  count, // latency_ms
  count.nullable(), // ttft_ms
  z.string().nullable(), // extra
  z.int(), // created_at
  z.array(z.tuple([z.enum(LOSS_KINDS), z.string(), count, count])).optional(), // kind, reason, blocks, tokens
  z.array(z.tuple([z.enum(OBJECT_KINDS), z.string(), z.int().nullable()])).optional(), // kind, id, expires_at
])
const LOSSES_AT = VALUES.length
const OBJECTS_AT = LOSSES_AT + 1

/** A record as the JSON text of a StoredRecord. An array is half as long as an object and much cheaper to read and write. */
export function recordText(record: CallRecord): string {
  const values: z.infer<typeof StoredRecord> = [
    record.id,
    record.userId,
    record.keyId,
    record.requestedModel,
    record.model,
    record.backend,
    record.inputTokens,
    record.outputTokens,
    record.cacheReadTokens,
    record.cacheWrite5mTokens,
    record.cacheWrite1hTokens,
    record.costMicros,
    record.statusCode,
    record.outcome,
    record.estimated,
    record.unpriced,
    record.stream,
    record.attempts,
    record.latencyMs,
    record.ttftMs,
    record.extra,
    record.createdAt,
  ]
  const made = record.madeObjects ?? []
  if (record.promptLosses.length > 0 || made.length > 0) {
    values.push(record.promptLosses.map(({ kind, reason, blocks, tokens }) => [kind, reason, blocks, tokens]))
  }
  if (made.length > 0) values.push(made.map(({ kind, id, expiresAt }) => [kind, id, expiresAt]))
  return JSON.stringify(values)
}

/** Whether a record has losses or objects. Only these lists end it in `]]]`, because `created_at`, a number, precedes them. */
function hasLists(record: string): boolean {
  return record.endsWith(']]]')
}

/**
 * Writes records (texts of StoredRecord) in one atomic batch. A request id that is in the log already changes neither the
 * log nor the sums. The ids in `records` must differ.
 */
export async function writeRecords(db: Db, records: readonly string[]): Promise<void> {
  if (records.length === 0) return
  // jsonb, because SQLite would otherwise parse a record once for every value.
  const listOf = (texts: readonly string[]) =>
    sql`select jsonb(value) as call from json_each(${`[${texts.join(',')}]`})`
  const readable = records.map(wellFormed)
  const withLists = readable.filter(hasLists)
  await db.batch([
    db.run(sql`
      with list as materialized (${listOf(readable)})
      insert into usage_logs (${sql.raw(COLUMNS)}) select ${sql.raw(VALUES.join())}
      from list where true on conflict (request_id) do nothing`),
    ...(withLists.length > 0
      ? [
          db.run(addToPromptLosses(listOf(withLists), LOSSES_AT)),
          db.run(addObjects(listOf(withLists), OBJECTS_AT)),
        ]
      : []),
    ...sumUp(db),
  ])
}

/** Escapes of lone surrogates and of null: stored, they would be invalid UTF-8 and make readers fail. */
const NO_CHARACTER = /\\u(?:d[89a-f]|0000)/i

/** A record's text with U+FFFD for lone surrogates and null characters. */
function wellFormed(record: string): string {
  if (!NO_CHARACTER.test(record)) return record
  const clean = (_: string, value: unknown) => (typeof value === 'string' ? storable(value) : value)
  return JSON.stringify(JSON.parse(record, clean))
}

/** For a batch: adds the log rows above usage_summed.log_id to all sums. Ids only grow, so these are the new rows. */
export function sumUp(db: Db) {
  const added = sql`usage_logs where id > (select log_id from usage_summed)`
  return [
    db.run(addToHourly(ofLog(added))),
    db.run(addToSums(ofLog(added))),
    db.run(addToLatency(latencyOfLog(added))),
    db.run(sql`update usage_summed set log_id = (select coalesce(max(id), 0) from usage_logs)`),
  ] as const
}

/** Use by user and key since `start` (ms, the start of a UTC day; 0 = ever). */
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
