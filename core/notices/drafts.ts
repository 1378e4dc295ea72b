/** Parts of messages: what is known of people, groups and amounts, in every language. */
import { sql } from 'drizzle-orm'
import { parseOwner } from '../limits/owner.ts'
import type { Db } from '../ports.ts'
import type { Period, Settings } from '../settings.ts'
import { type Fact, type Message, oneLine, type Text } from './message.ts'

export interface DraftParts {
  db: Db
  settings: Pick<Settings, 'publicUrl'>
}
/** A message without what every message has. `path`: the page that the link leads to. */
export interface Draft extends Pick<Message, 'tone' | 'title' | 'facts' | 'data'> {
  link: { label: Text; path: string } | undefined
}

export const PERIODS: Record<Period, Text> = {
  daily: { en: 'daily', zh: '每日' },
  weekly: { en: 'weekly', zh: '每周' },
  monthly: { en: 'monthly', zh: '每月' },
  total: { en: 'total', zh: '总计' },
}
export const LABELS = {
  person: { en: 'Person', zh: '人员' },
  model: { en: 'Model', zh: '模型' },
  reason: { en: 'Reason', zh: '理由' },
  note: { en: 'Note', zh: '备注' },
  period: { en: 'Period', zh: '周期' },
  amount: { en: 'Amount', zh: '金额' },
  until: { en: 'Until', zh: '有效期至' },
  limit: { en: 'Limit', zh: '限额' },
  used: { en: 'Used', zh: '已使用' },
  key: { en: 'Key', zh: '密钥' },
  ends: { en: 'Ends', zh: '到期时间' },
  backend: { en: 'Backend', zh: '后端' },
  state: { en: 'State', zh: '状态' },
  users: { en: 'Used by', zh: '使用者' },
  method: { en: 'Method', zh: '方式' },
  device: { en: 'Device', zh: '设备' },
  address: { en: 'Address', zh: '地址' },
} as const satisfies Record<string, Text>

export function fact(label: keyof typeof LABELS, value: Text | string): Fact {
  return { label: LABELS[label], value: typeof value === 'string' ? oneLine(value) : value }
}

export function both(en: string, zh: string): Text {
  return { en, zh }
}

export function dollars(micros: number): string {
  return `$${(micros / 1e6).toFixed(2)}`
}

/** To the minute, in UTC. */
export function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** The name of an account, as it is shown to others: `Ann (ann@corp.example)`. */
export async function personName(db: Db, userId: number): Promise<string> {
  const [found] = await db.all<{ name: string; itcode: string }>(
    sql`select name, itcode from users where id = ${userId}`,
  )
  if (!found) return `user ${userId}`
  const name = oneLine(found.name)
  return name === '' || name === found.itcode ? oneLine(found.itcode) : `${name} (${oneLine(found.itcode)})`
}

/** Whose limit it is. */
export async function ownerName(db: Db, owner: string): Promise<Text> {
  const { scope, id } = parseOwner(owner)
  if (scope === 'organisation') return both('the organisation', '整个组织')
  if (scope === 'user') {
    const name = await personName(db, id)
    return both(name, name)
  }
  const table = scope === 'group' ? sql`groups` : sql`api_keys`
  const [found] = await db.all<{ name: string }>(sql`select name from ${table} where id = ${id}`)
  const name = oneLine(found?.name ?? String(id))
  return scope === 'group' ? both(`group ${name}`, `部门 ${name}`) : both(`key ${name}`, `密钥 ${name}`)
}
