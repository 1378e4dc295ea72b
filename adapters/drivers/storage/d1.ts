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
    // drizzle 0.45 binds the parameters of a raw statement in a D1 batch to a prepared statement it never made.
    for (const query of queries) {
      if (is(query, SQLiteRaw)) Object.assign(query, { stmt: database.prepare(query.getQuery().sql) })
    }
    return batch(queries)
  }
  return db
}
