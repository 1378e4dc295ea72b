/** What the dashboard shows of usage, beside the rows of the log. */
import { expect } from 'vitest'
import type { usageLogs } from '../../core/db/schema.ts'
import { totalTokens } from '../../core/metering/tokens.ts'
import type { Person } from './people.ts'

export type Row = typeof usageLogs.$inferSelect
type Key = string | number
/** What an answer has of one user, key, group, model or backend, and whose it is. */
// What a test reads of answers is checked by what it expects of them.
type Shown = Awaited<ReturnType<Person['get']>>['body']

const MAIN = ['requests', 'errors', 'total_tokens', 'cost_usd']
const DIMENSIONS: Record<string, (row: Row) => Key> = {
  user: (row) => row.userId,
  key: (row) => row.apiKeyId,
  group: (row) => row.billingGroupId,
  model: (row) => row.model,
  backend: (row) => row.backend,
  project: (row) => row.project,
}

export function microsOf(rows: readonly Row[]): number {
  return rows.reduce((sum, { costMicros }) => sum + costMicros, 0)
}

function totalsOf(rows: readonly Row[]) {
  return {
    requests: rows.length,
    errors: rows.filter(({ outcome }) => outcome !== 'ok').length,
    total_tokens: rows.reduce((sum, row) => sum + totalTokens(row), 0),
    cost_usd: microsOf(rows) / 1e6,
  }
}

const main = (shown: Shown) => Object.fromEntries(MAIN.map((name) => [name, shown[name]]))
const by = (rows: readonly Row[], keyOf: (row: Row) => Key) =>
  Object.fromEntries([...Map.groupBy(rows, keyOf)].map(([key, some]) => [key, totalsOf(some)]))
const shownBy = (list: Shown[], keyOf: (shown: Shown) => Key) =>
  Object.fromEntries(list.map((shown) => [keyOf(shown), main(shown)]))

/** Compares summary, reports, statements and the file of all calls with the log, which holds no calls of other months. */
export async function expectShown(boss: Person, rows: readonly Row[]): Promise<void> {
  const get = async (path: string): Promise<Shown> => (await boss.get(path)).body
  const summary = await get('/admin/api/usage/summary')
  expect(main(summary.totals)).toEqual(totalsOf(rows))
  expect(shownBy(summary.by_user, (one) => one.user_id)).toEqual(by(rows, (row) => row.userId))
  expect(shownBy(summary.by_key, (one) => one.api_key_id)).toEqual(by(rows, (row) => row.apiKeyId))
  for (const [name, keyOf] of Object.entries(DIMENSIONS)) {
    const report = await get(`/admin/api/reports?group_by=${name}&page_size=1000`)
    expect(main(report.totals)).toEqual(totalsOf(rows))
    expect(shownBy(report.rows, (one) => one[`${name}_id`] ?? one[name])).toEqual(by(rows, keyOf))
  }
  const month = new Date(rows[0]?.createdAt ?? 0).toISOString().slice(0, 7)
  const statements = await get(`/admin/api/reports/statements?month=${month}`)
  expect(shownBy(statements.groups, (one) => one.group_id)).toEqual(by(rows, (row) => row.billingGroupId))
  const [names = '', ...lines] = (await boss.get('/admin/api/usage/export')).text.trim().split('\r\n')
  const columns = names.split(',')
  const cellOf = (line: string, name: string) => line.split(',')[columns.indexOf(name)]
  const file = lines.map((line) => [cellOf(line, 'request_id'), Number(cellOf(line, 'cost_usd'))])
  expect(file).toHaveLength(rows.length)
  expect(Object.fromEntries(file)).toEqual(
    Object.fromEntries(rows.map(({ requestId, costMicros }) => [requestId, costMicros / 1e6])),
  )
}
