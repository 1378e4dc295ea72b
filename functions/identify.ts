/** Finds the caller of a request by its credentials, as the route's tier requires. */
import { findSession, type SignedIn } from '../core/auth/sessions.ts'
import type { Deps } from '../core/deps.ts'
import { nothingHere, Refusal } from '../core/errors.ts'
import { headerOf } from '../core/http/headers.ts'
import { type AdminKey, findAdminKey } from '../core/keys/admin-keys.ts'
import type { Caller } from '../core/keys/caller.ts'
import type { HeaderPairs, MaybePromise } from '../core/ports.ts'
import { MINUTE_MS } from '../core/units.ts'
import { readCookie } from './cookies.ts'
import { isChange, ROLES, type Route, type SignedInTier } from './route.ts'

/** How old the key cache may be where no timer refreshes it. Changes by other processes hold within this time. */
const KEY_CACHE_MAX_AGE_MS = 1_000
/** For how long a sign-in counts as recent. */
const RECENT_MS = 10 * MINUTE_MS

type CallerParts = Pick<Deps, 'keyCache' | 'accessTokens' | 'logger'>

/** The caller of the request's API key. Throws a Refusal as KeyCache.find. A promise only where something has to be read. */
export function callerOf(deps: CallerParts, headers: HeaderPairs): MaybePromise<Caller> {
  const presented = presentedKeys(headers)
  const refreshing = deps.keyCache.fresh(KEY_CACHE_MAX_AGE_MS)
  if (refreshing) return callerAfter(deps, presented, refreshing)
  try {
    return deps.keyCache.find(presented)
  } catch (thrown) {
    return callerOfNewToken(deps, presented, thrown)
  }
}

async function callerAfter(deps: CallerParts, presented: readonly string[], refreshing: Promise<void>) {
  await refreshing.catch((cause) => deps.logger.error('key_cache.refresh_failed', { cause: String(cause) }))
  try {
    return deps.keyCache.find(presented)
  } catch (thrown) {
    return callerOfNewToken(deps, presented, thrown)
  }
}

async function callerOfNewToken(deps: CallerParts, presented: readonly string[], thrown: unknown) {
  if (!(await isNewToken(deps, presented, thrown))) throw thrown
  return deps.keyCache.find(presented)
}

/** Whether what was unknown is a device's token whose signature was not checked before. */
async function isNewToken(
  { keyCache, accessTokens, logger }: Pick<Deps, 'keyCache' | 'accessTokens' | 'logger'>,
  presented: readonly string[],
  thrown: unknown,
): Promise<boolean> {
  if (!(thrown instanceof Refusal) || thrown.code !== 'key_unknown') return false
  let signedAt: number | undefined
  for (const text of presented) signedAt = (await accessTokens.verify(text)) ?? signedAt
  if (signedAt === undefined) return false
  // The device may be newer than what this process read last.
  await keyCache
    .missed(signedAt)
    ?.catch((cause) => logger.error('key_cache.refresh_failed', { cause: String(cause) }))
  return true
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
  tier: SignedInTier,
  headers: HeaderPairs,
): Promise<SignedIn> {
  const caller = await sessionOf(deps, headers)
  if (!caller) throw new Refusal('not_signed_in', 'Please sign in.')
  const { role } = caller.user
  if (!ROLES[tier].some((allowed) => allowed === role)) {
    deps.logger.warn('access.denied', { user: caller.user.itcode })
    throw new Refusal('admins_only', 'This is for administrators.')
  }
  return caller
}

/** Throws a Refusal sign_in_again. */
export function assertRecent({ clock }: Pick<Deps, 'clock'>, { signedInAt }: SignedIn): void {
  if (clock.now() - signedInAt <= RECENT_MS) return
  throw new Refusal('sign_in_again', 'Sign in again first: this needs a sign-in of the last ten minutes.')
}

/**
 * The admin key of a request to a route of the tier admin-key. Throws a Refusal: key_missing; key_unknown; too_many_attempts
 * for an address that tries many; scope_missing for a key without the route's scope.
 */
export async function programOf(
  deps: Pick<Deps, 'db' | 'clock' | 'sha256' | 'signInLimits'>,
  { scope, method }: Pick<Route, 'scope' | 'method'>,
  { headers, address }: { headers: HeaderPairs; address: string },
): Promise<AdminKey> {
  const presented = presentedKeys(headers)
  if (presented.length === 0) {
    throw new Refusal('key_missing', 'Send an admin key as "x-api-key" or "Authorization: Bearer".')
  }
  let key: AdminKey | undefined
  for (const secret of presented) key ??= await findAdminKey(deps, secret)
  if (!key) {
    deps.signInLimits.program(address)
    throw new Refusal('key_unknown', 'This admin key is unknown, expired or revoked.')
  }
  const needed = scope ?? (isChange(method) ? 'write' : 'read')
  const { scopes } = key
  const isAllowed = scopes.includes(needed) || (needed !== 'scim' && needed !== 'write' && readsAll(scopes))
  if (!isAllowed) throw new Refusal('scope_missing', `This admin key has no scope ${needed}.`)
  return key
}

/** Who may change everything, or read everything, may also read reports. */
function readsAll(scopes: AdminKey['scopes']): boolean {
  return scopes.includes('read') || scopes.includes('write')
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
