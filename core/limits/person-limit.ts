/** Statements that set a person's limit beside something else: their account, or a request of theirs. */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { spendLimits } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import type { Period } from '../settings.ts'

/**
 * For a batch: sets the limit of a person if `condition` holds. An amount alone leaves what is temporary, unless it `raises` above
 * that, and a temporary amount leaves the other.
 */
export function grantingLimit(
  db: Db,
  person: { userId: number } | { itcode: string },
  {
    micros,
    period,
    until,
    raises = false,
  }: { micros: number; period: Period; until: number | null; raises?: boolean },
  { now, condition }: { now: number; condition: SQL },
) {
  const isPassed = raises ? sql`temporary_micros <= excluded.amount_micros` : sql`false`
  const [amount, temporary] = until === null ? [micros, null] : [null, micros]
  const isPerson = 'itcode' in person ? sql`itcode = ${person.itcode}` : sql`id = ${person.userId}`
  return db.run(sql`
    insert into spend_limits (scope, scope_id, period, amount_micros, is_set, temporary_micros, temporary_until,
      created_at, updated_at)
    select 'user', id, ${period}, ${amount}, ${until === null ? 1 : 0}, ${temporary}, ${until}, ${now}, ${now}
    from users where ${isPerson} and ${condition}
    on conflict (scope, scope_id, period) do update set updated_at = excluded.updated_at,
      amount_micros = iif(excluded.is_set, excluded.amount_micros, amount_micros), is_set = max(excluded.is_set, is_set),
      temporary_micros = iif(excluded.is_set, iif(${isPassed}, null, temporary_micros), excluded.temporary_micros),
      temporary_until = iif(excluded.is_set, iif(${isPassed}, null, temporary_until), excluded.temporary_until)`)
}

export interface Grant {
  micros: number
  period: Period
  /** Ms since 1970; null = for good. */
  until: number | null
  now: number
}

/** Whether the person's own limit that `grantingLimit` would replace is higher. */
export function hasHigherLimit(userId: SQL, { micros, period, until, now }: Grant): SQL {
  const isTemporary = until === null ? sql`false` : sql`temporary_until > ${now}`
  return sql`exists (select 1 from spend_limits where scope = 'user' and scope_id = ${userId} and period = ${period}
    and iif(${isTemporary}, temporary_micros > ${micros}, is_set and (amount_micros is null or amount_micros > ${micros})))`
}

/** A person's limit of a period as JSON, to be put back by `restoringLimit`: its `row` is null where they have none. */
export function rememberedLimit(userId: SQL, period: Period): SQL {
  return sql`json_object('period', ${period}, 'row', json((
    select json_object('amount', amount_micros, 'set', is_set, 'temporary', temporary_micros, 'until', temporary_until)
    from spend_limits where scope = 'user' and scope_id = ${userId} and period = ${period})))`
}

/** For a batch: puts back what was remembered if `condition` holds. `remembered` is a query of one JSON text. */
export function restoringLimit(
  db: Db,
  userId: number,
  remembered: SQL,
  { now, condition }: { now: number; condition: SQL },
) {
  const ofPerson = sql`scope = 'user' and scope_id = ${userId} and period = (${remembered}) ->> 'period' and ${condition}`
  const was = (name: string) => sql`(${remembered}) ->> ${sql.raw(`'$.row.${name}'`)}`
  return [
    db.run(sql`delete from spend_limits where ${ofPerson} and (${remembered}) ->> 'row' is null`),
    db.run(sql`update spend_limits set amount_micros = ${was('amount')}, is_set = ${was('set')},
      temporary_micros = ${was('temporary')}, temporary_until = ${was('until')}, updated_at = ${now}
      where ${ofPerson}`),
  ] as const
}

/** For a batch: removes the limit of a person if `condition` holds. */
export function removingLimit(db: Db, userId: number, period: Period, condition: SQL) {
  const isIt = and(
    eq(spendLimits.scope, 'user'),
    eq(spendLimits.scopeId, userId),
    eq(spendLimits.period, period),
  )
  return db.delete(spendLimits).where(and(isIt, condition))
}
