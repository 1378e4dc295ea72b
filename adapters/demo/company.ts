/** The demo's company: its settings, users and their usage. */
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Config } from '../../config/schema.ts'
import { settingsFrom } from '../../config/settings.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { randomText } from '../../core/ids.ts'
import { createKey } from '../../core/keys/manage.ts'
import { setSpendLimit } from '../../core/limits/spend-limit.ts'
import { createGroup, UNASSIGNED } from '../../core/organisation/groups.ts'
import { setMember } from '../../core/organisation/members.ts'
import type { Db } from '../../core/ports.ts'
import { apply } from '../../core/requests/ask.ts'
import { review } from '../../core/requests/decide.ts'
import { usdOf } from '../../core/units.ts'
import { createUser } from '../../core/users/manage.ts'
import { sha256 } from '../drivers/sha256.ts'
import { pricesFrom } from '../shared/tables.ts'
import { seedUsage } from './seed.ts'

const OPUS = 'claude-opus-5-5'
const SONNET = 'claude-sonnet-5-5'
const HAIKU = 'claude-haiku-5-5'
/** A model that needs approval; the user maria has a grant. */
const APPROVED_MODEL = 'claude-fable-5-2'
const PEOPLE = [
  { itcode: 'admin', name: 'Ada Admin', role: 'admin', calls: 25, models: [OPUS, SONNET], group: '' },
  { itcode: 'dev', name: 'Dev Developer', role: 'user', calls: 60, models: [OPUS, HAIKU], group: 'Platform' },
  { itcode: 'li.wei', name: '李伟', role: 'user', calls: 40, models: [SONNET, OPUS], group: 'Platform' },
  {
    itcode: 'maria',
    name: 'María Pérez',
    role: 'user',
    calls: 15,
    models: [HAIKU, APPROVED_MODEL],
    group: 'Marketing',
  },
] as const
/** Departments, with who leads them and what they may spend together each month. */
const GROUPS = [
  { name: 'Platform', lead: 'li.wei', poolMicros: 500_000_000 },
  { name: 'Marketing', lead: 'maria', poolMicros: 50_000_000 },
] as const
export const BUDGET_MICROS = 200_000_000

export const ADMIN = PEOPLE[0].itcode

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** The text of a config.yaml with its data in `folder` and the simulated Claude at `claudeUrl`. */
export function companySettings(folder: string, claudeUrl: string): string {
  const backend = (name: string, weight: number) => ({ name, url: claudeUrl, api_key: `sim-${name}`, weight })
  return stringify({
    server: {
      ...{ port: Number(process.env.PORT ?? 8080), host: '127.0.0.1', mode: 'debug', drain_delay: 0 },
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

/** Writes users and usage to an empty database. Returns the API key of the user dev and the number of calls. */
export async function seedCompany(db: Db, config: Config): Promise<{ secret: string; calls: number }> {
  const habits = []
  let secret = ''
  const prices = pricesFrom(config)
  const parts = {
    db,
    clock: systemClock,
    sha256,
    prices,
    settings: settingsFrom(config),
    actor: COMMAND_LINE,
  }
  let reviewerId = 0
  const groupIds = await seedGroups(parts)
  for (const { itcode, name, role, calls, models, group } of PEOPLE) {
    const user = await createUser(parts, {
      itcode,
      name,
      role,
      quotaTokens: 0,
      ownLimit: { micros: role === 'user' ? BUDGET_MICROS : 0, period: parts.settings.limits.period },
    })
    if (role === 'admin') reviewerId = user.id
    if (itcode === 'maria' || itcode === 'li.wei') {
      const reason = 'For the translation of our handbook.'
      const { id } = await apply(parts, { userId: user.id, model: APPROVED_MODEL, reason })
      if (itcode === 'maria') await review(parts, id, { reviewerId, status: 'approved', note: null })
    }
    const made = await createKey(parts, { userId: user.id, name: 'Claude Code', expiresAt: null })
    if (itcode === 'dev') secret = made.secret
    const groupId = groupIds.get(group) ?? UNASSIGNED
    if (groupId !== UNASSIGNED) {
      const leads = GROUPS.some(({ lead }) => lead === itcode)
      await setMember(parts, groupId, user.id, leads ? 'lead' : 'member')
    }
    habits.push({ userId: user.id, keyId: made.key.id, groupId, calls, models })
  }
  return { secret, calls: await seedUsage({ db, prices, now: systemClock.now(), habits }) }
}

/** The ids of the departments, by name. */
async function seedGroups(parts: Parameters<typeof createGroup>[0]): Promise<Map<string, number>> {
  const ids = new Map<string, number>()
  for (const { name, poolMicros } of GROUPS) {
    const { id } = await createGroup(parts, { name })
    const pool = { scope: 'group_pool', scopeId: id, period: 'monthly' } as const
    await setSpendLimit(parts, pool, { amount: poolMicros })
    ids.set(name, id)
  }
  return ids
}
