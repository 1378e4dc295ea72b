/** What the parts of an import share: reading rows and the report. */
import type * as z from 'zod'
import type { Sha256 } from '../keys/mint.ts'
import type { Clock, Db } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import type { GoTable, ReadRows } from './go-rows.ts'

const SLICE = 500

export interface ImportReport {
  /** Rows imported, and rows that existed already, by table. */
  added: Record<GoTable, number>
  present: Record<GoTable, number>
  /** Rows that were not imported and why, e.g. `api_keys 7: …`. */
  skipped: string[]
}

export interface ImportParts {
  db: Db
  clock: Clock
  sha256: Sha256
  prices: Prices
  read: ReadRows
}

/** All rows of a table that parse, in slices; the others are added to `report.skipped`. */
export async function* rowsOf<S extends z.ZodType>(
  read: ReadRows,
  table: GoTable,
  schema: S,
  report: ImportReport,
) {
  for (let after = 0; ; ) {
    const slice = await read(table, after, SLICE)
    const rows: z.output<S>[] = []
    for (const raw of slice) {
      const parsed = schema.safeParse(raw)
      const id = Number(Reflect.get(Object(raw), 'id'))
      after = Math.max(after, id)
      if (parsed.success) rows.push(parsed.data)
      else {
        const [issue] = parsed.error.issues
        report.skipped.push(`${table} ${id}: ${issue?.path.join('.')}: ${issue?.message}`)
      }
    }
    if (rows.length > 0) yield rows
    if (slice.length < SLICE) return
  }
}
