/** The bundle as a Lambda, run by a runtime client: a libSQL server by HTTP, Redis for what invocations share. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { httpDatabase } from '../../adapters/drivers/storage/libsql-http.ts'
import { startLambda } from './lambda-host.ts'
import { HAS_REDIS, type RealRedis, startRedis } from './redis.ts'
import { clientOf, complete, type Gateway, type GatewaySettings, type Runtime } from './runtime.ts'
import { startDatabase, temporaryFolder } from './stores.ts'

const ROOT = join(import.meta.dirname, '../..')
let bundle = join(ROOT, 'dist/lambda')
/** Folder of the bundle that is tested. */
export const lambdaFolder = () => bundle
/** The client for every day. */
export const LAMBDA_LOCAL = join(import.meta.dirname, 'lambda-local.ts')

/** Invocations at once share their limits in Redis; without it there is one at a time. */
const SHARES = HAS_REDIS || process.env.CI !== undefined
const AT_ONCE = SHARES ? 8 : 1

/**
 * Builds a bundle for the tests of one file, unless all are built; because other files run at the same time. The result removes
 * it.
 */
export function buildLambda(): (() => void) | undefined {
  if (process.env.BUILT) return undefined
  const { path, remove } = temporaryFolder()
  execFileSync(process.execPath, ['adapters/lambda/build.ts', path], { cwd: ROOT, stdio: 'ignore' })
  bundle = path
  return remove
}

/** `client` is the entry point of a runtime client. */
export function lambda(name: string, client: string): Runtime {
  const startSharing = async (settings: GatewaySettings) => {
    const redis = await startRedis()
    const gateway = await startOn(client, settings, redis)
    return { gateway, loseStore: redis.stop, regainStore: redis.start }
  }
  return {
    name,
    abilities: { hearsLeaving: 'never', atOnce: AT_ONCE, replacesConnections: true },
    start: async (settings) =>
      SHARES ? (await startSharing(settings)).gateway : startOn(client, settings, undefined),
    startSharing: SHARES ? startSharing : undefined,
  }
}

async function startOn(runtime: string, settings: GatewaySettings, redis?: RealRedis): Promise<Gateway> {
  const server = await startDatabase()
  const { db, close } = httpDatabase(server.url, server.token)
  const config = {
    ...complete(settings),
    database: { url: server.url, auth_token: server.token },
    ...(redis ? { redis: { url: redis.url } } : {}),
    limits: { store: redis ? 'redis' : 'local', ...Object(settings.limits) },
    health: { ...complete(settings).health, store: 'database' },
  }
  const parts = { runtime, folder: bundle, env: { CONFIG: stringify(config) } }
  const served = await startLambda({ ...parts, handler: 'index.handler', atOnce: AT_ONCE })
  const tasks = await startLambda({ ...parts, handler: 'index.scheduled', atOnce: 1 })
  return {
    ...(await clientOf({ db: () => db, url: () => served.url })),
    url: served.url,
    db,
    output: () => served.output() + tasks.output(),
    restart: served.recycle,
    runTasks: tasks.invoke,
    async stop() {
      await served.stop()
      await tasks.stop()
      close()
      await server.stop()
      await redis?.stop()
    },
  }
}
