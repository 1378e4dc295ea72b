/**
 * The gateway on AWS Lambda, behind a Function URL with response streaming: a libSQL server by HTTP for storage, Redis
 * for what invocations share. One bundle; GATEWAY_FUNCTIONS chooses what a deployment serves.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import { policyFrom } from '../../config/settings.ts'
import { warningsOf } from '../../config/warnings.ts'
import { systemClock } from '../../core/clock.ts'
import { migrate } from '../../core/db/migrate.ts'
import { createDeps } from '../../core/deps.ts'
import { createLogger } from '../../core/logger.ts'
import { announceObjects } from '../../core/objects/announce.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { ensureAdmin, hasAdmin } from '../../core/users/first-admin.ts'
import { createGateway, functionsFrom } from '../../functions/gateway.ts'
import { databaseHealth } from '../drivers/health/database.ts'
import { memoryHealth } from '../drivers/health/memory.ts'
import { redisHealth } from '../drivers/health/redis.ts'
import { databaseLedger } from '../drivers/ledger/database.ts'
import { directRecords } from '../drivers/ledger/direct.ts'
import { localLedger } from '../drivers/ledger/local.ts'
import { redisLedger } from '../drivers/ledger/redis.ts'
import { openRedis } from '../drivers/redis/connection.ts'
import { sha256 } from '../drivers/sha256.ts'
import { httpDatabase } from '../drivers/storage/libsql-http.ts'
import { openHealth, openLedger } from '../drivers/stores.ts'
import { undiciUpstream } from '../drivers/upstream/undici.ts'
import { codesFrom } from '../shared/codes.ts'
import { siteFrom } from '../shared/site.ts'
import { knownPrices, pricesFrom, shippedAbilities } from '../shared/tables.ts'
import { webWire } from '../web/wire.ts'
import { type Bindings, functionUrl } from './function-url.ts'
import { createSettling } from './settling.ts'

const ROOT = process.env.LAMBDA_TASK_ROOT ?? '.'
const settling = createSettling()

async function build() {
  const file = join(ROOT, process.env.CONFIG_PATH ?? 'config.yaml')
  const config = loadConfig({
    text: process.env.CONFIG ?? (existsSync(file) ? readFileSync(file, 'utf8') : ''),
    file: process.env.CONFIG ? 'CONFIG' : file,
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  const policy = policyFrom(config)
  const clock = systemClock
  const logger = createLogger({ ...config.log, clock, print: (line) => console.log(line) })
  const { db } = httpDatabase(config.database.url, config.database.auth_token)
  announceObjects(logger, await migrate(db), policy.objects)
  const redis = await openRedis(config, logger)
  const place = redis ? 'Lambda' : 'Lambda without redis.url'
  const { period, failClosed } = policy.limits
  const shared = { db, records: directRecords({ db, logger }), period, failClosed, clock, logger }
  const site = siteFrom(join(ROOT, 'site'))
  const deps = createDeps({
    db,
    health: openHealth(config, {
      place,
      stores: {
        memory: memoryHealth,
        database: () => databaseHealth(db),
        ...(redis && { redis: () => redisHealth(redis) }),
      },
    }),
    ledger: await openLedger(config, {
      place,
      stores: {
        local: () => localLedger(shared),
        database: () => databaseLedger(shared),
        ...(redis && { redis: () => redisLedger({ ...shared, redis }) }),
      },
    }),
    upstream: undiciUpstream(),
    codes: codesFrom(config, logger),
    clock,
    logger,
    policy,
    prices: pricesFrom(config),
    abilities: shippedAbilities(),
    sha256,
    random: Math.random,
    waitUntil: settling.waitUntil,
    // Bindings by function-url.ts.
    wire: webWire((_request, bindings) => (bindings as Bindings).peer, settling.waitUntil),
    ...(site ? { site } : {}),
    accepting: () => true,
  })
  await ensureAdmin(deps)
  const known = { ...knownPrices(config), hasAdmin: await hasAdmin(db), listens: false }
  for (const { path, message } of warningsOf(config, known)) {
    logger.warn('config.open', { setting: path, message })
  }
  settling.waitUntil(deps.catalogue.checkAll())
  return {
    gateway: createGateway(deps, functionsFrom(process.env.GATEWAY_FUNCTIONS)),
    balancer: deps.balancer,
    runTasks: createTaskRunner(deps),
  }
}

const built = build()

/** An answer waits for the refresh: not each one has to. */
const REFRESH_MS = 1_000
let refreshedAt = Number.NEGATIVE_INFINITY

/** For the Function URL. */
export const handler = functionUrl(async (request, bindings) => {
  const { gateway, balancer } = await built
  // What others learnt of the backends; all other recurring work is the schedule's.
  if (systemClock.elapsed() - refreshedAt >= REFRESH_MS) {
    refreshedAt = systemClock.elapsed()
    settling.waitUntil(balancer.refresh())
  }
  return gateway.fetch(request, bindings)
}, settling.settled)

/** For an EventBridge schedule: repair, clean-up, checks. */
export async function scheduled(): Promise<void> {
  await (await built).runTasks()
  await settling.settled()
}
