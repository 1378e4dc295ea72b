/** Who is told of a notice by mail: rules over people as SQL, so that all are found in one query. */
import { type SQL, sql } from 'drizzle-orm'
import { parseOwner } from '../limits/owner.ts'
import { billingGroupOf } from '../organisation/billing-group.ts'
import { leads } from '../organisation/members.ts'
import type { Db } from '../ports.ts'
import { mayDecide } from '../requests/may-decide.ts'
import type { NoticeData, NoticeEvent } from './events.ts'
import { wants } from './preferences.ts'

/** Which of `users` is told. Whoever cannot sign in is told nothing. */
type Rule<E extends NoticeEvent> = (data: NoticeData[E]) => SQL

const THEM = sql`users.id`
const admins = sql`users.role = 'admin'`
const askerOf = (table: 'applications' | 'increase_requests', id: number) =>
  sql`(select user_id from ${sql.raw(table)} where id = ${id})`

/** A person is told of what is theirs; of what is a program's the leads of its group and the admins. */
function owns(userId: SQL): SQL {
  return sql`iif((select kind from users as held where held.id = ${userId}) = 'service',
    ${admins} or ${leads(THEM, billingGroupOf(userId))}, users.id = ${userId})`
}

function ofLimit({ owner }: NoticeData['limit.reached']): SQL {
  const { scope, id } = parseOwner(owner)
  if (scope === 'user') return owns(sql`${id}`)
  if (scope === 'key') return owns(sql`(select user_id from api_keys where id = ${id})`)
  return scope === 'group' ? sql`(${admins} or ${leads(THEM, sql`${id}`)})` : admins
}

const RULES: { [E in NoticeEvent]: Rule<E> } = {
  'application.made': ({ id }) => mayDecide(THEM, askerOf('applications', id)),
  'application.decided': ({ id }) => sql`users.id = ${askerOf('applications', id)}`,
  'increase.made': ({ id }) => mayDecide(THEM, askerOf('increase_requests', id)),
  'increase.decided': ({ id }) => sql`users.id = ${askerOf('increase_requests', id)}`,
  'limit.reached': ofLimit,
  'key.ending': ({ id }) => owns(sql`(select user_id from api_keys where id = ${id})`),
  'backend.out': () => admins,
  'backend.back': () => admins,
  'credit.used_up': () => admins,
  'model.retiring': ({ user_ids }) =>
    sql`(${admins} or users.id in (select value from json_each(${JSON.stringify(user_ids)})))`,
  'people.paused': () => admins,
  'identity.joined': ({ user_id }) => sql`users.id = ${user_id}`,
  'device.copied': ({ id }) => sql`users.id = (select user_id from api_keys where id = ${id})`,
}

/** Ids of the people who are told of this by mail, as they and the administrators chose. */
export async function peopleFor<E extends NoticeEvent>(
  db: Db,
  event: E,
  data: NoticeData[E],
): Promise<number[]> {
  const rows = await db.all<{ id: number }>(sql`
    select id from users where status = 'active' and kind = 'person' and deleted_at is null
      and ${RULES[event](data)} and ${wants(event, THEM)}`)
  return rows.map(({ id }) => id)
}
