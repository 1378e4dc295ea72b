/** How fast each model answered here lately, and what a call to it usually costs: medians, because a few long calls say little. */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { DAY_MS } from '../units.ts'

/**
 * How far back, how many calls are looked at, and how many that went well are counted, so that the question costs the same in a
 * company of any size, and however many calls of somebody fail.
 */
const LOOK_BACK_MS = 30 * DAY_MS
const MOST_LOOKED_AT = 20_000
const MOST_CALLS = 5_000
const MOST_OWN_CALLS = 1_000
/** With fewer callers, what a call costs to all would tell what it costs to one of them. */
const FEWEST_CALLERS = 3
/** Shorter answers come in one piece, and say nothing about speed. */
const FEWEST_TOKENS = 20

export interface ModelFigures {
  /** As calls were sent. */
  model: string
  /** From the request to the first byte of a streamed answer; null = no such call. */
  firstByteMs: number | null
  /** Output tokens a second from the first byte to the last; null = no such call. */
  tokensPerSecond: number | null
  /** Of everybody's calls; null where fewer than three people called it. */
  costMicros: number | null
  /** Of the person's own; null = none. */
  ownCostMicros: number | null
}

type Measure = 'first_byte' | 'speed' | 'cost' | 'own_cost' | 'callers'

/** Medians of the latest calls that went well, by model. `now`: ms since 1970. */
export async function modelFigures(
  db: Db,
  { userId, now }: { userId: number; now: number },
): Promise<ModelFigures[]> {
  const latest = (
    whose: SQL,
  ) => sql`(select * from usage_logs where ${whose} and created_at > ${now - LOOK_BACK_MS}
    order by created_at desc, id desc limit ${MOST_LOOKED_AT}) where outcome = 'ok'`
  const rows = await db.all<{ model: string; measure: Measure; value: number }>(sql`
    with latest as materialized (select * from ${latest(sql`true`)} limit ${MOST_CALLS}),
      own as materialized (select model, cost_micros from ${latest(sql`user_id = ${userId}`)}
        limit ${MOST_OWN_CALLS}),
      streamed as (select * from latest where stream and ttft_ms is not null and output_tokens >= ${FEWEST_TOKENS}),
      measured (model, measure, value) as (
        select model, 'first_byte', ttft_ms from streamed
        union all select model, 'speed', output_tokens * 1000.0 / (latency_ms - ttft_ms) from streamed
          where latency_ms > ttft_ms
        union all select model, 'cost', cost_micros from latest
        union all select model, 'own_cost', cost_micros from own
        union all select model, 'callers', count(distinct user_id) from latest group by model),
      placed as (select *, row_number() over (partition by model, measure order by value) as place,
        count(*) over (partition by model, measure) as amount from measured)
    select model, measure, avg(value) as value from placed where place in ((amount + 1) / 2, (amount + 2) / 2)
    group by model, measure order by model`)
  return [...Map.groupBy(rows, ({ model }) => model)].map(([model, measured]) => {
    const of = (measure: Measure) => measured.find((row) => row.measure === measure)?.value ?? null
    const isShared = (of('callers') ?? 0) >= FEWEST_CALLERS
    return {
      model,
      firstByteMs: of('first_byte'),
      tokensPerSecond: of('speed'),
      ownCostMicros: of('own_cost'),
      costMicros: isShared ? of('cost') : null,
    }
  })
}
