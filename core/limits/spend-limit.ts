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
 * Sets a limit from the next request on; undefined if nothing is left of it. What holds already is not audited. Throws a Refusal:
 * invalid_input for an unknown user or group and a temporary amount that is over already.
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
  const was = audited(before ?? NOTHING)
  if (before && JSON.stringify(was) === JSON.stringify(audited(after))) return before
  const isEmpty = !after.isSet && after.temporaryUntil === null
  if (isEmpty && !before) return undefined
  const [written] = await db.batch([
    isEmpty && before ? removing(db, target, before) : writing(db, { target, before, after, now }),
    auditIfChanged(db, {
      actor,
      at: now,
      target: nameOf(target),
      ...(isEmpty
        ? { action: 'limit.delete', before: was }
        : { action: 'limit.set', ...changeOf(was, audited(after)) }),
    }),
  ])
  const current = await limitOf(db, target)
  if (written.length > 0) return current
  if (JSON.stringify(current) === JSON.stringify(before)) {
    throw invalidField('scope_id', 'the id of a user or group is expected, 0 for the organisation')
  }
  // Somebody else changed it meanwhile, which is not to be lost.
  return setSpendLimit({ db, clock, actor }, target, change)
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

/** The same of one person; 0 = none. */
export async function ownAmount(db: Db, userId: number, period: Period): Promise<number> {
  return (await ownAmounts(db, [userId], period)).get(userId) ?? 0
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

/** For a batch: the row's id if the limit is still what it was `before`, and what it is of is there. */
function writing(
  db: Db,
  {
    target,
    before,
    after,
    now,
  }: { target: LimitTarget; before: Values | undefined; after: Values; now: number },
) {
  const { scope, scopeId, period } = target
  const { isSet, amountMicros, temporaryMicros, temporaryUntil } = after
  if (!before) {
    return db.all<{ id: number }>(sql`
      insert into spend_limits (scope, scope_id, period, amount_micros, is_set, temporary_micros, temporary_until,
        created_at, updated_at)
      select ${scope}, ${scopeId}, ${period}, ${amountMicros}, ${isSet ? 1 : 0}, ${temporaryMicros}, ${temporaryUntil},
        ${now}, ${now} where ${existsFor(scope, scopeId)}
      on conflict do nothing
      returning id`)
  }
  return db.all<{ id: number }>(sql`
    update spend_limits set amount_micros = ${amountMicros}, is_set = ${isSet ? 1 : 0},
      temporary_micros = ${temporaryMicros}, temporary_until = ${temporaryUntil}, updated_at = ${now}
    where ${isStill(target, before)} and ${existsFor(scope, scopeId)}
    returning id`)
}

/** For a batch, as `writing`. */
function removing(db: Db, target: LimitTarget, before: Values) {
  return db.all<{ id: number }>(sql`delete from spend_limits where ${isStill(target, before)} returning id`)
}

function isStill(target: LimitTarget, { isSet, amountMicros, temporaryMicros, temporaryUntil }: Values): SQL {
  return sql`${isOf(target)} and (is_set, amount_micros, temporary_micros, temporary_until)
    is (${isSet ? 1 : 0}, ${amountMicros}, ${temporaryMicros}, ${temporaryUntil})`
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
