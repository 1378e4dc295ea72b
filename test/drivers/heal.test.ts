/** The repair of texts at a start, beside another process that migrates the same database. */
import { rmSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import type { Sql } from '../../adapters/drivers/storage/client.ts'
import { connect } from '../../adapters/drivers/storage/connection.ts'
import { heal } from '../../adapters/drivers/storage/heal.ts'
import { patientSql } from '../../adapters/drivers/storage/patience.ts'
import { temporaryFolder } from '../support/stores.ts'

const folder = temporaryFolder()
afterAll(() => rmSync(folder.path, { recursive: true, force: true }))

test('a table that is renamed while it is read begins the repair again, which mends the texts under the new name', async () => {
  const sql = patientSql(connect(`${folder.path}/a.db`, 'pragma journal_mode = wal'))
  const run = (text: string) => sql.execute({ sql: text, args: [] })
  await run('create table old (name text)')
  await run("insert into old values (cast(x'61ff' as text))")
  let renamed = false
  /** As the database, with another process that renames the table as soon as its columns were read. */
  const migrating: Sql = {
    ...sql,
    async execute(statement) {
      const answer = await sql.execute(statement)
      if (!renamed && statement.sql.includes('pragma_table_info')) {
        renamed = true
        await run('alter table old rename to new')
      }
      return answer
    },
  }
  await heal(migrating)
  const { rows } = await run('select name from new')
  expect(rows).toEqual([['a\u{fffd}']])
  sql.close()
})

test('a database that cannot be read at all is an error', async () => {
  const broken: Sql = {
    execute: async () => connect(':memory:', '').execute({ sql: 'select * from nowhere', args: [] }),
    batch: async () => [],
  }
  await expect(heal(broken)).rejects.toThrow('no such table')
})
