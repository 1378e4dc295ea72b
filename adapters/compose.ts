/** The one wiring of all runtimes: from a configuration, and what a runtime brings, to a gateway that serves. */
import { ConfigError } from '../config/error.ts'
import type { Config } from '../config/schema.ts'
import { settingsFrom } from '../config/settings.ts'
import { warningsOf } from '../config/warnings.ts'
import type { BackendMemory } from '../core/backends/memory.ts'
import { migrate } from '../core/db/migrate.ts'
import { createDeps, type Deps, type GatewayParts } from '../core/deps.ts'
import { announceObjects } from '../core/objects/announce.ts'
import type { Clock, Db, HealthStore, Ledger, Logger, MaybePromise } from '../core/ports.ts'
import { createTaskRunner, type TaskRunner } from '../core/tasks.ts'
import { ensureAdmin, hasAdmin } from '../core/users/first-admin.ts'
import { createGateway, functionsFrom, type Gateway } from '../functions/gateway.ts'
import { databaseHealth } from './drivers/health/database.ts'
import { memoryHealth } from './drivers/health/memory.ts'
import { databaseLedger } from './drivers/ledger/database.ts'
import { localLedger } from './drivers/ledger/local.ts'
import type { Records } from './drivers/ledger/records.ts'
import type { SharedParts } from './drivers/ledger/shared.ts'
import { sha256 } from './drivers/sha256.ts'
import { pricesFrom, shippedAbilities } from './shared/tables.ts'
import { VERSION } from './shared/version.ts'

/** Brings the schema up to date. `logger` is told what that changes for callers. */
export async function prepareDatabase(
  db: Db,
  { objects }: Config,
  logger: Pick<Logger, 'info' | 'warn'>,
): Promise<void> {
  announceObjects(logger, await migrate(db), objects)
}

/** What each ledger is opened with. */
export type LedgerParts = SharedParts & { db: Db }

export interface Stores {
  ledger: Ledger
  health: HealthStore
}

/**
 * Opens the stores of limits and of health that the configuration names. Throws ConfigError for one that cannot be had
 * where the gateway runs, because with another in its place limits would silently not hold.
 */
export async function openStores(
  config: Config,
  runtime: {
    /** Where the gateway runs, for people. */
    place: string
    db: Db
    records: Records
    clock: Clock
    logger: Logger
    /** What can be had beside this process's memory and the database. */
    ledgers: Partial<Record<Config['limits']['store'], (parts: LedgerParts) => MaybePromise<Ledger>>>
    healths: Partial<Record<Config['health']['store'], () => HealthStore>>
  },
): Promise<Stores> {
  const { place, db, records, clock, logger } = runtime
  const { period, failClosed } = settingsFrom(config).limits
  const ledgers: typeof runtime.ledgers = { local: localLedger, database: databaseLedger, ...runtime.ledgers }
  const healths: typeof runtime.healths = {
    memory: memoryHealth,
    database: () => databaseHealth(db),
    ...runtime.healths,
  }
  const openLedger = chosen(place, 'limits.store', config.limits.store, ledgers)
  const openHealth = chosen(place, 'health.store', config.health.store, healths)
  return {
    ledger: await openLedger({ db, records, period, failClosed, clock, logger }),
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

/** What a runtime brings besides the configuration. */
export interface Runtime
  extends Omit<
    GatewayParts,
    'version' | 'settings' | 'prices' | 'abilities' | 'sha256' | 'random' | 'backendMemory'
  > {
  /** The value of GATEWAY_FUNCTIONS. */
  functions: string | undefined
  /** Whether it opens a port of its own, where what the configuration leaves open matters. */
  listens: boolean
  /** False where another process on the same configuration says what it leaves open. */
  warns: boolean
}

export interface Composed {
  deps: Deps
  gateway: Gateway
  runTasks: TaskRunner
}

/** `known`: what is known of the backends goes on, when a new configuration takes over from another. */
export async function compose(config: Config, runtime: Runtime, known?: BackendMemory): Promise<Composed> {
  const { functions, listens, warns, ...parts } = runtime
  const prices = pricesFrom(config)
  const deps = createDeps({
    ...parts,
    version: VERSION,
    settings: settingsFrom(config),
    prices,
    abilities: shippedAbilities(),
    sha256,
    random: Math.random,
    ...(known ? { backendMemory: known } : {}),
  })
  const { db, logger, clock } = parts
  const admin = await ensureAdmin(deps)
  if (admin) logger.info('admin.created', { itcode: admin })
  if (warns) {
    const hasPrice = (model: string) => prices.rates(model, clock.now()) !== undefined
    const found = warningsOf(config, { hasPrice, hasAdmin: await hasAdmin(db), listens })
    for (const { path, message } of found) logger.warn('config.open', { setting: path, message })
  }
  return { deps, gateway: createGateway(deps, functionsFrom(functions)), runTasks: createTaskRunner(deps) }
}
