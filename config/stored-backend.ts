/** One backend that does not come from the configuration file: the same settings, and what is to be kept secret of them. */
import { type BackendConfig, backend } from './backends.ts'
import type { ConfigProblem } from './error.ts'
import { expectation, problemsOf } from './messages.ts'
import { upstreamUrl } from './values.ts'

type Given = Readonly<Record<string, unknown>>

export interface StoredBackendSettings {
  config: BackendConfig
  /** As they were given: settings that hold no secret, and those that may. */
  open: Given
  secrets: Given
  /** All settings but those that decide nothing about where secrets go. */
  destination: string
  /** URLs that are asked, with the settings that name them. */
  addresses: { field: string; url: string }[]
}

const SECRET = new Set(['api_key', 'credentials', 'admin_key', 'proxy', 'headers'])
/** What may change while secrets stay. Proxy and headers are not here, because one is where secrets go and the other is sent there. */
const HARMLESS = new Set([
  'api_key',
  'credentials',
  'admin_key',
  'weight',
  'priority',
  'enabled',
  'models',
  'price_multiplier',
  'pricing',
])

/** Parses settings; the problems, which name no value, if they are not valid. */
export function storedBackendFrom(given: Given): StoredBackendSettings | ConfigProblem[] {
  const result = backend.safeParse(given, { error: expectation })
  if (!result.success) return result.error.issues.flatMap(problemsOf)
  const config = result.data
  const tokenUrl = tokenUrlOf(config)
  const problem = ownProblem(config, tokenUrl)
  if (problem) return [problem]
  const parts = (belongs: (name: string) => boolean) =>
    Object.fromEntries(Object.entries(given).filter(([name]) => belongs(name)))
  const deciding = Object.entries(config).filter(([name]) => !HARMLESS.has(name))
  return {
    config,
    open: parts((name) => !SECRET.has(name)),
    secrets: parts((name) => SECRET.has(name)),
    destination: JSON.stringify(deciding.sort(([one], [other]) => one.localeCompare(other))),
    addresses: [
      ...(config.url === undefined ? [] : [{ field: 'url', url: config.url }]),
      ...(config.proxy === null ? [] : [{ field: 'proxy', url: config.proxy }]),
      ...(tokenUrl === undefined ? [] : [{ field: 'credentials', url: tokenUrl }]),
    ],
  }
}

/** What the file may say, because whoever writes it has the machine, and an administrator of the gateway may not. */
function ownProblem(config: BackendConfig, tokenUrl: string | undefined): ConfigProblem | undefined {
  const isPlatform = 'credentials' in config && config.credentials === 'platform'
  if (isPlatform && config.url !== undefined) {
    const message = 'the platform’s own credentials go to the cloud’s own address only'
    return { path: 'url', message }
  }
  if (tokenUrl !== undefined && !upstreamUrl.safeParse(tokenUrl).success) {
    return { path: 'credentials', message: 'token_uri: https outside this machine is expected' }
  }
  return undefined
}

/** Where a service account gets its tokens, if its key says so. */
function tokenUrlOf(config: BackendConfig): string | undefined {
  if (config.type !== 'vertex' || config.credentials === 'platform') return undefined
  try {
    const key: unknown = JSON.parse(config.credentials.service_account)
    const url = typeof key === 'object' && key !== null ? Reflect.get(key, 'token_uri') : undefined
    return typeof url === 'string' ? url : undefined
  } catch {
    return undefined
  }
}
