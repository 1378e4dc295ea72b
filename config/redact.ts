/** Settings as they may be shown: every secret replaced by whether it is set. */
import type { Config } from './schema.ts'

/** Addresses of webhooks count: whoever knows one can use it. */
const SECRETS = new Set([
  'session_secret',
  'api_key',
  'invite_code',
  'auth_token',
  'send_code_url',
  'password',
])

export function redacted(config: Config): unknown {
  return JSON.parse(JSON.stringify(config), (key, value: unknown) => {
    // The address of Redis may hold its password.
    const isRedis = key === 'url' && typeof value === 'string' && /^rediss?:/.test(value)
    if (!SECRETS.has(key) && !isRedis) return value
    return value === '' ? '[empty]' : '[set]'
  })
}
