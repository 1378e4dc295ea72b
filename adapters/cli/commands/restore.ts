/** `cli restore FILE`: puts a backup in the place of the database. */
import type { Config } from '../../../config/schema.ts'
import { Refusal } from '../../../core/errors.ts'
import { restore } from '../../backup/restore.ts'
import type { Result } from '../output.ts'
import { createProgress } from '../progress.ts'

const MB = 2 ** 20

export async function restoreFile({ database }: Config, file: string): Promise<Result> {
  if (database.url) throw new Refusal('body_invalid', 'A libSQL server is restored where it runs.')
  const progress = createProgress('Copying', 'MB')
  const { calls, missing, kept, journals } = await restore(database.path, file, (bytes, total) =>
    progress.at(Math.round(bytes / MB), Math.round(total / MB)),
  ).finally(progress.end)
  const said = [
    `Restored ${file} to ${database.path}, with ${calls} calls.`,
    kept && `The former database is ${kept}.`,
    missing.length > 0 && `It is of an older version: the next start applies ${missing.join(', ')}.`,
    journals.kept > 0 && 'The next start adds what was still in the journal.',
    ...journals.putAside.map(
      (name) => `Put aside: ${name}. Nothing shows that these records belong to the restored database.`,
    ),
  ].filter(Boolean)
  const fields = { file, database: database.path, calls, former: kept ?? null, put_aside: journals.putAside }
  return { said: said.join('\n'), fields }
}
