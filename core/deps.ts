/** Everything a handler may use, built once per process, isolate or configuration, and passed to it as `deps`. */
import { createSignInLimits, type SignInLimits } from './auth/sign-in-limits.ts'
import type { CredentialsOf } from './backends/credentials.ts'
import type { Fleet } from './backends/fleet.ts'
import { type BackendMemory, createBackendMemory } from './backends/memory.ts'
import { createProjects, type Projects } from './calls/client.ts'
import { createIntake, type Intake } from './calls/intake.ts'
import { type AccessTokens, createAccessTokens } from './devices/access-token.ts'
import { type CodeEntries, createCodeEntries } from './devices/code-entries.ts'
import { createSignInProblem, type SignInProblem } from './devices/private-address.ts'
import type { LoginProvider } from './identity/provider.ts'
import { createKeyCache, type KeyCache } from './keys/key-cache.ts'
import type { Sha256 } from './keys/mint.ts'
import { createOldSecrets, type OldSecrets } from './keys/old-secrets.ts'
import { createPeriods, type Periods } from './limits/period.ts'
import { createPersonLimits, createProgramLimits, type PersonLimits } from './limits/person.ts'
import type { LastCommit } from './looking.ts'
import type { AbilityTable } from './models/abilities.ts'
import { type Courier, createCourier } from './notices/courier.ts'
import { createObjects, type Objects } from './objects/owner.ts'
import { createMetrics, type Metrics } from './observability/metrics.ts'
import { modelLabels } from './observability/model-label.ts'
import type { Observability } from './observability/observability.ts'
import type {
  Archive,
  Clock,
  Compress,
  Db,
  Decompress,
  HealthStore,
  HostLookup,
  Ledger,
  Logger,
  Mailer,
  Notifier,
  SendTelemetry,
  Site,
  Upstream,
  Wire,
} from './ports.ts'
import type { Prices } from './pricing/prices.ts'
import type { Reports } from './reports/reports.ts'
import { createSecretBox, type SecretBox } from './secrets/box.ts'
import { type BackendChange, createServing, type Serving } from './serving.ts'
import type { Settings } from './settings.ts'
import { createTelemetry, type Telemetry } from './telemetry/telemetry.ts'

/** What an adapter provides. */
export interface GatewayParts {
  /** Version of the gateway, e.g. 0.1.0. */
  version: string
  db: Db
  lastCommit?: LastCommit
  health: HealthStore
  ledger: Ledger
  upstream: Upstream
  fleet: Fleet
  /** Absent where every backend has an API key. */
  credentialsOf?: CredentialsOf
  decompress: Decompress
  /** Absent where the runtime compresses answers by itself. */
  compress?: Compress
  mailer: Mailer
  notifier: Notifier
  sendTelemetry: SendTelemetry
  /** Absent where the runtime has none. */
  lookup?: HostLookup
  /** The company's own sign-in; absent = none. */
  logins?: readonly LoginProvider[]
  clock: Clock
  logger: Logger
  settings: Settings
  prices: Prices
  abilities: AbilityTable
  sha256: Sha256
  /** A number in [0, 1). It only spreads load; secrets come from core/ids.ts. */
  random: () => number
  /** Keeps the runtime alive until the work is done, after the response has left. */
  waitUntil(work: Promise<unknown>): void
  wire: Wire
  site?: Site
  archive?: Archive
  /** Absent where reports run as all other routes do. */
  reports?: Reports
  /** False once this process takes no new work. */
  accepting(): boolean
  /** False while this process cannot open the connections of another call. Absent where that cannot be. */
  hasRoomForCall?(): boolean
  /** The memory of the deps that these replace at a reload, so that what is known of the backends is kept. */
  backendMemory?: BackendMemory
  /** What is counted, and how it is read; it outlives a reload. Absent where nobody could read it. */
  observability?: Observability
}

export interface Deps extends GatewayParts, Serving {
  keyCache: KeyCache
  accessTokens: AccessTokens
  codeEntries: CodeEntries
  signInProblem: SignInProblem
  /** Periods of limits.time_zone. */
  periods: Periods
  objects: Objects
  intake: Intake
  projects: Projects
  signInLimits: SignInLimits
  personLimits: PersonLimits
  programLimits: PersonLimits
  logins: readonly LoginProvider[]
  courier: Courier
  oldSecrets: OldSecrets
  /** Absent without secrets.key. */
  secrets: SecretBox | undefined
  metrics: Metrics | undefined
  telemetry: Telemetry
  /** The same with other backends: everything that is remembered stays, also of those that are unchanged. */
  withBackends(change: BackendChange): Deps
}

export function createDeps(parts: GatewayParts): Deps {
  const { settings, clock, logger, health, waitUntil } = parts
  const memory =
    parts.backendMemory ??
    createBackendMemory({ store: health, clock, logger, settings: settings.health, waitUntil })
  const periods = createPeriods(settings.limits.timeZone)
  const servingParts = { ...parts, memory, periods }
  let inForce = createServing({ ...servingParts, serving: parts.backendMemory !== undefined })
  const accessTokens = createAccessTokens({ ...parts, auth: settings.auth, issuer: settings.publicUrl })
  const modelLabel = modelLabels(clock, () => inForce)
  const metrics = parts.observability && createMetrics(parts.observability.memory, modelLabel)
  const secrets = settings.secretKeys && createSecretBox(settings.secretKeys)
  const lasting = {
    ...parts,
    logins: parts.logins ?? [],
    metrics,
    keyCache: createKeyCache({ ...parts, accessTokens }),
    accessTokens,
    codeEntries: createCodeEntries(clock),
    periods,
    signInProblem: createSignInProblem(settings.publicUrl, parts),
    objects: createObjects(parts),
    projects: createProjects({ clock }),
    intake: createIntake({ ...parts, metrics }),
    signInLimits: createSignInLimits(clock),
    personLimits: createPersonLimits(clock),
    programLimits: createProgramLimits(clock),
    secrets,
    courier: createCourier({ ...parts, secrets }),
    oldSecrets: createOldSecrets(parts),
    telemetry: createTelemetry({ ...parts, metrics, modelLabel }),
    withBackends(change: BackendChange): Deps {
      const before = inForce
      inForce = createServing({ ...servingParts, ...change, serving: before.catalogue.ready() })
      for (const [name, adjusted] of before.balancer.adjustments()) inForce.balancer.adjust(name, adjusted)
      return { ...lasting, ...inForce }
    },
  }
  return { ...lasting, ...inForce }
}
