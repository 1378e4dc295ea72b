/** A database in memory, migrated and empty: by itself, because the other drivers take seconds to load. */
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { migrate } from '../../core/db/migrate.ts'
import type { Db } from '../../core/ports.ts'

export interface OpenedStore {
  db: Db
  close(): Promise<void>
}

export async function memoryStore(): Promise<OpenedStore> {
  const { db, close } = await openFile(':memory:')
  await migrate(db)
  return { db, close }
}
