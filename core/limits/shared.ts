/**
 * Limits of users and keys in the database, for processes that share nothing else. As in counters.ts, but what decides is
 * one batch: its first statement writes, so that no other can come between what it reads and the hold it takes.
 *
 * Decision: times are of the process's clock, as everywhere in the database, instead of SQLite's own, which gives each
 * statement of a batch another one. Clocks that differ by a second make a minute a second longer or shorter.
 */
import { and, eq, lte, type SQL, sql } from 'drizzle-orm'
import { ledgerHolds, usageSums } from '../db/schema.ts'
import { totalTokens } from '../metering/tokens.ts'
import type { Admission, Admitted, CallRecord, Db, Limits } from '../ports.ts'
import { ofUserSince, TOTAL_TOKENS } from '../reports/totals.ts'
import { MINUTE_MS } from '../units.ts'
import { HOLD_EXPIRY_MS, refusalOf, SCARCE_CASES, shareUsed } from './decide.ts'
import type { PeriodSpan } from './period.ts'

const standing = (column: string) => sql<number>`${sql.raw(column)}`.mapWith(Number)

/** Admits a call and holds its estimate, in one batch. `span` is the period that holds `now` (ms since 1970). */
export async function reserveShared(
  db: Db,
  call: Admission,
  span: PeriodSpan,
  now: number,
): Promise<Admitted> {
  const { id, userId, keyId } = call.begun
  const { usual, worst } = call
  const scopes = scopesOf(call, span, now)
  const rated = call.user.requestsPerMinute > 0 || call.key.requestsPerMinute > 0
  const minuteEndsAt = rated ? now + MINUTE_MS : 0
  const [, states] = await db.batch([
    db.delete(ledgerHolds).where(and(eq(ledgerHolds.userId, userId), lte(ledgerHolds.endsAt, now))),
    db
      .select({
        scope: sql<'user' | 'key'>`scope`,
        tokens: standing('tokens'),
        costMicros: standing('micros'),
        heldTokens: standing('held_tokens'),
        heldMicros: standing('held_micros'),
        running: standing('running'),
        freeAt: standing('free_at'),
        isFull: standing('is_full'),
      })
      .from(sql`(${scopes})`),
    // In the order of the table's columns.
    db
      .insert(ledgerHolds)
      .select(sql`select ${id}, ${userId}, ${keyId}, iif(is_scarce, ${worst.tokens}, ${usual.tokens}),
        iif(is_scarce, ${worst.costMicros}, ${usual.costMicros}), 1, ${minuteEndsAt}, ${now + HOLD_EXPIRY_MS}
        from (select max(is_full) as is_full, max(is_scarce) as is_scarce from (${scopes})) where not is_full`),
  ])
  const of = (scope: 'user' | 'key') => {
    const state = states.find((one) => one.scope === scope)
    if (!state) throw new Error('the database answered nothing about a limit')
    return { ...state, waitMs: Math.max(0, state.freeAt - now) }
  }
  const [user, key] = [of('user'), of('key')]
  if (states.every(({ isFull }) => !isFull)) {
    return { ok: true, used: shareUsed(user, call.user), resetAt: span.end }
  }
  const refusal = refusalOf(call, user, key, { now, periodEnd: span.end })
  if (!refusal) throw new Error('the database refused a call that is within its limits')
  return refusal
}

/**
 * The call is over: what it held becomes what it used, until its row is in usage_logs. A call of an earlier period than
 * the one that began at `start` (ms) no longer counts. Does nothing for a call that holds nothing.
 */
export async function settleShared(db: Db, record: CallRecord, start: number): Promise<void> {
  const counts = record.createdAt >= start
  const used = { tokens: counts ? totalTokens(record) : 0, costMicros: counts ? record.costMicros : 0 }
  await db
    .update(ledgerHolds)
    .set({ ...used, running: false })
    .where(and(eq(ledgerHolds.id, record.id), eq(ledgerHolds.running, true)))
}

/** Removes holds that ended before `now` (ms): those of users who do not call again, which no reservation removes. */
export async function sweepHolds(db: Db, now: number): Promise<void> {
  await db.delete(ledgerHolds).where(lte(ledgerHolds.endsAt, now))
}

/**
 * Two rows, of the user and of the key: what they used in the period and hold, how many calls run, when the last minute
 * has room again (free_at, ms; 0 while it has), and as decide.ts has it whether anything is used up (is_full) and
 * whether little is left (is_scarce).
 */
function scopesOf(call: Admission, span: PeriodSpan, now: number): SQL {
  const { userId, keyId } = call.begun
  const ofKey = sql`api_key_id = ${keyId}`
  return sql`
    with by_key as materialized (
      select api_key_id, ${TOTAL_TOKENS} as tokens, sum(cost_micros) as micros, 0 as held_tokens, 0 as held_micros,
        0 as running
      from ${usageSums} where ${ofUserSince(userId, span.start)} group by api_key_id
      union all
      select api_key_id, iif(running, 0, tokens), iif(running, 0, cost_micros), iif(running, tokens, 0),
        iif(running, cost_micros, 0), running
      from ledger_holds where user_id = ${userId})
    ${scopeOf(sql`'user'`, sql`true`, { call, limits: call.user, now })}
    union all
    ${scopeOf(sql`'key'`, ofKey, { call, limits: call.key, now })}`
}

function scopeOf(
  scope: SQL,
  isInScope: SQL,
  { call, limits, now }: { call: Admission; limits: Limits; now: number },
): SQL {
  const { quotaTokens, budgetMicros, concurrentRequests, requestsPerMinute } = limits
  const { begun, worst } = call
  // Of the newest requests, as many as a minute allows, the oldest is the first whose end makes room.
  const freeAt = sql`(select minute_ends_at from ledger_holds where user_id = ${begun.userId}
    and minute_ends_at > ${now} and ${isInScope} order by minute_ends_at desc limit 1 offset ${requestsPerMinute - 1})`
  return sql`
    select scope, tokens, micros, held_tokens, held_micros, running, free_at,
      (${quotaTokens} > 0 and tokens + held_tokens >= ${quotaTokens})
        or (${budgetMicros} > 0 and micros + held_micros >= ${budgetMicros})
        or (${concurrentRequests} > 0 and running >= ${concurrentRequests}) or free_at > 0 as is_full,
      (${quotaTokens} > 0 and ${quotaTokens} - tokens - held_tokens < ${SCARCE_CASES * worst.tokens})
        or (${budgetMicros} > 0 and ${budgetMicros} - micros - held_micros < ${SCARCE_CASES * worst.costMicros})
        as is_scarce
    from (select ${scope} as scope, total(tokens) as tokens, total(micros) as micros,
      total(held_tokens) as held_tokens, total(held_micros) as held_micros, total(running) as running,
      ${requestsPerMinute > 0 ? sql`coalesce(${freeAt}, 0)` : sql`0`} as free_at
      from by_key where ${isInScope})`
}
