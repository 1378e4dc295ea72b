/**
 * The key cache: every key with its owner in memory, so that no call waits for the database.
 *
 * Decision: triggers in the database write down whose keys, rights or limits changed, because they see every writer (this
 * process, others, the command line) and so no change is missed. Only what changed is read, because reading a hundred
 * thousand keys takes seconds in which no stream would get a byte.
 */

import type { AccessTokens } from '../devices/access-token.ts'
import { Refusal } from '../errors.ts'
import { createThrottle } from '../limits/throttle.ts'
import { type LastCommit, lookAfterCommits, oneLookAtATime } from '../looking.ts'
import {
  readForAll,
  readGroups,
  readOrganisation,
  readUsersAfter,
  readUsersOf,
} from '../organisation/read.ts'
import type { Clock, Db } from '../ports.ts'
import type { Settings } from '../settings.ts'
import type { WaitUntil } from '../shared-work.ts'
import type { Caller } from './caller.ts'
import type { Sha256 } from './mint.ts'
import { changedSince, ORGANISATION_CHANGED, readKeysAfter, readKeysOf, readRevision } from './read-keys.ts'
import { createSnapshot, type Found, type Snapshot } from './snapshot.ts'

export interface KeyCache {
  /**
   * The caller of the first presented key that is valid. Synchronous: reads no database. Throws a Refusal: key_missing,
   * key_unknown, sign_in_required, key_disabled, key_expired (401) or user_disabled (403).
   */
  find(presented: readonly string[]): Caller
  /** Reads what has changed, at first everything. Rejects if the database fails. */
  refresh(): Promise<void>
  /**
   * Has a change hold here at once, where the database answers. Never rejects, because the change is made: whoever was told of
   * an error would not get the secret of their new key. The next look finds it.
   */
  changed(): Promise<void>
  /** Refreshes if the last check was over `maxAgeMs` ago; otherwise returns undefined. */
  fresh(maxAgeMs: number): Promise<void> | undefined
  /**
   * Refreshes because a device is not there that should be, whose token was signed at `signedAt` (ms since 1970): another
   * process may just have let it in. For older ones at most once a second; otherwise returns undefined.
   */
  missed(signedAt: number): Promise<void> | undefined
}

/**
 * So many keys or users are read by one statement, and the keys of so many changed users. To take them in takes a millisecond or
 * two, and calls go on while the next are read.
 */
const ROWS_READ = 500
const USERS_READ = 50
const MISSED_EVERY_MS = 1_000
/** Longer than a change takes to be known, and clocks of processes differ by. Only signing in makes such a token. */
const JUST_SIGNED_MS = 10_000

const SIGNED_OUT = 'This program was signed out. Sign in again.'
const REPLACED = 'This API key was replaced by a new one, and its time is over. Use the new one.'
const HOW_TO_SEND = 'Send your API key as "Authorization: Bearer" or "x-api-key".'

interface KeyCacheParts {
  db: Db
  lastCommit?: LastCommit
  clock: Clock
  sha256: Sha256
  settings: Settings
  accessTokens: AccessTokens
  waitUntil: WaitUntil
}

export function createKeyCache(parts: KeyCacheParts): KeyCache {
  const { db, clock, sha256, accessTokens, waitUntil } = parts
  let snapshot: Snapshot | undefined
  let revision: number | undefined
  let lookedAt = Number.NEGATIVE_INFINITY
  const missing = createThrottle(clock, { burst: 1, everyMs: MISSED_EVERY_MS })

  async function read() {
    // Read first: what changes while keys are read is read again next time.
    const current = await readRevision(db)
    // A lower one is that of another database.
    if (!snapshot || revision === undefined || current < revision) snapshot = await readAll(parts)
    else if (current > revision) await readChanged(db, snapshot, revision)
    revision = current
  }
  const readNews = lookAfterCommits(read, parts.lastCommit)
  async function look() {
    const startedAt = clock.elapsed()
    await readNews()
    lookedAt = startedAt
  }
  const refresh = oneLookAtATime(look, { clock, waitUntil })

  /** The key of this hash, or the device whose token has it. */
  function owned(hash: string): { found: Found | undefined; tokenEnds?: number } {
    const found = snapshot?.find(hash)
    const token = found ? undefined : accessTokens.known(hash)
    return token ? { found: snapshot?.find(token.device), tokenEnds: token.expiresAt } : { found }
  }

  return {
    refresh,
    changed: () => refresh().catch(() => {}),
    fresh: (maxAgeMs) => (clock.elapsed() - lookedAt > maxAgeMs ? refresh() : undefined),
    missed: (at) => (clock.now() - at < JUST_SIGNED_MS || missing.take('') === 0 ? refresh() : undefined),
    find(presented) {
      const now = clock.now()
      let refusal: Refusal | undefined
      for (const secret of presented) {
        const { found, tokenEnds } = owned(sha256(secret))
        const problem = judge(found, now, tokenEnds)
        if (!problem && found) return found.callerAt(now)
        refusal ??= problem
      }
      throw refusal ?? new Refusal('key_missing', HOW_TO_SEND)
    },
  }
}

/** `tokenEnds`: when the token ends that names the key (ms since 1970). */
function judge(found: Found | undefined, now: number, tokenEnds?: number): Refusal | undefined {
  if (!found) {
    const isToken = tokenEnds !== undefined
    return new Refusal(
      'key_unknown',
      isToken ? SIGNED_OUT : 'This API key is unknown. Check it, or make a new one.',
    )
  }
  if (!found.userActive)
    return new Refusal('user_disabled', 'Your account is disabled. Ask an administrator.')
  if (found.userPaused) {
    const message = 'Sign in to the gateway again. Your API keys work again afterwards.'
    return new Refusal('sign_in_required', message)
  }
  if (!found.keyActive) return new Refusal('key_disabled', 'This API key is disabled.')
  if (tokenEnds !== undefined && tokenEnds <= now) {
    return new Refusal('key_expired', 'This token has expired. Refresh it, or sign in again.')
  }
  if (found.expiresAt !== null && found.expiresAt <= now) {
    return new Refusal(
      'key_expired',
      found.isReplaced ? REPLACED : 'This API key has expired. Make a new one.',
    )
  }
  return undefined
}

async function readAll({ db, settings }: KeyCacheParts): Promise<Snapshot> {
  const snapshot = createSnapshot(settings, await readOrganisation(db))
  await eachPart((after) => readUsersAfter(db, after, ROWS_READ), snapshot.addUsers)
  await eachPart((after) => readKeysAfter(db, after, ROWS_READ), snapshot.addKeys)
  return snapshot
}

/** Reads all rows in the order of their ids. */
async function eachPart<Row extends { id: number }>(
  readAfter: (id: number) => Promise<Row[]>,
  add: (rows: readonly Row[]) => void,
) {
  let rows = await readAfter(0)
  for (;;) {
    const last = rows.length < ROWS_READ ? undefined : rows.at(-1)
    // Read while these are added.
    const next = last && readAfter(last.id)
    next?.catch(() => {})
    add(rows)
    if (!next) return
    rows = await next
  }
}

async function readChanged(db: Db, snapshot: Snapshot, revision: number) {
  const { userIds, groupIds } = await changedSince(db, revision)
  const changed = groupIds.filter((id) => id !== ORGANISATION_CHANGED)
  if (changed.length > 0) snapshot.setGroups(changed, await readGroups(db, changed))
  if (groupIds.includes(ORGANISATION_CHANGED)) snapshot.setOrganisation(await readForAll(db))
  for (let from = 0; from < userIds.length; from += USERS_READ) {
    const some = userIds.slice(from, from + USERS_READ)
    const [users, keys] = await Promise.all([readUsersOf(db, some), readKeysOf(db, some)])
    const withKeys = new Set(keys.map(({ userId }) => userId))
    snapshot.forget(some)
    snapshot.addUsers(users.filter(({ id }) => withKeys.has(id)))
    snapshot.addKeys(keys)
  }
}
