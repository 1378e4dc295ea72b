/** Everything a handler may use, built once per process, isolate or configuration, and passed to it as `deps`. */
import { auditRow, SYSTEM } from './audit/record.ts'
import { createSignInLimits, type SignInLimits } from './auth/sign-in-limits.ts'
import { type Balancer, createBalancer } from './backends/balancer.ts'
import { type Confirm, createConfirm } from './backends/confirm.ts'
import { OTHER_MODEL } from './backends/health-key.ts'
import { type BackendMemory, createBackendMemory } from './backends/memory.ts'
import { createIntake, type Intake } from './calls/intake.ts'
import { createKeyCache, type KeyCache } from './keys/key-cache.ts'
import type { Sha256 } from './keys/mint.ts'
import { createPersonLimits, type PersonLimits } from './limits/person.ts'
import type { AbilityTable } from './models/abilities.ts'
import { type Catalogue, createCatalogue } from './models/catalogue.ts'
import { plainSpelling } from './models/name.ts'
import { createObjects, type Objects } from './objects/owner.ts'
import { createMetrics, type Metrics } from './observability/metrics.ts'
import { modelLabels } from './observability/model-label.ts'
import type { Observability } from './observability/observability.ts'
import type {
  Archive,
  Clock,
  CodeSender,
  Db,
  Decompress,
  HealthStore,
  Ledger,
  Logger,
  Site,
  Upstream,
  Wire,
} from './ports.ts'
import type { Prices } from './pricing/prices.ts'
import type { Reports } from './reports/reports.ts'
import type { Settings } from './settings.ts'

/** What an adapter provides. */
export interface GatewayParts {
  /** Version of the gateway, e.g. 0.1.0. */
  version: string
  db: Db
  health: HealthStore
  ledger: Ledger
  upstream: Upstream
  decompress: Decompress
  codes: CodeSender
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
  catalogue: Catalogue
  confirm: Confirm
  objects: Objects
  intake: Intake
  signInLimits: SignInLimits
  personLimits: PersonLimits
  metrics: Metrics | undefined
}

export function createDeps(parts: GatewayParts): Deps {
  const { db, settings, clock, logger, health, random, waitUntil, prices } = parts
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
    onOutage({ backend, state, reason }) {
      logger.error('backend.outage', { backend, state, reason })
      const event = {
        actor: SYSTEM,
        at: clock.now(),
        action: `backend.${state}` as const,
        target: `backend:${backend}`,
        after: { reason },
      }
      waitUntil(Promise.resolve(auditRow(db, event)))
    },
  })
  const catalogue: Catalogue = createCatalogue({ ...parts, balancer, serving })
  const confirm: Confirm = createConfirm({
    ...parts,
    memory,
    healthNameOf,
    listed: catalogue.listedBy,
    disable: balancer.disable,
  })
  const metrics =
    parts.observability && createMetrics(parts.observability.memory, modelLabels({ ...parts, catalogue }))
  return {
    ...parts,
    metrics,
    balancer,
    confirm,
    keyCache: createKeyCache(parts),
    catalogue,
    objects: createObjects(parts),
    intake: createIntake({ ...parts, metrics }),
    signInLimits: createSignInLimits(clock),
    personLimits: createPersonLimits(clock),
  }
}
