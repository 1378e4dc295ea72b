/** Lists devices for administrators, with the managed settings that they run with. */
import { and, count, eq, isNull, or, type SQL, sql } from 'drizzle-orm'
import { apiKeys, deviceSettings, users } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { type ListedKey, listedKeys } from '../keys/list.ts'
import { currentChecksums } from '../policies/current.ts'
import type { Db } from '../ports.ts'
import { among } from '../reports/totals.ts'

export const DEVICE_SORTS = ['itcode', 'name', 'created_at', 'last_used_at'] as const
/** Whether a device runs with the managed settings that its person has now; `silent` if it does not say. */
export const SETTINGS_STATES = ['current', 'old', 'silent'] as const

export interface DeviceFilter {
  userId?: number | undefined
  /** Text to find in the name of a device or of its owner, taken literally; case is ignored. */
  q?: string | undefined
  settings?: (typeof SETTINGS_STATES)[number] | undefined
}

export interface DevicePage {
  page: number
  pageSize: number
  sort: (typeof DEVICE_SORTS)[number]
  order: 'asc' | 'desc'
}

export interface AdministeredDevice extends ListedKey {
  /** Absent where it does not say. `since` in ms. */
  settings?: { isCurrent: boolean; since: number }
}

type Parts = Pick<Deps, 'db' | 'settings' | 'catalogue' | 'prices' | 'sha256'>

/** One page of matching devices that were not signed out, and how many match. Equal ones are in the order of their signing in. */
export async function findDevices(
  parts: Parts,
  { userId, q, settings }: DeviceFilter,
  { page, pageSize, sort, order }: DevicePage,
): Promise<{ devices: AdministeredDevice[]; total: number }> {
  const { db } = parts
  const text = q?.toLowerCase()
  const where = and(
    eq(apiKeys.kind, 'device'),
    userId === undefined ? undefined : eq(apiKeys.userId, userId),
    text
      ? or(sql`instr(lower(${apiKeys.name}), ${text}) > 0`, sql`instr(${users.itcode}, ${text}) > 0`)
      : undefined,
    settings && (await hasSettings(parts, settings)),
  )
  const [counted] = await db
    .select({ total: count() })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(and(isNull(apiKeys.deletedAt), where))
  const by = sql`${SORTED_BY[sort]} ${sql.raw(order)}`
  const listed = await listedKeys(db, where, { page, pageSize, by })
  const states = await settingsOf(
    parts,
    among(
      apiKeys.id,
      listed.map(({ key }) => key.id),
    ),
  )
  const devices = listed.map((one) => {
    const said = states.get(one.key.id)
    return said ? { ...one, settings: said } : one
  })
  return { devices, total: counted?.total ?? 0 }
}

const SORTED_BY: Readonly<Record<DevicePage['sort'], SQL>> = {
  itcode: sql`${users.itcode}`,
  name: sql`lower(${apiKeys.name})`,
  created_at: sql`${apiKeys.createdAt}`,
  last_used_at: sql`(select coalesce(max(last_at), 0) from usage_sums where cut = 'total' and start = 0
    and user_id = ${apiKeys.userId} and api_key_id = ${apiKeys.id})`,
}

async function hasSettings(parts: Parts, state: NonNullable<DeviceFilter['settings']>): Promise<SQL> {
  if (state === 'silent') {
    return sql`${apiKeys.id} not in (select ${deviceSettings.deviceId} from ${deviceSettings})`
  }
  const said = await settingsOf(parts, undefined)
  const ids = [...said].filter(([, { isCurrent }]) => isCurrent === (state === 'current')).map(([id]) => id)
  return among(apiKeys.id, ids)
}

/** What these devices say that they run with, by device. */
async function settingsOf(parts: Parts, which: SQL | undefined) {
  const said = await saidBy(parts.db, which)
  const current = await currentChecksums(parts, [...new Set(said.map(({ userId }) => userId))])
  return new Map(
    said.map(({ id, userId, checksum, since }) => {
      const isCurrent = checksum === current.get(userId)
      return [id, { isCurrent, since }] as const
    }),
  )
}

function saidBy(db: Db, which: SQL | undefined) {
  const { checksum, since, deviceId } = deviceSettings
  return db
    .select({ id: apiKeys.id, userId: apiKeys.userId, checksum, since })
    .from(deviceSettings)
    .innerJoin(apiKeys, eq(apiKeys.id, deviceId))
    .where(and(isNull(apiKeys.deletedAt), which))
}
