/** A finished call as text: what the journal stores and what is written to the log. */
import * as z from 'zod'
import { OBJECT_KINDS } from '../db/objects.ts'
import { createPeriods } from '../limits/period.ts'
import { LOSS_KINDS } from '../metering/prompt-losses.ts'
import type { CallRecord } from '../ports.ts'
import { NOT_BOOKED } from '../record.ts'
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
const LISTS = [
  z.array(z.tuple([z.enum(LOSS_KINDS), z.string(), count, count])).default([]), // kind, reason, blocks, tokens
  z.array(z.tuple([z.enum(OBJECT_KINDS), z.string(), z.int().nullable()])).default([]), // kind, id, expires_at
] as const
/** What follows the lists, in its order. Records of earlier releases end before it. */
const BOOKED = z.object({
  billingGroupIds: z.tuple([z.int()], z.int()),
  periodStarts: z.tuple([z.int(), z.int(), z.int()]),
  client: z.string(),
  project: z.string(),
  inputMicros: count,
  outputMicros: count,
  cacheReadMicros: count,
  cacheWrite5mMicros: count,
  cacheWrite1hMicros: count,
  serverToolMicros: count,
  savedMicros: z.int(),
  webSearches: count,
  serviceTier: z.string(),
  speed: z.string(),
  geo: z.string(),
  contextWindow: z.string(),
})
const BOOKED_NAMES = BOOKED.keyof().options
/** What follows those: owner, period, start, micros of each limit. Records of earlier releases have none. */
const LIMITS = z.array(
  z.tuple([z.string(), z.enum(['daily', 'weekly', 'monthly', 'total']), z.int(), z.int()]),
)
/** What follows those, each a text. Records of earlier releases have none. */
const TOLD = z.object({ session: z.string(), error: z.string(), upstreamId: z.string(), story: z.string() })
const TOLD_NAMES = TOLD.keyof().options
const NOT_TOLD: z.infer<typeof TOLD> = { session: '', error: '', upstreamId: '', story: '' }
const BOOKED_AT = NAMES.length + LISTS.length
const LIMITS_AT = BOOKED_AT + BOOKED_NAMES.length
const TOLD_AT = LIMITS_AT + 1
/** The end of a record's text, from the end of its limits on. A text holds no bare quote, so that nothing else looks like it. */
const END = /\](?:,"(?:[^"\\]|\\.)*"){4},[01]\]$/
const UTC = createPeriods('UTC')

/**
 * A record as the JSON text of an array, which is half as long as an object and much cheaper to read and write. Its members are
 * named one by one, because reading them by a list of names takes twice as long, and it runs twice per call.
 */
export function recordText(record: CallRecord): string {
  const { promptLosses, madeObjects = [] } = record
  return JSON.stringify([
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
    promptLosses.map(({ kind, reason, blocks, tokens }) => [kind, reason, blocks, tokens]),
    madeObjects.map(({ kind, id, expiresAt }) => [kind, id, expiresAt]),
    record.billingGroupIds,
    record.periodStarts,
    record.client,
    record.project,
    record.inputMicros,
    record.outputMicros,
    record.cacheReadMicros,
    record.cacheWrite5mMicros,
    record.cacheWrite1hMicros,
    record.serverToolMicros,
    record.savedMicros,
    record.webSearches,
    record.serviceTier,
    record.speed,
    record.geo,
    record.contextWindow,
    record.limits ?? [],
    record.session,
    record.error,
    record.upstreamId,
    record.story,
    promptLosses.length + madeObjects.length > 0 ? 1 : 0,
  ])
}

/** The record in such a text, also of an earlier release. Throws if the text is none. */
export function parseRecord(text: string): CallRecord {
  const values = z.array(z.unknown()).parse(JSON.parse(text))
  const fields = FIELDS.parse(named(NAMES, values))
  const [losses, made] = z.tuple(LISTS).parse([values[NAMES.length], values[NAMES.length + 1]])
  const isBooked = values.length > BOOKED_AT
  const limits = Array.isArray(values[LIMITS_AT]) ? LIMITS.parse(values[LIMITS_AT]) : []
  const told = values.length > TOLD_AT + 1 ? TOLD.parse(named(TOLD_NAMES, values.slice(TOLD_AT))) : NOT_TOLD
  return {
    ...fields,
    ...told,
    promptLosses: losses.map(([kind, reason, blocks, tokens]) => ({ kind, reason, blocks, tokens })),
    madeObjects: made.map(([kind, id, expiresAt]) => ({ kind, id, expiresAt })),
    ...(isBooked ? BOOKED.parse(named(BOOKED_NAMES, values.slice(BOOKED_AT))) : unbooked(fields.createdAt)),
    ...(limits.length > 0 ? { limits } : {}),
  }
}

function named(names: readonly string[], values: readonly unknown[]) {
  return Object.fromEntries(names.map((name, at) => [name, values[at]]))
}

/** What is known of a call of an earlier release, which counted in UTC. */
function unbooked(createdAt: number): z.infer<typeof BOOKED> {
  return { ...NOT_BOOKED, periodStarts: [...UTC.startsAt(createdAt)] }
}

/** Whether a record has losses or objects. */
export function hasLists(record: string): boolean {
  return record.endsWith(',1]')
}

/** The limits in a record, as they are between the brackets of a JSON list; '' without any. Read without parsing the rest. */
export function limitsIn(record: string): string {
  const end = END.exec(record)?.index
  if (end === undefined || record[end - 1] !== ']') return ''
  return record.slice(record.lastIndexOf(',[[', end) + 2, end)
}

/** Whether an earlier release wrote it, so that it lacks some of what follows the lists. */
function isEarlier(record: string): boolean {
  return !END.test(record)
}

/** Escapes of lone surrogates and of null: stored, they would be invalid UTF-8 and make readers fail. */
const NO_CHARACTER = /\\u(?:d[89a-f]|0000)/i

/** A record's text in the form of this release, with U+FFFD for lone surrogates and null characters. */
export function wellFormed(record: string): string {
  const current = isEarlier(record) ? recordText(parseRecord(record)) : record
  if (!NO_CHARACTER.test(current)) return current
  const clean = (_: string, value: unknown) => (typeof value === 'string' ? storable(value) : value)
  return JSON.stringify(JSON.parse(current, clean))
}
