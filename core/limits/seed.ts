/**
 * What was used already, for counters that begin: limit_spent and nothing else. Not in periods that begin after `now` (ms since
 * 1970): a clock that was ahead wrote them, and they would hide the current ones.
 */
import { and, lte, type SQL, sql } from 'drizzle-orm'
import { apiKeys, limitSpent, usageLogs, usageSummed } from '../db/schema.ts'
import type { Db, Owner } from '../ports.ts'
import { among } from '../reports/totals.ts'
import { CLOCK_SKEW_MS } from '../skew.ts'
import type { Spent } from './accounts.ts'
import { ownerText } from './owner.ts'

/** Of several periods of a kind the latest, because SQLite takes the other columns from the row of the maximum. */
const LATEST = {
  owner: limitSpent.owner,
  period: limitSpent.period,
  start: sql<number>`max(${limitSpent.start})`.mapWith(Number),
  micros: limitSpent.micros,
  tokens: limitSpent.tokens,
}

/** What everybody used in the latest period of each kind that they used anything in. */
export async function allSpent(db: Db, now: number): Promise<Spent[]> {
  // A row comes as one JSON text, because drivers take longer for a value than SQLite for the text of all.
  const rows = await db.all<{
    text: string
  }>(sql`select json_array(owner, period, start, micros, tokens) as text
    from (select owner, period, max(start) as start, micros, tokens from limit_spent
      where start <= ${now + CLOCK_SKEW_MS} group by owner, period)`)
  const read: [string, Spent['period'], number, number, number][] = JSON.parse(
    `[${rows.map(({ text }) => text).join()}]`,
  )
  return read.map(([owner, period, start, micros, tokens]) => ({ owner, period, start, micros, tokens }))
}

/**
 * What these used, and the highest usage_logs.id that this includes, read in one batch. Owners that used nothing are missing.
 */
export function spentOf(
  db: Db,
  owners: readonly Owner[],
  now: number,
): Promise<{ spent: Spent[]; logId: number }> {
  return readSpent(db, among(limitSpent.owner, owners.map(ownerText)), now)
}

async function readSpent(db: Db, isOwned: SQL, now: number) {
  const which = and(isOwned, lte(limitSpent.start, now + CLOCK_SKEW_MS))
  const [spent, [summed]] = await db.batch([
    db.select(LATEST).from(limitSpent).where(which).groupBy(limitSpent.owner, limitSpent.period),
    db.select({ logId: usageSummed.spentId }).from(usageSummed),
  ])
  return { spent, logId: summed?.logId ?? 0 }
}

/** Which of `calls` (request ids) are among the rows up to `logId`. */
export async function includedCalls(
  db: Db,
  calls: readonly string[],
  logId: number,
): Promise<ReadonlySet<string>> {
  if (calls.length === 0) return new Set()
  const upTo: SQL = sql`${among(usageLogs.requestId, calls)} and ${usageLogs.id} <= ${logId}`
  const rows = await db.select({ id: usageLogs.requestId }).from(usageLogs).where(upTo)
  return new Set(rows.map(({ id }) => id))
}

/** The same of a user and all their keys. */
export async function spentOfUser(
  db: Db,
  userId: number,
  now: number,
): Promise<{ spent: Spent[]; logId: number }> {
  const keys = sql`select 'key:' || ${apiKeys.id} from ${apiKeys} where ${apiKeys.userId} = ${userId}`
  const owned = sql`${limitSpent.owner} in (select ${ownerText({ scope: 'user', id: userId })} union all ${keys})`
  return readSpent(db, owned, now)
}
