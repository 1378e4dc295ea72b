/** Routes for reports: one's own, those of leads about their groups, and everybody's for those who may see all usage. */
import * as z from 'zod'
import { reportDates } from '../core/reports/buckets.ts'
import { csvStream } from '../core/reports/csv.ts'
import { type Report, reportOf, rowsOfReport } from '../core/reports/report.ts'
import type { ReportQuestion } from '../core/reports/report-page.ts'
import { type RetiringModel, retiringModels } from '../core/reports/retiring.ts'
import { weekOf } from '../core/reports/week.ts'
import { timeText, usdOf } from '../core/units.ts'
import { timestamp } from './fields.ts'
import {
  FileQuery,
  filterOf,
  OwnFileQuery,
  OwnQuery,
  OwnWeekQuery,
  ownFilter,
  Query,
  questionOf,
  WeekQuery,
} from './report-query.ts'
import { comparedView, ReportView, rowView, table, totalsView } from './report-views.ts'
import { type ReportDeps, report, route } from './route.ts'

/** Rows of a file that are turned into text at once. */
const SLICE = 1_000
/** Some hundred MB while the file is read. */
const MOST_ROWS = 500_000

const RetiringView = z.strictObject({
  model: z.string(),
  display_name: z.string(),
  lifecycle: z.string().nullable().meta({ description: "In the upstream's words, such as deprecated." }),
  retires_at: timestamp,
  users: z.array(
    z.strictObject({
      user_id: z.int(),
      itcode: z.string().nullable(),
      requests: z.int(),
      cost_usd: z.number(),
    }),
  ),
})

const WeekView = z.strictObject({
  week: z.array(z.array(z.number())).meta({
    description: 'Monday first, 24 hours each; 0 where nothing was called.',
  }),
})

export const reports = [
  report({
    path: '/api/reports',
    tier: 'session',
    summary:
      "The caller's use, or that of groups they lead. Without dates: the last 30 days, or as fits the buckets.",
    query: OwnQuery,
    reply: ReportView,
    handle: ({ deps, caller, query }) => answer(deps, query, ownFilter(query, caller.user.id)),
  }),
  report({
    path: '/admin/api/reports',
    tier: 'billing',
    summary: "Everybody's use. Without dates: the last 30 days, or as fits the buckets.",
    query: Query,
    reply: ReportView,
    handle: ({ deps, query }) => answer(deps, query, filterOf(query)),
  }),
  report({
    path: '/api/reports/export',
    tier: 'session',
    summary: 'All rows of /api/reports as a CSV file, 500,000 at most.',
    query: OwnFileQuery,
    produces: ['text/csv'],
    file: true,
    handle: ({ deps, caller, query, id, over }) =>
      file(deps, asked(deps, query, ownFilter(query, caller.user.id)), { id, over }),
  }),
  report({
    path: '/admin/api/reports/export',
    tier: 'billing',
    summary: 'All rows of /admin/api/reports as a CSV file, 500,000 at most.',
    query: FileQuery,
    produces: ['text/csv'],
    file: true,
    handle: ({ deps, query, id, over }) => file(deps, asked(deps, query, filterOf(query)), { id, over }),
  }),
  report({
    path: '/api/reports/week',
    tier: 'session',
    summary:
      "What the hours of a week used, each as often as it was: of the caller's calls, or those of groups they lead.",
    query: OwnWeekQuery,
    reply: WeekView,
    handle: ({ deps, caller, query }) => week(deps, query, ownFilter(query, caller.user.id)),
  }),
  report({
    path: '/admin/api/reports/week',
    tier: 'billing',
    summary: "What the hours of a week used, each as often as it was: of everybody's calls.",
    query: WeekQuery,
    reply: WeekView,
    handle: ({ deps, query }) => week(deps, query, filterOf(query)),
  }),
  // Not a thread's, because only the process that asks the backends knows their lists.
  route({
    method: 'GET',
    path: '/admin/api/reports/retiring-models',
    tier: 'billing',
    summary: 'Models that end within 60 days, as the upstream says, and who used them in the last 30.',
    reply: z.strictObject({ models: z.array(RetiringView) }),
    async handle({ deps: { db, catalogue, prices, clock } }) {
      const parts = { canonical: prices.canonical, now: clock.now() }
      const found = await retiringModels(db, await catalogue.models(), parts)
      return { models: found.map(retiringView) }
    },
  }),
]

function retiringView({ model, retiresAt, users }: RetiringModel): z.input<typeof RetiringView> {
  return {
    model: model.id,
    display_name: model.display_name ?? model.id,
    lifecycle: typeof model.lifecycle === 'string' ? model.lifecycle : null,
    retires_at: timeText(retiresAt),
    users: users.map(({ userId, itcode, requests, costMicros }) => {
      return { user_id: userId, itcode, requests, cost_usd: usdOf(costMicros) }
    }),
  }
}

function asked(deps: ReportDeps, query: Parameters<typeof questionOf>[0], filter: ReportQuestion['filter']) {
  return questionOf(query, filter, { now: deps.clock.now(), timeZone: deps.settings.limits.timeZone })
}

async function answer(
  deps: ReportDeps,
  query: z.output<typeof Query>,
  filter: ReportQuestion['filter'],
): Promise<z.input<typeof ReportView>> {
  const question = asked(deps, query, filter)
  const { page, page_size: pageSize } = query
  const found = await reportOf(deps.db, question, { skip: (page - 1) * pageSize, take: pageSize })
  return {
    ...headOf(question, found),
    rows: found.rows.map(rowView),
    total: found.rowCount,
    page,
    page_size: pageSize,
  }
}

function headOf({ dates, bucket, dimensions }: ReportQuestion, { span, totals, before, every }: Report) {
  return {
    from: new Date(span.from).toISOString(),
    to: new Date(span.to).toISOString(),
    time_zone: dates.timeZone,
    start_date: dates.startDate,
    end_date: dates.endDate,
    bucket,
    group_by: [...dimensions],
    totals: totalsView(totals),
    timings_every: every,
    before: comparedView(before),
  }
}

async function week(deps: ReportDeps, query: z.output<typeof WeekQuery>, filter: ReportQuestion['filter']) {
  const { figure, start_date: startDate, end_date: endDate, tz } = query
  const given = { startDate, endDate, timeZone: tz ?? deps.settings.limits.timeZone }
  const dates = reportDates(given, 'hour', deps.clock.now())
  const hours = await weekOf(deps.db, { dates, filter, figure })
  return { week: figure === 'cost' ? hours.map((day) => day.map(usdOf)) : hours }
}

async function file(deps: ReportDeps, question: ReportQuestion, { id, over }: { id: string; over(): void }) {
  const rows = await rowsOfReport(deps.db, question, { slice: SLICE, most: MOST_ROWS })
  const { columns, lineOf } = table(question)
  async function* slices() {
    for (const some of rows) yield some.map(lineOf)
  }
  return new Response(csvStream(columns, slices(), over), {
    headers: {
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': 'attachment; filename="report.csv"',
      'cache-control': 'no-store',
      'request-id': id,
    },
  })
}
