/** Messages about limits that are nearly used up, and keys that end. */
import { eq, sql } from 'drizzle-orm'
import { apiKeys } from '../db/schema.ts'
import { timeText, usdOf } from '../units.ts'
import {
  both,
  type Draft,
  type DraftParts,
  dollars,
  fact,
  minute,
  ownerName,
  PERIODS,
  personName,
} from './drafts.ts'
import type { NoticeData } from './events.ts'

export async function limitReached(
  { db }: DraftParts,
  data: NoticeData['limit.reached'],
): Promise<Draft | undefined> {
  const { owner, period, start, threshold, limit_micros: limit } = data
  const [spent] = await db.all<{ micros: number }>(
    sql`select micros from limit_spent where owner = ${owner} and period = ${period} and start = ${start}`,
  )
  const used = spent?.micros ?? 0
  const whose = await ownerName(db, owner)
  const isFull = threshold === 100
  return {
    tone: isFull ? 'bad' : 'warning',
    title: isFull
      ? both(
          `The ${PERIODS[period].en} limit of ${whose.en} is used up`,
          `${whose.zh} 的${PERIODS[period].zh}限额已用完`,
        )
      : both(
          `${threshold} % of the ${PERIODS[period].en} limit of ${whose.en} is used`,
          `${whose.zh} 的${PERIODS[period].zh}限额已使用 ${threshold}%`,
        ),
    facts: [fact('used', dollars(used)), fact('limit', dollars(limit)), fact('period', PERIODS[period])],
    link: { label: both('Limits and requests', '限额与申请'), path: '/requests' },
    data: {
      owner,
      period,
      threshold,
      period_start: start === 0 ? null : timeText(start),
      limit_usd: usdOf(limit),
      used_usd: usdOf(used),
    },
  }
}

/** Nothing if it was deleted or goes on for longer. */
export async function keyEnding({ db }: DraftParts, { id }: { id: number }): Promise<Draft | undefined> {
  const [key] = await db.select().from(apiKeys).where(eq(apiKeys.id, id))
  if (!key || key.expiresAt === null || key.deletedAt !== null) return undefined
  const who = await personName(db, key.userId)
  const shown = `${key.name} (…${key.last4})`
  return {
    tone: 'warning',
    title: both(
      `The key ${fact('key', key.name).value} ends soon`,
      `密钥 ${fact('key', key.name).value} 即将到期`,
    ),
    facts: [fact('key', shown), fact('person', who), fact('ends', minute(key.expiresAt))],
    link: { label: both('Your keys', '我的密钥'), path: '/keys' },
    data: { key_id: id, user_id: key.userId, expires_at: timeText(key.expiresAt) },
  }
}
