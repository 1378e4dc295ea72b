/** Limits that a call shares with others, as they are told to administrators. */
import { inArray } from 'drizzle-orm'
import { groups } from '../db/schema.ts'
import { readOrganisation } from '../organisation/read.ts'
import type { Db, Owner } from '../ports.ts'
import type { Period } from '../settings.ts'
import { usedByOwners } from './caps.ts'
import { ORGANISATION, ownerText } from './owner.ts'
import type { Periods } from './period.ts'
import { poolLimits } from './resolve.ts'

export interface UsedPool {
  /** null = that of the whole company. */
  group: { id: number; name: string } | null
  period: Period
  /** Micro-dollars. */
  micros: number
  usedMicros: number
  /** Ms since 1970. */
  resetsAt: number
}

/** Those of these groups, in their order, then of the company, with their use at `now` (ms since 1970). */
export async function poolsOf(
  { db, periods }: { db: Db; periods: Periods },
  groupIds: readonly number[],
  now: number,
): Promise<UsedPool[]> {
  const organisation = await readOrganisation(db)
  const owners: Owner[] = [...groupIds.map((id) => ({ scope: 'group', id }) as const), ORGANISATION]
  const [names, used] = await Promise.all([
    db
      .select({ id: groups.id, name: groups.name })
      .from(groups)
      .where(inArray(groups.id, [...groupIds])),
    usedByOwners({ db, periods }, owners.map(ownerText), now),
  ])
  return owners.flatMap((owner) => {
    const rows = owner.scope === 'group' ? (organisation.groups.get(owner.id)?.pool ?? []) : organisation.pool
    const group = names.find(({ id }) => owner.scope === 'group' && id === owner.id) ?? null
    return poolLimits(rows, now).amounts.flatMap(({ period, micros }) =>
      micros === undefined
        ? []
        : [
            {
              group,
              period,
              micros,
              usedMicros: used.get(`${ownerText(owner)} ${period}`) ?? 0,
              resetsAt: periods.spanOf(period, now).end,
            },
          ],
    )
  })
}
