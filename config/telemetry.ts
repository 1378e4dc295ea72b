/** Settings of what the gateway tells of itself. */
import * as z from 'zod'
import { headerSecret, secret } from './secrets.ts'
import { section } from './section.ts'
import { collectorUrl, wait } from './values.ts'

export const metrics = section({
  /** null: no port of their own. */
  port: z.int().min(0).max(65_535).nullable().default(null),
  host: z.string().min(1).default('127.0.0.1'),
  token: headerSecret
    .refine((text) => text === '' || text.length >= 16, 'at least 16 characters are expected')
    .default(''),
})

export const headerName = z.string().regex(/^[a-z0-9-]{1,64}$/i, 'the name of a header is expected')
export const headerValue = secret.refine(
  (text) => /^[\x20-\x7e]*$/.test(text),
  'letters, digits, signs and spaces are expected, and no line breaks',
)
const headers = z.record(headerName, headerValue).default({})

export const otlp = section({
  /** '': nothing is exported. */
  endpoint: collectorUrl.default(''),
  headers,
  traces: z.boolean().default(true),
  metrics: z.boolean().default(true),
  /** How often metrics are exported. */
  interval: wait.default(60_000),
  /** The share of calls that are traced, of those whose callers send no trace of their own. */
  sample: z.number().min(0).max(1).default(1),
})

/** A collector of what Claude Code tells of itself. */
export const telemetryDestination = z.strictObject({
  endpoint: collectorUrl.refine((url) => url !== '', 'the address of a collector is expected'),
  headers,
  /** Logs and traces may hold commands and paths. */
  signals: z.array(z.enum(['metrics', 'logs', 'traces'])).default(['metrics']),
})
