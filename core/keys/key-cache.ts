/**
 * The key cache: every key with its owner in memory, so that no call waits for the database.
 *
 * Decision: triggers in the database write down whose keys, rights or limits changed, because they see every writer (this
 * process, others, the command line) and so no change is missed. Only what changed is read, because reading a hundred
 * thousand keys takes seconds in which no stream would get a byte.
 */
import { Refusal } from '../errors.ts'
import type { Clock, Counter, Db } from '../ports.ts'
import type { Settings } from '../settings.ts'
import type { Sha256 } from './mint.ts'
import { changedSince, type ReadKey, readAfter, readOf, readRevision } from './read-keys.ts'

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
  /** Reads what has changed, at first everything. Rejects if the database fails. */
  refresh(): Promise<void>
  /** Refreshes if the last check was over `maxAgeMs` ago; otherwise returns undefined. */
  fresh(maxAgeMs: number): Promise<void> | undefined
}

const NO_GRANTS: ReadonlySet<string> = new Set()
/** So many keys are read by one statement, because a worker may make few of them. */
const KEYS_READ = 1_000
/** So many keys are added, or the keys of so many users read, at once: a millisecond or two. Calls go on in between. */
const KEYS_AT_ONCE = 250
const USERS_AT_ONCE = 50

interface KeyCacheParts {
  db: Db
  clock: Clock
  sha256: Sha256
  settings: Settings
}

export function createKeyCache(parts: KeyCacheParts): KeyCache {
  const { db, clock, sha256, settings } = parts
  let entries = createEntries(settings)
  let revision: number | undefined
  let lookedAt = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | undefined

  async function look() {
    const startedAt = clock.elapsed()
    // Read first: what changes while keys are read is read again next time.
    const current = await readRevision(db)
    // A lower one is that of another database.
    if (revision === undefined || current < revision) entries = await readAll(parts)
    else if (current > revision) await readChanged(parts, entries, await changedSince(db, revision))
    revision = current
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
        const entry = entries.find(sha256(secret))
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

async function readAll({ db, clock, settings }: KeyCacheParts): Promise<Entries> {
  const all = createEntries(settings)
  let rows = await readAfter(db, 0, KEYS_READ)
  for (;;) {
    const last = rows.length < KEYS_READ ? undefined : rows.at(-1)
    // Read while these are added.
    const next = last && readAfter(db, last.keyId, KEYS_READ)
    next?.catch(() => {})
    for (let from = 0; from < rows.length; from += KEYS_AT_ONCE) {
      if (from > 0) await pause(clock)
      all.add(rows.slice(from, from + KEYS_AT_ONCE))
    }
    if (!next) return all
    rows = await next
    await pause(clock)
  }
}

async function readChanged({ db, clock }: KeyCacheParts, entries: Entries, userIds: readonly number[]) {
  for (let from = 0; from < userIds.length; from += USERS_AT_ONCE) {
    if (from > 0) await pause(clock)
    const some = userIds.slice(from, from + USERS_AT_ONCE)
    const rows = await readOf(db, some)
    entries.forget(some)
    entries.add(rows)
  }
}

function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.after(0, resolve))
}

type Entries = ReturnType<typeof createEntries>

/** Keys by their hash, and the hashes of each user's. */
function createEntries({ limits }: Settings) {
  const byHash = new Map<string, Entry>()
  const hashesOf = new Map<number, string[]>()

  function ownersOf(rows: readonly ReadKey[]) {
    const owners = new Map<number, Pick<Caller, 'grants'> & { counter: Counter }>()
    for (const { userId, userLimits, models } of rows) {
      if (owners.has(userId)) continue
      const ofUser = {
        ...userLimits,
        requestsPerMinute: userLimits.requestsPerMinute ?? limits.requestsPerMinute,
        concurrentRequests: userLimits.concurrentRequests ?? limits.concurrentRequests,
      }
      const granted = models.length === 0 ? NO_GRANTS : new Set(models)
      owners.set(userId, { grants: granted, counter: { scope: 'user', id: userId, limits: ofUser } })
    }
    return owners
  }

  return {
    find: (hash: string) => byHash.get(hash),
    forget(userIds: readonly number[]) {
      for (const userId of userIds) {
        for (const hash of hashesOf.get(userId) ?? []) byHash.delete(hash)
        hashesOf.delete(userId)
      }
    },
    add(rows: readonly ReadKey[]) {
      const owners = ownersOf(rows)
      for (const { keyId, hash, prefix, keyActive, expiresAt, limits, userId, itcode, userActive } of rows) {
        const owner = owners.get(userId)
        if (!owner) continue
        const counters: Counter[] = [owner.counter, { scope: 'key', id: keyId, limits }]
        const caller = { userId, itcode, keyId, keyPrefix: prefix, counters, grants: owner.grants }
        byHash.set(hash, { ...caller, userActive, keyActive, expiresAt })
        const hashes = hashesOf.get(userId)
        if (hashes) hashes.push(hash)
        else hashesOf.set(userId, [hash])
      }
    },
  }
}
