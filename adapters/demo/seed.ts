/** Generates two months of plausible usage for the demo, the same at every start. */
import { createPeriods } from '../../core/limits/period.ts'
import type { CallRecord, Db } from '../../core/ports.ts'
import type { Prices } from '../../core/pricing/prices.ts'
import { NOT_BOOKED } from '../../core/record.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { DAY_MS, HOUR_MS } from '../../core/units.ts'

const UTC = createPeriods('UTC')
/** Two months and some days, so that each month has one to be compared with. */
export const HISTORY_DAYS = 70
/** How much more is used each day than the day before. */
const GROWTH = 1.004
const BATCH_ROWS = 500
/** Calls of a person in this time are one session. */
const SESSION_MS = 2 * HOUR_MS
/** What became of the attempts of a call that failed, as a row keeps it. */
const FAILED = '[["claude-primary",2,310,529],["claude-second",315,240,529]]'
/** Of calls that the second backend answered because the first did not. */
const SAVED_BY_SECOND = '[["claude-primary",2,290,529],["claude-second",296,540,200]]'
/** An afternoon on which the first backend was overloaded: how many days ago, from which hour to which. */
const BAD_DAY = { daysAgo: 6, from: 13, to: 15 }

export interface Habit {
  userId: number
  keyId: number
  /** Where the calls are booked: a group, then its parents. */
  groupIds: readonly [number, ...number[]]
  /** Calls on a busy day. */
  calls: number
  /** Models by preference, the first most. */
  models: readonly string[]
  client: string
  /** How many days ago the first call came. */
  since: number
}

/** Writes the records of the days before `now` (ms since 1970) and returns their number. */
export async function seedUsage(parts: {
  db: Db
  prices: Prices
  now: number
  habits: readonly Habit[]
}): Promise<number> {
  const random = repeatable(20_261_123)
  const records: string[] = []
  for (let day = HISTORY_DAYS; day >= 0; day--) {
    const midnight = Math.floor(parts.now / DAY_MS) * DAY_MS - day * DAY_MS
    const weekday = new Date(midnight).getUTCDay()
    const busy = (weekday === 0 || weekday === 6 ? 0.15 : 1) / GROWTH ** day
    for (const habit of parts.habits) {
      const calls = habit.since < day ? 0 : Math.round(habit.calls * busy * (0.6 + 0.8 * random()))
      const sessions = new Map<number, string>()
      for (let i = 0; i < calls; i++) {
        const hour = 8 + 10 * (random() + random()) * 0.5
        const slot = Math.floor((hour * HOUR_MS) / SESSION_MS)
        const session =
          sessions.get(slot) ??
          Math.floor(random() * 2 ** 32)
            .toString(16)
            .padStart(8, '0')
        sessions.set(slot, session)
        const isBad = day === BAD_DAY.daysAgo && hour >= BAD_DAY.from && hour < BAD_DAY.to
        const createdAt = Math.round(midnight + hour * HOUR_MS)
        const call = callOf(habit, { createdAt, isBad }, random, parts.prices)
        if (createdAt < parts.now) records.push(recordText({ ...call, session }))
      }
    }
  }
  for (let from = 0; from < records.length; from += BATCH_ROWS) {
    await writeRecords(parts.db, records.slice(from, from + BATCH_ROWS))
  }
  return records.length
}

function callOf(
  habit: Habit,
  { createdAt, isBad }: { createdAt: number; isBad: boolean },
  random: () => number,
  prices: Prices,
): CallRecord {
  const model = habit.models[Math.floor(random() ** 2 * habit.models.length)] ?? 'claude-opus-5-5'
  const failed = random() < (isBad ? 0.3 : 0.012)
  const second = failed || random() < (isBad ? 0.9 : 0.35)
  const saved = !failed && isBad && second
  const aborted = !failed && random() < 0.02
  const tokens = failed ? NO_TOKENS : tokensOf(random)
  const ttftMs = Math.round(350 + 1400 * random() ** 2)
  return {
    ...NOT_BOOKED,
    id: `req_demo${Math.floor(random() * 2 ** 50).toString(36)}`,
    userId: habit.userId,
    keyId: habit.keyId,
    billingGroupIds: habit.groupIds,
    client: habit.client,
    requestedModel: model,
    model,
    // A call that failed was tried at both.
    backend: second ? 'claude-second' : 'claude-primary',
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    cacheReadTokens: tokens.cacheRead,
    cacheWrite5mTokens: tokens.cacheWrite5m,
    cacheWrite1hTokens: tokens.cacheWrite1h,
    ...prices.cost(meteredOf(tokens, aborted), model, createdAt),
    statusCode: failed ? 529 : 200,
    outcome: failed ? 'error' : aborted ? 'client_aborted' : 'ok',
    error: failed ? 'upstream_error' : '',
    story: failed ? FAILED : saved ? SAVED_BY_SECOND : '',
    estimated: aborted,
    stream: true,
    attempts: failed || saved ? 2 : 1,
    latencyMs: ttftMs + tokens.output * msPerToken(model),
    ttftMs: failed ? null : ttftMs,
    extra: null,
    createdAt,
    promptLosses: [],
    periodStarts: UTC.startsAt(createdAt),
  }
}

/** Larger models speak more slowly. */
function msPerToken(model: string): number {
  if (model.includes('haiku')) return 6
  return model.includes('sonnet') ? 11 : 16
}

const NO_TOKENS = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }

function tokensOf(random: () => number): typeof NO_TOKENS {
  return {
    output: Math.round(60 + 2_600 * random() ** 3),
    input: Math.round(20 + 900 * random() ** 2),
    cacheRead: Math.round(150_000 * random()),
    cacheWrite5m: Math.round(14_000 * random() ** 2),
    cacheWrite1h: 0,
  }
}

function meteredOf(tokens: typeof NO_TOKENS, estimated: boolean) {
  return {
    parts: [{ model: undefined, tokens }],
    webSearches: 0,
    fast: false,
    geoUs: false,
    batch: false,
    serviceTier: '',
    speed: '',
    geo: '',
    estimated,
    inputUnknown: false,
    promptLosses: [],
    extra: null,
  }
}

/** The Park-Miller generator, seeded, so that the demo is the same every time: https://doi.org/10.1145/63039.63042 */
function repeatable(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
