/** What upstream accounts report of their own use, beside the log. */
import * as z from 'zod'
import { MEASURES, type reconciledDays } from '../core/db/reconciliation.ts'
import { reportDates, spanOfDates } from '../core/reports/buckets.ts'
import { costsOf, EXPLANATIONS, type ReconciledUse, reconciliation } from '../core/reports/reconciled.ts'
import { timeText, usdOf } from '../core/units.ts'
import { timestamp } from './fields.ts'
import { report } from './route.ts'
import { date } from './usage-views.ts'

const Query = z.strictObject({
  start_date: date.optional().meta({ description: 'First UTC day. Without dates: the last 30 days.' }),
  end_date: date.optional().meta({ description: 'Last UTC day.' }),
})
const DayView = z
  .strictObject({
    date: z.string(),
    account: z.string().meta({ description: 'The names of its backends.' }),
    compared_at: timestamp.nullable().meta({ description: 'null: it was never compared.' }),
    problem: z.string().meta({ description: 'Why the last attempt failed; empty: it did not.' }),
    key_known: z.boolean().meta({
      description:
        'Whether the account lists a key that looks like ours. If not, calls of other keys count as differences.',
    }),
  })
  .meta({ id: 'ReconciledDay' })
const RowView = z
  .strictObject({
    date: z.string(),
    account: z.string(),
    model: z.string().meta({ description: 'Empty: costs that are of no model.' }),
    measure: z.enum(MEASURES).meta({ description: 'Tokens of a class, or the cost in micro-dollars.' }),
    ours: z.int(),
    estimated: z.int().meta({ description: 'Of ours, where the count of the upstream never came.' }),
    theirs: z.int(),
    outside: z.int().meta({ description: 'Of theirs, by other keys than ours; costs at our prices.' }),
    difference: z.int().meta({ description: 'theirs - outside - ours' }),
    explanation: z.enum(EXPLANATIONS).meta({
      description:
        'none: no difference; outside: only calls of other keys; estimated: rows of ours may be off by as much; price: the tokens agree; else unexplained.',
    }),
  })
  .meta({ id: 'ReconciledUse' })
export type ReconciledUseView = z.infer<typeof RowView>
/** One line about the costs of some days. */
export const ReconciledView = z
  .strictObject({
    days: z.int().meta({ description: 'UTC days of which every account was compared.' }),
    ours_usd: z.number(),
    theirs_usd: z.number().meta({ description: 'What the accounts say they cost.' }),
    outside_usd: z.number().meta({ description: 'Of it by other keys than ours, at our prices.' }),
    unexplained_usd: z
      .number()
      .meta({ description: 'Differences that nothing explains, without their signs.' }),
  })
  .meta({ id: 'Reconciled' })

const Reconciliation = z.strictObject({
  totals: ReconciledView.nullable().meta({ description: 'null: nothing was compared.' }),
  days: z.array(DayView),
  rows: z.array(RowView),
})
export type ReconciliationView = z.infer<typeof Reconciliation>

export const reconciliations = [
  report({
    path: '/admin/api/reconciliation',
    tier: 'billing',
    summary:
      'What the accounts of backends with an admin key report of their use, beside the log, by UTC day, model and class of tokens.',
    query: Query,
    reply: Reconciliation,
    async handle({ deps: { db, clock }, query }) {
      const given = { startDate: query.start_date, endDate: query.end_date, timeZone: 'UTC' }
      const found = await reconciliation(db, spanOfDates(reportDates(given, 'day', clock.now())))
      return {
        totals: reconciledView(costsOf(found)),
        days: found.days.map(dayView),
        rows: found.use.map(rowView),
      }
    },
  }),
]

export function reconciledView(costs: ReturnType<typeof costsOf>): z.input<typeof ReconciledView> | null {
  if (!costs) return null
  return {
    days: costs.days,
    ours_usd: usdOf(costs.oursMicros),
    theirs_usd: usdOf(costs.theirsMicros),
    outside_usd: usdOf(costs.outsideMicros),
    unexplained_usd: usdOf(costs.unexplainedMicros),
  }
}

const dateOf = (day: number) => timeText(day).slice(0, 10)

function dayView({ account, day, comparedAt, problem, keyKnown }: typeof reconciledDays.$inferSelect) {
  return {
    date: dateOf(day),
    account,
    compared_at: comparedAt === null ? null : timeText(comparedAt),
    problem,
    key_known: keyKnown,
  }
}

function rowView({ day, ...row }: ReconciledUse): z.input<typeof RowView> {
  return { date: dateOf(day), ...row }
}
