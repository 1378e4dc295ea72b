/** Finds keys of everybody for administrators: filtered, sorted and paged by the database. */
import { and, count, eq, gt, isNull, lte, or, type SQL, sql } from 'drizzle-orm'
import * as z from 'zod'
import { apiKeys, users } from '../db/schema.ts'
import type { Clock, Db } from '../ports.ts'
import { among } from '../reports/totals.ts'
import { DAY_MS } from '../units.ts'
import { type ListedKey, listedKeys } from './list.ts'

export const KEY_SORTS = ['created_at', 'name', 'itcode', 'last_used_at', 'cost_usd', 'expires_at'] as const
/** Each key is `active`, `expired` or `disabled`; those that are active and end within EXPIRING_DAYS are `expiring`, too. */
export const KEY_STATES = ['active', 'expiring', 'expired', 'disabled'] as const
export const EXPIRING_DAYS = 14

export interface KeyFilter {
  id?: number | undefined
  userId?: number | undefined
  /** Text to find in name, owner or how the key begins, taken literally; case is ignored. */
  q?: string | undefined
  state?: (typeof KEY_STATES)[number] | undefined
  /** Those that no call was made with. */
  neverUsed?: boolean | undefined
  /** Those without a limit of their own of tokens, money, rates or calls at once. */
  withoutLimits?: boolean | undefined
}

interface Parts {
  db: Db
  clock: Clock
}

interface KeyOrder {
  sort: (typeof KEY_SORTS)[number]
  order: 'asc' | 'desc'
}

/** A page of the keys that match, and how many match. Equal ones are in the order of their making. */
export async function findKeys(
  { db, clock }: Parts,
  filter: KeyFilter,
  order: KeyOrder,
  part: { page: number; pageSize: number },
): Promise<{ keys: ListedKey[]; total: number }> {
  const where = matching(filter, clock.now())
  const [counted] = await db
    .select({ total: count() })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(and(isNull(apiKeys.deletedAt), where))
  return { keys: await listedKeys(db, where, { ...part, by: sortedBy(order) }), total: counted?.total ?? 0 }
}

/**
 * All of them, in the same order, so many at a time: a company may have a hundred thousand, and nobody else's work waits until all
 * are read.
 */
export async function allKeys(
  { db, clock }: Parts,
  filter: KeyFilter,
  order: KeyOrder,
): Promise<{ total: number; slices: AsyncGenerator<ListedKey[]> }> {
  // One text, because rows of a hundred thousand ids take longer.
  const [found] = await db.all<{ ids: string }>(sql`select json_group_array(id) as ids from
    (select ${apiKeys.id} as id from ${apiKeys} inner join ${users} on ${users.id} = ${apiKeys.userId}
      where ${isNull(apiKeys.deletedAt)} and ${matching(filter, clock.now())}
      order by ${sortedBy(order)}, ${apiKeys.id})`)
  const ids = Ids.parse(JSON.parse(found?.ids ?? '[]'))
  async function* slices() {
    for (let from = 0; from < ids.length; from += SLICE) {
      const some = ids.slice(from, from + SLICE)
      const listed = new Map((await listedKeys(db, among(apiKeys.id, some))).map((one) => [one.key.id, one]))
      // One that was deleted meanwhile is left out.
      yield some.flatMap((id) => listed.get(id) ?? [])
    }
  }
  return { total: ids.length, slices: slices() }
}

const Ids = z.array(z.int())
const SLICE = 500

function matching(filter: KeyFilter, now: number): SQL | undefined {
  return and(
    eq(apiKeys.kind, 'key'),
    filter.id === undefined ? undefined : eq(apiKeys.id, filter.id),
    filter.userId === undefined ? undefined : eq(apiKeys.userId, filter.userId),
    filter.q ? contains(filter.q.toLowerCase()) : undefined,
    filter.state && isInState(filter.state, now),
    filter.neverUsed ? sql`not exists (select 1 ${EVER})` : undefined,
    filter.withoutLimits ? UNLIMITED : undefined,
  )
}

/** Keys that never expire come last of those that are sorted by it. */
function sortedBy({ sort, order }: KeyOrder): SQL {
  return sql`${SORTED_BY[sort]} ${sql.raw(order)} nulls last`
}

const EVER = sql`from usage_sums where cut = 'total' and api_key_id = ${apiKeys.id}`

const UNLIMITED = and(
  eq(apiKeys.quotaTokens, 0),
  eq(apiKeys.budgetMicros, 0),
  eq(apiKeys.requestsPerMinute, 0),
  eq(apiKeys.tokensPerMinute, 0),
  eq(apiKeys.concurrentRequests, 0),
)

const SORTED_BY: Readonly<Record<KeyOrder['sort'], SQL>> = {
  created_at: sql`${apiKeys.createdAt}`,
  name: sql`lower(${apiKeys.name})`,
  itcode: sql`${users.itcode}`,
  expires_at: sql`${apiKeys.expiresAt}`,
  last_used_at: sql`(select coalesce(max(last_at), 0) ${EVER})`,
  cost_usd: sql`(select coalesce(sum(cost_micros), 0) ${EVER})`,
}

function contains(text: string): SQL | undefined {
  return or(
    sql`instr(lower(${apiKeys.name}), ${text}) > 0`,
    sql`instr(${users.itcode}, ${text}) > 0`,
    sql`instr(lower(${apiKeys.prefix}), ${text}) > 0`,
    // Somebody may have found the secret that was replaced.
    sql`instr(lower(${apiKeys.previousPrefix}), ${text}) > 0`,
  )
}

function isInState(state: NonNullable<KeyFilter['state']>, now: number): SQL | undefined {
  const isOn = eq(apiKeys.status, 'active')
  switch (state) {
    case 'active':
      return and(isOn, or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, now)))
    case 'expiring':
      return and(isOn, gt(apiKeys.expiresAt, now), lte(apiKeys.expiresAt, now + EXPIRING_DAYS * DAY_MS))
    case 'expired':
      return and(isOn, lte(apiKeys.expiresAt, now))
    case 'disabled':
      return eq(apiKeys.status, 'disabled')
  }
}
