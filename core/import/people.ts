/** Imports users and their keys. Existing accounts (by name) and keys (by hash) stay as they are. */
import { accountName } from '../auth/account.ts'
import { apiKeys, users } from '../db/schema.ts'
import { describeKey } from '../keys/mint.ts'
import { GoKey, GoUser } from './go-rows.ts'
import { type ImportParts, type ImportReport, rowsOf } from './rows.ts'

/** Imports users and returns a map: id in the Go database → id here. */
export async function importUsers(
  { db, read }: ImportParts,
  report: ImportReport,
): Promise<Map<number, number>> {
  const ids = new Map<number, number>()
  const here = await db.select({ id: users.id, itcode: users.itcode }).from(users)
  const byName = new Map(here.map(({ id, itcode }) => [nameOf(itcode) ?? itcode, id]))
  const taken = new Set(here.map(({ id }) => id))
  for await (const rows of rowsOf(read, 'users', GoUser, report)) {
    for (const row of rows) {
      const itcode = nameOf(row.itcode)
      if (itcode === undefined) {
        report.skipped.push(`users ${row.id}: itcode: no account name`)
        continue
      }
      const present = byName.get(itcode)
      if (present !== undefined) {
        ids.set(row.id, present)
        report.present.users += 1
        continue
      }
      const { role, status, quota_tokens: quotaTokens } = row
      const [made] = await db
        .insert(users)
        .values({
          ...(taken.has(row.id) ? {} : { id: row.id }),
          itcode,
          name: row.name || itcode,
          role,
          status,
          quotaTokens,
          createdAt: row.created_at,
          updatedAt: row.updated_at,
        })
        .returning({ id: users.id })
      if (!made) continue
      taken.add(made.id)
      byName.set(itcode, made.id)
      ids.set(row.id, made.id)
      report.added.users += 1
    }
  }
  return ids
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
  const ids = new Map<number, number>()
  const here = await db.select({ id: apiKeys.id, hash: apiKeys.hash }).from(apiKeys)
  const byHash = new Map(here.map(({ id, hash }) => [hash, id]))
  const taken = new Set(here.map(({ id }) => id))
  for await (const rows of rowsOf(read, 'api_keys', GoKey, report)) {
    for (const row of rows) {
      const userId = userIds.get(row.user_id)
      const { hash, prefix, last4 } = describeKey(row.key, sha256)
      const present = byHash.get(hash)
      if (present !== undefined) {
        ids.set(row.id, present)
        report.present.api_keys += 1
      } else if (userId === undefined) {
        report.skipped.push(`api_keys ${row.id}: its user ${row.user_id} is not there`)
      } else {
        const { status, expires_at: expiresAt, name } = row
        const [made] = await db
          .insert(apiKeys)
          .values({
            ...(taken.has(row.id) ? {} : { id: row.id }),
            userId,
            name: name || 'imported',
            hash,
            prefix,
            last4,
            status,
            // The Go database does not say who disabled it. An owner must not undo an administrator's block.
            disabledBy: status === 'disabled' ? 'admin' : null,
            expiresAt,
            createdAt: row.created_at,
            updatedAt: row.updated_at,
          })
          .returning({ id: apiKeys.id })
        if (!made) continue
        taken.add(made.id)
        byHash.set(hash, made.id)
        ids.set(row.id, made.id)
        report.added.api_keys += 1
      }
    }
  }
  return ids
}
