/** Whether a file is a backup that this version can use. */
import { createClient } from '@libsql/client'
import { getTableName } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/libsql'
import { databaseId } from '../../core/db/identity.ts'
import { missingMigrations, NewerSchema } from '../../core/db/migrate.ts'
import * as schema from '../../core/db/schema.ts'
import { Refusal } from '../../core/errors.ts'
import { connectionsClosed } from '../drivers/storage/close.ts'

export interface Checked {
  /** Rows of the log of usage. */
  calls: number
  /** Names of the migrations that the next start applies. */
  missing: string[]
  /** The database's id; undefined if it is older than such ids. */
  identity: string | undefined
}

/**
 * Checks a copy of a backup and makes it one file without a write-ahead log. `name` is what messages call it. Throws a Refusal
 * that says why it cannot be used: damaged, not ours, from a newer version.
 */
export async function checkBackup(copy: string, name: string): Promise<Checked> {
  const client = createClient({ url: `file:${copy}`, concurrency: 1 })
  try {
    await client.execute('pragma journal_mode = delete')
    const [check] = (await client.execute('pragma integrity_check(1)')).rows
    if (check?.integrity_check !== 'ok') {
      throw new Refusal('body_invalid', `${name} is damaged: ${check?.integrity_check}`)
    }
    const { rows } = await client.execute("select name from sqlite_master where type = 'table'")
    const tables = new Set(rows.map((row) => row.name))
    if (!tables.has('d1_migrations') || !tables.has('usage_logs')) {
      const isOriginal = tables.has('users') && tables.has('api_keys')
      const hint = isOriginal ? ' It is one of the original gateway: use import.' : ''
      throw new Refusal('body_invalid', `${name} is no database of this gateway.${hint}`)
    }
    const [counted] = (await client.execute('select count(*) as calls from usage_logs')).rows
    const db = drizzle(client, { schema })
    const missing = await missingMigrations(db)
    return {
      calls: Number(counted?.calls),
      missing: missing.map((migration) => migration.name),
      identity: tables.has(getTableName(schema.databaseIdentity)) ? await databaseId(db) : undefined,
    }
  } catch (cause) {
    if (cause instanceof Refusal) throw cause
    if (cause instanceof NewerSchema) throw new Refusal('body_invalid', `${name}: ${cause.message}`)
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Refusal('body_invalid', `${name} is no whole database: ${reason}`)
  } finally {
    client.close()
    await connectionsClosed()
  }
}
