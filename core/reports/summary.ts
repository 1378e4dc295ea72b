/** Use in a range, in total and by model, backend, user and key. */

import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { keptSince } from '../retention/retention.ts'
import { FIGURES, type Figures, MAIN_FIGURES, type MainFigures } from './charts.ts'
import { nameOfGateway } from './gateway-calls.ts'
import { type Filter, sumsOf, withOwner } from './query.ts'
import { type Range, readable } from './range.ts'

/** Each list has the most expensive first. */
export interface Summary {
  totals: Figures
  byModel: ({ model: string } & Figures)[]
  byBackend: ({ backend: string } & Figures)[]
  /** At most 50. */
  byUser: ({ userId: number; itcode: string | null } & MainFigures)[]
  /** At most 50. Deleted keys keep their names. */
  byKey: ({ keyId: number; keyName: string | null; userId: number } & MainFigures)[]
}

const LONGEST = 50

export async function summarize(db: Db, filter: Filter, asked: Range): Promise<Summary> {
  const known = await withOwner(db, filter)
  if (!known) return { totals: addedUp([]), byModel: [], byBackend: [], byUser: [], byKey: [] }
  const range = readable(asked, await keptSince(db))
  const places = await db.all<{ model: string; backend: string } & Figures>(sql`
    select model, backend, ${FIGURES} from (${sumsOf(known, [range])}) group by model, backend`)
  const people = await db.all<{ userId: number; keyId: number } & MainFigures>(sql`
    select user_id as userId, api_key_id as keyId, ${MAIN_FIGURES} from (${sumsOf(known, [range], { people: true })})
    group by user_id, api_key_id`)
  const users = grouped(people, ({ userId }) => userId, mainOf).slice(0, LONGEST)
  const keys = people.sort(byCost).slice(0, LONGEST)
  const [itcodes, names] = [
    await namesOf(db, sql`select id, itcode as name from users`, users, ([{ userId }]) => userId),
    await namesOf(db, sql`select id, name from api_keys`, keys, ({ keyId }) => keyId),
  ]
  return {
    totals: addedUp(places),
    byModel: grouped(places, ({ model }) => model, addedUp).map(([{ model }, sum]) => ({ model, ...sum })),
    byBackend: grouped(places, ({ backend }) => backend, addedUp).map(([{ backend }, sum]) => {
      return { backend, ...sum }
    }),
    byUser: users.map(([{ userId }, sum]) => ({
      userId,
      itcode: itcodes.get(userId) ?? nameOfGateway(userId),
      ...sum,
    })),
    byKey: keys.map((key) => ({ ...key, keyName: names.get(key.keyId) ?? null })),
  }
}

/** Groups rows by name: the first row and the sum of each group, the most expensive first. */
function grouped<T, F extends MainFigures>(
  rows: readonly T[],
  nameOf: (row: T) => string | number,
  add: (rows: readonly T[]) => F,
): [T, F][] {
  const groups = [...Map.groupBy(rows, nameOf).values()]
  const sums = groups.flatMap((group) => (group[0] === undefined ? [] : [[group[0], add(group)] as [T, F]]))
  return sums.sort(([, a], [, b]) => byCost(a, b))
}

function byCost(a: MainFigures, b: MainFigures): number {
  return b.costMicros - a.costMicros || b.requests - a.requests
}

function mainOf(rows: readonly MainFigures[]): MainFigures {
  const sum = { requests: 0, errors: 0, totalTokens: 0, costMicros: 0 }
  for (const row of rows) add(sum, row)
  return sum
}

function addedUp(rows: readonly Figures[]): Figures {
  const sum = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }
  for (const row of rows) add(sum, row)
  return { ...sum, ...mainOf(rows) }
}

/** Adds to each figure of `sum` the same one of `row`. */
function add<F extends string>(sum: Record<F, number>, row: NoInfer<Readonly<Record<F, number>>>) {
  for (const figure in sum) sum[figure] += row[figure]
}

async function namesOf<T>(
  db: Db,
  from: SQL,
  rows: readonly T[],
  idOf: (row: T) => number,
): Promise<Map<number, string>> {
  const ids = JSON.stringify(rows.map(idOf))
  const named = await db.all<{ id: number; name: string }>(
    sql`${from} where id in (select value from json_each(${ids}))`,
  )
  return new Map(named.map(({ id, name }) => [id, name]))
}
