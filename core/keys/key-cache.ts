/**
 * The key cache: every key with its owner in memory, so that no call waits for the database.
 *
 * Decision: when the revision has changed, all keys are read again instead of single rows, because triggers in the database
 * raise it for every writer (this process, others, the command line), so that no change is missed.
 */
import { eq, isNull } from 'drizzle-orm'
import { apiKeys, grants, keyRevision, users } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import type { Clock, Counter, Db } from '../ports.ts'
import type { Settings } from '../settings.ts'
import type { Sha256 } from './mint.ts'

export interface Caller {
  userId: number
  itcode: string
  keyId: number
  keyPrefix: string
  /** What the caller's calls count against. */
  counters: readonly Counter[]
  /** Canonical names of the models granted to the user. */
  grants: ReadonlySet<string>
}

interface Entry extends Caller {
  userActive: boolean
  keyActive: boolean
  expiresAt: number | null
}

export interface KeyCache {
  /**
   * The caller of the first presented key that is valid. Synchronous: reads no database. Throws a Refusal: key_missing,
   * key_unknown, key_disabled, key_expired (401) or user_disabled (403).
   */
  find(presented: readonly string[]): Caller
  /** Reads all keys again if the revision has changed. Rejects if the database fails. */
  refresh(): Promise<void>
  /** Refreshes if the last check was over `maxAgeMs` ago; otherwise returns undefined. */
  fresh(maxAgeMs: number): Promise<void> | undefined
}

const NO_GRANTS: ReadonlySet<string> = new Set()

export function createKeyCache(parts: {
  db: Db
  clock: Clock
  sha256: Sha256
  settings: Settings
}): KeyCache {
  const { db, clock, sha256, settings } = parts
  let byHash: ReadonlyMap<string, Entry> = new Map()
  let revision = -1
  let lookedAt = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | undefined

  async function look() {
    const startedAt = clock.elapsed()
    const [row] = await db.select().from(keyRevision)
    if (row && row.revision !== revision) {
      byHash = await readAll(db, settings)
      revision = row.revision
    }
    lookedAt = startedAt
  }
  /** One check runs at a time. A caller during it gets one that starts afterwards, so that it sees its own writes. */
  let again: Promise<void> | undefined
  function refresh(): Promise<void> {
    if (!looking) {
      looking = look().finally(() => {
        looking = undefined
      })
      return looking
    }
    again ??= looking
      .catch(() => {})
      .then(() => {
        again = undefined
        return refresh()
      })
    return again
  }

  return {
    refresh,
    fresh: (maxAgeMs) => (clock.elapsed() - lookedAt > maxAgeMs ? refresh() : undefined),
    find(presented) {
      let refusal: Refusal | undefined
      for (const secret of presented) {
        const entry = byHash.get(sha256(secret))
        const problem = judge(entry, clock.now())
        if (!problem && entry) return entry
        refusal ??= problem
      }
      throw (
        refusal ?? new Refusal('key_missing', 'Send your API key as "Authorization: Bearer" or "x-api-key".')
      )
    },
  }
}

function judge(entry: Entry | undefined, now: number): Refusal | undefined {
  if (!entry) return new Refusal('key_unknown', 'This API key is unknown. Check it, or make a new one.')
  if (!entry.userActive)
    return new Refusal('user_disabled', 'Your account is disabled. Ask an administrator.')
  if (!entry.keyActive) return new Refusal('key_disabled', 'This API key is disabled.')
  if (entry.expiresAt !== null && entry.expiresAt <= now) {
    return new Refusal('key_expired', 'This API key has expired. Make a new one.')
  }
  return undefined
}

async function readAll(db: Db, settings: Settings): Promise<Map<string, Entry>> {
  const rows = await db
    .select({ user: users, key: apiKeys })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(isNull(apiKeys.deletedAt))
  const granted = new Map<number, Set<string>>()
  for (const { userId, model } of await db.select().from(grants)) {
    const models = granted.get(userId) ?? new Set()
    granted.set(userId, models.add(model))
  }
  return new Map(
    rows.map(({ user, key }) => [
      key.hash,
      {
        userId: user.id,
        itcode: user.itcode,
        keyId: key.id,
        keyPrefix: key.prefix,
        counters: countersOf(user, key, settings),
        grants: granted.get(user.id) ?? NO_GRANTS,
        userActive: user.status === 'active',
        keyActive: key.status === 'active',
        expiresAt: key.expiresAt,
      },
    ]),
  )
}

function countersOf(
  user: typeof users.$inferSelect,
  key: typeof apiKeys.$inferSelect,
  { limits }: Settings,
): Counter[] {
  const ofUser = {
    quotaTokens: user.quotaTokens,
    budgetMicros: user.budgetMicros,
    requestsPerMinute: user.requestsPerMinute ?? limits.requestsPerMinute,
    concurrentRequests: user.concurrentRequests ?? limits.concurrentRequests,
  }
  const ofKey = {
    quotaTokens: key.quotaTokens,
    budgetMicros: key.budgetMicros,
    requestsPerMinute: key.requestsPerMinute,
    concurrentRequests: key.concurrentRequests,
  }
  return [
    { scope: 'user', id: user.id, limits: ofUser },
    { scope: 'key', id: key.id, limits: ofKey },
  ]
}
