/** Which rows of the audit are asked for. */
import { and, desc, eq, gte, lt, or, type SQL, sql } from 'drizzle-orm'
import { auditEvents } from '../db/schema.ts'
import type { Db } from '../ports.ts'

export interface AuditFilter {
  actorId?: number | undefined
  action?: string | undefined
  /** As rows have it, such as key:12; with a colon at its end, all of a kind, such as key: */
  target?: string | undefined
  /** The id of a user whom the event concerns: they, their keys, limits, applications, requests and memberships. */
  about?: number | undefined
  /** Text to find in target, change, actor, address and request id, taken literally; case is ignored. */
  q?: string | undefined
  /** In ms since 1970, `to` excluded. */
  range?: { from: number; to: number } | undefined
}

/** What no index finds is looked for in this many of the newest rows. */
const MOST_SEARCHED = 100_000

export async function auditWhere(db: Db, filter: AuditFilter): Promise<SQL | undefined> {
  const { actorId, action, target, about, q, range } = filter
  const text = q?.toLowerCase()
  const oldest = about === undefined && !text ? undefined : await oldestSearched(db, range?.to)
  return and(
    actorId === undefined ? undefined : eq(auditEvents.actorId, actorId),
    action === undefined ? undefined : eq(auditEvents.action, action),
    target === undefined ? undefined : isTarget(target),
    range && and(gte(auditEvents.at, range.from), lt(auditEvents.at, range.to)),
    oldest === undefined ? undefined : gte(auditEvents.id, oldest),
    about === undefined ? undefined : concerns(about),
    text ? contains(text) : undefined,
  )
}

/** The id of the first row that a search reads. */
async function oldestSearched(db: Db, before: number | undefined): Promise<number> {
  const [newest] = await db
    .select({ id: auditEvents.id })
    .from(auditEvents)
    .where(before === undefined ? undefined : lt(auditEvents.at, before))
    .orderBy(desc(auditEvents.id))
    .limit(1)
  return (newest?.id ?? 0) - MOST_SEARCHED
}

function isTarget(target: string): SQL {
  if (!target.endsWith(':')) return eq(auditEvents.target, target)
  return sql`substr(${auditEvents.target}, 1, ${target.length}) = ${target}`
}

function concerns(userId: number): SQL | undefined {
  const { target, before, after, action } = auditEvents
  const named = `user:${userId}`
  const told = (json: typeof before | typeof after) =>
    sql`iif(json_valid(${json}), ${json} ->> '$.user_id', null) = ${userId}`
  const joined = sql`case when ${action} = 'group.members' and json_valid(${after}) then
    exists (select 1 from json_each(${after}, '$.added') where value = ${userId})
    or exists (select 1 from json_each(${after}, '$.removed') where value = ${userId}) end`
  return or(
    sql`${target} in (select ${named} union all select 'user:' || itcode from users where id = ${userId}
      union all select 'key:' || id from api_keys where user_id = ${userId}
      union all select 'application:' || id from applications where user_id = ${userId}
      union all select 'request:' || id from increase_requests where user_id = ${userId})`,
    sql`substr(${target}, 1, ${`limit:${named}:`.length}) = ${`limit:${named}:`}`,
    sql`substr(${target}, -${` ${named}`.length}) = ${` ${named}`}`,
    told(before),
    told(after),
    joined,
  )
}

function contains(text: string): SQL | undefined {
  const { target, before, after, actorId, ip, requestId } = auditEvents
  const people = sql`from users where instr(itcode, ${text}) > 0 or instr(lower(name), ${text}) > 0`
  return or(
    ...[target, before, after].map((column) => sql`instr(lower(${column}), ${text}) > 0`),
    sql`${actorId} in (select id ${people})`,
    sql`${target} in (select 'user:' || id ${people})`,
    sql`${ip} = ${text}`,
    sql`${requestId} = ${text}`,
  )
}
