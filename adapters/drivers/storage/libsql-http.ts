/** Db on a libSQL server (libsql://, http:// or https://). It needs only fetch, so it runs on every runtime. */
import { createClient } from '@libsql/client/web'
import { drizzle } from 'drizzle-orm/libsql/web'
import * as schema from '../../../core/db/schema.ts'
import { DatabaseUnavailable, rootOf } from '../../../core/errors.ts'
import type { Db } from '../../../core/ports.ts'
import type { Storage } from './libsql.ts'

const TIMEOUT_MS = 10_000

export function httpDatabase(url: string, authToken: string): { db: Db; close(): void } {
  /** Rejects with DatabaseUnavailable, which names address and cause. */
  const timed: typeof fetch = async (input, init) => {
    let answer: Response
    try {
      answer = await fetch(input, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })
    } catch (cause) {
      throw new DatabaseUnavailable(`The database at ${url} cannot be reached: ${reasonOf(rootOf(cause))}`, {
        cause,
      })
    }
    if (answer.status < 500) return answer
    throw new DatabaseUnavailable(`The database at ${url} answers ${answer.status}.`)
  }
  const client = createClient({ url, ...(authToken ? { authToken } : {}), fetch: timed })
  return { db: drizzle(client, { schema }), close: () => client.close() }
}

/** Connects to a libSQL server. */
export function openServer(url: string, authToken: string): Storage {
  const { db, close } = httpDatabase(url, authToken)
  return {
    db,
    close: async () => close(),
  }
}

/** Some errors of connections have no message but a code, such as ECONNREFUSED. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return cause.message || ('code' in cause ? String(cause.code) : cause.name)
}
