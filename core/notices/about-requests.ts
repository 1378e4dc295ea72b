/** Messages about applications and requests for a higher limit. */
import { eq } from 'drizzle-orm'
import { applications, increaseRequests } from '../db/schema.ts'
import { usdOf } from '../units.ts'
import { both, type Draft, type DraftParts, dollars, fact, minute, PERIODS, personName } from './drafts.ts'
import type { Text } from './message.ts'

const DECIDE: Text = { en: 'Decide', zh: '去处理' }
const SEE: Text = { en: 'See your requests', zh: '查看我的申请' }

/** Nothing if it is decided or withdrawn already. */
export async function applicationMade(
  { db }: DraftParts,
  { id }: { id: number },
): Promise<Draft | undefined> {
  const [row] = await db.select().from(applications).where(eq(applications.id, id))
  if (row?.status !== 'pending') return undefined
  const who = await personName(db, row.userId)
  return {
    tone: 'info',
    title: both(`${who} applies for the model ${row.model}`, `${who} 申请使用模型 ${row.model}`),
    facts: [fact('person', who), fact('model', row.model), fact('reason', row.reason)],
    link: { label: DECIDE, path: `/requests#application-${id}` },
    data: { application_id: id, user_id: row.userId, model: row.model, reason: row.reason },
  }
}

export async function applicationDecided(
  { db }: DraftParts,
  { id }: { id: number },
): Promise<Draft | undefined> {
  const [row] = await db.select().from(applications).where(eq(applications.id, id))
  if (!row) return undefined
  const { model, userId, status, reviewNote: note } = row
  const who = await personName(db, userId)
  const isApproved = status === 'approved'
  return {
    tone: isApproved ? 'good' : 'warning',
    title: isApproved
      ? both(`The application for ${model} was approved`, `模型 ${model} 的申请已通过`)
      : both(`The application for ${model} was rejected`, `模型 ${model} 的申请未通过`),
    facts: [fact('person', who), fact('model', model), ...(note ? [fact('note', note)] : [])],
    link: { label: SEE, path: '/models' },
    data: { application_id: id, user_id: userId, model, status, note },
  }
}

/** Nothing if it is decided or withdrawn already. */
export async function increaseMade({ db }: DraftParts, { id }: { id: number }): Promise<Draft | undefined> {
  const [row] = await db.select().from(increaseRequests).where(eq(increaseRequests.id, id))
  if (row?.status !== 'pending') return undefined
  const { userId, period, amountMicros, reason } = row
  const who = await personName(db, userId)
  const amount = dollars(amountMicros)
  return {
    tone: 'info',
    title: both(
      `${who} asks for a ${PERIODS[period].en} limit of ${amount}`,
      `${who} 申请将${PERIODS[period].zh}限额提高到 ${amount}`,
    ),
    facts: [
      fact('person', who),
      fact('period', PERIODS[period]),
      fact('amount', amount),
      fact('reason', reason),
    ],
    link: { label: DECIDE, path: `/requests#request-${id}` },
    data: { request_id: id, user_id: userId, period, amount_usd: usdOf(amountMicros), reason },
  }
}

export async function increaseDecided(
  { db }: DraftParts,
  { id }: { id: number },
): Promise<Draft | undefined> {
  const [row] = await db.select().from(increaseRequests).where(eq(increaseRequests.id, id))
  if (!row) return undefined
  const { userId, period, status, reviewNote: note, grantedMicros, grantedUntil } = row
  const who = await personName(db, userId)
  const isApproved = status === 'approved'
  return {
    tone: isApproved ? 'good' : 'warning',
    title: isApproved
      ? both('The request for a higher limit was approved', '提高限额的申请已通过')
      : both('The request for a higher limit was rejected', '提高限额的申请未通过'),
    facts: [
      fact('person', who),
      fact('period', PERIODS[period]),
      ...(grantedMicros === null ? [] : [fact('amount', dollars(grantedMicros))]),
      ...(grantedUntil === null ? [] : [fact('until', minute(grantedUntil))]),
      ...(note ? [fact('note', note)] : []),
    ],
    link: { label: SEE, path: '/requests' },
    data: {
      request_id: id,
      user_id: userId,
      period,
      status,
      note,
      granted_usd: grantedMicros === null ? null : usdOf(grantedMicros),
    },
  }
}
