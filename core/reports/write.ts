/** Writes finished calls: their rows and all sums in one batch, each request id only once. */
import { and, eq, sql } from 'drizzle-orm'
import { usageLogs } from '../db/schema.ts'
import { limitsReached } from '../notices/limits-reached.ts'
import { addObjects } from '../objects/manage.ts'
import type { Db } from '../ports.ts'
import { groupUp, subtractFromGroups } from './by-group.ts'
import { latencyOfLog } from './latency.ts'
import { addToPromptLosses } from './prompt-losses.ts'
import { addToHourly, addToLatency, addToSums, ofLog, subtract } from './rollups.ts'
import { addToSpent, usedInLog } from './spent.ts'
import { hasLists, limitsIn, parseRecord, recordText, wellFormed } from './stored-record.ts'
import { among } from './totals.ts'

/** The columns of usage_logs that a record fills, in the order of `recordText`. */
const COLUMNS = `request_id, user_id, api_key_id, requested_model, model, backend, input_tokens, output_tokens,
  cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code, outcome, estimated, unpriced,
  stream, attempts, latency_ms, ttft_ms, extra, created_at`
const LOSSES_AT = COLUMNS.split(',').length
const OBJECTS_AT = LOSSES_AT + 1
/** The columns that follow the lists, from the client on; those before are the billing groups and the periods. */
const BOOKED_COLUMNS = `client, project, input_micros, output_micros, cache_read_micros, cache_write_5m_micros,
  cache_write_1h_micros, server_tool_micros, saved_micros, web_searches, service_tier, speed, geo, context_window`
/** The columns that follow the limits. */
const TOLD_COLUMNS = 'session, error, upstream_id, story'
const GROUPS_AT = OBJECTS_AT + 1
const PERIODS_AT = GROUPS_AT + 1
const TOLD_AT = PERIODS_AT + 1 + BOOKED_COLUMNS.split(',').length + 1
/** A missed cache is the first loss of an answer: core/metering/prompt-losses.ts. */
const FIRST_LOSS = `$[${LOSSES_AT}][0]`
const MISS_COLUMNS = 'cache_miss, cache_miss_tokens'
const VALUES = [
  ...COLUMNS.split(',').map((_, at) => `call->>${at}`),
  `call->${GROUPS_AT}->>0`,
  `iif(json_array_length(call->${GROUPS_AT}) > 1, rtrim(substr(json(call->${GROUPS_AT}), instr(json(call->${GROUPS_AT}), ',') + 1), ']'), '')`,
  ...BOOKED_COLUMNS.split(',').map((_, at) => `call->>${PERIODS_AT + 1 + at}`),
  ...TOLD_COLUMNS.split(',').map((_, at) => `call->>${TOLD_AT + at}`),
  `iif(call->>'${FIRST_LOSS}[0]' = 'cache_miss', call->>'${FIRST_LOSS}[1]', '')`,
  `iif(call->>'${FIRST_LOSS}[0]' = 'cache_miss', call->>'${FIRST_LOSS}[3]', 0)`,
]

/** Rows of the log that wait to be summed by group. Reports read them from the log until then. */
const GROUPED_AT_ONCE = 5_000

/**
 * Writes records (texts of `recordText`) in one atomic batch. A request id that is in the log already changes neither the
 * log nor the sums, unless its row says `interrupted` and the record knows more. The ids in `records` must differ.
 */
export async function writeRecords(db: Db, records: readonly string[]): Promise<void> {
  if (records.length === 0) return
  const readable = records.map(wellFormed)
  const limits = [...new Set(readable.map(limitsIn).filter((one) => one !== ''))]
  const [, [inserted]] = await db.batch([
    ...inserting(db, readable),
    ...sumUp(db, readable),
    ...(limits.length > 0 ? [limitsReached(db, `[${limits.join()}]`)] : []),
  ])
  if ((inserted?.rows ?? 0) < records.length) await correctInterrupted(db, readable)
  if ((inserted?.waiting ?? 0) >= GROUPED_AT_ONCE) await db.batch(groupUp(db))
}

/**
 * As writeRecords, of calls that nobody took for interrupted and that name no limits. Answers the ids of those that were new: who
 * writes the same at the same time counts none of them.
 */
export async function writeNew(db: Db, records: readonly string[]): Promise<ReadonlySet<string>> {
  const readable = records.map(wellFormed)
  const [insert, count, ...lists] = inserting(db, readable)
  const [, [inserted], added] = await db.batch([
    insert,
    count,
    db
      .select({ id: usageLogs.requestId })
      .from(usageLogs)
      .where(sql`id > (select spent_id from usage_summed)`),
    ...lists,
    ...sumUp(db, readable),
  ])
  if ((inserted?.waiting ?? 0) >= GROUPED_AT_ONCE) await db.batch(groupUp(db))
  return new Set(added.map(({ id }) => id))
}

/** Which of `ids` (request ids) have no row in the log. */
export async function unwrittenIds(db: Db, ids: readonly string[]): Promise<string[]> {
  const rows = await db
    .select({ id: usageLogs.requestId })
    .from(usageLogs)
    .where(among(usageLogs.requestId, ids))
  const written = new Set(rows.map(({ id }) => id))
  return ids.filter((id) => !written.has(id))
}

/** Records as rows of `call`: jsonb, because SQLite would otherwise parse a record once for every value. */
function listOf(records: readonly string[]) {
  return sql`select jsonb(value) as call from json_each(${`[${records.join(',')}]`})`
}

/** What records say of their periods, as usedInLog takes it. */
function periodsIn(records: readonly string[]) {
  const starts = ['day', 'week', 'month'].map((period, at) => `call->${PERIODS_AT}->>${at} as ${period}`)
  return sql`select call->>0 as id, call->>${sql.raw(String(PERIODS_AT + 1))} as client, ${sql.raw(starts.join())}
    from (${listOf(records)})`
}

/**
 * For a batch, before sumUp: inserts records (readable texts); its second result is how many were new, and how many rows wait to
 * be summed by group.
 */
function inserting(db: Db, records: readonly string[]) {
  const withLists = records.filter(hasLists)
  return [
    db.run(sql`
      with list as materialized (${listOf(records)})
      insert into usage_logs (${sql.raw(`${COLUMNS}, billing_group_id, billing_parents, ${BOOKED_COLUMNS}, ${TOLD_COLUMNS}, ${MISS_COLUMNS}`)}) select ${sql.raw(VALUES.join())}
      from list where true on conflict (request_id) do nothing`),
    db.all<{ rows: number; waiting: number }>(
      sql`select changes() as rows, (select max(id) from usage_logs) - grouped_id as waiting from usage_summed`,
    ),
    ...(withLists.length > 0
      ? [
          db.run(addToPromptLosses(listOf(withLists), LOSSES_AT)),
          db.run(addObjects(listOf(withLists), OBJECTS_AT)),
        ]
      : []),
  ] as const
}

/**
 * Replaces rows of calls that were taken for interrupted by what `records` know of them, and corrects all sums. A process may
 * be taken for dead while it lives, and then writes how its calls ended.
 */
async function correctInterrupted(db: Db, records: readonly string[]): Promise<void> {
  const known = new Map(records.map((text) => parseRecord(text)).map((record) => [record.id, record]))
  const rows = await db
    .select({ id: usageLogs.requestId, attempts: usageLogs.attempts })
    .from(usageLogs)
    .where(and(among(usageLogs.requestId, [...known.keys()]), eq(usageLogs.outcome, 'interrupted')))
  const better = rows.flatMap(({ id, attempts }) => {
    const record = known.get(id)
    if (!record || (record.outcome === 'interrupted' && record.attempts <= attempts)) return []
    // A row that was written after the call was sent has counted its losses.
    return [attempts > 0 ? { ...record, promptLosses: [] } : record]
  })
  if (better.length === 0) return
  const texts = better.map(recordText).map(wellFormed)
  const ids = JSON.stringify(better.map(({ id }) => id))
  const replaced = sql`usage_logs where outcome = 'interrupted' and request_id in (select value from json_each(${ids}))`
  await db.batch([
    ...subtract(db, replaced),
    db.run(
      addToSpent(
        usedInLog(sql`${replaced} and id <= (select spent_id from usage_summed)`, periodsIn(texts)),
        -1,
      ),
    ),
    ...subtractFromGroups(
      db,
      sql`${replaced} and id <= (select grouped_id from usage_summed) and id > (select ungrouped_id from usage_summed)`,
    ),
    db.run(sql`delete from ${replaced}`),
    ...inserting(db, texts),
    ...sumUp(db, texts),
  ])
}

/**
 * For a batch: adds the log rows above usage_summed.log_id to the sums, and those above spent_id to what counts against limits.
 * Ids only grow, so these are the new rows: those of `records`, and those of processes of an earlier release.
 */
export function sumUp(db: Db, records: readonly string[] = []) {
  const added = sql`usage_logs where id > (select log_id from usage_summed)`
  const unspent = sql`usage_logs where id > (select spent_id from usage_summed)`
  return [
    db.run(addToHourly(ofLog(added))),
    db.run(addToSums(ofLog(added))),
    db.run(addToLatency(latencyOfLog(added))),
    db.run(addToSpent(usedInLog(unspent, periodsIn(records)))),
    db.run(
      sql`update usage_summed set (log_id, spent_id) = (select coalesce(max(id), 0), coalesce(max(id), 0) from usage_logs)`,
    ),
  ] as const
}
