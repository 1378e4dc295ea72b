/** Builds a gateway from a configuration and the parts that differ between runtimes. All runtimes use it. */
import { ConfigError } from '../config/error.ts'
import type { Config } from '../config/schema.ts'
import { settingsFrom } from '../config/settings.ts'
import { warningsOf } from '../config/warnings.ts'
import { renewCredentials } from '../core/backends/credentials.ts'
import type { BackendMemory } from '../core/backends/memory.ts'
import { systemClock } from '../core/clock.ts'
import { migrate } from '../core/db/migrate.ts'
import { createDeps, type Deps, type GatewayParts } from '../core/deps.ts'
import type { LoginProvider } from '../core/identity/provider.ts'
import { moveBudgets } from '../core/limits/move-budgets.ts'
import { adoptPeriods } from '../core/limits/rebuild.ts'
import { announceObjects } from '../core/objects/announce.ts'
import type { Clock, Db, HealthStore, Ledger, Logger, MaybePromise } from '../core/ports.ts'
import { createTaskRunner, type TaskRunner } from '../core/tasks.ts'
import { MINUTE_MS } from '../core/units.ts'
import { ensureAdmin, hasAdmin } from '../core/users/first-admin.ts'
import { createGateway, type Gateway } from '../functions/gateway.ts'
import { functionsFrom } from '../functions/table.ts'
import { decompress } from './drivers/decompress.ts'
import { databaseHealth } from './drivers/health/database.ts'
import { memoryHealth } from './drivers/health/memory.ts'
import { databaseLedger } from './drivers/ledger/database.ts'
import { localLedger } from './drivers/ledger/local.ts'
import type { Records } from './drivers/ledger/records.ts'
import type { SharedParts } from './drivers/ledger/shared.ts'
import { sha256 } from './drivers/sha256.ts'
import { sendTelemetry } from './drivers/telemetry/fetch.ts'
import type { PlatformCredentials } from './shared/credentials.ts'
import { followFleet } from './shared/follow-fleet.ts'
import { readHealth } from './shared/known-health.ts'
import { loginsFrom } from './shared/logins.ts'
import { shippedAbilities } from './shared/tables.ts'
import { VERSION } from './shared/version.ts'

/** Migrates the database; logs what that changes for callers. Throws as `migrate`. */
export async function migrateDatabase(
  db: Db,
  config: Config,
  logger: Pick<Logger, 'info' | 'warn'>,
): Promise<void> {
  const begins = (migration: string) => logger.info('database.migrating', { migration })
  announceObjects(logger, await migrate(db, begins), config.objects)
}

/**
 * For a server: migrates the database, and counts for limits by the configuration's calendar. A command must not, because the
 * server that runs goes on by the calendar that it began with. Throws as `migrate`.
 */
export async function prepareDatabase(
  db: Db,
  config: Config,
  logger: Pick<Logger, 'info' | 'warn'>,
): Promise<void> {
  await migrateDatabase(db, config, logger)
  await adoptPeriods({ db, logger }, settingsFrom(config).limits, systemClock.now())
}

/** What was used is taken from the database again at least this often. */
const SEED_MS = MINUTE_MS

/** The parts that each ledger needs. */
export type LedgerParts = SharedParts & { seedMs: number }

export interface Stores {
  ledger: Ledger
  health: HealthStore
}

/**
 * Opens the stores in `limits.store` and `health.store`. Throws ConfigError if the runtime does not have one, because limits
 * would silently not hold with another store in its place.
 */
export async function openStores(
  config: Config,
  runtime: {
    /** Name of the runtime, for messages. */
    place: string
    db: Db
    records: Records
    clock: Clock
    /** The clock of a database that processes on several machines share. */
    databaseClock?: Clock
    logger: Logger
    /** Stores that this runtime has besides memory and database. */
    ledgers: Partial<Record<Config['limits']['store'], (parts: LedgerParts) => MaybePromise<Ledger>>>
    healths: Partial<Record<Config['health']['store'], () => HealthStore>>
  },
): Promise<Stores> {
  const { place, db, records, clock, databaseClock = clock, logger } = runtime
  const { usageSyncMs, limits } = settingsFrom(config)
  const { failClosed } = limits
  const seedMs = Math.min(usageSyncMs, SEED_MS)
  const ledgers: typeof runtime.ledgers = {
    local: localLedger,
    database: (parts) => databaseLedger({ ...parts, clock: databaseClock }),
    ...runtime.ledgers,
  }
  const healths: typeof runtime.healths = {
    memory: memoryHealth,
    database: () => databaseHealth(db),
    ...runtime.healths,
  }
  const openLedger = chosen(place, 'limits.store', config.limits.store, ledgers)
  const openHealth = chosen(place, 'health.store', config.health.store, healths)
  return {
    ledger: await openLedger({ db, records, failClosed, clock, logger, seedMs }),
    health: openHealth(),
  }
}

function chosen<Store extends string, Open>(
  place: string,
  path: string,
  store: Store,
  stores: Partial<Record<Store, Open>>,
): Open {
  const open = stores[store]
  if (open) return open
  throw new ConfigError('', [
    { path, message: `${Object.keys(stores).join(' or ')} is expected on ${place}` },
  ])
}

/** The parts that a runtime provides. */
export interface Runtime
  extends Omit<
    GatewayParts,
    | 'version'
    | 'settings'
    | 'prices'
    | 'abilities'
    | 'sha256'
    | 'decompress'
    | 'sendTelemetry'
    | 'logins'
    | 'random'
    | 'backendMemory'
    | 'credentialsOf'
    | 'fleet'
  > {
  /** Absent where the runtime has no credentials of its own. */
  platformCredentials?: PlatformCredentials
  /** Whether this runtime has the sockets to reach backends through a proxy. */
  hasProxies: boolean
  /** People who sign in by LDAP. Absent where the runtime has no sockets for it. */
  ldap?: (config: Config['ldap']) => LoginProvider
  /** The value of GATEWAY_FUNCTIONS. */
  functions: string | undefined
  /** Whether the gateway itself listens on a port; some warnings apply only then. */
  listens: boolean
  /** How long the runtime lets work go on before it drops it (ms); undefined = for ever. */
  longestWorkMs?: number
  /** Whether to log warnings about the configuration; false if another process on it does. */
  warns: boolean
}

/** What is in force: another one after each change of the stored backends. */
export interface Composed {
  readonly deps: Deps
  readonly gateway: Gateway
  runTasks: TaskRunner
}

/**
 * `known`: at a reload, the memory of the previous gateway. A gateway knows what other processes know of the backends before
 * its first call. Throws ConfigError or what the database throws.
 */
export async function compose(config: Config, runtime: Runtime, known?: BackendMemory): Promise<Composed> {
  const { functions, listens, warns, ldap, platformCredentials, hasProxies, ...parts } = runtime
  const inForce = await followFleet(
    config,
    { ...parts, platform: platformCredentials, hasProxies },
    (change, fleet) =>
      createDeps({
        ...parts,
        ...change,
        fleet,
        version: VERSION,
        abilities: shippedAbilities(),
        sha256,
        decompress,
        sendTelemetry,
        logins: loginsFrom(config, parts.clock, ldap),
        random: Math.random,
        ...(known ? { backendMemory: known } : {}),
      }),
  )
  const deps = inForce()
  parts.waitUntil(renewCredentials(deps))
  const [admin] = await Promise.all([ensureAdmin(deps), readHealth(deps), moveBudgets(deps)])
  if (admin) parts.logger.info('admin.created', { itcode: admin })
  if (warns) await warn(config, deps, listens)
  const names = functionsFrom(functions)
  let served = { deps, gateway: createGateway(deps, names) }
  const current = () => {
    const next = inForce()
    if (next !== served.deps) served = { deps: next, gateway: createGateway(next, names) }
    return served
  }
  return {
    get deps() {
      return current().deps
    },
    get gateway() {
      return current().gateway
    },
    runTasks: createTaskRunner(inForce, runtime.longestWorkMs),
  }
}

/** Logs what is open in the configuration. */
async function warn(config: Config, deps: Deps, listens: boolean): Promise<void> {
  const { db, logger, clock, prices, waitUntil } = deps
  const hasPrice = (model: string) => prices.rates(model, clock.now()) !== undefined
  const found = warningsOf(config, { hasPrice, hasAdmin: await hasAdmin(db), listens })
  for (const { path, message } of found) logger.warn('config.open', { setting: path, message })
  const told = deps.signInProblem().then((message) => {
    if (message !== undefined) logger.warn('config.open', { setting: 'server.public_url', message })
  })
  waitUntil(told)
}
