/** Routes for what a month cost each billing group. */
import * as z from 'zod'
import { nothingHere } from '../core/errors.ts'
import { spanOfDates } from '../core/reports/buckets.ts'
import { costsOf, reconciliation } from '../core/reports/reconciled.ts'
import {
  datesOfMonth,
  monthBefore,
  type Statement,
  statementOf,
  statementsOf,
} from '../core/reports/statement.ts'
import { idOf } from './fields.ts'
import { ReconciledView, reconciledView } from './reconciliation.ts'
import { zone } from './report-query.ts'
import { comparedView, MeasuresView, measuresView, ReportView, rowView } from './report-views.ts'
import { type ReportDeps, report } from './route.ts'

const Month = z.strictObject({
  month: z
    .string()
    .regex(/^20\d\d-(0[1-9]|1[0-2])$/, 'a month such as 2027-01 is expected')
    .optional()
    .meta({ description: 'Without it: the month before this one.' }),
  tz: zone,
})
const Rows = z.array(ReportView.shape.rows.element)
export const StatementsView = z.strictObject({
  month: z.string(),
  time_zone: z.string(),
  totals: MeasuresView.meta({ description: 'Of all groups, to the micro-dollar.' }),
  before: ReportView.shape.before.meta({ description: 'Of all groups in the month before.' }),
  groups: Rows,
  reconciled: ReconciledView.nullable().meta({
    description:
      'What the accounts of the backends report of the UTC days of this month; null: nothing was compared.',
  }),
})
export const StatementView = z.strictObject({
  month: z.string(),
  time_zone: z.string(),
  group: z.strictObject({ id: z.int(), name: z.string() }),
  totals: MeasuresView,
  before: ReportView.shape.before.meta({ description: 'Of the month before.' }),
  by_user: Rows,
  by_model: Rows,
  by_project: Rows,
  by_day: Rows,
})

export const statements = [
  report({
    path: '/admin/api/reports/statements',
    tier: 'billing',
    summary: 'What a month cost every billing group.',
    query: Month,
    reply: StatementsView,
    async handle({ deps, query }) {
      const asked = monthOf(deps, query)
      const { totals, before, rows } = await statementsOf(deps.db, asked)
      const reconciled = costsOf(
        await reconciliation(deps.db, spanOfDates(datesOfMonth({ ...asked, timeZone: 'UTC' }))),
      )
      return {
        ...head(asked),
        totals: measuresView(totals),
        before: comparedView(before),
        groups: rows.map(rowView),
        reconciled: reconciledView(reconciled),
      }
    },
  }),
  report({
    path: '/api/reports/statements/:id',
    tier: 'session',
    summary: 'What a month cost a group that the caller leads.',
    query: Month,
    reply: StatementView,
    errors: [404],
    handle: ({ deps, caller, params, query }) => statement(deps, params.id, query, caller.user.id),
  }),
  report({
    path: '/admin/api/reports/statements/:id',
    tier: 'billing',
    summary: 'What a month cost one billing group; 0 is the calls of no group.',
    query: Month,
    reply: StatementView,
    errors: [404],
    handle: ({ deps, params, query }) => statement(deps, params.id, query),
  }),
]

function monthOf({ clock, settings }: ReportDeps, { month, tz }: z.output<typeof Month>) {
  const timeZone = tz ?? settings.limits.timeZone
  return { month: month ?? monthBefore(clock.now(), timeZone), timeZone }
}

const head = ({ month, timeZone }: ReturnType<typeof monthOf>) => ({ month, time_zone: timeZone })

async function statement(deps: ReportDeps, id: string, query: z.output<typeof Month>, ledBy?: number) {
  const asked = monthOf(deps, query)
  const groupId = id === '0' ? 0 : idOf(id)
  const found = await statementOf(deps.db, { ...asked, groupId, ledBy })
  if (!found) throw nothingHere()
  return { ...head(asked), ...statementView(found) }
}

function statementView({ group, byUser, byModel, byProject, byDay }: Statement) {
  return {
    group,
    totals: measuresView(byDay.totals),
    before: comparedView(byDay.before),
    by_user: byUser.rows.map(rowView),
    by_model: byModel.rows.map(rowView),
    by_project: byProject.rows.map(rowView),
    by_day: byDay.rows.map(rowView),
  }
}
