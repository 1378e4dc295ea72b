/** The backends in force: those of the configuration file and those in the database, followed while the gateway runs. */
import { type BackendConfig, backendFrom } from '../../config/backends.ts'
import { ConfigError } from '../../config/error.ts'
import type { Config } from '../../config/schema.ts'
import { storedBackendFrom } from '../../config/stored-backend.ts'
import type { CredentialsOf } from '../../core/backends/credentials.ts'
import type { GivenSettings, ParsedBackend, UnusedBackend } from '../../core/backends/fleet.ts'
import {
  openSettings,
  readBackendRevision,
  readStoredBackends,
  type StoredBackend,
  secretsOf,
} from '../../core/backends/stored.ts'
import { Refusal } from '../../core/errors.ts'
import type { Db, Logger } from '../../core/ports.ts'
import { createSecretBox } from '../../core/secrets/box.ts'
import type { CredentialsParts } from '../drivers/credentials/renewed.ts'
import { createProofs, type PlatformCredentials } from './credentials.ts'

export interface FleetParts extends Omit<CredentialsParts, 'backend'> {
  db: Db
  logger: Logger
  platform: PlatformCredentials | undefined
  /** Whether backends can be reached through a proxy. */
  hasProxies: boolean
}

/** What is in force from now on. */
export interface FoundFleet {
  /** The configuration with the stored backends behind those of the file. */
  config: Config
  credentialsOf: CredentialsOf
}

export interface FleetReader {
  fileNames: ReadonlySet<string>
  parse(given: GivenSettings): ParsedBackend
  unused(): readonly UnusedBackend[]
  /** What is stored now; undefined if it is what was found last. Rejects if the database fails. */
  look(): Promise<FoundFleet | undefined>
}

const NO_PROXIES = 'backends are reached through a proxy on Node and Lambda only'
const FILE_WINS = 'The configuration file has a backend of this name, which is used instead.'
const KEY_GONE = 'Its secrets were encrypted with a secrets.key that is gone; enter them again.'

/** Throws ConfigError for a proxy that the file names and this runtime cannot use. */
export function createFleetReader(file: Config, parts: FleetParts): FleetReader {
  const { db, logger } = parts
  const withProxy = parts.hasProxies ? -1 : file.backends.findIndex(({ proxy }) => proxy !== null)
  if (withProxy >= 0)
    throw new ConfigError('', [{ path: `backends.${withProxy}.proxy`, message: NO_PROXIES }])
  const box = file.secrets.key ? createSecretBox(file.secrets.key) : undefined
  const fileNames = new Set(file.backends.map(({ name }) => name))
  const proofs = createProofs(parts, parts.platform)
  let revision: number | undefined
  let inForce: string | undefined
  let unused: UnusedBackend[] = []

  function parse(given: GivenSettings): ParsedBackend {
    const parsed = storedBackendFrom(given)
    if (Array.isArray(parsed)) throw refusalOf(parsed)
    const { config, ...rest } = parsed
    const problem = problemOf(config)
    if (problem) throw refusalOf([problem])
    const proof = proofs.find(config)
    const credentialsOf = () => (typeof proof === 'string' ? undefined : proof)
    return { backend: backendFrom(config), credentialsOf, ...rest }
  }
  function problemOf(config: BackendConfig) {
    if (config.proxy !== null && !parts.hasProxies) return { path: 'proxy', message: NO_PROXIES }
    const proof = proofs.find(config)
    return typeof proof === 'string' ? { path: 'credentials', message: proof } : undefined
  }
  async function read(row: StoredBackend): Promise<BackendConfig | string> {
    if (fileNames.has(row.name)) return FILE_WINS
    const secrets = await secretsOf(box, row)
    if (!secrets) return KEY_GONE
    const parsed = storedBackendFrom({ ...openSettings(row), ...secrets })
    const problems = Array.isArray(parsed) ? parsed : [problemOf(parsed.config)].filter((one) => !!one)
    if (Array.isArray(parsed) || problems.length > 0) {
      return `Its settings are not valid: ${problems.map(({ path, message }) => `${path}: ${message}`).join('; ')}.`
    }
    return parsed.config
  }
  function tell(found: UnusedBackend[]) {
    const known = new Set(unused.map(({ name, problem }) => `${name} ${problem}`))
    for (const { name, problem } of found) {
      if (known.has(`${name} ${problem}`)) continue
      const level = problem === FILE_WINS ? 'warn' : 'error'
      logger[level]('backend.not_used', { backend: name, problem })
    }
    unused = found
  }

  return {
    fileNames,
    parse,
    unused: () => unused,
    async look() {
      const current = await readBackendRevision(db)
      if (current === revision) return undefined
      const rows = await readStoredBackends(db)
      const found = await Promise.all(rows.map(async (row) => ({ name: row.name, read: await read(row) })))
      tell(found.flatMap(({ name, read }) => (typeof read === 'string' ? [{ name, problem: read }] : [])))
      const stored = found.flatMap(({ read }) => (typeof read === 'string' ? [] : [read]))
      revision = current
      const text = JSON.stringify(stored)
      if (text === inForce) return undefined
      inForce = text
      const backends = [...file.backends, ...stored]
      return { config: { ...file, backends }, credentialsOf: proofs.adopt(backends) }
    },
  }
}

function refusalOf(problems: readonly { path: string; message: string }[]): Refusal {
  const fields = Object.fromEntries(
    problems.map(({ path, message }) => [
      path || 'body',
      message === 'this setting is unknown' ? 'this field is not known' : message,
    ]),
  )
  const text = Object.entries(fields).map(([path, problem]) => `${path}: ${problem}`)
  return new Refusal('invalid_input', text.join('; ').slice(0, 1000), { fields })
}
