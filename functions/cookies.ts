/** The gateway's two cookies: the session, and the name of the browser that login codes are bound to. */
import { parse, serialize } from 'hono/utils/cookie'
import { headerOf } from '../core/http/headers.ts'
import type { HeaderPairs } from '../core/ports.ts'
import type { Settings } from '../core/settings.ts'

const YEAR_S = 31_536_000

export type CookieName = 'session' | 'browser'

export function readCookie(settings: Settings, headers: HeaderPairs, name: CookieName): string | undefined {
  const header = headerOf(headers, 'cookie')
  if (header === undefined) return undefined
  const cookies = parse(header)
  // The previous release named them so on plain http.
  return cookies[nameOf(settings, headers, name)] ?? (isSecure(settings) ? undefined : cookies[name])
}

/** The session's cookie, for as long as the session may last; `''` takes it away. */
export function sessionCookie(settings: Settings, headers: HeaderPairs, token: string): string {
  const maxAge = token === '' ? 0 : Math.floor(settings.auth.sessionMaxAgeMs / 1000)
  return write(settings, nameOf(settings, headers, 'session'), token, maxAge)
}

export function browserCookie(settings: Settings, headers: HeaderPairs, browser: string): string {
  return write(settings, nameOf(settings, headers, 'browser'), browser, YEAR_S)
}

function write(settings: Settings, name: string, value: string, maxAge: number): string {
  const secure = isSecure(settings)
  return serialize(name, value, { httpOnly: true, sameSite: 'Lax', path: '/', secure, maxAge })
}

/**
 * With __Host- a browser takes the cookie only from this very host over https: no sibling domain can plant one. Plain http
 * has nothing like it, and there all ports of a host share their cookies: the port in the name keeps two gateways apart.
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
