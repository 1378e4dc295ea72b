/** Imports users and their keys. Existing accounts (by name) and keys (by hash) stay as they are. */
import { accountName } from '../auth/account.ts'
import { apiKeys, users } from '../db/schema.ts'
import { describeKey } from '../keys/mint.ts'
import { GoKey, type GoTable, GoUser } from './go-rows.ts'
import { type ImportParts, type ImportReport, rowsOf } from './rows.ts'

/** Imports users and returns a map: id in the Go database → id here. */
export async function importUsers(
  { db, read }: ImportParts,
  report: ImportReport,
): Promise<Map<number, number>> {
  const here = await db.select({ id: users.id, itcode: users.itcode }).from(users)
  const table = into(
    'users',
    here.map(({ id, itcode }) => [nameOf(itcode) ?? itcode, id]),
    report,
  )
  for await (const rows of rowsOf(read, 'users', GoUser, report)) {
    for (const row of rows) {
      const itcode = nameOf(row.itcode)
      if (itcode === undefined) {
        report.skipped.push(`users ${row.id}: itcode: no account name`)
        continue
      }
      if (table.has(row.id, itcode)) continue
      const { role, status, quota_tokens: quotaTokens } = row
      const [made] = await db
        .insert(users)
        .values({
          ...table.kept(row),
          itcode,
          name: row.name || itcode,
          role,
          status,
          quotaTokens,
        })
        .returning({ id: users.id })
      if (made) table.added(row.id, itcode, made.id)
    }
  }
  return table.ids
}

/**
 * A table that rows are imported into, with the rows that it `has`: what makes each the same as one of the Go database,
 * and its id. What becomes of rows is counted in `report`.
 */
function into(name: GoTable, has: readonly [string, number][], report: ImportReport) {
  const present = new Map(has)
  const taken = new Set(present.values())
  /** Id in the Go database → id here. */
  const ids = new Map<number, number>()
  return {
    ids,
    has(goId: number, key: string): boolean {
      const id = present.get(key)
      if (id === undefined) return false
      ids.set(goId, id)
      report.present[name] += 1
      return true
    },
    /** What a row keeps: its id, unless another one has it, and its times. */
    kept: ({ id, created_at, updated_at }: { id: number; created_at: number; updated_at: number }) => ({
      ...(taken.has(id) ? {} : { id }),
      createdAt: created_at,
      updatedAt: updated_at,
    }),
    added(goId: number, key: string, id: number) {
      taken.add(id)
      present.set(key, id)
      ids.set(goId, id)
      report.added[name] += 1
    },
  }
}

function nameOf(itcode: string): string | undefined {
  try {
    return accountName(itcode)
  } catch {
    return undefined
  }
}

/** Imports keys and returns a map as importUsers does. The plain keys of the Go database are stored as hashes. */
export async function importKeys(
  { db, read, sha256 }: ImportParts,
  report: ImportReport,
  userIds: ReadonlyMap<number, number>,
): Promise<Map<number, number>> {
  const here = await db.select({ id: apiKeys.id, hash: apiKeys.hash }).from(apiKeys)
  const table = into(
    'api_keys',
    here.map(({ id, hash }) => [hash, id]),
    report,
  )
  for await (const rows of rowsOf(read, 'api_keys', GoKey, report)) {
    for (const row of rows) {
      const userId = userIds.get(row.user_id)
      const { hash, prefix, last4 } = describeKey(row.key, sha256)
      if (table.has(row.id, hash)) continue
      if (userId === undefined) {
        report.skipped.push(`api_keys ${row.id}: its user ${row.user_id} is not there`)
        continue
      }
      const { status, expires_at: expiresAt, name } = row
      const [made] = await db
        .insert(apiKeys)
        .values({
          ...table.kept(row),
          userId,
          name: name || 'imported',
          hash,
          prefix,
          last4,
          status,
          // The Go database does not say who disabled it. An owner must not undo an administrator's block.
          disabledBy: status === 'disabled' ? 'admin' : null,
          expiresAt,
        })
        .returning({ id: apiKeys.id })
      if (made) table.added(row.id, hash, made.id)
    }
  }
  return table.ids
}
