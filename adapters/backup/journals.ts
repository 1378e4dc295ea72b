import { renameSync, statSync } from 'node:fs'
import { journalsIn } from '../drivers/ledger/journal-files.ts'
import { asideName } from '../drivers/storage/left-log.ts'

export interface Journals {
  /** Files that the next start writes to the database. */
  kept: number
  /** Files that were put aside, under their new names, because nothing shows that they belong to the database. */
  putAside: string[]
}

/** Decides which journals of dead servers belong to a database that was restored. `database`: its id, if it has one. */
export function sortJournals(folder: string, database: string | undefined): Journals {
  const filled = journalsIn(folder).flatMap((journal) =>
    journal.files
      .filter((file) => statSync(file).size > 0)
      .map((file) => ({ file, ours: database !== undefined && journal.database === database })),
  )
  const putAside = filled
    .filter(({ ours }) => !ours)
    .map(({ file }) => {
      const name = asideName(file)
      renameSync(file, name)
      return name
    })
  return { kept: filled.length - putAside.length, putAside }
}
