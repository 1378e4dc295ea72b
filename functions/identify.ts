/** From the credentials of a request to its caller, as the tier of the matched route demands. */
import { findSession, type SignedIn } from '../core/auth/sessions.ts'
import type { Deps } from '../core/deps.ts'
import { Refusal } from '../core/errors.ts'
import { headerOf } from '../core/http/headers.ts'
import type { Caller } from '../core/keys/key-cache.ts'
import type { HeaderPairs } from '../core/ports.ts'
import { readCookie } from './cookies.ts'

/** How old the key cache may be where no timer keeps it fresh: what another process changed holds within this time. */
const DIRECTORY_MAX_AGE_MS = 1_000

/** The owner of the API key. Throws a Refusal when there is no valid one. */
export async function callerOf(
  deps: Pick<Deps, 'keyCache' | 'logger'>,
  headers: HeaderPairs,
): Promise<Caller> {
  const refreshing = deps.keyCache.fresh(DIRECTORY_MAX_AGE_MS)
  if (refreshing) {
    await refreshing.catch((cause) => deps.logger.error('key_cache.refresh_failed', { cause: String(cause) }))
  }
  return deps.keyCache.find(presentedKeys(headers))
}

/** The living session of a request's cookie, if it has one. */
export async function sessionOf(
  deps: Pick<Deps, 'db' | 'clock' | 'settings'>,
  headers: HeaderPairs,
): Promise<SignedIn | undefined> {
  const token = readCookie(deps.settings, headers, 'session')
  if (!token) return undefined
  return findSession({ db: deps.db, clock: deps.clock, auth: deps.settings.auth }, token)
}

/** Who is signed in. Throws a Refusal when nobody is, or has not enough right. */
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

/** Both headers may carry a key, and Claude Code can send two different ones: either being valid is enough. */
function presentedKeys(headers: HeaderPairs): string[] {
  const bearer = /^bearer[ \t]+(\S+)[ \t]*$/i.exec(headerOf(headers, 'authorization') ?? '')?.[1]
  const header = headerOf(headers, 'x-api-key')?.trim()
  return [bearer, header].filter((key): key is string => key !== undefined && key !== '')
}
