/** Commands that tell what was used and what a month cost. */
import * as z from 'zod'
import type { Config } from '../../../config/schema.ts'
import { settingsFrom } from '../../../config/settings.ts'
import { isTimeZone } from '../../../core/calendar.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { BUCKETS, reportDates } from '../../../core/reports/buckets.ts'
import { DIMENSIONS, type Dimension } from '../../../core/reports/grouped.ts'
import { type Report, type ReportRow, reportOf } from '../../../core/reports/report.ts'
import { SORTS } from '../../../core/reports/report-page.ts'
import { monthBefore, statementOf, statementsOf } from '../../../core/reports/statement.ts'
import { comparedView, MeasuresView, measuresView } from '../../../functions/report-views.ts'
import { choice, command, flag, type Option, text } from '../command.ts'
import type { Row } from '../output.ts'
import { knownGroup, knownUser } from './find.ts'

const NAMES = Object.keys(DIMENSIONS) as Dimension[] // holds because DIMENSIONS is a constant
const dimensions: Option<Dimension[]> = {
  value: 'NAMES',
  about: `what to tell apart, one or two with a comma: ${NAMES.join(', ')}`,
  schema: z
    .string()
    .transform((given) => given.split(',').map((name) => name.trim()))
    .pipe(
      z
        .array(z.enum(NAMES, `one or two of ${NAMES.join(', ')} are expected.`))
        .max(2, 'at most two are expected.'),
    )
    .refine((names) => new Set(names).size === names.length, 'two different ones are expected.'),
}
const zone: Option<string> = {
  value: 'ZONE',
  about: 'whose days count, such as Europe/Berlin; limits.time_zone if left out',
  schema: z.string().refine(isTimeZone, 'the name of a time zone is expected, such as Europe/Berlin.'),
}
const date = (about: string): Option<string> => ({
  value: 'DATE',
  about,
  schema: z.iso.date('a date is expected, such as 2027-01-31.'),
})

const BEFORE = ['cost_before_usd', 'tokens_before', 'requests_before']
/** What a terminal has no room for. */
const WIDE = [
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'total_tokens',
  'input_usd',
  'output_usd',
  'cache_read_usd',
  'cache_write_5m_usd',
  'cache_write_1h_usd',
  'server_tool_usd',
  'web_searches',
]

export const REPORTS = [
  command({
    name: 'report',
    about: 'tells what was used, by whom, where and when',
    options: {
      by: dimensions,
      bucket: choice(BUCKETS, 'what time to tell apart; none if left out'),
      start: date('the first day; 30 days or what fits the buckets if left out'),
      end: date('the last day'),
      tz: zone,
      sort: choice(SORTS, 'what to sort by, the largest first; cost if left out'),
      compare: flag('tell of the period before, too'),
      user: text('ITCODE', 'only calls of this person'),
      group: text('GROUP', 'only calls that were booked to this group'),
      model: text('MODEL', 'only calls to this model'),
      backend: text('BACKEND', 'only calls that this backend answered'),
      client: text('CLIENT', 'only calls of this program'),
      project: text('PROJECT', 'only calls with this tag'),
    },
    async run({ db, config, options }) {
      const { by = [], bucket = 'none', start, end, tz, sort = 'cost', compare = false } = options
      const { user, group, model, backend, client, project } = options
      const timeZone = tz ?? zoneOf(config)
      const dates = reportDates({ startDate: start, endDate: end, timeZone }, bucket, systemClock.now())
      const filter = {
        userId: user === undefined ? undefined : (await knownUser(db, user)).id,
        groupId: group === undefined ? undefined : (await knownGroup(db, group)).id,
        model,
        backend,
        client,
        project,
      }
      const order = sort === 'time' || sort === 'name' ? 'asc' : 'desc'
      const question = { dimensions: by, bucket, filter, dates, compare, sort, order } as const
      const report = await reportOf(db, question, { skip: 0, take: undefined })
      const none = `Nothing was used from ${dates.startDate} to ${dates.endDate} (${timeZone}).`
      const columns = columnsOf({ by, hasTime: bucket !== 'none', compare })
      return { rows: rowsOf(report, bucket !== 'none'), columns, none, wide: WIDE }
    },
  }),
  command({
    name: 'report month',
    args: ['[MONTH]'],
    about: 'tells what a month cost each group, or one; the last month if left out, else such as 2026-11',
    options: { group: text('GROUP', 'who of this group used what'), tz: zone },
    async run({ db, config, args: [given], options }) {
      const timeZone = options.tz ?? zoneOf(config)
      const month = given ?? monthBefore(systemClock.now(), timeZone)
      if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(month)) {
        throw new Refusal('body_invalid', 'MONTH: a month is expected, such as 2026-11.')
      }
      const none = `Nothing was used in ${month} (${timeZone}).`
      const by: Dimension = options.group === undefined ? 'group' : 'user'
      const list = { columns: columnsOf({ by: [by], hasTime: false, compare: true }), none, wide: WIDE }
      if (options.group === undefined)
        return { ...list, rows: rowsOf(await statementsOf(db, { month, timeZone }), false) }
      const { id: groupId } = await knownGroup(db, options.group)
      const statement = await statementOf(db, { month, timeZone, groupId })
      return { ...list, rows: statement ? rowsOf(statement.byUser, false) : [] }
    },
  }),
]

function zoneOf(config: Config): string {
  return settingsFrom(config).limits.timeZone
}

function columnsOf({
  by,
  hasTime,
  compare,
}: {
  by: readonly Dimension[]
  hasTime: boolean
  compare: boolean
}) {
  return [
    ...(hasTime ? ['bucket'] : []),
    ...NAMES.filter((name) => by.includes(name)),
    ...Object.keys(MeasuresView.shape),
    ...(compare ? BEFORE : []),
  ]
}

function rowsOf({ rows }: Report, hasTime: boolean): Row[] {
  return rows.map((row) => ({
    ...(hasTime ? { bucket: row.bucket.label } : {}),
    ...nameOf(row),
    ...measuresView(row),
    ...beforeOf(row),
  }))
}

function nameOf({
  userId,
  itcode,
  groupId,
  groupName,
  keyId,
  keyName,
  model,
  backend,
  client,
  project,
}: ReportRow): Row {
  return {
    ...(userId === undefined ? {} : { user: itcode ?? `user ${userId}` }),
    ...(groupId === undefined ? {} : { group: groupName ?? `group ${groupId}` }),
    ...(keyId === undefined ? {} : { key: keyName ?? `key ${keyId}` }),
    ...(model === undefined ? {} : { model }),
    ...(backend === undefined ? {} : { backend }),
    ...(client === undefined ? {} : { client }),
    ...(project === undefined ? {} : { project }),
  }
}

function beforeOf({ before }: ReportRow): Row {
  const view = comparedView(before)
  if (!view) return {}
  return { cost_before_usd: view.cost_usd, tokens_before: view.total_tokens, requests_before: view.requests }
}
