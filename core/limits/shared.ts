/**
 * Limit counters in the database, for processes that share nothing else. As in counters.ts, but what decides is one batch:
 * its first statement writes, so that no other can come between what it reads and the hold it takes.
 *
 * Decision: all times are parameters, instead of SQLite's own, which gives each statement of a batch another one.
 */
import { and, eq, isNull, lte, or, type SQL, sql } from 'drizzle-orm'
import { ledgerHolds } from '../db/schema.ts'
import { minuteTokens, totalTokens } from '../metering/tokens.ts'
import type { Admission, Admitted, CallRecord, Counter, Db } from '../ports.ts'
import { recordText } from '../reports/stored-record.ts'
import { HOUR_MS, MINUTE_MS } from '../units.ts'
import { HOLD_EXPIRY_MS, ownShare, refusalOf } from './decide.ts'
import { isLimited, SECONDS_END_MS, standingsIn, verdictOf } from './shared-states.ts'

/** What a settled call used counts for this long, if its row does not come before. */
const SETTLED_MS = HOUR_MS
/** Calls that one sweep ends at most. */
const SWEPT_CALLS = 500
const SECOND_MS = 1_000

/** Admits a call at `now` (ms since 1970) and holds its estimate, in one batch. */
export async function reserveShared(db: Db, call: Admission, now: number): Promise<Admitted> {
  const { begun, periodEnds } = call
  const counters = call.counters.filter(isLimited)
  const [, [held]] = await db.batch([
    db.delete(ledgerHolds).where(and(eq(ledgerHolds.userId, begun.userId), isOver(now))),
    hold(db, call, counters, now),
    // That of a call that was refused.
    db.delete(ledgerHolds).where(and(eq(ledgerHolds.id, begun.id), eq(ledgerHolds.running, false))),
  ])
  if (!held) throw new Error('the database held nothing')
  if (held.states === null) return { ok: true, used: undefined }
  const standings = standingsIn(held.states, counters, now)
  if (held.running) return { ok: true, used: ownShare(counters, standings, periodEnds) }
  const refusal = refusalOf(counters, standings, { now, periodEnds })
  if (!refusal) throw new Error('the database refused a call that is within its limits')
  return refusal
}

const UNLIMITED = sql.raw('select false as is_full, false as is_scarce, null as states')

/**
 * For a batch: inserts what the call holds, or a row that is over and tells why it is refused. Where counters stand is in the
 * row because a statement answers only what it inserts, and to find it out twice would cost as much again.
 */
function hold(db: Db, call: Admission, counters: readonly Counter[], now: number) {
  const { begun, usual, worst } = call
  const { id, userId, keyId, billingGroupIds, periodStarts } = begun
  const isRated = counters.some(({ limits }) => limits.requestsPerMinute > 0)
  const countsTokens = counters.some(({ limits }) => limits.tokensPerMinute > 0)
  const verdict = counters.length === 0 ? UNLIMITED : verdictOf(call, counters, now)
  const amount = (most: number, least: number) => sql`iif(is_full, 0, iif(is_scarce, ${most}, ${least}))`
  // In the order of the table's columns.
  const row = sql`select ${id}, ${userId}, ${keyId}, ${`,${billingGroupIds.join()},`},
    ${periodStarts[0]}, ${periodStarts[1]}, ${periodStarts[2]}, ${amount(worst.tokens, usual.tokens)},
    ${amount(worst.costMicros, usual.costMicros)}, not is_full, ${isRated ? now + MINUTE_MS : 0},
    ${countsTokens ? 0 : null}, 0, ${now + HOLD_EXPIRY_MS}, ${recordText(begun)}, states from (${verdict})`
  const { running, states } = ledgerHolds
  return db.insert(ledgerHolds).select(row).returning({ running, states })
}

/** The call still runs: its hold expires later. */
export async function renewShared(db: Db, id: string, now: number): Promise<void> {
  await db
    .update(ledgerHolds)
    .set({ endsAt: now + HOLD_EXPIRY_MS })
    .where(and(eq(ledgerHolds.id, id), eq(ledgerHolds.running, true)))
}

/**
 * The call is over: what it held becomes what it used, until its row is in usage_logs. Does nothing for a call that holds
 * nothing.
 */
export async function settleShared(db: Db, record: CallRecord, now: number): Promise<void> {
  const tokensEndAt = Math.floor(now / SECOND_MS) * SECOND_MS + SECONDS_END_MS
  const { minuteTokens: counted } = ledgerHolds
  await db
    .update(ledgerHolds)
    .set({
      tokens: totalTokens(record),
      costMicros: record.costMicros,
      minuteTokens: sql`iif(${counted} is null, null, ${minuteTokens(record)})`,
      tokensEndAt: sql`iif(${counted} is null, 0, ${tokensEndAt})`,
      running: false,
      record: null,
      states: null,
      endsAt: now + SETTLED_MS,
    })
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
