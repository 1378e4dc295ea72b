/** Finds the caller of a request by its credentials, as the route's tier requires. */
import { findSession, type SignedIn } from '../core/auth/sessions.ts'
import type { Deps } from '../core/deps.ts'
import { nothingHere, Refusal } from '../core/errors.ts'
import { headerOf } from '../core/http/headers.ts'
import type { Caller } from '../core/keys/key-cache.ts'
import type { HeaderPairs } from '../core/ports.ts'
import { readCookie } from './cookies.ts'

/** How old the key cache may be where no timer refreshes it. Changes by other processes hold within this time. */
const KEY_CACHE_MAX_AGE_MS = 1_000

/** The caller of the request's API key. Throws a Refusal as KeyCache.find. */
export async function callerOf(
  deps: Pick<Deps, 'keyCache' | 'logger'>,
  headers: HeaderPairs,
): Promise<Caller> {
  const refreshing = deps.keyCache.fresh(KEY_CACHE_MAX_AGE_MS)
  if (refreshing) {
    await refreshing.catch((cause) => deps.logger.error('key_cache.refresh_failed', { cause: String(cause) }))
  }
  return deps.keyCache.find(presentedKeys(headers))
}

/** The live session of the request's cookie, if any. */
export async function sessionOf(
  deps: Pick<Deps, 'db' | 'clock' | 'settings'>,
  headers: HeaderPairs,
): Promise<SignedIn | undefined> {
  const token = readCookie(deps.settings, headers, 'session')
  if (!token) return undefined
  return findSession({ db: deps.db, clock: deps.clock, auth: deps.settings.auth }, token)
}

/** Who is signed in. Throws a Refusal: not_signed_in or admins_only. */
export async function identify(
  deps: Pick<Deps, 'db' | 'clock' | 'settings' | 'logger'>,
  tier: 'session' | 'admin',
  headers: HeaderPairs,
): Promise<SignedIn> {
  const caller = await sessionOf(deps, headers)
  if (!caller) throw new Refusal('not_signed_in', 'Please sign in.')
  if (tier === 'admin' && caller.user.role !== 'admin') {
    deps.logger.warn('access.denied', { user: caller.user.itcode })
    throw new Refusal('admins_only', 'This is for administrators.')
  }
  return caller
}

/** Throws a Refusal: not_found where metrics are not served here, key_missing or key_unknown without their token. */
export function assertMonitor(
  { settings, sha256 }: Pick<Deps, 'settings' | 'sha256'>,
  headers: HeaderPairs,
): void {
  const { token } = settings.metrics
  if (token === '') throw nothingHere()
  const [given] = presentedKeys(headers)
  const challenge = { headers: [['www-authenticate', 'Bearer']] satisfies HeaderPairs }
  if (given === undefined) throw new Refusal('key_missing', 'Send the token of metrics.', challenge)
  // Hashes are compared, because the time that it takes to compare secrets tells how much of one is right.
  if (sha256(given) !== sha256(token))
    throw new Refusal('key_unknown', 'This is not the token of metrics.', challenge)
}

/**
 * The keys in Authorization and x-api-key. Claude Code can send two different ones; one valid key is enough. Of a header
 * that is repeated, and so comes with commas, the first value counts.
 */
function presentedKeys(headers: HeaderPairs): string[] {
  const first = (name: string) => headerOf(headers, name)?.split(',', 1)[0]?.trim() ?? ''
  const bearer = /^bearer[ \t]+(\S+)$/i.exec(first('authorization'))?.[1]
  return [bearer, first('x-api-key')].filter((key): key is string => key !== undefined && key !== '')
}
