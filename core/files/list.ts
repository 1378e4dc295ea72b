/** Lists of what people have in the accounts: the ids are ours, what they stand for is asked of the accounts. */
import { and, asc, desc, eq, gt, inArray, lt, type SQL, sql } from 'drizzle-orm'
import { type ObjectKind, upstreamObjects } from '../db/objects.ts'
import { users } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { invalidField, Refusal } from '../errors.ts'
import { isRecord } from '../json/is-record.ts'
import { parsedJson } from '../json/parse.ts'
import type { Db, HeaderPairs } from '../ports.ts'
import type { StopSignal } from '../stop.ts'
import { type AccountParts, accountNamed, askForJson } from './account.ts'

export interface Listing {
  userId: number
  kind: ObjectKind
  limit: number
  /** Ids between which the page is, or where an earlier answer said that the next one begins. */
  afterId?: string | null | undefined
  beforeId?: string | null | undefined
  page?: string | undefined
  /** Only these. */
  ids?: readonly string[] | undefined
}

export type ListedPage = {
  data: Record<string, unknown>[]
  has_more: boolean
  first_id: string | null
  last_id: string | null
  next_page: string | null
}

interface Row {
  rowId: number
  id: string
  backend: string
}

/** How many an account is asked for at the same time. */
const AT_ONCE = 8
/** How many are looked through for a page that has anything. */
const MOST_LOOKED = 1_000
const NOT_FOUND = 404

interface Asking {
  pathOf: (id: string) => string
  headers: HeaderPairs
  signal: StopSignal
}

/**
 * A page, the newest first. Administrators see everybody's. `leftOut`: accounts that could not be asked, so that what they have
 * is missing. Throws a Refusal invalid_input for a place that is not in the list, or ClientGone.
 */
export async function listObjects(
  parts: AccountParts & Pick<Deps, 'db'>,
  listing: Listing,
  asking: Asking,
): Promise<{ page: ListedPage; leftOut: string[] }> {
  let found = await pageOf(parts, listing, asking)
  // Clients take a page without anything for the last one, whatever it says.
  for (let looked = listing.limit; looked < MOST_LOOKED && isGap(found); looked += listing.limit) {
    const { first_id, last_id } = found.page
    const next = listing.beforeId === undefined ? { afterId: last_id } : { beforeId: first_id }
    const place = { afterId: undefined, beforeId: undefined, page: undefined, ...next }
    found = await pageOf(parts, { ...listing, ...place }, asking)
  }
  return found
}

function isGap({ page, leftOut }: { page: ListedPage; leftOut: readonly string[] }): boolean {
  return page.data.length === 0 && page.has_more && leftOut.length === 0
}

async function pageOf(
  parts: AccountParts & Pick<Deps, 'db'>,
  listing: Listing,
  { pathOf, headers, signal }: Asking,
): Promise<{ page: ListedPage; leftOut: string[] }> {
  const rows = await rowsOf(parts.db, listing)
  const shown = rows.slice(0, listing.limit)
  if (listing.beforeId !== undefined) shown.reverse()
  const leftOut = new Set<string>()
  const found = new Map<string, Record<string, unknown>>()
  const waiting = [...shown]
  const askNext = async () => {
    for (let row = waiting.shift(); row; row = waiting.shift()) {
      if (leftOut.has(row.backend)) continue
      const { id, backend } = row
      try {
        const request = { method: 'GET' as const, path: pathOf(id), headers, signal }
        const { status, body } = await askForJson(parts, accountNamed(parts, backend), request)
        const value = parsedJson(new TextDecoder().decode(body))
        if (status < 300 && isRecord(value)) found.set(id, value)
        else if (status !== NOT_FOUND) leftOut.add(backend)
      } catch (thrown) {
        if (!(thrown instanceof Refusal)) throw thrown
        leftOut.add(backend)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, askNext))
  const hasMore = rows.length > listing.limit
  const page = {
    data: shown.map(({ id }) => found.get(id)).filter((one) => one !== undefined),
    has_more: hasMore,
    first_id: shown[0]?.id ?? null,
    last_id: shown.at(-1)?.id ?? null,
    next_page: hasMore ? String(shown.at(-1)?.rowId ?? '') : null,
  }
  return { page, leftOut: [...leftOut] }
}

/** One more than the page has, so that it is known whether there are more. */
async function rowsOf(db: Db, { userId, kind, limit, ids, ...place }: Listing): Promise<Row[]> {
  const { rowId, id, backend } = upstreamObjects
  const isAdmin = sql`exists (select 1 from ${users} where ${users.id} = ${userId} and ${users.role} = 'admin')`
  const isSeen = sql`(${upstreamObjects.userId} = ${userId} or ${isAdmin})`
  const isListed = and(eq(upstreamObjects.kind, kind), isSeen, ids ? inArray(id, [...ids]) : undefined)
  const between = await placeOf(db, isListed, place)
  return db
    .select({ rowId, id, backend })
    .from(upstreamObjects)
    .where(and(isListed, between))
    .orderBy(place.beforeId === undefined ? desc(rowId) : asc(rowId))
    .limit(limit + 1)
}

async function placeOf(
  db: Db,
  isListed: SQL | undefined,
  { afterId, beforeId, page }: Pick<Listing, 'afterId' | 'beforeId' | 'page'>,
): Promise<SQL | undefined> {
  const { rowId, id } = upstreamObjects
  if (page !== undefined) {
    if (!/^\d{1,15}$/.test(page))
      throw invalidField('page', 'the next_page of an answer to the same question is expected')
    return lt(rowId, Number(page))
  }
  const named = afterId ?? beforeId
  if (named === undefined || named === null) return undefined
  const [at] = await db
    .select({ rowId })
    .from(upstreamObjects)
    .where(and(isListed, eq(id, named)))
  if (!at)
    throw invalidField(
      afterId === undefined ? 'before_id' : 'after_id',
      'the id of something in this list is expected',
    )
  return afterId === undefined ? gt(rowId, at.rowId) : lt(rowId, at.rowId)
}
