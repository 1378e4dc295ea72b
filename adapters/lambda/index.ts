/**
 * The gateway on AWS Lambda, behind a Function URL with response streaming. Storage is a libSQL server; invocations share
 * limits and health through Redis. GATEWAY_FUNCTIONS chooses which functions of the bundle a deployment serves.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import { systemClock } from '../../core/clock.ts'
import { createLogger } from '../../core/logger.ts'
import type { Clock, Db, Logger } from '../../core/ports.ts'
import { compose, openStores, prepareDatabase } from '../compose.ts'
import { compress } from '../drivers/compress.ts'
import { CHAINS } from '../drivers/credentials/chains.ts'
import { redisHealth } from '../drivers/health/redis.ts'
import { directRecords } from '../drivers/ledger/direct.ts'
import { redisLedger } from '../drivers/ledger/redis.ts'
import { openRedis, type RedisClient } from '../drivers/redis/connection.ts'
import { databaseClock } from '../drivers/storage/database-clock.ts'
import { httpDatabase } from '../drivers/storage/libsql-http.ts'
import { undiciUpstream } from '../drivers/upstream/undici.ts'
import { hostLookup } from '../shared/host-lookup.ts'
import { readHealth } from '../shared/known-health.ts'
import { mailerFrom } from '../shared/mail.ts'
import { notifierFrom } from '../shared/notifier.ts'
import { createPendingWork } from '../shared/pending-work.ts'
import { problemOf } from '../shared/problem.ts'
import { siteFrom } from '../shared/site.ts'
import { VERSION } from '../shared/version.ts'
import { webWire } from '../web/wire.ts'
import { type Bindings, functionUrl } from './function-url.ts'

const ROOT = process.env.LAMBDA_TASK_ROOT ?? '.'
const pending = createPendingWork()

async function build() {
  const file = join(ROOT, process.env.CONFIG_PATH ?? 'config.yaml')
  const config = loadConfig({
    text: process.env.CONFIG ?? (existsSync(file) ? readFileSync(file, 'utf8') : ''),
    file: process.env.CONFIG ? 'CONFIG' : file,
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  const clock = systemClock
  const logger = createLogger({ ...config.log, clock, print: (line) => console.log(line) })
  logger.info('server.starting', { version: VERSION })
  const { db } = httpDatabase(config.database.url, config.database.auth_token)
  await prepareDatabase(db, config, logger)
  const redis = await openRedis(config, logger)
  try {
    return await serving({ config, clock, logger, db, redis })
  } catch (cause) {
    // Whoever begins again connects again.
    redis?.disconnect()
    throw cause
  }
}

interface Opened {
  config: Config
  clock: Clock
  logger: Logger
  db: Db
  redis: RedisClient | undefined
}

async function serving({ config, clock, logger, db, redis }: Opened) {
  const stores = await openStores(config, {
    place: redis ? 'Lambda' : 'Lambda without redis.url',
    db,
    records: directRecords({ db, logger }),
    clock,
    databaseClock: await databaseClock(db, clock),
    logger,
    ledgers: redis ? { redis: (parts) => redisLedger({ ...parts, redis }) } : {},
    healths: redis ? { redis: () => redisHealth(redis) } : {},
  })
  const site = siteFrom(join(ROOT, 'site'))
  const { waitUntil } = pending
  const composed = await compose(config, {
    db,
    ...stores,
    clock,
    logger,
    waitUntil,
    upstream: undiciUpstream(process.env.NO_PROXY ?? process.env.no_proxy),
    platformCredentials: CHAINS,
    hasProxies: true,
    compress,
    lookup: hostLookup,
    mailer: mailerFrom(config, logger),
    notifier: notifierFrom(config, clock),
    // The cast holds because function-url.ts passes Bindings.
    wire: webWire((_request, bindings) => (bindings as Bindings).peer, waitUntil),
    ...(site ? { site } : {}),
    accepting: () => true,
    functions: process.env.GATEWAY_FUNCTIONS,
    listens: false,
    warns: true,
  })
  waitUntil(composed.deps.catalogue.checkAll())
  return composed
}

let start: ReturnType<typeof build> | undefined

/** A start that failed is begun again by the next call, because AWS keeps the process, and all its calls would fail. */
function built() {
  start ??= build().catch((cause) => {
    start = undefined
    throw cause
  })
  return start
}

// At once, while nobody waits.
built().catch((cause) => console.error(problemOf(cause)))

/** The backends and their health are read again at most this often (ms), because a call waits for it. */
const REFRESH_MS = 1_000
let healthReadAt = Number.NEGATIVE_INFINITY

/** The handler of the Function URL. */
export const handler = functionUrl(async (request, bindings) => {
  const composed = await built()
  // Before the call, because a process that was frozen knows nothing of what others met since. `scheduled` does all other
  // recurring work.
  await composed.deps.fleet.fresh(REFRESH_MS)
  if (systemClock.elapsed() - healthReadAt >= REFRESH_MS) {
    healthReadAt = systemClock.elapsed()
    await readHealth(composed.deps)
  }
  return composed.gateway.fetch(request, bindings)
}, pending.settled)

/** The handler of an EventBridge schedule: runs the recurring tasks. */
export async function scheduled(): Promise<void> {
  await (await built()).runTasks()
  await pending.settled()
}
