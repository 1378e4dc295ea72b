/** What events are about, by the names of today: rows tell ids, people read names. */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import type { AuditRow } from './list.ts'

export interface Subject {
  /** As rows tell it, such as key:12 */
  ref: string
  id: number
  name: string
  /** Whose it is; a person is their own. */
  userId: number | null
  itcode: string | null
}

type Kind =
  | 'user'
  | 'group'
  | 'key'
  | 'application'
  | 'request'
  | 'policy'
  | 'channel'
  | 'invitation'
  | 'admin-key'
/** Fields of rows that hold ids. */
const FIELDS: ReadonlyMap<string, Kind> = new Map([
  ['user_id', 'user'],
  ['actor', 'user'],
  ['about', 'user'],
  ['added', 'user'],
  ['removed', 'user'],
  ['key_id', 'key'],
  ['keys', 'key'],
  ['billing_group_id', 'group'],
  ['directory_group_id', 'group'],
  ['parent_id', 'group'],
  ['group_ids', 'group'],
])
/** Of each kind its table, as `one`, with the name of a row and the id of its owner. */
const KINDS: Record<Kind, { table: SQL; name: SQL; owner: SQL }> = {
  user: { table: sql`users`, name: sql`one.itcode`, owner: sql`one.id` },
  group: { table: sql`groups`, name: sql`one.name`, owner: sql`null` },
  key: { table: sql`api_keys`, name: sql`one.name`, owner: sql`one.user_id` },
  application: { table: sql`applications`, name: sql`one.model`, owner: sql`one.user_id` },
  request: { table: sql`increase_requests`, name: sql`one.period`, owner: sql`one.user_id` },
  policy: { table: sql`policies`, name: sql`one.name`, owner: sql`null` },
  channel: { table: sql`notice_channels`, name: sql`one.name`, owner: sql`null` },
  invitation: { table: sql`invitations`, name: sql`coalesce(one.email, '')`, owner: sql`null` },
  'admin-key': { table: sql`admin_keys`, name: sql`one.name`, owner: sql`null` },
}

/** Everything that these events name and that is still known, once each. Accounts are found by their name as well. */
export async function subjectsOf(db: Db, events: readonly AuditRow[]): Promise<Subject[]> {
  const asked = new Map<Kind, Set<number>>()
  const accounts = new Set<string>()
  const ask = (kind: string, id: unknown) => {
    if (!isKind(kind) || typeof id !== 'number' || !Number.isSafeInteger(id)) return
    asked.set(kind, (asked.get(kind) ?? new Set()).add(id))
  }
  for (const { target, before, after } of events) {
    // Limits of a group are of each member, or of all together.
    const named = target.replace(/_(each|pool):/, ':')
    for (const [, kind = '', id] of named.matchAll(/([a-z-]+):(\d{1,15})(?=$|[ :])/g)) ask(kind, Number(id))
    if (target.startsWith('user:')) accounts.add(target.slice('user:'.length))
    for (const [name, value] of [...Object.entries(before ?? {}), ...Object.entries(after ?? {})]) {
      for (const id of Array.isArray(value) ? value : [value]) ask(FIELDS.get(name) ?? '', id)
    }
  }
  const found = await Promise.all([
    ...[...asked].map(([kind, ids]) => byId(db, kind, [...ids])),
    accounts.size === 0 ? [] : byAccount(db, [...accounts]),
  ])
  return found.flat()
}

function isKind(text: string): text is Kind {
  return Object.hasOwn(KINDS, text)
}

function byId(db: Db, kind: Kind, ids: readonly number[]): Promise<Subject[]> {
  const { table, name, owner } = KINDS[kind]
  return db.all<Subject>(sql`
    select ${`${kind}:`} || one.id as ref, one.id, ${name} as name, owners.id as "userId", owners.itcode
    from ${table} as one left join users as owners on owners.id = ${owner}
    where one.id in (select value from json_each(${JSON.stringify(ids)}))`)
}

function byAccount(db: Db, itcodes: readonly string[]): Promise<Subject[]> {
  return db.all<Subject>(sql`
    select 'user:' || itcode as ref, id, itcode as name, id as "userId", itcode from users
    where itcode in (select value from json_each(${JSON.stringify(itcodes)}))`)
}
