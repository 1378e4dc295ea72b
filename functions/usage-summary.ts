/** Routes for totals of usage: users also see what they have left, administrators also the totals by user and backend. */
import * as z from 'zod'
import type { SignedIn } from '../core/auth/sessions.ts'
import type { Deps } from '../core/deps.ts'
import { limitsOfPerson } from '../core/limits/caps.ts'
import { LOSS_KINDS } from '../core/metering/prompt-losses.ts'
import { backendStats } from '../core/reports/backend-stats.ts'
import { modelsUsed } from '../core/reports/models-used.ts'
import { promptLossSums } from '../core/reports/prompt-losses.ts'
import { ALL_TIME, type Dates, isAllTime, lastDays, type Range, rangeOf } from '../core/reports/range.ts'
import { type Summary, summarize } from '../core/reports/summary.ts'
import { timeText, usdOf } from '../core/units.ts'
import { idInQuery, modelName, timestamp } from './fields.ts'
import { report } from './route.ts'
import {
  DatesOnly,
  datesOf,
  FiguresView,
  figuresView,
  filterOf,
  filters,
  mainView,
  OfBackend,
  OfKey,
  OfModel,
  OfUser,
  RANGE,
  rangeView,
} from './usage-views.ts'

const STATS_DAYS = 30

const Common = { ...RANGE, totals: FiguresView, by_model: z.array(OfModel), by_key: z.array(OfKey) }
const Loss = z
  .strictObject({
    user_id: z.int(),
    itcode: z.string().nullable(),
    model: z.string(),
    kind: z.enum(LOSS_KINDS),
    reason: z.string().meta({ description: "In the upstream's words, or other." }),
    calls: z.int(),
    blocks: z.int().meta({ description: 'Blocks of thinking; 0 for caches.' }),
    missed_tokens: z.int().meta({ description: 'Input that would have come from the cache, about.' }),
  })
  .meta({ id: 'PromptLoss' })
export type PromptLoss = z.infer<typeof Loss>
const Models = z.strictObject({ models: z.array(z.string()) })
const Limit = z.strictObject({
  limit: z.number().meta({ description: '0 is no limit.' }),
  used: z.number(),
  left: z.number().nullable().meta({ description: 'null without a limit.' }),
})

export const summaries = [
  report({
    path: '/api/usage/summary',
    tier: 'session',
    summary: 'What the caller used and what they have left. Without dates: in the current period of quotas.',
    query: filters('session', {}),
    reply: z.strictObject({
      ...Common,
      quota: Limit.meta({ description: 'Tokens in the current period.' }),
      budget: Limit.meta({ description: 'US dollars in the current period.' }),
      resets_at: timestamp.nullable().meta({ description: 'When the next period begins; null is never.' }),
    }),
    async handle({ deps, caller, query }) {
      const range = rangeOrPeriod(deps, datesOf(query))
      const sums = await summarize(deps.db, filterOf('session', caller, query), range)
      return { ...commonView(range, sums), ...(await limitsView(deps, caller)) }
    },
  }),
  report({
    path: '/admin/api/usage/summary',
    tier: 'billing',
    summary:
      'What was used; the 50 most expensive users and keys. Without dates: in the current period of quotas.',
    query: filters('billing', {}),
    reply: z.strictObject({ ...Common, by_user: z.array(OfUser), by_backend: z.array(OfBackend) }),
    async handle({ deps, caller, query }) {
      const range = rangeOrPeriod(deps, datesOf(query))
      const sums = await summarize(deps.db, filterOf('billing', caller, query), range)
      return {
        ...commonView(range, sums),
        by_user: sums.byUser.map((row) => ({ user_id: row.userId, itcode: row.itcode, ...mainView(row) })),
        by_backend: sums.byBackend.map((row) => ({ backend: row.backend, ...figuresView(row) })),
      }
    },
  }),
  report({
    path: '/api/usage/models',
    tier: 'session',
    summary: 'The models that the caller ever called, the most expensive first; at most 200.',
    reply: Models,
    handle: async ({ deps, caller }) => ({ models: await modelsUsed(deps.db, caller.user.id) }),
  }),
  report({
    path: '/admin/api/usage/models',
    tier: 'billing',
    summary: 'The models that anybody ever called, the most expensive first; at most 200.',
    reply: Models,
    handle: async ({ deps }) => ({ models: await modelsUsed(deps.db) }),
  }),
  report({
    path: '/admin/api/backends/stats',
    tier: 'billing',
    summary: `How backends did. Without dates: in the last ${STATS_DAYS} days.`,
    query: DatesOnly,
    reply: z.strictObject({
      stats: z.array(
        z.strictObject({
          backend: z.string(),
          requests: z.int(),
          total_tokens: z.int(),
          cost_usd: z.number(),
          avg_latency_ms: z.int(),
          p95_latency_ms: z.int().meta({ description: 'From a histogram with steps of about a fifth.' }),
          error_count: z.int(),
        }),
      ),
    }),
    async handle({ deps, query }) {
      const stats = await backendStats(deps.db, rangeOrDays(deps, datesOf(query)))
      return {
        stats: stats.map((row) => ({
          backend: row.backend,
          requests: row.requests,
          total_tokens: row.totalTokens,
          cost_usd: usdOf(row.costMicros),
          avg_latency_ms: Math.round(row.averageMs),
          p95_latency_ms: Math.round(row.p95Ms),
          error_count: row.errors,
        })),
      }
    },
  }),
  report({
    path: '/admin/api/usage/cache-misses',
    tier: 'billing',
    summary: `Prompts that missed their cache or lost thinking, as answers reported. Without dates: in the last ${STATS_DAYS} days.`,
    query: DatesOnly.extend({ user_id: idInQuery.optional(), model: modelName.optional() }),
    reply: z.strictObject({ losses: z.array(Loss) }),
    async handle({ deps, query }) {
      const range = rangeOrDays(deps, datesOf(query))
      const losses = await promptLossSums(deps.db, range, { userId: query.user_id, model: query.model })
      return {
        losses: losses.map(({ userId, tokens, ...loss }) => ({
          user_id: userId,
          missed_tokens: tokens,
          ...loss,
        })),
      }
    },
  }),
]

function rangeOrDays({ clock }: Pick<Deps, 'clock'>, dates: Dates): Range {
  const asked = rangeOf(dates)
  return isAllTime(asked) ? lastDays(STATS_DAYS, dates.timeZone, clock.now()) : asked
}

function rangeOrPeriod(
  { clock, settings, periods }: Pick<Deps, 'clock' | 'settings' | 'periods'>,
  dates: Dates,
): Range {
  const asked = rangeOf(dates)
  if (!isAllTime(asked)) return asked
  const { start, end } = periods.spanOf(settings.limits.period, clock.now())
  return { from: start, to: Math.min(end, ALL_TIME.to) }
}

function commonView(range: Range, { totals, byModel, byKey }: Summary) {
  return {
    ...rangeView(range),
    totals: figuresView(totals),
    by_model: byModel.map((row) => ({ model: row.model, ...figuresView(row) })),
    by_key: byKey.map((row) => {
      return { api_key_id: row.keyId, key_name: row.keyName, user_id: row.userId, ...mainView(row) }
    }),
  }
}

/** The caller's limits and use in the current period, independent of the query's range and filters. */
async function limitsView(
  { db, clock, settings, periods }: Pick<Deps, 'db' | 'clock' | 'settings' | 'periods'>,
  { user }: SignedIn,
) {
  const { period } = settings.limits
  const { end } = periods.spanOf(period, clock.now())
  const { caps, used } = await limitsOfPerson({ db, settings, periods }, user.id, clock.now())
  const { tokens, micros } = used.get(period) ?? { tokens: 0, micros: 0 }
  const cap = caps.find((one) => one.period === period)?.micros ?? null
  return {
    quota: limitView(user.quotaTokens === 0 ? null : user.quotaTokens, tokens, (tokens) => tokens),
    budget: limitView(cap, micros, usdOf),
    resets_at: end === Number.MAX_SAFE_INTEGER ? null : timeText(end),
  }
}

/** `limit`: null is none, which is shown as 0. */
function limitView(limit: number | null, used: number, shown: (units: number) => number) {
  const left = limit === null ? null : shown(Math.max(0, limit - used))
  return { limit: shown(limit ?? 0), used: shown(used), left }
}
