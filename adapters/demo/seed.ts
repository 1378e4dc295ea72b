/** Generates some weeks of plausible usage for the demo, the same at every start. */
import { createPeriods } from '../../core/limits/period.ts'
import type { CallRecord, Db } from '../../core/ports.ts'
import type { Prices } from '../../core/pricing/prices.ts'
import { NOT_BOOKED } from '../../core/record.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { DAY_MS, HOUR_MS } from '../../core/units.ts'

const UTC = createPeriods('UTC')
const DAYS = 28
const BATCH_ROWS = 500
/** Calls of a person in this time are one session. */
const SESSION_MS = 2 * HOUR_MS
/** What became of the attempts of a call that failed, as a row keeps it. */
const FAILED = '[["claude-primary",2,310,529],["claude-second",315,240,529]]'

export interface Habit {
  userId: number
  keyId: number
  /** Where the calls are booked. */
  groupId: number
  /** Calls on a busy day. */
  calls: number
  /** Models by preference, the first most. */
  models: readonly string[]
}

/** Writes the records of the weeks before `now` (ms since 1970) and returns their number. */
export async function seedUsage(parts: {
  db: Db
  prices: Prices
  now: number
  habits: readonly Habit[]
}): Promise<number> {
  const random = repeatable(20_261_123)
  const records: string[] = []
  for (let day = DAYS; day >= 0; day--) {
    const midnight = Math.floor(parts.now / DAY_MS) * DAY_MS - day * DAY_MS
    const weekday = new Date(midnight).getUTCDay()
    const share = weekday === 0 || weekday === 6 ? 0.15 : 1
    for (const habit of parts.habits) {
      const calls = Math.round(habit.calls * share * (0.6 + 0.8 * random()))
      for (let i = 0; i < calls; i++) {
        const createdAt = Math.round(midnight + (8 + 10 * (random() + random()) * 0.5) * HOUR_MS)
        const session = `${habit.userId}${day}${Math.floor((createdAt - midnight) / SESSION_MS)}`.padStart(
          8,
          '0',
        )
        const call = callOf(habit, createdAt, random, parts.prices)
        if (createdAt < parts.now) records.push(recordText({ ...call, session }))
      }
    }
  }
  for (let from = 0; from < records.length; from += BATCH_ROWS) {
    await writeRecords(parts.db, records.slice(from, from + BATCH_ROWS))
  }
  return records.length
}

function callOf(habit: Habit, createdAt: number, random: () => number, prices: Prices): CallRecord {
  const model = habit.models[Math.floor(random() ** 2 * habit.models.length)] ?? 'claude-opus-5-5'
  const failed = random() < 0.015
  const aborted = !failed && random() < 0.02
  const output = failed ? 0 : Math.round(60 + 1800 * random() ** 3)
  const tokens = failed
    ? { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }
    : {
        input: Math.round(20 + 900 * random() ** 2),
        output,
        cacheRead: Math.round(45_000 * random()),
        cacheWrite5m: Math.round(4_000 * random() ** 2),
        cacheWrite1h: 0,
      }
  const metered = {
    parts: [{ model: undefined, tokens }],
    webSearches: 0,
    fast: false,
    geoUs: false,
    batch: false,
    serviceTier: '',
    speed: '',
    geo: '',
    estimated: aborted,
    inputUnknown: false,
    promptLosses: [],
    extra: null,
  }
  const ttftMs = Math.round(350 + 1400 * random() ** 2)
  return {
    ...NOT_BOOKED,
    id: `req_demo${Math.floor(random() * 2 ** 50).toString(36)}`,
    userId: habit.userId,
    keyId: habit.keyId,
    billingGroupIds: [habit.groupId],
    client: 'claude-code',
    requestedModel: model,
    model,
    // A call that failed was tried at both.
    backend: random() < 0.65 && !failed ? 'claude-primary' : 'claude-second',
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    cacheReadTokens: tokens.cacheRead,
    cacheWrite5mTokens: tokens.cacheWrite5m,
    cacheWrite1hTokens: tokens.cacheWrite1h,
    ...prices.cost(metered, model, createdAt),
    statusCode: failed ? 529 : 200,
    outcome: failed ? 'error' : aborted ? 'client_aborted' : 'ok',
    story: failed ? FAILED : '',
    estimated: aborted,
    stream: true,
    attempts: failed ? 2 : 1,
    latencyMs: ttftMs + output * 14,
    ttftMs: failed ? null : ttftMs,
    extra: null,
    createdAt,
    promptLosses: [],
    periodStarts: UTC.startsAt(createdAt),
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
