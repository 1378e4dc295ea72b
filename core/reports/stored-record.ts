/** A finished call as text: what the journal stores and what is written to the log. */
import * as z from 'zod'
import { OBJECT_KINDS } from '../db/objects.ts'
import { LOSS_KINDS } from '../metering/prompt-losses.ts'
import type { CallRecord } from '../ports.ts'
import { storable } from '../text.ts'

const count = z.int().nonnegative()

/** What a record has, in the order in which it is stored; its lists follow. */
const FIELDS = z.object({
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
const NAMES = FIELDS.keyof().options
const Lists = z.tuple([
  z.array(z.tuple([z.enum(LOSS_KINDS), z.string(), count, count])).optional(), // kind, reason, blocks, tokens
  z.array(z.tuple([z.enum(OBJECT_KINDS), z.string(), z.int().nullable()])).optional(), // kind, id, expires_at
])

/** A record as the JSON text of an array, which is half as long as an object and much cheaper to read and write. */
export function recordText(record: CallRecord): string {
  const values: unknown[] = NAMES.map((name) => record[name])
  const made = record.madeObjects ?? []
  if (record.promptLosses.length > 0 || made.length > 0) {
    values.push(record.promptLosses.map(({ kind, reason, blocks, tokens }) => [kind, reason, blocks, tokens]))
  }
  if (made.length > 0) values.push(made.map(({ kind, id, expiresAt }) => [kind, id, expiresAt]))
  return JSON.stringify(values)
}

/** The record in such a text. Throws if the text is none. */
export function parseRecord(text: string): CallRecord {
  const values = z.array(z.unknown()).parse(JSON.parse(text))
  const [losses = [], made = []] = Lists.parse(values.slice(NAMES.length))
  return {
    ...FIELDS.parse(Object.fromEntries(NAMES.map((name, at) => [name, values[at]]))),
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
