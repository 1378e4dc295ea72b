/** The backends in force: those of the configuration file and those in the database, followed while the gateway runs. */
import { type BackendConfig, backendFrom } from '../../config/backends.ts'
import { ConfigError, type ConfigProblem } from '../../config/error.ts'
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
import type { LastCommit } from '../../core/looking.ts'
import type { Db, Logger } from '../../core/ports.ts'
import { createSecretBox, type SecretBox } from '../../core/secrets/box.ts'
import type { CredentialsParts } from '../drivers/credentials/renewed.ts'
import { createProofs, type PlatformCredentials } from './credentials.ts'

export interface FleetParts extends Omit<CredentialsParts, 'backend'> {
  db: Db
  lastCommit?: LastCommit
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
  return {
    fileNames,
    parse,
    unused: () => unused,
    async look() {
      const current = await readBackendRevision(db)
      if (current === revision) return undefined
      const rows = await readStoredBackends(db)
      const read = await Promise.all(
        rows.map(async (row) => (fileNames.has(row.name) ? FILE_WINS : opened(row, box, problemOf))),
      )
      const stored = read.filter((one) => typeof one !== 'string')
      const before = unused
      unused = rows.flatMap(({ name }, i) => {
        const problem = read[i]
        return typeof problem === 'string' ? [{ name, problem }] : []
      })
      revision = current
      tell(logger, before, unused)
      const text = JSON.stringify(stored)
      if (text === inForce) return undefined
      inForce = text
      const backends = [...file.backends, ...stored]
      return { config: { ...file, backends }, credentialsOf: proofs.adopt(backends) }
    },
  }
}

/** A text says why it cannot be used. */
async function opened(
  row: StoredBackend,
  box: SecretBox | undefined,
  problemOf: (config: BackendConfig) => ConfigProblem | undefined,
): Promise<BackendConfig | string> {
  const secrets = await secretsOf(box, row)
  if (!secrets) return KEY_GONE
  const parsed = storedBackendFrom({ ...openSettings(row), ...secrets })
  const problem = Array.isArray(parsed) ? undefined : problemOf(parsed.config)
  if (!Array.isArray(parsed) && !problem) return parsed.config
  const problems = Array.isArray(parsed) ? parsed : [problem].filter((one) => one !== undefined)
  return `Its settings are not valid: ${problems.map(({ path, message }) => `${path}: ${message}`).join('; ')}.`
}

/** Once, when it begins. */
function tell(logger: Logger, before: readonly UnusedBackend[], now: readonly UnusedBackend[]): void {
  for (const { name, problem } of now) {
    if (before.some((one) => one.name === name && one.problem === problem)) continue
    const level = problem === FILE_WINS ? 'warn' : 'error'
    logger[level]('backend.not_used', { backend: name, problem })
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
