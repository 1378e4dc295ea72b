/** A database with a company's four months of calls, made once for all files of a run. */
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inject } from 'vitest'
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { migrate } from '../../core/db/migrate.ts'
import { COMPANY, fillCompany } from '../support/company.ts'

/** The path of the file, which the first who asks makes. It is to be copied. */
export async function companyFile(): Promise<string> {
  const folder = inject('shared')
  const file = join(folder, 'company.db')
  // A folder is made by one alone.
  if (mkdirSync(join(folder, 'company'), { recursive: true }) === undefined) {
    while (!existsSync(file)) await sleep(100)
    return file
  }
  const making = join(folder, 'company', 'gateway.db')
  const { db, close } = await openFile(making)
  await migrate(db)
  await fillCompany(db, COMPANY)
  await close()
  // Whoever opens a database first reads all its texts: adapters/drivers/storage/heal.ts.
  await (await openFile(making)).close()
  renameSync(making, file)
  return file
}
