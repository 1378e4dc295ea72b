/** The real gateway as a process of its own, as `npm start` runs it, on a database of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import * as z from 'zod'
import { openFile, type Storage } from '../../adapters/drivers/storage/libsql.ts'
import { openServer } from '../../adapters/drivers/storage/libsql-http.ts'
import { migrate } from '../../core/db/migrate.ts'
import { HAS_REDIS, startRedis } from './redis.ts'
import {
  clientOf,
  complete,
  DEFAULTS as EVERYWHERE,
  type Gateway,
  type GatewaySettings,
  type Runtime,
  type SharingGateway,
} from './runtime.ts'
import { putMigrated, temporaryFolder } from './stores.ts'

const ROOT = join(import.meta.dirname, '../..')

export interface TestGateway extends Gateway {
  configPath: string
  process: ChildProcess
  /** Sends a signal and waits for the end; answers the exit code. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
  /** Starts it again on the same data. */
  restart(settings?: Partial<GatewaySettings>): Promise<void>
  /** Writes a new configuration file. */
  configure(settings: Partial<GatewaySettings>): void
}

const DEFAULTS = {
  ...EVERYWHERE,
  server: { port: 0, host: '127.0.0.1', drain_delay: 0, drain_timeout: '5s' },
}

/** A libSQL server that several gateways share. */
const SharedDatabase = z.object({ url: z.string(), auth_token: z.string() })
const DatabaseFile = z.object({ path: z.string() })

export async function startGateway(given: GatewaySettings): Promise<TestGateway> {
  const folder = temporaryFolder()
  const databasePath =
    DatabaseFile.safeParse(given.database).data?.path ?? join(folder.path, 'data', 'gateway.db')
  const configPath = join(folder.path, 'config.yaml')
  let settings: GatewaySettings = {
    ...DEFAULTS,
    ...given,
    server: { ...DEFAULTS.server, ...(typeof given.server === 'object' ? given.server : {}) },
    database: { path: databasePath, ...(typeof given.database === 'object' ? given.database : {}) },
  }
  const configure = (change: Partial<GatewaySettings>) => {
    settings = { ...settings, ...change }
    writeFileSync(configPath, stringify(complete(settings)))
  }
  configure({})
  const shared = SharedDatabase.safeParse(given.database).data
  if (!shared && !existsSync(databasePath)) await putMigrated(databasePath)
  const storage: Storage = shared ? openServer(shared.url, shared.auth_token) : await openFile(databasePath)
  await migrate(storage.db)
  const { db } = storage

  const output: Buffer[] = []
  let child: ChildProcess
  let url = ''
  const launch = async () => {
    const env = { ...process.env, CONFIG_PATH: configPath }
    child = spawn(process.execPath, ['adapters/node/start.mjs'], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const listening = Promise.withResolvers<string>()
    url = ''
    // Of this start alone: workers of a primary that was killed still write their last lines into the pipe of the one before.
    let started: string | undefined = ''
    const hear = (data: Buffer) => {
      output.push(data)
      if (started === undefined) return
      started += data
      const address = /"server\.listening","url":"([^"]+)"/.exec(started)?.[1]
      if (address === undefined) return
      started = undefined
      listening.resolve(address)
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('exit', (code) => listening.reject(new Error(`the gateway ended with ${code}: ${started}`)))
    url = await listening.promise
  }
  const client = await clientOf({ db: () => db, url: () => url })
  await launch()

  const end: TestGateway['end'] = async (signal) => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const exited = once(child, 'exit')
    child.kill(signal)
    const [code] = await exited
    return code
  }
  return {
    get url() {
      return url
    },
    get process() {
      return child
    },
    ...client,
    db,
    configPath,
    output: () => Buffer.concat(output).toString(),
    end,
    async restart(change = {}) {
      await end('SIGTERM')
      configure(change)
      await launch()
    },
    configure,
    // Its own timers do it.
    runTasks: async () => {},
    async stop() {
      await end('SIGKILL')
      await storage.close()
      folder.remove()
    },
  }
}

/** For the contracts. */
export const NODE: Runtime = {
  name: 'Node',
  abilities: { hearsLeaving: 'at once', atOnce: 500, replacesConnections: true },
  start: startGateway,
  startSharing: HAS_REDIS || process.env.CI ? startSharing : undefined,
}

async function startSharing(settings: GatewaySettings): Promise<SharingGateway> {
  const redis = await startRedis()
  const gateway = await startGateway({
    ...settings,
    redis: { url: redis.url },
    limits: { store: 'redis', ...Object(settings.limits) },
    health: { store: 'redis', ...Object(settings.health) },
  })
  const { stop } = gateway
  gateway.stop = async () => {
    await stop()
    await redis.stop()
  }
  return { gateway, loseStore: redis.stop, regainStore: redis.start }
}
