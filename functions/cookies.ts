/** The gateway's cookies: the session, a random value per browser to which login codes are bound, and what is kept while somebody is at a provider. */
import { parse, serialize } from 'hono/utils/cookie'
import { headerOf } from '../core/http/headers.ts'
import type { HeaderPairs } from '../core/ports.ts'
import type { Settings } from '../core/settings.ts'

const YEAR_S = 31_536_000

export type CookieName = 'session' | 'browser' | 'sign-in'

export function readCookie(settings: Settings, headers: HeaderPairs, name: CookieName): string | undefined {
  const header = headerOf(headers, 'cookie')
  if (header === undefined) return undefined
  const cookies = parse(header)
  // The previous release used the name without a port on plain http.
  return cookies[nameOf(settings, headers, name)] ?? (isSecure(settings) ? undefined : cookies[name])
}

/** Set-Cookie for a session, valid for `sessionMaxAgeMs`; token '' deletes the cookie. */
export function sessionCookie(settings: Settings, headers: HeaderPairs, token: string): string {
  const maxAge = token === '' ? 0 : Math.floor(settings.auth.sessionMaxAgeMs / 1000)
  return write(settings, nameOf(settings, headers, 'session'), token, maxAge)
}

export function browserCookie(settings: Settings, headers: HeaderPairs, browser: string): string {
  return write(settings, nameOf(settings, headers, 'browser'), browser, YEAR_S)
}

/** What the browser brings back from a provider within `ms`; '' deletes the cookie. */
export function flowCookie(settings: Settings, headers: HeaderPairs, sealed: string, ms: number): string {
  return write(settings, nameOf(settings, headers, 'sign-in'), sealed, Math.floor(ms / 1000))
}

function write(settings: Settings, name: string, value: string, maxAge: number): string {
  const secure = isSecure(settings)
  return serialize(name, value, { httpOnly: true, sameSite: 'Lax', path: '/', secure, maxAge })
}

/**
 * With __Host- a browser accepts the cookie only from this host over https, so that no sibling domain can set it:
 * https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie. On plain http the name has the port,
 * because all ports of a host share their cookies and two gateways would overwrite each other's.
 */
function nameOf(settings: Settings, headers: HeaderPairs, name: CookieName): string {
  if (isSecure(settings)) return `__Host-${name}`
  const { publicUrl } = settings
  const port = publicUrl ? new URL(publicUrl).port : /:(\d{1,5})$/.exec(headerOf(headers, 'host') ?? '')?.[1]
  return port ? `${name}-${port}` : name
}

export function isSecure(settings: Settings): boolean {
  return settings.publicUrl.startsWith('https:')
}
