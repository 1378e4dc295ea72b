/** `cli restore FILE`: puts a backup in the place of the database. */
import type { Config } from '../../config/schema.ts'
import { Refusal } from '../../core/errors.ts'
import { restore } from '../backup/restore.ts'
import { createProgress } from './progress.ts'

const MB = 2 ** 20

export async function restoreFile({ database }: Config, file: string): Promise<void> {
  if (database.url) throw new Refusal('body_invalid', 'A libSQL server is restored where it runs.')
  const progress = createProgress('Copying', 'MB')
  const { calls, missing, kept, journals } = await restore(database.path, file, (bytes, total) =>
    progress.at(Math.round(bytes / MB), Math.round(total / MB)),
  ).finally(progress.end)
  console.log(`Restored ${file} to ${database.path}, with ${calls} calls.`)
  if (kept) console.log(`The former database is ${kept}.`)
  if (missing.length > 0)
    console.log(`It is of an older version: the next start applies ${missing.join(', ')}.`)
  if (journals.kept > 0) console.log('The next start adds what was still in the journal.')
  for (const name of journals.putAside) {
    console.log(`Put aside: ${name}. Nothing shows that these records belong to the restored database.`)
  }
}
