/** Spend limits as they are set: by scope and period, with a temporary amount beside. Each change has its audit row. */
import { and, asc, eq, type SQL, sql } from 'drizzle-orm'
import { changeOf } from '../audit/change.ts'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { spendLimits } from '../db/schema.ts'
import { invalidField, nothingHere } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import { problem } from '../problems.ts'
import type { Period } from '../settings.ts'
import { timeText, usdOf } from '../units.ts'

export type SpendLimit = typeof spendLimits.$inferSelect

/** What a limit is of: `scopeId` is the id of a user or group, 0 for the organisation. */
export type LimitTarget = Pick<SpendLimit, 'scope' | 'scopeId' | 'period'>

export interface LimitChange {
  /** Micro-dollars; null = unlimited; 'none' = nothing is said, so that the next rule holds; undefined = unchanged. */
  amount?: number | null | 'none' | undefined
  /** Holds in place of the amount until then (ms since 1970); null = none; undefined = unchanged. */
  temporary?: { micros: number; until: number } | null | undefined
}

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

type Values = Pick<SpendLimit, 'isSet' | 'amountMicros' | 'temporaryMicros' | 'temporaryUntil'>
const NOTHING: Values = { isSet: false, amountMicros: null, temporaryMicros: null, temporaryUntil: null }

/**
 * Sets a limit from the next request on; undefined if nothing is left of it. What holds already is not audited. Throws a Refusal: invalid_input for an unknown
 * user or group and a temporary amount that is over already.
 */
export async function setSpendLimit(
  { db, clock, actor }: Parts,
  target: LimitTarget,
  change: LimitChange,
): Promise<SpendLimit | undefined> {
  const now = clock.now()
  if (change.temporary && change.temporary.until <= now) {
    throw invalidField('temporary_until', problem('future'))
  }
  const before = await limitOf(db, target)
  const after = changedValues(before ?? NOTHING, change)
  const isEmpty = !after.isSet && after.temporaryUntil === null
  if (isEmpty && before) await deleteSpendLimit({ db, clock, actor }, before.id)
  if (isEmpty) return undefined
  if (before && JSON.stringify(audited(before)) === JSON.stringify(audited(after))) return before
  await db.batch([
    upserting(db, target, after, now),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'limit.set',
      target: nameOf(target),
      ...changeOf(audited(before ?? NOTHING), audited(after)),
    }),
  ])
  const set = await limitOf(db, target)
  if (!set) throw invalidField('scope_id', 'the id of a user or group is expected, 0 for the organisation')
  return set
}

/** Throws a Refusal not_found. */
export async function deleteSpendLimit({ db, clock, actor }: Parts, id: number): Promise<void> {
  const [before] = await db.select().from(spendLimits).where(eq(spendLimits.id, id))
  if (!before) throw nothingHere()
  const [gone] = await db.batch([
    db.delete(spendLimits).where(eq(spendLimits.id, id)).returning({ id: spendLimits.id }),
    auditIfChanged(db, {
      actor,
      at: clock.now(),
      action: 'limit.delete',
      target: nameOf(before),
      before: audited(before),
    }),
  ])
  if (gone.length === 0) throw nothingHere()
}

/** By scope, owner and period. */
export function listSpendLimits(
  db: Db,
  filter: { scope?: SpendLimit['scope'] | undefined; scopeId?: number | undefined } = {},
): Promise<SpendLimit[]> {
  const { scope, scopeId } = filter
  return db
    .select()
    .from(spendLimits)
    .where(
      and(
        scope === undefined ? undefined : eq(spendLimits.scope, scope),
        scopeId === undefined ? undefined : eq(spendLimits.scopeId, scopeId),
      ),
    )
    .orderBy(asc(spendLimits.scope), asc(spendLimits.scopeId), asc(spendLimits.period))
}

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
  return db.delete(spendLimits).where(and(isOf({ scope: 'user', scopeId: userId, period }), condition))
}

/** The amounts that people have of their own for a period, in micro-dollars; those without are missing. */
export async function ownAmounts(
  db: Db,
  userIds: readonly number[],
  period: Period,
): Promise<ReadonlyMap<number, number>> {
  const ids = JSON.stringify(userIds)
  const rows = await db
    .select({ userId: spendLimits.scopeId, micros: spendLimits.amountMicros })
    .from(spendLimits)
    .where(
      and(
        eq(spendLimits.scope, 'user'),
        sql`${spendLimits.scopeId} in (select value from json_each(${ids}))`,
        eq(spendLimits.period, period),
        spendLimits.isSet,
      ),
    )
  return new Map(rows.flatMap(({ userId, micros }) => (micros === null ? [] : [[userId, micros] as const])))
}

async function limitOf(db: Db, target: LimitTarget): Promise<SpendLimit | undefined> {
  const [row] = await db.select().from(spendLimits).where(isOf(target))
  return row
}

function isOf({ scope, scopeId, period }: LimitTarget): SQL | undefined {
  return and(eq(spendLimits.scope, scope), eq(spendLimits.scopeId, scopeId), eq(spendLimits.period, period))
}

function changedValues(before: Values, { amount, temporary }: LimitChange): Values {
  const set =
    amount === undefined
      ? { isSet: before.isSet, amountMicros: before.amountMicros }
      : { isSet: amount !== 'none', amountMicros: amount === 'none' ? null : amount }
  if (temporary === undefined) {
    const { temporaryMicros, temporaryUntil } = before
    return { ...set, temporaryMicros, temporaryUntil }
  }
  return { ...set, temporaryMicros: temporary?.micros ?? null, temporaryUntil: temporary?.until ?? null }
}

function upserting(db: Db, { scope, scopeId, period }: LimitTarget, values: Values, now: number) {
  const { isSet, amountMicros, temporaryMicros, temporaryUntil } = values
  return db.run(sql`
    insert into spend_limits (scope, scope_id, period, amount_micros, is_set, temporary_micros, temporary_until,
      created_at, updated_at)
    select ${scope}, ${scopeId}, ${period}, ${amountMicros}, ${isSet ? 1 : 0}, ${temporaryMicros}, ${temporaryUntil},
      ${now}, ${now} where ${existsFor(scope, scopeId)}
    on conflict (scope, scope_id, period) do update set amount_micros = excluded.amount_micros, is_set = excluded.is_set,
      temporary_micros = excluded.temporary_micros, temporary_until = excluded.temporary_until,
      updated_at = excluded.updated_at`)
}

/** The built-in group has no members, so that it can have a pool only. */
function existsFor(scope: SpendLimit['scope'], id: number): SQL {
  if (scope === 'user') return sql`exists (select 1 from users where id = ${id} and deleted_at is null)`
  if (scope === 'organisation_each' || scope === 'organisation_pool') return id === 0 ? sql`true` : sql`false`
  const isLive = sql`exists (select 1 from groups where id = ${id} and deleted_at is null)`
  return scope === 'group_each' && id === 0 ? sql`false` : isLive
}

/** e.g. limit:user:7:monthly */
function nameOf({ scope, scopeId, period }: LimitTarget): string {
  return `limit:${scope}:${scopeId}:${period}`
}

function audited({ isSet, amountMicros, temporaryMicros, temporaryUntil }: Values) {
  return {
    is_set: isSet,
    amount_usd: amountMicros === null ? null : usdOf(amountMicros),
    temporary_usd: temporaryMicros === null ? null : usdOf(temporaryMicros),
    temporary_until: temporaryUntil === null ? null : timeText(temporaryUntil),
  }
}
