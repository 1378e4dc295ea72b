/** The gateway's two cookies: the session, and the name of the browser that login codes are bound to. */
import { parse, serialize } from 'hono/utils/cookie'
import { headerOf } from '../core/http/headers.ts'
import type { Policy } from '../core/policy.ts'
import type { HeaderPairs } from '../core/ports.ts'

const YEAR_S = 31_536_000

export type CookieName = 'session' | 'browser'

export function readCookie(policy: Policy, headers: HeaderPairs, name: CookieName): string | undefined {
  const cookies = headerOf(headers, 'cookie')
  return cookies === undefined ? undefined : parse(cookies)[nameOf(policy, name)]
}

/** The session's cookie, for as long as the session may last; `''` takes it away. */
export function sessionCookie(policy: Policy, token: string): string {
  return write(policy, 'session', token, token === '' ? 0 : Math.floor(policy.auth.sessionMaxAgeMs / 1000))
}

export function browserCookie(policy: Policy, browser: string): string {
  return write(policy, 'browser', browser, YEAR_S)
}

function write(policy: Policy, name: CookieName, value: string, maxAge: number): string {
  const secure = isSecure(policy)
  return serialize(nameOf(policy, name), value, {
    httpOnly: true,
    sameSite: 'Lax',
    path: '/',
    secure,
    maxAge,
  })
}

/** With __Host- a browser takes the cookie only from this very host over https: no sibling domain can plant one. */
function nameOf(policy: Policy, name: CookieName): string {
  return isSecure(policy) ? `__Host-${name}` : name
}

export function isSecure(policy: Policy): boolean {
  return policy.publicUrl.startsWith('https:')
}
