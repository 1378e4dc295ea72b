/** Which database this is. */
import type { Db } from '../ports.ts'
import { databaseIdentity } from './schema.ts'

/** The database's random id, 16 hexadecimal digits. Throws what the database throws. */
export async function databaseId(db: Db): Promise<string> {
  const [row] = await db.select().from(databaseIdentity)
  if (!row) throw new Error('The database has lost its identity.')
  return row.identity
}
