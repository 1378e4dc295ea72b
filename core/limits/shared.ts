/**
 * Limit counters in the database, for processes that share nothing else. As in counters.ts, but what decides is one batch:
 * its first statement writes, so that no other can come between what it reads and the hold it takes.
 *
 * Decision: all times are parameters, instead of SQLite's own, which gives each statement of a batch another one.
 */
import { and, eq, isNull, lte, or, type SQL, sql } from 'drizzle-orm'
import { ledgerHolds, usageSums } from '../db/schema.ts'
import { totalTokens } from '../metering/tokens.ts'
import type { Admission, Admitted, CallRecord, Counter, Db, Scope } from '../ports.ts'
import { recordText } from '../reports/stored-record.ts'
import { ofUserSince, TOTAL_TOKENS } from '../reports/totals.ts'
import { CLOCK_SKEW_MS } from '../skew.ts'
import { HOUR_MS, MINUTE_MS } from '../units.ts'
import { admitted, type CounterStanding, HOLD_EXPIRY_MS, refusalOf, SCARCE_CASES } from './decide.ts'
import type { PeriodSpan } from './period.ts'

/** What a settled call used counts for this long, if its row does not come before. */
const SETTLED_MS = HOUR_MS
/** Calls that one sweep ends at most. */
const SWEPT_CALLS = 500

const standing = (column: string) => sql<number>`${sql.raw(column)}`.mapWith(Number)

/** Admits a call and holds its estimate, in one batch. `span` is the period that holds `now` (ms since 1970). */
export async function reserveShared(
  db: Db,
  call: Admission,
  span: PeriodSpan,
  now: number,
): Promise<Admitted> {
  const { id, userId, keyId } = call.begun
  const { usual, worst, counters } = call
  const states = statesOf(call, span, now)
  const rated = counters.some(({ limits }) => limits.requestsPerMinute > 0)
  const minuteEndsAt = rated ? now + MINUTE_MS : 0
  const [, rows] = await db.batch([
    db.delete(ledgerHolds).where(and(eq(ledgerHolds.userId, userId), isOver(now))),
    db
      .select({
        scope: sql<Scope['scope']>`scope`,
        id: standing('id'),
        tokens: standing('tokens'),
        costMicros: standing('micros'),
        heldTokens: standing('held_tokens'),
        heldMicros: standing('held_micros'),
        running: standing('running'),
        freeAt: standing('free_at'),
        isFull: standing('is_full'),
      })
      .from(sql`(${states})`),
    // In the order of the table's columns.
    db
      .insert(ledgerHolds)
      .select(sql`select ${id}, ${userId}, ${keyId}, iif(is_scarce, ${worst.tokens}, ${usual.tokens}),
        iif(is_scarce, ${worst.costMicros}, ${usual.costMicros}), 1, ${minuteEndsAt}, ${now + HOLD_EXPIRY_MS},
        ${recordText(call.begun)}
        from (select max(is_full) as is_full, max(is_scarce) as is_scarce from (${states})) where not is_full`),
  ])
  const standings = counters.map((counter): CounterStanding => {
    const state = rows.find((one) => one.scope === counter.scope && one.id === counter.id)
    if (!state) throw new Error('the database answered nothing about a limit')
    return { ...counter, standing: { ...state, waitMs: Math.max(0, state.freeAt - now) } }
  })
  if (rows.every(({ isFull }) => !isFull)) return admitted(standings, span.end)
  const refusal = refusalOf(standings, { now, periodEnd: span.end })
  if (!refusal) throw new Error('the database refused a call that is within its limits')
  return refusal
}

/** The call still runs: its hold expires later. */
export async function renewShared(db: Db, id: string, now: number): Promise<void> {
  await db
    .update(ledgerHolds)
    .set({ endsAt: now + HOLD_EXPIRY_MS })
    .where(and(eq(ledgerHolds.id, id), eq(ledgerHolds.running, true)))
}

/**
 * The call is over: what it held becomes what it used, until its row is in usage_logs. A call of an earlier period than
 * `span`, which holds `now`, no longer counts. Does nothing for a call that holds nothing.
 */
export async function settleShared(db: Db, record: CallRecord, span: PeriodSpan, now: number): Promise<void> {
  const counts = record.createdAt >= span.start
  const used = { tokens: counts ? totalTokens(record) : 0, costMicros: counts ? record.costMicros : 0 }
  await db
    .update(ledgerHolds)
    .set({ ...used, running: false, record: null, endsAt: now + SETTLED_MS })
    .where(and(eq(ledgerHolds.id, record.id), eq(ledgerHolds.running, true)))
}

/** Texts of the records of calls whose holds expired before `now`, because their processes died. At most 500. */
export async function lostCalls(db: Db, now: number): Promise<string[]> {
  const rows = await db
    .select({ record: ledgerHolds.record })
    .from(ledgerHolds)
    .where(and(eq(ledgerHolds.running, true), lte(ledgerHolds.endsAt, now)))
    .limit(SWEPT_CALLS)
  return rows.flatMap(({ record }) => (record === null ? [] : [record]))
}

/** Removes holds that are over at `now` (ms): those of users who do not call again, which no reservation removes. */
export async function sweepHolds(db: Db, now: number): Promise<void> {
  await db.delete(ledgerHolds).where(isOver(now))
}

/** Holds that count for nothing any more. One whose call has no row yet waits for lostCalls. */
function isOver(now: number): SQL | undefined {
  return and(lte(ledgerHolds.endsAt, now), or(isNull(ledgerHolds.record), eq(ledgerHolds.running, false)))
}

/**
 * A row for each counter: what was used in the period and is held, how many calls run, when the last minute has room again
 * (free_at, ms; 0 while it has), and as decide.ts has it whether anything is used up (is_full) and whether little is left
 * (is_scarce).
 */
function statesOf(call: Admission, span: PeriodSpan, now: number): SQL {
  const { userId } = call.begun
  // No hold lasts longer than its expiry: a later end was written by a clock that was ahead.
  const runs = sql`running and ends_at > ${now} and ends_at <= ${now + HOLD_EXPIRY_MS + CLOCK_SKEW_MS}`
  const states = call.counters.map((counter) => stateOf(call, counter, now))
  return sql`
    with by_key as materialized (
      select api_key_id, ${TOTAL_TOKENS} as tokens, sum(cost_micros) as micros, 0 as held_tokens, 0 as held_micros,
        0 as running
      from ${usageSums} where ${ofUserSince(userId, span.start)} group by api_key_id
      union all
      select api_key_id, iif(running, 0, tokens), iif(running, 0, cost_micros), iif(${runs}, tokens, 0),
        iif(${runs}, cost_micros, 0), ${runs}
      from ledger_holds where user_id = ${userId})
    ${sql.join(states, sql` union all `)}`
}

function stateOf({ begun, worst }: Admission, { scope, id, limits }: Counter, now: number): SQL {
  const { quotaTokens, budgetMicros, concurrentRequests, requestsPerMinute } = limits
  const isCounted = scope === 'user' ? sql`true` : sql`api_key_id = ${id}`
  // Of the newest requests, as many as a minute allows, the oldest is the first whose end makes room. Later ends than a minute
  // from now were written by a clock that was ahead.
  const freeAt = sql`(select minute_ends_at from ledger_holds where user_id = ${begun.userId}
    and minute_ends_at > ${now} and minute_ends_at <= ${now + MINUTE_MS} and ${isCounted}
    order by minute_ends_at desc limit 1 offset ${requestsPerMinute - 1})`
  return sql`
    select scope, id, tokens, micros, held_tokens, held_micros, running, free_at,
      (${quotaTokens} > 0 and tokens + held_tokens >= ${quotaTokens})
        or (${budgetMicros} > 0 and micros + held_micros >= ${budgetMicros})
        or (${concurrentRequests} > 0 and running >= ${concurrentRequests}) or free_at > 0 as is_full,
      (${quotaTokens} > 0 and ${quotaTokens} - tokens - held_tokens < ${SCARCE_CASES * worst.tokens})
        or (${budgetMicros} > 0 and ${budgetMicros} - micros - held_micros < ${SCARCE_CASES * worst.costMicros})
        as is_scarce
    from (select ${scope} as scope, ${id} as id, total(tokens) as tokens, total(micros) as micros,
      total(held_tokens) as held_tokens, total(held_micros) as held_micros, total(running) as running,
      ${requestsPerMinute > 0 ? sql`coalesce(${freeAt}, 0)` : sql`0`} as free_at
      from by_key where ${isCounted})`
}
