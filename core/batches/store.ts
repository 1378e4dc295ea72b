/** The rows of batches. What one may cost is in limit_spent from before it is sent until its results are booked. */
import { and, between, eq, inArray, isNull, lte, ne, type SQL, sql } from 'drizzle-orm'
import { upstreamObjects } from '../db/objects.ts'
import { batches } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import type { Spent } from '../limits/accounts.ts'
import { refusalOf } from '../limits/decide.ts'
import { ownerText } from '../limits/owner.ts'
import { PERIOD_INDEX } from '../limits/period.ts'
import { spentOf } from '../limits/seed.ts'
import type { Counter, Db, Denied, PeriodStarts } from '../ports.ts'
import type { SpentChange } from '../record.ts'
import { addToSpent } from '../reports/spent.ts'
import { DAY_MS } from '../units.ts'

export type Batch = typeof batches.$inferSelect
/** Accounts keep results for 29 days: https://platform.claude.com/docs/en/build-with-claude/batch-processing */
export const RESULTS_LIFE_MS = 30 * DAY_MS
type Parts = Pick<Deps, 'db' | 'ledger' | 'clock'>

function usedBy(requestId: string): SQL {
  return sql`select day, week, month, user_id, api_key_id, billing_group_id, billing_parents, micros, tokens from batches
    where request_id = ${requestId} and state in ('sending', 'open')`
}

/** Reserves what the batch may cost, unless a limit is used up. One batch of statements, so that no two take the same last cent. */
export async function reserveBatch(
  { db, ledger, clock }: Parts,
  row: Batch,
  { counters, periodEnds }: { counters: readonly Counter[]; periodEnds: PeriodStarts },
): Promise<Denied | undefined> {
  const starts = [row.day, row.week, row.month]
  const limits = counters.flatMap((owner) =>
    owner.limits.amounts.map(({ period, tokens = null, micros = null }) => {
      return [ownerText(owner), period, starts[PERIOD_INDEX[period]] ?? 0, tokens, micros]
    }),
  )
  const isFull = sql`exists (select 1 from json_each(${JSON.stringify(limits)}) as asked left join limit_spent as spent
    on spent.owner = asked.value->>0 and spent.period = asked.value->>1 and spent.start = asked.value->>2
    where coalesce(spent.tokens, 0) >= asked.value->>3 or coalesce(spent.micros, 0) >= asked.value->>4)`
  const values = sql.join(
    [
      row.requestId,
      row.backend,
      row.userId,
      row.apiKeyId,
      row.billingGroupId,
      row.billingParents,
      row.client,
      row.project,
      row.requestedModel,
      row.model,
      row.requests,
      row.idsHash,
      row.tokens,
      row.micros,
      row.day,
      row.week,
      row.month,
      row.createdAt,
      row.checkAt,
    ].map((value) => sql`${value}`),
    sql`, `,
  )
  await db.batch([
    db.run(sql`insert into batches (request_id, backend, user_id, api_key_id, billing_group_id, billing_parents, client, project,
      requested_model, model, requests, ids_hash, tokens, micros, day, week, month, created_at, check_at, state)
      select ${values}, 'sending' where not ${isFull}`),
    db.run(addToSpent(usedBy(row.requestId))),
  ])
  const [stored] = await db.select().from(batches).where(eq(batches.requestId, row.requestId))
  if (stored) {
    await ledger.respent(changeOf(row, row.tokens, row.micros))
    return undefined
  }
  const now = clock.now()
  const { spent } = await spentOf(db, counters, now)
  const standings = counters.map((owner) => standingOf(ownerText(owner), spent, starts))
  const denied = refusalOf(counters, standings, { now, periodEnds })
  if (!denied) throw new Error('the database refused a batch that is within its limits')
  return denied
}

/** What an owner of limits has used in the periods that began at `starts`: day, week and month. */
function standingOf(owner: string, spent: readonly Spent[], starts: readonly number[]) {
  const tokens = [0, 0, 0, 0]
  const micros = [0, 0, 0, 0]
  for (const one of spent) {
    const index = PERIOD_INDEX[one.period]
    if (one.owner !== owner || one.start !== (starts[index] ?? 0)) continue
    tokens[index] = one.tokens
    micros[index] = one.micros
  }
  return { tokens, micros, heldTokens: 0, heldMicros: 0, running: 0, waitMs: 0, tokensWaitMs: 0 }
}

/** The account has it under this id. Answers false where another batch has that id. */
export async function openBatch({ db, clock }: Parts, row: Batch, id: string): Promise<boolean> {
  const now = clock.now()
  const { userId, backend, createdAt } = row
  const isFree = sql`not exists (select 1 from batches where id = ${id})`
  const [, , [holder]] = await db.batch([
    db
      .update(batches)
      .set({ id, state: 'open', checkAt: now })
      .where(and(eq(batches.requestId, row.requestId), eq(batches.state, 'sending'), isFree)),
    db
      .insert(upstreamObjects)
      .values({ kind: 'batch', id, userId, backend, createdAt, expiresAt: null })
      .onConflictDoNothing(),
    db.select({ requestId: batches.requestId }).from(batches).where(eq(batches.id, id)),
  ])
  // Nobody has it where this batch was given up meanwhile.
  return holder === undefined || holder.requestId === row.requestId
}

/** Frees what it reserved: all that it used is booked, or there is nothing to book. */
export async function closeBatch(
  { db, ledger }: Pick<Parts, 'db' | 'ledger'>,
  row: Batch,
  state: 'booked' | 'lost',
): Promise<void> {
  const inState = (...states: Batch['state'][]) =>
    and(eq(batches.requestId, row.requestId), inArray(batches.state, states))
  const [, closed] = await db.batch([
    db.run(addToSpent(usedBy(row.requestId), -1)),
    db.update(batches).set({ state }).where(inState('sending', 'open')).returning({ id: batches.requestId }),
    // What was lost reserves nothing any more.
    db.update(batches).set({ state }).where(inState('lost')),
  ])
  if (closed.length > 0) await ledger.respent(changeOf(row, -row.tokens, -row.micros))
}

/** A change of limit_spent as counters in memory follow it. Tokens of batches do not count by the minute. */
export function changeOf(row: Batch, tokens: number, costMicros: number): SpentChange {
  return {
    id: row.requestId,
    userId: row.userId,
    keyId: row.apiKeyId,
    billingGroupIds: groupsOf(row),
    periodStarts: [row.day, row.week, row.month],
    inputTokens: 0,
    outputTokens: 0,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    cacheReadTokens: tokens,
    costMicros,
  }
}

export function groupsOf({ billingGroupId, billingParents }: Batch): [number, ...number[]] {
  return [billingGroupId, ...billingParents.split(',').filter(Boolean).map(Number)]
}

export async function batchOf(db: Db, id: string): Promise<Batch | undefined> {
  const [row] = await db.select().from(batches).where(eq(batches.id, id))
  return row
}

/** Those that are to be looked at now. `retryAt`: other processes leave them alone until then. */
export async function dueBatches(db: Db, now: number, retryAt: number): Promise<Batch[]> {
  const isDue = and(inArray(batches.state, ['sending', 'open']), lte(batches.checkAt, now))
  const first = db
    .select({ id: batches.requestId })
    .from(batches)
    .where(isDue)
    .orderBy(batches.checkAt)
    .limit(20)
  return db
    .update(batches)
    .set({ checkAt: retryAt })
    .where(and(isDue, inArray(batches.requestId, first)))
    .returning()
}

export async function lookAgain(db: Db, { requestId }: Batch, checkAt: number): Promise<void> {
  await db.update(batches).set({ checkAt }).where(eq(batches.requestId, requestId))
}

/** Whether the account's batch is known here. */
export async function knownIds(db: Db, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db
    .select({ id: batches.id })
    .from(batches)
    .where(inArray(batches.id, [...ids]))
  return new Set(rows.flatMap(({ id }) => id ?? []))
}

/** Whether somebody else's batch with the same custom ids, made at nearly the same time, has no id either. */
export async function hasTwin(
  db: Db,
  { backend, requests, idsHash, userId, createdAt }: Batch,
  apartMs: number,
): Promise<boolean> {
  const isAlike = and(
    eq(batches.backend, backend),
    eq(batches.requests, requests),
    eq(batches.idsHash, idsHash),
  )
  const isNear = between(batches.createdAt, createdAt - apartMs, createdAt + apartMs)
  const [twin] = await db
    .select({ requestId: batches.requestId })
    .from(batches)
    .where(and(isAlike, isNear, isNull(batches.id), ne(batches.userId, userId)))
    .limit(1)
  return twin !== undefined
}

/** Deletes the rows of those that are over and have no results any more: nobody can book them again. */
export async function sweepBatches(db: Db, now: number): Promise<void> {
  const isOver = inArray(batches.state, ['booked', 'lost'])
  await db.delete(batches).where(and(isOver, lte(batches.createdAt, now - RESULTS_LIFE_MS)))
}
