/** Where the counters of a call stand, as the database tells it: the rule of decide.ts in SQL. */
import { type SQL, sql } from 'drizzle-orm'
import * as z from 'zod'
import type { Admission, Counter } from '../ports.ts'
import { CLOCK_SKEW_MS } from '../skew.ts'
import { MINUTE_MS } from '../units.ts'
import { BUSY_RETRY_MS, HOLD_EXPIRY_MS, SCARCE_CASES, type Standing } from './decide.ts'
import { ownerText } from './owner.ts'
import { PERIOD_INDEX } from './period.ts'

/** A second counts as one of the last minute until all of it is over, as in token-window.ts. */
export const SECONDS_END_MS = MINUTE_MS + 1_000

/** What the database tells of each amount of each counter, or once of a counter without amounts. */
const State = z.tuple([
  /** Place of the counter in the list. */
  z.number(),
  /** Of the amount, by PERIOD_INDEX; -1 without one. */
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  /** Ms since 1970 from which the minute has room for a call, and for tokens; 0 while it has. */
  z.number(),
  z.number(),
])
const COLUMNS = `place, period, used_tokens, used_micros, held_tokens, held_micros, running, free_at, tokens_free_at`

/** Counters that limit nothing admit every call. */
export function isLimited({ limits }: Counter): boolean {
  return (
    limits.amounts.length > 0 ||
    limits.requestsPerMinute > 0 ||
    limits.tokensPerMinute > 0 ||
    limits.concurrentRequests > 0
  )
}

/** The standings in `states` (text of verdictOf), in the order of the counters. */
export function standingsIn(states: string, counters: readonly Counter[], now: number): Standing[] {
  const all = z.array(State).parse(JSON.parse(states))
  return counters.map((_, place) => {
    const mine = all.filter(([at]) => at === place)
    const [state] = mine
    if (!state) throw new Error('the database answered nothing about a limit')
    const tokens = [0, 0, 0, 0]
    const micros = [0, 0, 0, 0]
    for (const [, period, usedTokens, usedMicros] of mine) {
      if (period < 0) continue
      tokens[period] = usedTokens
      micros[period] = usedMicros
    }
    const [, , , , heldTokens, heldMicros, running, freeAt, tokensFreeAt] = state
    const waits = { waitMs: Math.max(0, freeAt - now), tokensWaitMs: Math.max(0, tokensFreeAt - now) }
    return { tokens, micros, heldTokens, heldMicros, running, ...waits }
  })
}

/** For the query: each counter with its limits, and those of its amounts in the periods of the call. */
function asked({ begun }: Admission, counters: readonly Counter[]): string {
  return JSON.stringify(
    counters.map(({ scope, id, limits }) => {
      const { requestsPerMinute, tokensPerMinute, concurrentRequests, amounts } = limits
      const owner = ownerText({ scope, id })
      const pool = scope === 'group' ? `,${id},` : ''
      const ofPeriods = amounts.map(({ period, tokens = null, micros = null }) => {
        const index = PERIOD_INDEX[period]
        return [index, period, index === PERIOD_INDEX.total ? 0 : begun.periodStarts[index], tokens, micros]
      })
      const rates = [requestsPerMinute, tokensPerMinute, concurrentRequests]
      return [scope, id, owner, pool, ...rates, ofPeriods.length > 0 ? ofPeriods : [[-1, '', 0, null, null]]]
    }),
  )
}

/**
 * Selects one row for limited counters: whether any refuses the call (is_full), whether little is left (is_scarce), and where
 * all of them stand (states). What is settled and has no row in the log yet counts in the periods of its own admission.
 *
 * There are few texts of it, whatever the call, because a prepared statement is kept by its text.
 */
export function verdictOf(call: Admission, counters: readonly Counter[], now: number): SQL {
  const { begun, worst } = call
  const [day, week, month] = begun.periodStarts
  // No hold lasts longer than its expiry: a later end was written by a clock that was ahead.
  const runsUntil = now + HOLD_EXPIRY_MS + CLOCK_SKEW_MS
  return sql`with input (counters, caller, now, runs_until, day, week, month, scarce_tokens, scarce_micros) as (values (
      ${asked(call, counters)}, ${begun.userId}, ${now}, ${runsUntil}, ${day}, ${week}, ${month},
      ${SCARCE_CASES * worst.tokens}, ${SCARCE_CASES * worst.costMicros}))${judging({
        hasPool: counters.some(({ scope }) => scope === 'group' || scope === 'organisation'),
        isRated: counters.some(({ limits }) => limits.requestsPerMinute > 0),
        countsTokens: counters.some(({ limits }) => limits.tokensPerMinute > 0),
      })}`
}

interface Judged {
  hasPool: boolean
  isRated: boolean
  countsTokens: boolean
}

/** What follows `input`. */
function judging({ hasPool, isRated, countsTokens }: Judged): SQL {
  const others = ` union all select false, ${HELD} from input cross join ledger_holds as hold
    where hold.user_id <> caller and (running or tokens > 0 or cost_micros > 0)`
  return sql.raw(`,
    counters as materialized (
      select key as place, value->>0 as scope, value->>1 as id, value->>2 as owner, value->>3 as pool,
        value->>4 as per_minute, value->>5 as tokens_per_minute, value->>6 as at_once, value->7 as amounts
      from input cross join json_each(input.counters)),
    holds as materialized (
      select true as own, ${HELD} from input cross join ledger_holds as hold where hold.user_id = caller
      ${hasPool ? others : ''}),
    standings as materialized (
      select counters.*, total(iif(runs, tokens, 0)) as held_tokens, total(iif(runs, cost_micros, 0)) as held_micros,
        total(runs) as running_now, ${SETTLED}
      from counters left join holds on case scope when 'user' then own when 'key' then own and api_key_id = counters.id
        when 'group' then instr(billing_groups, pool) > 0 else true end
      group by place),
    states as materialized (
      select place, at_once, running_now as running, held_tokens, held_micros, scarce_tokens, scarce_micros,
        ${isRated ? `iif(per_minute > 0, ${FREE_AT}, 0)` : '0'} as free_at,
        ${countsTokens ? `iif(tokens_per_minute > 0, ${TOKENS_FREE_AT}, 0)` : '0'} as tokens_free_at,
        amount.value->>0 as period, amount.value->>3 as most_tokens, amount.value->>4 as most_micros,
        coalesce(spent.tokens, 0) + ${ofPeriod('tokens')} as used_tokens,
        coalesce(spent.micros, 0) + ${ofPeriod('micros')} as used_micros
      from standings cross join input cross join json_each(amounts) as amount left join limit_spent as spent
        on spent.owner = standings.owner and spent.period = amount.value->>1 and spent.start = amount.value->>2)
    select max(${IS_FULL}) as is_full, max(${IS_SCARCE}) as is_scarce,
      json_group_array(json_array(${COLUMNS})) as states from states`)
}

const HELD = `api_key_id, billing_groups, tokens, cost_micros, running,
  running and ends_at > now and ends_at <= runs_until as runs, coalesce(day_start = day, true) as of_day,
  coalesce(week_start = week, true) as of_week, coalesce(month_start = month, true) as of_month, minute_ends_at,
  minute_tokens, tokens_end_at`

const SETTLED = ['of_day', 'of_week', 'of_month', 'true']
  .flatMap((isCounted, index) => [
    `total(iif(not running and ${isCounted}, tokens, 0)) as tokens_${index}`,
    `total(iif(not running and ${isCounted}, cost_micros, 0)) as micros_${index}`,
  ])
  .join(', ')

function ofPeriod(amount: 'tokens' | 'micros'): string {
  const cases = [0, 1, 2, 3].map((index) => `when ${index} then ${amount}_${index}`)
  return `case amount.value->>0 ${cases.join(' ')} else 0 end`
}

const OF_COUNTER = `own and (scope = 'user' or api_key_id = standings.id)`

/**
 * Of the newest requests, as many as a minute allows, the oldest is the first whose end makes room. Those of processes whose clocks
 * are a little ahead count; still later ends were written by a clock that was set back.
 */
const FREE_AT = `coalesce((select minute_ends_at from (
    select minute_ends_at, row_number() over (order by minute_ends_at desc) as nth from holds
    where ${OF_COUNTER} and minute_ends_at > now and minute_ends_at <= now + ${MINUTE_MS + CLOCK_SKEW_MS})
  where nth = per_minute), 0)`

const IN_MINUTE = `from holds where ${OF_COUNTER} and tokens_end_at > now and tokens_end_at <= now + ${SECONDS_END_MS + CLOCK_SKEW_MS}`

/** What is held becomes use at any time. */
const TOKENS_FREE_AT = `case
  when held_tokens >= tokens_per_minute then now + ${BUSY_RETRY_MS}
  when (select total(minute_tokens) ${IN_MINUTE}) + held_tokens >= tokens_per_minute then (
    select min(tokens_end_at) from (select tokens_end_at, total(minute_tokens) over (
        order by tokens_end_at desc rows between unbounded preceding and 1 preceding) as later ${IN_MINUTE})
    where later + held_tokens < tokens_per_minute)
  else 0 end`

const IS_FULL = `(most_tokens is not null and used_tokens + held_tokens >= most_tokens)
  or (most_micros is not null and used_micros + held_micros >= most_micros)
  or (at_once > 0 and running >= at_once) or free_at > 0 or tokens_free_at > 0`

const IS_SCARCE = `(most_tokens is not null and most_tokens - used_tokens - held_tokens < scarce_tokens)
  or (most_micros is not null and most_micros - used_micros - held_micros < scarce_micros)`
