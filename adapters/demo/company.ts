/** The demo's company: its settings, users and their usage. */
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Config } from '../../config/schema.ts'
import { settingsFrom } from '../../config/settings.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { clientOf } from '../../core/calls/client.ts'
import { systemClock } from '../../core/clock.ts'
import { randomText } from '../../core/ids.ts'
import { createKey } from '../../core/keys/manage.ts'
import { setSpendLimit } from '../../core/limits/spend-limit.ts'
import { createGroup, UNASSIGNED } from '../../core/organisation/groups.ts'
import { setMember } from '../../core/organisation/members.ts'
import type { Clock, Db } from '../../core/ports.ts'
import type { Prices } from '../../core/pricing/prices.ts'
import { apply } from '../../core/requests/ask.ts'
import { review } from '../../core/requests/decide.ts'
import { askForIncrease } from '../../core/requests/increases.ts'
import { DAY_MS, microsOf, usdOf } from '../../core/units.ts'
import { createUser } from '../../core/users/manage.ts'
import { sha256 } from '../drivers/sha256.ts'
import { pricesFrom } from '../shared/tables.ts'
import { APPROVED_MODEL, COMPANY_USD, DEPARTMENTS, PEOPLE } from './people.ts'
import { type Habit, HISTORY_DAYS, seedUsage } from './seed.ts'
import type { Colleague } from './work.ts'

export const BUDGET_MICROS = 200_000_000

export const ADMIN = PEOPLE[0]?.itcode ?? ''
/** Whose key the demo shows. */
const SHOWN = PEOPLE[1]?.itcode

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** The text of a config.yaml with its data in `folder` and the simulated Claude at `claudeUrl`. */
export function companySettings(folder: string, claudeUrl: string): string {
  const backend = (name: string, weight: number) => ({ name, url: claudeUrl, api_key: `sim-${name}`, weight })
  return stringify({
    server: {
      port: Number(process.env.PORT ?? 8080),
      host: '127.0.0.1',
      mode: 'debug',
      drain_delay: 0,
      // Claude Code signs in to an address that the gateway knows.
      public_url: process.env.PUBLIC_URL ?? '',
    },
    database: { path: join(folder, 'gateway.db') },
    log: { format: 'text', level: 'warn' },
    auth: { session_secret: randomText(48, LETTERS), admin_itcode: ADMIN },
    secrets: { key: randomText(48, LETTERS) },
    models: { rules: [{ match: APPROVED_MODEL, access: 'approval' }] },
    limits: { default_budget_usd: usdOf(BUDGET_MICROS) },
    backends: [backend('claude-primary', 10), backend('claude-second', 5)],
  })
}

interface Parts extends Omit<Parameters<typeof createUser>[0] & Parameters<typeof createKey>[0], 'clock'> {
  prices: Prices
}

interface Company {
  /** The API key of the user SHOWN. */
  secret: string
  /** How many calls were written. */
  calls: number
  /** Those who are at work, which neither the administrator nor the user SHOWN is. */
  colleagues: Colleague[]
}

/** Writes users and usage to an empty database. */
export async function seedCompany(db: Db, config: Config): Promise<Company> {
  const prices = pricesFrom(config)
  const parts = { db, sha256, prices, settings: settingsFrom(config), actor: COMMAND_LINE }
  const began = at(HISTORY_DAYS)
  const groups = await seedGroups({ ...parts, clock: began })
  const userIds = new Map<string, number>()
  const habits: Habit[] = []
  const colleagues: Colleague[] = []
  let secret = ''
  for (const person of PEOPLE) {
    const made = await seedPerson(parts, person, { groups, adminId: userIds.get(ADMIN) })
    userIds.set(person.itcode, made.habit.userId)
    habits.push(made.habit)
    if (person.itcode === SHOWN) secret = made.secret
    else if (person.itcode !== ADMIN) colleagues.push({ ...person, secret: made.secret })
  }
  await seedRequests(parts, userIds)
  const calls = await seedUsage({ db, prices, now: systemClock.now(), habits })
  return { secret, calls, colleagues }
}

async function seedPerson(
  parts: Parts,
  person: (typeof PEOPLE)[number],
  { groups, adminId }: { groups: Groups; adminId: number | undefined },
) {
  const { itcode, name, role, kind, limitUsd, group, since = HISTORY_DAYS } = person
  const then = { ...parts, clock: at(since) }
  const groupIds = groups.get(group) ?? [UNASSIGNED]
  const micros = role === 'admin' ? 0 : limitUsd === undefined ? BUDGET_MICROS : microsOf(limitUsd)
  const user = await createUser(then, {
    itcode,
    name,
    role,
    kind,
    quotaTokens: 0,
    ...(kind === 'service' ? { billingGroupId: groupIds[0] } : {}),
    ownLimit: { micros, period: parts.settings.limits.period },
  })
  const kept =
    kind === 'service' && adminId !== undefined ? { keeperId: adminId, name: 'CI' } : { name: 'Claude Code' }
  const { key, secret } = await createKey(then, { ...kept, userId: user.id, expiresAt: null })
  if (groupIds[0] !== UNASSIGNED && kind !== 'service')
    await setMember(then, groupIds[0], user.id, person.leads ? 'lead' : 'member')
  const client = clientOf([['user-agent', person.agent]])
  return { secret, habit: { ...person, client, userId: user.id, keyId: key.id, groupIds, since } }
}

/** What waits for a decision, and what was decided. */
async function seedRequests(parts: Parts, userIds: ReadonlyMap<string, number>) {
  const idOf = (itcode: string) => userIds.get(itcode) ?? 0
  const wants = (itcode: string, clock: Clock, reason: string) =>
    apply({ ...parts, clock }, { userId: idOf(itcode), model: APPROVED_MODEL, reason })
  const { id } = await wants('maria', at(40), 'For the translation of our handbook.')
  const decision = { reviewerId: idOf(ADMIN), status: 'approved', note: null } as const
  await review({ ...parts, clock: at(39) }, id, decision)
  await wants('li.wei', at(1), 'To compare it with Opus in reviews of long changes.')
  await wants('amara', at(0.1), 'Our evaluation needs every model once.')
  await askForIncrease(
    { ...parts, clock: at(0.05) },
    {
      userId: idOf('chen.jing'),
      period: 'monthly',
      amountMicros: microsOf(60),
      reason: 'The release of the app is next week.',
    },
  )
}

/** Ids of a department and of its parents, by name. */
type Groups = ReadonlyMap<string, readonly [number, ...number[]]>

async function seedGroups(parts: Parameters<typeof createGroup>[0]): Promise<Groups> {
  const ids = new Map<string, readonly [number, ...number[]]>()
  const all = { scope: 'organisation_pool', scopeId: 0, period: 'monthly' } as const
  await setSpendLimit(parts, all, { amount: microsOf(COMPANY_USD) })
  for (const { name, parent, poolUsd } of DEPARTMENTS) {
    const above = parent === undefined ? [] : (ids.get(parent) ?? [])
    const { id } = await createGroup(parts, { name, parentId: above[0] })
    const pool = { scope: 'group_pool', scopeId: id, period: 'monthly' } as const
    if (poolUsd !== undefined) await setSpendLimit(parts, pool, { amount: microsOf(poolUsd) })
    ids.set(name, [id, ...above])
  }
  return ids
}

/** A clock that stands so many days ago. */
function at(daysAgo: number): Clock {
  const then = systemClock.now() - daysAgo * DAY_MS
  return { ...systemClock, now: () => then }
}
