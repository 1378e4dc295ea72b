/** People whom a directory keeps, as they are stored and as it reads them back. */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import type { User } from '../auth/account.ts'
import { scimUsers, users } from '../db/schema.ts'
import { nothingHere } from '../errors.ts'
import { isRecord } from '../json/is-record.ts'
import { parsedJson } from '../json/parse.ts'
import type { Db } from '../ports.ts'
import { timeText } from '../units.ts'
import type { Document } from './document.ts'
import { equals, type Filter, matches } from './filter.ts'

export interface KeptUser {
  user: User
  kept: typeof scimUsers.$inferSelect
}

/** What the directory wrote, and whether the account can be used. */
export function resourceOf({ user, kept }: KeptUser): Document {
  const attributes = parsedJson(kept.attributes)
  const { userName, externalId } = kept
  const known = externalId === null ? { userName } : { userName, externalId }
  return { ...known, ...(isRecord(attributes) ? attributes : {}), active: user.status === 'active' }
}

/** When a person was made, and changed last (ms since 1970). */
export function timesOf({ user, kept }: KeptUser): { createdAt: number; updatedAt: number } {
  return { createdAt: kept.createdAt, updatedAt: Math.max(kept.updatedAt, user.updatedAt) }
}

/** The part of `meta` that directories look for changes by. */
export function metaOf(
  resourceType: 'User' | 'Group',
  { createdAt, updatedAt }: { createdAt: number; updatedAt: number },
) {
  return { resourceType, created: timeText(createdAt), lastModified: timeText(updatedAt) }
}

/** The parts of a resource that are no columns, as they are stored. */
export function storedAttributes({
  userName: _,
  externalId: __,
  active: ___,
  ...attributes
}: Document): string {
  return JSON.stringify(attributes)
}

/** How a userName is compared. */
export function keyOf(userName: string): string {
  return userName.normalize('NFKC').toLowerCase()
}

/** Throws a Refusal not_found, also for whom no directory keeps. */
export async function keptUser(db: Db, id: number): Promise<KeptUser> {
  const [found] = await select(db, eq(users.id, id), { limit: 1, after: 0 })
  if (!found) throw nothingHere()
  return found
}

const ROWS_READ = 100

/**
 * Those who meet the filter, in the order of their ids. `start` is the number of the first one wanted, from 1 on. With a filter
 * of `eq` over userName, externalId or id only their rows are read, else all, in parts, because other work has to go on.
 */
export async function listKept(
  db: Db,
  filter: Filter | undefined,
  { start, count }: { start: number; count: number },
): Promise<{ total: number; found: KeptUser[] }> {
  if (!filter) {
    const total = await db.$count(
      scimUsers,
      sql`exists (select 1 from users where users.id = ${scimUsers.userId} and users.deleted_at is null)`,
    )
    const found =
      count === 0 ? [] : await select(db, undefined, { limit: count, after: 0, offset: start - 1 })
    return { total, found }
  }
  const where = indexed(filter)
  const all: KeptUser[] = []
  let after = 0
  for (;;) {
    const rows = await select(db, where, { limit: ROWS_READ, after })
    all.push(
      ...rows.filter((row) =>
        matches(filter, { ...resourceOf(row), id: String(row.user.id), meta: metaOf('User', timesOf(row)) }),
      ),
    )
    const last = rows.length < ROWS_READ ? undefined : rows.at(-1)
    if (!last) return { total: all.length, found: all.slice(start - 1, start - 1 + count) }
    after = last.user.id
  }
}

/** Rows that can meet the filter, as far as an index or the stored text tells. */
function indexed(filter: Filter): SQL | undefined {
  const userNames = equals(filter, 'userName')?.map(keyOf)
  if (userNames) return among(scimUsers.userNameKey, userNames)
  const externalIds = equals(filter, 'externalId')
  if (externalIds) return among(scimUsers.externalId, externalIds)
  const ids = equals(filter, 'id')
  if (ids) return among(users.id, ids.map(Number).filter(Number.isSafeInteger))
  const text = wantedText(filter)
  return text === undefined ? undefined : sql`instr(lower(${scimUsers.attributes}), ${text}) > 0`
}

/** A text in ASCII that must stand in the attributes of whoever meets the filter, in lower case as JSON has it. */
function wantedText(filter: Filter): string | undefined {
  if (filter.is === 'and') return filter.all.map(wantedText).find((text) => text !== undefined)
  if (filter.is === 'some') return wantedText(filter.of)
  if (filter.is !== 'compare' || filter.operator !== 'eq' || typeof filter.value !== 'string')
    return undefined
  const [name = ''] = filter.path
  const isColumn = ['userName', 'externalId', 'id', 'active', 'meta', 'primary'].includes(name)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: SQLite knows the lower case of ASCII alone
  const isPlain = /^[\u0000-\u007f]+$/.test(filter.value)
  return isColumn || !isPlain ? undefined : JSON.stringify(filter.value).slice(1, -1).toLowerCase()
}

function among(
  column: typeof scimUsers.userNameKey | typeof scimUsers.externalId | typeof users.id,
  values: unknown[],
): SQL {
  return sql`${column} in (select value from json_each(${JSON.stringify(values)}))`
}

function select(
  db: Db,
  where: SQL | undefined,
  { limit, after, offset = 0 }: { limit: number; after: number; offset?: number },
): Promise<KeptUser[]> {
  return db
    .select({ user: users, kept: scimUsers })
    .from(scimUsers)
    .innerJoin(users, eq(users.id, scimUsers.userId))
    .where(and(isNull(users.deletedAt), sql`${scimUsers.userId} > ${after}`, where))
    .orderBy(scimUsers.userId)
    .limit(limit)
    .offset(offset)
}
