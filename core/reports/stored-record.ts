/** A finished call as text: what the journal stores and what is written to the log. */
import * as z from 'zod'
import { OBJECT_KINDS } from '../db/objects.ts'
import { LOSS_KINDS } from '../metering/prompt-losses.ts'
import type { CallRecord } from '../ports.ts'
import { storable } from '../text.ts'

const count = z.int().nonnegative()

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

/** The record in a text of StoredRecord. Throws if the text is none. */
export function parseRecord(text: string): CallRecord {
  const [
    id,
    userId,
    keyId,
    requestedModel,
    model,
    backend,
    inputTokens,
    outputTokens,
    cacheReadTokens,
    cacheWrite5mTokens,
    cacheWrite1hTokens,
    costMicros,
    statusCode,
    outcome,
    estimated,
    unpriced,
    stream,
    attempts,
    latencyMs,
    ttftMs,
    extra,
    createdAt,
    losses = [],
    made = [],
  ] = StoredRecord.parse(JSON.parse(text))
  return {
    ...{ id, userId, keyId, requestedModel, model, backend, inputTokens, outputTokens, cacheReadTokens },
    ...{
      cacheWrite5mTokens,
      cacheWrite1hTokens,
      costMicros,
      statusCode,
      outcome,
      estimated,
      unpriced,
      stream,
    },
    ...{ attempts, latencyMs, ttftMs, extra, createdAt },
    promptLosses: losses.map(([kind, reason, blocks, tokens]) => ({ kind, reason, blocks, tokens })),
    madeObjects: made.map(([kind, id, expiresAt]) => ({ kind, id, expiresAt })),
  }
}

/** Whether a record has losses or objects. Only these lists end it in `]]]`, because `created_at`, a number, precedes them. */
export function hasLists(record: string): boolean {
  return record.endsWith(']]]')
}

/** Escapes of lone surrogates and of null: stored, they would be invalid UTF-8 and make readers fail. */
const NO_CHARACTER = /\\u(?:d[89a-f]|0000)/i

/** A record's text with U+FFFD for lone surrogates and null characters. */
export function wellFormed(record: string): string {
  if (!NO_CHARACTER.test(record)) return record
  const clean = (_: string, value: unknown) => (typeof value === 'string' ? storable(value) : value)
  return JSON.stringify(JSON.parse(record, clean))
}
