/** Schemas of rows in the database of the original Go gateway. */
import * as z from 'zod'
import { LONGEST_MODEL_NAME } from '../models/name.ts'
import { storable } from '../text.ts'

/** A SQL timestamp, RFC 3339 or the text of Go's Time.String: 2026-02-22 10:11:12.123456789 +0800 CST m=+0.1. */
const WRITTEN =
  /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)(\.\d{1,12})? ?(Z|UTC|[+-]\d\d:?\d\d)?(?: (?:[A-Z]{1,6}|[+-]\d{2,4}))?(?: m=[+-][\d.]+)?$/

/** Ms since 1970; a time without a zone is UTC. Undefined if `text` is no time. */
export function parseTime(text: string): number | undefined {
  const [, day, time, fraction = '', zone = 'Z'] = WRITTEN.exec(text.trim()) ?? []
  if (!day || !time) return undefined
  const offset = zone === 'UTC' ? 'Z' : zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')
  const ms = Date.parse(`${day}T${time.length === 5 ? `${time}:00` : time}${fraction.slice(0, 4)}${offset}`)
  return Number.isNaN(ms) ? undefined : ms
}

const time = z.string().transform((text, context) => {
  const ms = parseTime(text)
  if (ms !== undefined) return ms
  context.addIssue({ code: 'custom', message: 'a time is expected' })
  return z.NEVER
})
/** Go writes the year 1 for a time that was never set. */
const optionalTime = z
  .union([z.literal(''), time])
  .nullable()
  .transform((at) => (at === '' || at === null || at < 0 ? null : at))
const count = z.int().nonnegative()
const written = z.string().transform(storable)
const text = written.nullable().transform((value) => value ?? '')
/** Cut to LONGEST_MODEL_NAME, because the Go gateway accepted names of any length. */
const model = text.transform((name) => name.slice(0, LONGEST_MODEL_NAME).toWellFormed())

export const GoUser = z.object({
  id: z.int().positive(),
  itcode: written,
  name: text,
  role: z.enum(['admin', 'user']),
  status: z.enum(['active', 'disabled']),
  quota_tokens: count,
  created_at: time,
  updated_at: time,
})
export const GoKey = z.object({
  id: z.int().positive(),
  user_id: z.int(),
  key: z.string().min(8),
  name: text,
  status: z.enum(['active', 'disabled']),
  expires_at: optionalTime,
  created_at: time,
  updated_at: time,
})
export const GoApplication = z.object({
  id: z.int().positive(),
  user_id: z.int(),
  model: model.refine((name) => name !== '', 'a model is expected'),
  reason: text,
  status: z.enum(['pending', 'approved', 'rejected']),
  reviewer_id: z.int().nullable(),
  review_note: written.nullable(),
  created_at: time,
  updated_at: time,
})
export const GoUsage = z.object({
  id: z.int().positive(),
  user_id: z.int(),
  api_key_id: z.int().nullable(),
  model,
  backend: text,
  input_tokens: count,
  output_tokens: count,
  cost_usd: z.number().nonnegative(),
  status_code: z.int(),
  latency_ms: count,
  created_at: time,
})

/** The columns that an import reads from each table. */
export const GO_COLUMNS = {
  users: Object.keys(GoUser.shape),
  api_keys: Object.keys(GoKey.shape),
  usage_logs: Object.keys(GoUsage.shape),
  applications: Object.keys(GoApplication.shape),
} as const

export type GoTable = keyof typeof GO_COLUMNS
/** Reads up to `limit` rows with ids above `after`, in order of id. */
export type ReadRows = (table: GoTable, after: number, limit: number) => Promise<unknown[]>
