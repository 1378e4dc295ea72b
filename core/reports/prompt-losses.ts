/** How often prompts missed their cache or lost thinking, by hour, user, model, kind and reason. */
import { and, desc, eq, gte, lt, type SQL, sql } from 'drizzle-orm'
import { promptLosses, users } from '../db/schema.ts'
import type { LossKind } from '../metering/prompt-losses.ts'
import type { Db } from '../ports.ts'
import { HOUR_MS } from '../units.ts'
import type { Filter } from './query.ts'
import type { Range } from './range.ts'

const MOST_ROWS = 1_000

export interface LossSum {
  userId: number
  /** null if the user does not exist. */
  itcode: string | null
  model: string
  kind: LossKind
  reason: string
  calls: number
  blocks: number
  tokens: number
}

/**
 * For a batch, before sumUp: adds the losses of records. `list` selects a column `call` with the records' text; `at` is the
 * position of the losses in it. Only calls that this batch inserted into the log are counted.
 */
export function addToPromptLosses(list: SQL, at: number): SQL {
  return sql`
    with list as materialized (${list}),
      lost as (select call->>0 as id, loss.value as loss from list, json_each(call, ${sql.raw(`'$[${at}]'`)}) as loss)
    insert into prompt_losses (hour, user_id, model, kind, reason, calls, blocks, tokens)
    select created_at / ${sql.raw(`${HOUR_MS} * ${HOUR_MS}`)}, user_id, model, loss->>0, loss->>1, count(*),
      sum(loss->>2), sum(loss->>3)
    from lost join usage_logs on request_id = lost.id
    where usage_logs.id > (select log_id from usage_summed) group by 1, 2, 3, 4, 5
    on conflict do update set calls = calls + excluded.calls, blocks = blocks + excluded.blocks,
      tokens = tokens + excluded.tokens`
}

/** The sums of the hours that begin in the range: at most 1,000 rows, the most calls first. */
export async function promptLossSums(
  db: Db,
  range: Range,
  of: Pick<Filter, 'userId' | 'model'>,
): Promise<LossSum[]> {
  const sumOf = (column: 'calls' | 'blocks' | 'tokens') =>
    sql<number>`sum(${promptLosses[column]})`.mapWith(Number)
  const { userId, model, kind, reason } = promptLosses
  return db
    .select({
      userId,
      itcode: users.itcode,
      model,
      kind,
      reason,
      calls: sumOf('calls'),
      blocks: sumOf('blocks'),
      tokens: sumOf('tokens'),
    })
    .from(promptLosses)
    .leftJoin(users, eq(users.id, userId))
    .where(
      and(
        gte(promptLosses.hour, range.from),
        lt(promptLosses.hour, range.to),
        of.userId === undefined ? undefined : eq(userId, of.userId),
        of.model === undefined ? undefined : eq(model, of.model),
      ),
    )
    .groupBy(userId, model, kind, reason)
    .orderBy(desc(sumOf('calls')), userId, model, kind, reason)
    .limit(MOST_ROWS)
}
