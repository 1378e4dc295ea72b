/** The configuration for display: every secret is replaced with [set] or [empty]. */
import type { Config } from './schema.ts'

/** URLs of webhooks are secrets too, because whoever knows one can use it. */
const SECRETS = new Set([
  'session_secret',
  'api_key',
  'admin_key',
  'invite_code',
  'auth_token',
  'send_code_url',
  'password',
  'token',
  'key',
  'client_secret',
  'secret_access_key',
  'session_token',
  'service_account',
  'bind_password',
  'app_secret',
])

export function redacted(config: Config): unknown {
  const { otlp, claude_code, backends } = config
  const shown = {
    ...config,
    otlp: withoutHeaders(otlp),
    backends: backends.map(withoutHeaders).map(withoutUser),
    claude_code: { ...claude_code, telemetry: claude_code.telemetry.map(withoutHeaders) },
  }
  return JSON.parse(JSON.stringify(shown), (key, value: unknown) => {
    // The URL of Redis may contain its password.
    const isRedis = key === 'url' && typeof value === 'string' && /^rediss?:/.test(value)
    if (!SECRETS.has(key) && !isRedis) return value
    return value === '' ? '[empty]' : '[set]'
  })
}

/** The URL of a proxy may contain its password. */
function withoutUser<T extends { proxy: string | null }>(backend: T): T {
  return { ...backend, proxy: backend.proxy?.replace(/\/\/[^/]*@/, '//[set]@') ?? null }
}

function withoutHeaders<T extends { headers: Readonly<Record<string, string>> }>(section: T): T {
  const headers = Object.fromEntries(Object.keys(section.headers).map((name) => [name, '[set]']))
  return { ...section, headers }
}
