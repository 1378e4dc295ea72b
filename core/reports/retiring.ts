/** Models that end soon, and who used them, so that these people can be told. */
import type { ListedModel } from '../models/catalogue.ts'
import { endOf } from '../models/describe.ts'
import type { Db } from '../ports.ts'
import { DAY_MS } from '../units.ts'
import { reportDates } from './buckets.ts'
import { reportOf } from './report.ts'

const SOON_DAYS = 60
const USED_DAYS = 30

export interface RetiringModel {
  model: ListedModel
  /** Ms since 1970; may be over. */
  retiresAt: number
  /** Who used it, by any of its names, in the last 30 days; the most calls first. */
  users: { userId: number; itcode: string | null; requests: number; costMicros: number }[]
}

/** The listed models that end within 60 days of `now` (ms since 1970), the first first. `canonical` tells what a name means. */
export async function retiringModels(
  db: Db,
  models: readonly ListedModel[],
  { canonical, now }: { canonical(model: string): string; now: number },
): Promise<RetiringModel[]> {
  const retiring = models
    .map((model) => ({ model, retiresAt: endOf(model) }))
    .filter(({ retiresAt }) => retiresAt <= now + SOON_DAYS * DAY_MS)
    .sort((a, b) => a.retiresAt - b.retiresAt)
  if (retiring.length === 0) return []
  const startDate = new Date(now - (USED_DAYS - 1) * DAY_MS).toISOString().slice(0, 10)
  const used = await reportOf(
    db,
    {
      dimensions: ['user', 'model'],
      bucket: 'none',
      filter: {},
      dates: reportDates({ startDate, timeZone: 'UTC' }, 'none', now),
      compare: false,
      sort: 'requests',
      order: 'desc',
    },
    { skip: 0, take: undefined },
  )
  return retiring.map(({ model, retiresAt }) => {
    const users = new Map<number, RetiringModel['users'][number]>()
    for (const { userId = 0, itcode = null, requests, costMicros, ...row } of used.rows) {
      if (canonical(row.model ?? '') !== canonical(model.id)) continue
      const before = users.get(userId) ?? { userId, itcode, requests: 0, costMicros: 0 }
      const sums = { requests: before.requests + requests, costMicros: before.costMicros + costMicros }
      users.set(userId, { ...before, ...sums })
    }
    return { model, retiresAt, users: [...users.values()].sort((a, b) => b.requests - a.requests) }
  })
}
