/**
 * Compares what upstream accounts report of a day with the log, every night: a report that differs means calls that did not pass
 * here, a price that is another one, or a mistake of ours.
 */
import { and, eq, gte, inArray, lt, ne, sql } from 'drizzle-orm'
import { reconciledDays, reconciledUse, usageLogs, usageSums } from '../db/schema.ts'
import { NO_TOKENS, type TokenCounts } from '../metering/tokens.ts'
import type { Clock, Db, Logger, Upstream } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import type { Backend, Settings } from '../settings.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../units.ts'
import { type Own, rowsOf } from './compare-day.ts'
import { type AccountReport, readReports } from './upstream-reports.ts'

/** The newest days are asked for again, because a report takes hours to be complete. */
const UNSETTLED_DAYS = 3
/** Days that are asked for until they are compared, as many as one page of a report has: an account may be new, or was away. */
const MOST_DAYS = 31
const ASKED_AGAIN_MS = 20 * HOUR_MS
/** Of the log, between which others have their turn. */
const SLICE_MS = 5 * MINUTE_MS

interface Parts {
  db: Db
  upstream: Upstream
  clock: Clock
  logger: Logger
  settings: Settings
  prices: Prices
}

type Account = readonly [Backend, ...Backend[]]
/** Compares the days that are due of every account with an admin key. A failure is kept with its days and tried again. */
export async function reconcile(parts: Parts): Promise<void> {
  for (const account of accountsOf(parts.settings.backends)) await reconcileAccount(parts, account)
}

/** Backends with the same admin key at the same address share an account. */
function accountsOf(backends: readonly Backend[]): Account[] {
  const accounts = new Map<string, [Backend, ...Backend[]]>()
  for (const backend of backends) {
    if (backend.adminKey === undefined) continue
    const key = JSON.stringify([backend.url, backend.adminKey])
    const known = accounts.get(key)
    if (known) known.push(backend)
    else accounts.set(key, [backend])
  }
  return [...accounts.values()]
}

const BETWEEN = ', '
/** The name of an account: those of its backends. */
function nameOf(account: Account): string {
  return account.map(({ name }) => name).join(BETWEEN)
}

async function reconcileAccount(parts: Parts, account: Account): Promise<void> {
  const { db, clock, logger } = parts
  const name = nameOf(account)
  const days = await claimDays(db, name, clock.now())
  const [first, last] = [Math.min(...days), Math.max(...days)]
  if (days.length === 0) return
  try {
    const report = await readReports(parts, account, { from: first, to: last + DAY_MS })
    for (const day of days) await compareDay(parts, account, { day, report })
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause)
    logger.warn('reconciliation.failed', { account: name, problem })
    await db
      .update(reconciledDays)
      .set({ askedAt: 0, problem })
      .where(and(eq(reconciledDays.account, name), inArray(reconciledDays.day, days)))
  }
}

/** The days that this process shall ask for, so that no other one does. */
async function claimDays(db: Db, account: string, now: number): Promise<number[]> {
  const today = Math.floor(now / DAY_MS) * DAY_MS
  const wanted = Array.from({ length: MOST_DAYS }, (_, i) => today - (i + 1) * DAY_MS)
  const claimed = await db
    .insert(reconciledDays)
    .values(wanted.map((day) => ({ account, day, askedAt: now })))
    .onConflictDoUpdate({
      target: [reconciledDays.account, reconciledDays.day],
      set: { askedAt: now },
      setWhere: sql`${reconciledDays.askedAt} < ${now - ASKED_AGAIN_MS}
        and (${reconciledDays.comparedAt} is null or ${reconciledDays.day} >= ${today - UNSETTLED_DAYS * DAY_MS})`,
    })
    .returning({ day: reconciledDays.day })
  return claimed.map(({ day }) => day)
}

async function compareDay(
  parts: Parts,
  account: Account,
  { day, report }: { day: number; report: AccountReport },
): Promise<void> {
  const { db, clock } = parts
  const name = nameOf(account)
  const rows = rowsOf(parts.prices, { day, report, ours: await oursOf(parts, account, day) }).map((row) => {
    return { ...row, account: name, day }
  })
  const replaced = [name, ...(await earlierNames(db, account, day))]
  const json = JSON.stringify(
    rows.map(({ model, measure, ours, estimated, theirs, outside }) => [
      model,
      measure,
      ours,
      estimated,
      theirs,
      outside,
    ]),
  )
  await db.batch([
    db.delete(reconciledUse).where(and(inArray(reconciledUse.account, replaced), eq(reconciledUse.day, day))),
    db
      .delete(reconciledDays)
      .where(and(inArray(reconciledDays.account, replaced.slice(1)), eq(reconciledDays.day, day))),
    db.run(sql`insert into reconciled_use (account, day, model, measure, ours, estimated, theirs, outside)
      select ${name}, ${day}, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 from json_each(${json})`),
    db
      .update(reconciledDays)
      .set({ comparedAt: clock.now(), problem: '', keyKnown: report.keyKnown })
      .where(and(eq(reconciledDays.account, name), eq(reconciledDays.day, day))),
  ])
}

/** What the account was called when it had other backends, so that a day of it is there once. */
async function earlierNames(db: Db, account: Account, day: number): Promise<string[]> {
  const backends: ReadonlySet<string> = new Set(account.map(({ name }) => name))
  const rows = await db
    .select({ name: reconciledDays.account })
    .from(reconciledDays)
    .where(and(eq(reconciledDays.day, day), ne(reconciledDays.account, nameOf(account))))
  return rows.map(({ name }) => name).filter((name) => name.split(BETWEEN).some((one) => backends.has(one)))
}

async function oursOf({ db, prices }: Parts, account: Account, day: number): Promise<Map<string, Own>> {
  const own = new Map<string, Own>()
  const of = (model: string) => {
    const name = prices.canonical(model)
    const known = own.get(name) ?? {
      tokens: { ...NO_TOKENS },
      estimated: { ...NO_TOKENS },
      costMicros: 0,
      estimatedMicros: 0,
    }
    own.set(name, known)
    return known
  }
  const names = sql`(select value from json_each(${JSON.stringify(account.map(({ name }) => name))}))`
  const sums = await db
    .select()
    .from(usageSums)
    .where(sql`cut = 'site_day' and user_id = 0 and start = ${day} and backend in ${names}`)
  for (const sum of sums) {
    const known = of(sum.model)
    add(known.tokens, sum)
    known.costMicros += sum.costMicros
  }
  const ofDay = sql`cut = 'site_hour' and user_id = 0 and start >= ${day} and start < ${day + DAY_MS}`
  const hours = await db
    .selectDistinct({ start: usageSums.start })
    .from(usageSums)
    .where(sql`${ofDay} and backend in ${names}`)
  const slices = hours.flatMap(({ start }) =>
    Array.from({ length: HOUR_MS / SLICE_MS }, (_, i) => start + i * SLICE_MS),
  )
  for (const from of slices) {
    const { createdAt } = usageLogs
    const ofSlice = and(
      gte(createdAt, from),
      lt(createdAt, from + SLICE_MS),
      sql`estimated and backend in ${names}`,
    )
    for (const row of await db.select().from(usageLogs).where(ofSlice)) {
      const known = of(row.model)
      add(known.estimated, row)
      known.estimatedMicros += row.costMicros
    }
    // The driver of a local file answers without leaving this turn of the event loop: give calls theirs.
    await new Promise((resolve) => setTimeout(resolve))
  }
  return own
}

interface Summed {
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWrite5mTokens: number
  cacheWrite1hTokens: number
}

function add(sum: TokenCounts, row: Summed): void {
  sum.input += row.inputTokens
  sum.output += row.outputTokens
  sum.cacheRead += row.cacheReadTokens
  sum.cacheWrite5m += row.cacheWrite5mTokens
  sum.cacheWrite1h += row.cacheWrite1hTokens
}
