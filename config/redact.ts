/** Settings as they may be shown: every secret replaced by whether it is set. */
import type { Config } from './schema.ts'

const SECRETS = new Set(['session_secret', 'api_key', 'invite_code', 'auth_token'])

export function redacted(config: Config): unknown {
  return JSON.parse(JSON.stringify(config), (key, value: unknown) => {
    if (!SECRETS.has(key)) return value
    return value === '' ? '[empty]' : '[set]'
  })
}
