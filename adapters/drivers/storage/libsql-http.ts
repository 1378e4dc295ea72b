/** Db on a libSQL server (libsql://, http:// or https://). It needs only fetch, so it runs on every runtime. */
import { createClient } from '@libsql/client/web'
import { drizzle } from 'drizzle-orm/libsql/web'
import * as schema from '../../../core/db/schema.ts'
import type { Db } from '../../../core/ports.ts'

const TIMEOUT_MS = 10_000

export function httpDatabase(url: string, authToken: string): { db: Db; close(): void } {
  const timed: typeof fetch = (input, init) =>
    fetch(input, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })
  const client = createClient({ url, ...(authToken ? { authToken } : {}), fetch: timed })
  return { db: drizzle(client, { schema }), close: () => client.close() }
}
