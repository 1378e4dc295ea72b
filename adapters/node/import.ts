/** `cli import FILE`: reads the original gateway's database, never writes to it, and prints what came of it. */
import { existsSync } from 'node:fs'
import { createClient } from '@libsql/client'
import { systemClock } from '../../core/clock.ts'
import { Refusal } from '../../core/errors.ts'
import type { GoTable, ReadRows } from '../../core/import/go-rows.ts'
import { importGateway } from '../../core/import/import.ts'
import type { Db } from '../../core/ports.ts'
import type { Prices } from '../../core/usage/price.ts'
import { sha256 } from '../drivers/sha256.ts'

const MOST_REASONS = 20

export async function importFile(db: Db, prices: Prices, file: string): Promise<void> {
  if (!existsSync(file)) throw new Refusal('not_found', `There is no file ${file}.`)
  const old = createClient({ url: `file:${file}` })
  try {
    const tables = await old.execute("select name from sqlite_master where type = 'table'")
    const known = new Set(tables.rows.map(({ name }) => String(name)))
    if (!known.has('users') || !known.has('api_keys')) {
      throw new Refusal('body_invalid', `${file} is no database of the original gateway.`)
    }
    const read: ReadRows = async (table, after, limit) => {
      if (!known.has(table)) return []
      const sql = `select * from ${table} where id > ? order by id limit ?`
      return (await old.execute({ sql, args: [after, limit] })).rows
    }
    const { added, present, skipped } = await importGateway({ db, clock: systemClock, sha256, prices, read })
    for (const table of Object.keys(added) as GoTable[]) {
      // its keys are the tables' names
      console.log(`${table}: ${added[table]} imported, ${present[table]} here already`)
    }
    for (const reason of skipped.slice(0, MOST_REASONS)) console.log(`skipped ${reason}`)
    if (skipped.length > MOST_REASONS) console.log(`… and ${skipped.length - MOST_REASONS} more`)
  } finally {
    old.close()
  }
}
