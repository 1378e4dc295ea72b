/** Routes for usage: one's own and, for administrators, everybody's. Routes that both have are defined once. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { dailyChart, hourlyChart } from '../core/reports/charts.ts'
import { type Cell, csvStream } from '../core/reports/csv.ts'
import { exportLogs } from '../core/reports/export.ts'
import { logPage, logsAfter } from '../core/reports/log-pages.ts'
import type { LogRow } from '../core/reports/log-rows.ts'
import { daySpans, hoursOf, rangeOf } from '../core/reports/range.ts'
import { page, pageSize } from './fields.ts'
import { report } from './route.ts'
import { usageRequests } from './usage-requests.ts'
import { isSearch, LOG_FILTERS, searchOf } from './usage-search.ts'
import { summaries } from './usage-summary.ts'
import {
  barView,
  cursor,
  cursorText,
  DayStats,
  datesOf,
  filterOf,
  filters,
  HourStats,
  LOG_COLUMNS,
  Log,
  logView,
  type UsageTier,
} from './usage-views.ts'

const BASE = { session: '/api/usage', billing: '/admin/api/usage' } as const
const WHOSE = { session: "The caller's", billing: "Everybody's" }

export const usage = [
  ...(['session', 'billing'] as const).flatMap((tier) => [
    listOf(tier),
    dailyOf(tier),
    hourlyOf(tier),
    exportOf(tier),
  ]),
  ...summaries,
  ...usageRequests,
]

function listOf(tier: UsageTier) {
  return report({
    path: BASE[tier],
    tier,
    summary: `${WHOSE[tier]} calls, newest first. Without dates: all.`,
    query: filters(tier, {
      ...LOG_FILTERS,
      page: page.unwrap().optional(),
      page_size: pageSize,
      cursor: cursor.optional().meta({
        description:
          'next_cursor of the answer before: the rows that follow it, whatever came since. Not with page.',
      }),
    })
      .refine((query) => query.page === undefined || query.cursor === undefined, {
        path: ['cursor'],
        error: 'either cursor or page is expected',
      })
      .refine((query) => query.page === undefined || !isSearch(query), {
        path: ['page'],
        error: 'with outcome, session or request_id pages follow by cursor',
      }),
    reply: z.strictObject({
      logs: z.array(Log),
      total: z
        .int()
        .nullable()
        .meta({ description: 'null when asked by cursor, or with outcome, session or request_id.' }),
      page: z.int().nullable().meta({ description: 'null when asked by cursor.' }),
      page_size: z.int(),
      next_cursor: z.string().nullable().meta({ description: 'null at the end.' }),
    }),
    async handle({ deps: { db }, caller, query }) {
      const filter = searchOf(filterOf(tier, caller, query), query)
      const range = rangeOf(datesOf(query))
      const { page: asked = 1, page_size: pageSize, cursor = null } = query
      const byCursor = cursor !== null || isSearch(query)
      const found = byCursor
        ? { ...(await logsAfter(db, filter, range, { cursor, take: pageSize })), total: null }
        : await logPage(db, filter, range, { page: asked, pageSize })
      return {
        logs: found.logs.map(logView),
        total: found.total,
        page: byCursor ? null : asked,
        page_size: pageSize,
        next_cursor: found.next && cursorText(found.next),
      }
    },
  })
}

function dailyOf(tier: UsageTier) {
  return report({
    path: `${BASE[tier]}/daily`,
    tier,
    summary: `${WHOSE[tier]} use by day and model, at most 366 days. Without dates: the last 30 days.`,
    query: filters(tier, {}),
    reply: z.strictObject({ stats: z.array(DayStats) }),
    async handle({ deps, caller, query }) {
      const days = daySpans(datesOf(query), deps.clock.now())
      const bars = await dailyChart(deps.db, filterOf(tier, caller, query), days)
      return { stats: bars.map((bar) => ({ date: bar.label, ...barView(bar) })) }
    },
  })
}

function hourlyOf(tier: UsageTier) {
  return report({
    path: `${BASE[tier]}/hourly`,
    tier,
    summary: `${WHOSE[tier]} use by UTC hour and model, at most 31 days. Without dates: the last 24 hours; with one: that day.`,
    query: filters(tier, {}),
    reply: z.strictObject({ stats: z.array(HourStats) }),
    async handle({ deps, caller, query }) {
      const hours = hoursOf(datesOf(query), deps.clock.now())
      const bars = await hourlyChart(deps.db, filterOf(tier, caller, query), hours)
      return { stats: bars.map((bar) => ({ hour: bar.label, ...barView(bar) })) }
    },
  })
}

function exportOf(tier: UsageTier) {
  return report({
    path: `${BASE[tier]}/export`,
    tier,
    summary: `${WHOSE[tier]} calls as a CSV file, newest first. Without dates: all.`,
    query: filters(tier, LOG_FILTERS),
    produces: ['text/csv'],
    file: true,
    async handle({ deps, caller, query, actor, id, over }) {
      const filter = searchOf(filterOf(tier, caller, query), query)
      const range = rangeOf(datesOf(query))
      const logs = await exportLogs({ ...deps, actor }, { filter, range, asked: query })
      return new Response(csvStream(LOG_COLUMNS, slicesOf(deps, logs, id), over), {
        headers: {
          'content-type': 'text/csv; charset=utf-8; header=present',
          'content-disposition': 'attachment; filename="usage.csv"',
          'cache-control': 'no-store',
          'request-id': id,
        },
      })
    },
  })
}

/** Rows in the order of LOG_COLUMNS. A failure can only be logged, because the headers are sent already. */
async function* slicesOf(
  { logger }: Pick<Deps, 'logger'>,
  slices: AsyncIterable<LogRow[]>,
  id: string,
): AsyncGenerator<Cell[][]> {
  try {
    for await (const logs of slices) {
      yield logs.map(logView).map((log) => LOG_COLUMNS.map((column) => log[column]))
    }
  } catch (cause) {
    logger.error('usage.export_failed', { id, cause: String(cause) })
    // Without the cause, because the server may show this error.
    throw new Error('The file broke off.')
  }
}
