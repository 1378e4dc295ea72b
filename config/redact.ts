/** The configuration for display: every secret is replaced with [set] or [empty]. */
import type { Config } from './schema.ts'

/** URLs of webhooks are secrets too, because whoever knows one can use it. */
const SECRETS = new Set([
  'session_secret',
  'api_key',
  'invite_code',
  'auth_token',
  'send_code_url',
  'password',
  'token',
])

export function redacted(config: Config): unknown {
  const headers = Object.fromEntries(Object.keys(config.otlp.headers).map((name) => [name, '[set]']))
  const shown = { ...config, otlp: { ...config.otlp, headers } }
  return JSON.parse(JSON.stringify(shown), (key, value: unknown) => {
    // The URL of Redis may contain its password.
    const isRedis = key === 'url' && typeof value === 'string' && /^rediss?:/.test(value)
    if (!SECRETS.has(key) && !isRedis) return value
    return value === '' ? '[empty]' : '[set]'
  })
}
