/** `cli import FILE`: imports the original gateway's database, without writing to it, and prints the result. */
import { existsSync } from 'node:fs'
import { type Client, createClient, type Value } from '@libsql/client'
import type { Config } from '../../../config/schema.ts'
import { settingsFrom } from '../../../config/settings.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { GO_COLUMNS, type GoTable, type ReadRows } from '../../../core/import/go-rows.ts'
import { importGateway } from '../../../core/import/import.ts'
import { overLimit } from '../../../core/import/over-limit.ts'
import type { Db } from '../../../core/ports.ts'
import { usdOf } from '../../../core/units.ts'
import { sha256 } from '../../drivers/sha256.ts'
import { pricesFrom } from '../../shared/tables.ts'
import type { Result } from '../output.ts'
import { createProgress } from '../progress.ts'

const DECODER = new TextDecoder()
const MOST_REASONS = 20

export async function importFile(db: Db, config: Config, file: string): Promise<Result> {
  if (!existsSync(file)) throw new Refusal('not_found', `There is no file ${file}.`)
  const old = createClient({ url: `file:${file}` })
  try {
    const known = await columnsIn(old)
    if (known.users.length === 0 || known.api_keys.length === 0) {
      throw new Refusal('body_invalid', `${file} is no database of the original gateway.`)
    }
    const progress = createProgress('Reading usage_logs', 'rows')
    const total = known.usage_logs.length > 0 ? await countIn(old, 'usage_logs') : 0
    let done = 0
    const read: ReadRows = async (table, after, limit) => {
      if (known[table].length === 0) return []
      const sql = `select ${known[table].map(asBytes)} from ${table} where id > ? order by id limit ?`
      const { rows } = await old.execute({ sql, args: [after, limit] })
      if (table === 'usage_logs') {
        done += rows.length
        progress.at(done, total)
      }
      return rows.map((row) =>
        Object.fromEntries(known[table].map((column) => [column, textOf(row[column])])),
      )
    }
    const parts = { db, clock: systemClock, sha256, prices: pricesFrom(config), read }
    const { added, present, skipped } = await importGateway(parts).finally(progress.end)
    const tables = Object.keys(added) as GoTable[] // its keys are the tables' names
    const said = tables.map((table) => `${table}: ${added[table]} imported, ${present[table]} here already`)
    said.push(...skipped.slice(0, MOST_REASONS).map((reason) => `skipped ${reason}`))
    if (skipped.length > MOST_REASONS) said.push(`… and ${skipped.length - MOST_REASONS} more`)
    said.push(...(await overLimitLines(db, config)))
    return { said: said.join('\n'), fields: { imported: added, present, skipped } }
  } finally {
    old.close()
  }
}

/** Whom the gateway refuses from now on, so that nobody is shut out by surprise. */
async function overLimitLines(db: Db, config: Config): Promise<string[]> {
  const settings = settingsFrom(config)
  const over = await overLimit({ db, clock: systemClock, settings })
  if (over.length === 0) return []
  const lines = over.map(({ itcode, limit, used, allowed }) => {
    const [have, may] = limit === 'quota' ? [used, allowed] : [usdOf(used), usdOf(allowed)]
    const unit = limit === 'quota' ? 'tokens' : 'US dollars'
    return `  ${itcode}: ${have.toLocaleString('en')} of ${may.toLocaleString('en')} ${unit}`
  })
  return [`Over a limit already (limits.period: ${settings.limits.period}):`, ...lines]
}

async function countIn(old: Client, table: GoTable): Promise<number> {
  return Number((await old.execute(`select count(*) as n from ${table}`)).rows[0]?.n)
}

/** The existing columns of each table; none if the table is missing. */
async function columnsIn(old: Client): Promise<Record<GoTable, string[]>> {
  const columns: Record<GoTable, string[]> = { users: [], api_keys: [], usage_logs: [], applications: [] }
  // The cast holds because the keys are the names of the tables.
  for (const table of Object.keys(columns) as GoTable[]) {
    const there = await old.execute(
      `select name from pragma_table_info('${table}') where name in (${GO_COLUMNS[table].map((name) => `'${name}'`)})`,
    )
    columns[table] = there.rows.map(({ name }) => String(name))
  }
  return columns
}

/** SQL that selects text as bytes, because the native driver aborts the process at invalid UTF-8. */
function asBytes(column: string): string {
  return `case typeof(${column}) when 'text' then cast(${column} as blob) else ${column} end as ${column}`
}

function textOf(value: Value | undefined): unknown {
  return value instanceof ArrayBuffer ? DECODER.decode(value) : value
}
