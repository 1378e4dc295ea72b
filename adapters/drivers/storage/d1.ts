/** Db on Cloudflare D1. */
import { is } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { SQLiteRaw } from 'drizzle-orm/sqlite-core/query-builders/raw'
import * as schema from '../../../core/db/schema.ts'
import type { Db } from '../../../core/ports.ts'

export function d1Storage(database: D1Database): Db {
  const db = drizzle(database, { schema })
  const batch = db.batch.bind(db)
  db.batch = (queries) => {
    // drizzle 0.45 does not prepare raw statements in a D1 batch before it binds their parameters.
    for (const query of queries) {
      if (is(query, SQLiteRaw)) Object.assign(query, { stmt: database.prepare(query.getQuery().sql) })
    }
    return batch(queries)
  }
  return db
}
