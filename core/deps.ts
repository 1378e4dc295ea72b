/** Everything a handler may use, built once per process, isolate or configuration, and passed to it as `deps`. */
import { createSignInLimits, type SignInLimits } from './auth/sign-in-limits.ts'
import { type Balancer, createBalancer } from './backends/balancer.ts'
import { type Confirm, createConfirm } from './backends/confirm.ts'
import type { CredentialsOf } from './backends/credentials.ts'
import { OTHER_MODEL } from './backends/health-key.ts'
import { type BackendMemory, createBackendMemory } from './backends/memory.ts'
import { outageWriter } from './backends/outages.ts'
import { createProjects, type Projects } from './calls/client.ts'
import { createIntake, type Intake } from './calls/intake.ts'
import { type AccessTokens, createAccessTokens } from './devices/access-token.ts'
import { type CodeEntries, createCodeEntries } from './devices/code-entries.ts'
import { createSignInProblem, type SignInProblem } from './devices/private-address.ts'
import type { LoginProvider } from './identity/provider.ts'
import { createKeyCache, type KeyCache } from './keys/key-cache.ts'
import type { Sha256 } from './keys/mint.ts'
import { createPeriods, type Periods } from './limits/period.ts'
import { createPersonLimits, createProgramLimits, type PersonLimits } from './limits/person.ts'
import type { AbilityTable } from './models/abilities.ts'
import { type Catalogue, createCatalogue } from './models/catalogue.ts'
import { plainSpelling } from './models/name.ts'
import { type Courier, createCourier } from './notices/courier.ts'
import { createObjects, type Objects } from './objects/owner.ts'
import { createMetrics, type Metrics } from './observability/metrics.ts'
import { modelLabels } from './observability/model-label.ts'
import type { Observability } from './observability/observability.ts'
import type {
  Archive,
  Clock,
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
import type { Settings } from './settings.ts'
import { createTelemetry, type Telemetry } from './telemetry/telemetry.ts'

/** What an adapter provides. */
export interface GatewayParts {
  /** Version of the gateway, e.g. 0.1.0. */
  version: string
  db: Db
  health: HealthStore
  ledger: Ledger
  upstream: Upstream
  /** Absent where every backend has an API key. */
  credentialsOf?: CredentialsOf
  decompress: Decompress
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

export interface Deps extends GatewayParts {
  balancer: Balancer
  keyCache: KeyCache
  accessTokens: AccessTokens
  codeEntries: CodeEntries
  signInProblem: SignInProblem
  /** Periods of limits.time_zone. */
  periods: Periods
  catalogue: Catalogue
  confirm: Confirm
  objects: Objects
  intake: Intake
  projects: Projects
  signInLimits: SignInLimits
  personLimits: PersonLimits
  programLimits: PersonLimits
  logins: readonly LoginProvider[]
  courier: Courier
  /** Absent without secrets.key. */
  secrets: SecretBox | undefined
  metrics: Metrics | undefined
  telemetry: Telemetry
}

export function createDeps(parts: GatewayParts): Deps {
  const { settings, clock, logger, health, random, waitUntil, prices } = parts
  const serving = parts.backendMemory !== undefined
  const memory =
    parts.backendMemory ??
    createBackendMemory({ store: health, clock, logger, settings: settings.health, waitUntil })
  /**
   * All names that neither the price list nor a backend knows share one, so that clients cannot make records without end.
   * A spelling that backends may not understand says nothing about the model that it means.
   */
  const healthNameOf = (model: string): string => {
    if (prices.rates(model, clock.now()) && plainSpelling(model).name === model)
      return prices.canonical(model)
    return catalogue.known(model) ? model : OTHER_MODEL
  }
  const balancer: Balancer = createBalancer({
    settings,
    memory,
    clock,
    logger,
    random,
    healthNameOf,
    checkModel: (backend, model, person) => waitUntil(confirm.model(backend, model, person)),
    ...outageWriter(parts),
  })
  const catalogue: Catalogue = createCatalogue({ ...parts, balancer, serving })
  const periods = createPeriods(settings.limits.timeZone)
  const confirm: Confirm = createConfirm({
    ...parts,
    periods,
    memory,
    healthNameOf,
    listed: catalogue.listedBy,
    disable: balancer.disable,
  })
  const accessTokens = createAccessTokens({ ...parts, auth: settings.auth, issuer: settings.publicUrl })
  const modelLabel = modelLabels({ ...parts, catalogue })
  const metrics = parts.observability && createMetrics(parts.observability.memory, modelLabel)
  const secrets = settings.secretKeys && createSecretBox(settings.secretKeys)
  return {
    ...parts,
    logins: parts.logins ?? [],
    metrics,
    balancer,
    confirm,
    keyCache: createKeyCache({ ...parts, accessTokens }),
    accessTokens,
    ...{ codeEntries: createCodeEntries(clock), periods },
    signInProblem: createSignInProblem(settings.publicUrl, parts),
    catalogue,
    objects: createObjects(parts),
    projects: createProjects({ clock }),
    intake: createIntake({ ...parts, metrics }),
    signInLimits: createSignInLimits(clock),
    ...{ personLimits: createPersonLimits(clock), programLimits: createProgramLimits(clock) },
    secrets,
    courier: createCourier({ ...parts, secrets }),
    telemetry: createTelemetry({ ...parts, metrics, modelLabel }),
  }
}
