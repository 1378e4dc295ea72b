/**
 * Limits of users and keys in the database, for processes that share nothing else. As in holds.ts, but what decides is
 * one batch: its first statement writes, so that no other can come between what it reads and the hold it takes.
 *
 * Decision: times are of the process's clock, as everywhere in the database, instead of SQLite's own, which gives each
 * statement of a batch another one. Clocks that differ by a second make a minute a second longer or shorter.
 */
import { and, eq, lte, type SQL, sql } from 'drizzle-orm'
import { ledgerHolds, usageSums } from '../db/schema.ts'
import type { Admission, Admitted, CallRecord, Db, LimitName, Limits } from '../ports.ts'
import { ofUserSince, TOTAL_TOKENS } from '../usage/totals.ts'
import { BUSY_RETRY_MS, MINUTE_MS, shareUsed, tokensOf } from './counters.ts'
import type { Span } from './period.ts'

/** No call is silent for as long, and a hold that outlives its process holds no longer. */
const LEASE_MS = 3_600_000

/** Admits a call and holds its estimate, in one batch. `span` is the period that holds `now` (ms since 1970). */
export async function admitShared(db: Db, call: Admission, span: Span, now: number): Promise<Admitted> {
  const { id, userId, keyId } = call.begun
  const scopes = scopesOf(call, span, now)
  const rated = call.user.requestsPerMinute > 0 || call.key.requestsPerMinute > 0
  const minuteEndsAt = rated ? now + MINUTE_MS : 0
  const [, states] = await db.batch([
    db.delete(ledgerHolds).where(and(eq(ledgerHolds.userId, userId), lte(ledgerHolds.endsAt, now))),
    db
      .select({
        scope: sql<'user' | 'key'>`scope`,
        tokens: sql<number>`tokens`.mapWith(Number),
        costMicros: sql<number>`micros`.mapWith(Number),
        freeAt: sql<number>`free_at`.mapWith(Number),
        exceeded: sql<LimitName | null>`exceeded`,
      })
      .from(sql`(${scopes})`),
    // In the order of the table's columns.
    db
      .insert(ledgerHolds)
      .select(sql`select ${id}, ${userId}, ${keyId}, ${call.tokens}, ${call.costMicros}, 1, ${minuteEndsAt},
        ${now + LEASE_MS} where not exists (select 1 from (${scopes}) where exceeded is not null)`),
  ])
  const refused = states.find(({ exceeded }) => exceeded)
  if (refused?.exceeded) {
    const { exceeded: limit, scope, freeAt } = refused
    return { ok: false, limit, scope, resetAt: resetAtOf(limit, { freeAt, now, end: span.end }) }
  }
  const user = states.find(({ scope }) => scope === 'user')
  return { ok: true, used: user && shareUsed(user, call.user), resetAt: span.end }
}

/**
 * The call is over: what it held becomes what it used, until its row is in usage_logs. A call of an earlier period than
 * the one that began at `start` (ms) no longer counts. Does nothing for a call that holds nothing.
 */
export async function settleShared(db: Db, record: CallRecord, start: number): Promise<void> {
  const counts = record.createdAt >= start
  const used = { tokens: counts ? tokensOf(record) : 0, costMicros: counts ? record.costMicros : 0 }
  await db
    .update(ledgerHolds)
    .set({ ...used, running: false })
    .where(and(eq(ledgerHolds.id, record.id), eq(ledgerHolds.running, true)))
}

/** Removes what ended before `now` (ms) and whose user has not called since. */
export async function sweepHolds(db: Db, now: number): Promise<void> {
  await db.delete(ledgerHolds).where(lte(ledgerHolds.endsAt, now))
}

/**
 * Two rows, of the user and of the key: what they used in the period (tokens, micros), when the last minute has room
 * again (free_at, ms; null while it has), and the first limit that the call would exceed (exceeded; null for none).
 */
function scopesOf(call: Admission, span: Span, now: number): SQL {
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
  // With as many requests as may be, the oldest of them makes room for the next.
  const freeAt = sql`(select minute_ends_at from ledger_holds where user_id = ${call.begun.userId}
    and minute_ends_at > ${now} and ${isInScope} order by minute_ends_at desc limit 1 offset ${requestsPerMinute - 1})`
  return sql`
    select scope, tokens, micros, free_at, case
      when ${quotaTokens} > 0 and tokens + held_tokens + ${call.tokens} > ${quotaTokens} then 'quota'
      when ${budgetMicros} > 0 and micros + held_micros + ${call.costMicros} > ${budgetMicros} then 'budget'
      when ${concurrentRequests} > 0 and running >= ${concurrentRequests} then 'concurrency'
      when free_at is not null then 'requests_per_minute' end as exceeded
    from (select ${scope} as scope, total(tokens) as tokens, total(micros) as micros,
      total(held_tokens) as held_tokens, total(held_micros) as held_micros, total(running) as running,
      ${requestsPerMinute > 0 ? freeAt : sql`null`} as free_at
      from by_key where ${isInScope})`
}

/** When a refused call may be let in, ms since 1970. */
function resetAtOf(limit: LimitName, { freeAt, now, end }: { freeAt: number; now: number; end: number }) {
  if (limit === 'concurrency') return now + BUSY_RETRY_MS
  return limit === 'requests_per_minute' ? freeAt : end
}
