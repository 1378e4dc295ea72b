/** Commands about spend limits. */
import { settingsFrom } from '../../../config/settings.ts'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { limitsOfPerson } from '../../../core/limits/caps.ts'
import { createPeriods } from '../../../core/limits/period.ts'
import { listSpendLimits, type SpendLimit, setSpendLimit } from '../../../core/limits/spend-limit.ts'
import { listGroups } from '../../../core/organisation/groups.ts'
import type { Db } from '../../../core/ports.ts'
import { microsOf, timeText, usdOf } from '../../../core/units.ts'
import { listUsers } from '../../../core/users/manage.ts'
import { choice, command, text } from '../command.ts'
import { futureTime, knownGroup, knownUser } from './find.ts'

const PERIODS = ['daily', 'weekly', 'monthly', 'total'] as const
const OF = {
  user: text('ITCODE', 'of this person'),
  'each-in': text('GROUP', 'of each member of this group'),
  pool: text('GROUP', 'that all members of this group share'),
  organisation: choice(['each', 'pool'], 'of everybody who has no other, or that all share'),
}
interface Whose {
  user?: string
  'each-in'?: string
  pool?: string
  organisation?: 'each' | 'pool'
}
const parts = (db: Db) => ({ db, clock: systemClock, actor: COMMAND_LINE })

export const LIMITS = [
  command({
    name: 'limit set',
    args: ['PERIOD', 'USD'],
    about: 'sets a spend limit: daily, weekly, monthly or total; US dollars, unlimited or none',
    options: { ...OF, until: futureTime('holds only until then, beside the lasting limit') },
    async run({ db, args: [period = '', amount = ''], options }) {
      const target = { ...(await scopeOf(db, options)), period: periodOf(period) }
      const micros = amountOf(amount)
      const { until } = options
      if (until !== undefined && typeof micros !== 'number' && micros !== 'none') {
        throw new Refusal('body_invalid', 'USD: what holds only for a time is an amount, or none to end it.')
      }
      const temporary = typeof micros === 'number' && until !== undefined ? { micros, until } : null
      const row = await setSpendLimit(
        parts(db),
        target,
        until === undefined ? { amount: micros } : { temporary },
      )
      const [shown] = row ? await shownLimits(db, [row]) : []
      const said = shown
        ? `${shown.scope} ${shown.of}: ${shown.period} ${shown.amount_usd ?? 'by other rules'}`
        : 'No limit of its own now.'
      return { said, fields: shown ?? { removed: true } }
    },
  }),
  command({
    name: 'limit list',
    about: 'lists spend limits',
    options: OF,
    async run({ db, options }) {
      const isNamed = Object.values(options).some((value) => value !== undefined)
      const rows = await listSpendLimits(db, isNamed ? await scopeOf(db, options) : {})
      return {
        rows: await shownLimits(db, rows),
        columns: ['id', 'scope', 'of', 'period', 'amount_usd', 'temporary_usd', 'temporary_until'],
        none: 'No spend limits are set.',
      }
    },
  }),
  command({
    name: 'limit show',
    args: ['ITCODE'],
    about: 'tells which limits hold for a person now, why, and what is spent of them',
    async run({ db, config, args: [itcode = ''] }) {
      const settings = settingsFrom(config)
      const user = await knownUser(db, itcode)
      const periods = createPeriods(settings.limits.timeZone)
      const { caps } = await limitsOfPerson({ db, settings, periods }, user.id, systemClock.now())
      const rows = caps.map((cap) => ({
        period: cap.period,
        amount_usd: amountShown(cap.micros ?? null),
        spent_usd: usdOf(cap.usedMicros),
        source: String(cap.source),
        resets_at: cap.period === 'total' ? null : timeText(cap.resetsAt),
      }))
      return {
        rows,
        columns: ['period', 'amount_usd', 'spent_usd', 'source', 'resets_at'],
        none: `${user.itcode} has no limit.`,
      }
    },
  }),
]

async function scopeOf(db: Db, given: Whose): Promise<Pick<SpendLimit, 'scope' | 'scopeId'>> {
  const { user, pool, organisation } = given
  const each = given['each-in']
  const named = [user, each, pool, organisation].filter((one) => one !== undefined)
  if (named.length !== 1) {
    throw new Refusal('body_invalid', 'Say whose: one of --user, --each-in, --pool and --organisation.')
  }
  if (user !== undefined) return { scope: 'user', scopeId: (await knownUser(db, user)).id }
  if (each !== undefined) return { scope: 'group_each', scopeId: (await knownGroup(db, each)).id }
  if (pool !== undefined) return { scope: 'group_pool', scopeId: (await knownGroup(db, pool)).id }
  return { scope: organisation === 'each' ? 'organisation_each' : 'organisation_pool', scopeId: 0 }
}

function periodOf(given: string) {
  const period = PERIODS.find((one) => one === given)
  if (!period) throw new Refusal('body_invalid', 'PERIOD: daily, weekly, monthly or total is expected.')
  return period
}

/** Micro-dollars; null = unlimited. */
function amountOf(given: string): number | null | 'none' {
  if (given === 'unlimited') return null
  if (given === 'none') return 'none'
  const usd = Number(given.replace(/^\$/, ''))
  if (given.trim() === '' || !(usd >= 0 && usd <= 1_000_000_000)) {
    throw new Refusal('body_invalid', 'USD: US dollars, unlimited or none are expected.')
  }
  return microsOf(usd)
}

async function shownLimits(db: Db, rows: readonly SpendLimit[]) {
  const [groups, users] = await Promise.all([listGroups(db), listUsers(db)])
  const groupNames = new Map(groups.map(({ id, name }) => [id, name]))
  const itcodes = new Map(users.map(({ id, itcode }) => [id, itcode]))
  const nameOf = ({ scope, scopeId }: SpendLimit) =>
    (scope === 'user' ? itcodes : scope.startsWith('group') ? groupNames : undefined)?.get(scopeId) ?? ''
  return rows.map((row) => ({
    id: row.id,
    scope: row.scope,
    of: nameOf(row),
    period: row.period,
    amount_usd: row.isSet ? amountShown(row.amountMicros) : null,
    temporary_usd: row.temporaryMicros === null ? null : usdOf(row.temporaryMicros),
    temporary_until: row.temporaryUntil === null ? null : timeText(row.temporaryUntil),
  }))
}

function amountShown(micros: number | null): number | 'unlimited' {
  return micros === null ? 'unlimited' : usdOf(micros)
}
