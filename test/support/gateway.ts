/** The real gateway as a process of its own, as `npm start` runs it, on a database of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { stringify } from 'yaml'
import * as z from 'zod'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { openFile, openServer, type Storage } from '../../adapters/drivers/storage/libsql.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { migrate } from '../../core/db/migrate.ts'
import { usageLogs, users } from '../../core/db/schema.ts'
import { createKey } from '../../core/keys/manage.ts'
import type { Db } from '../../core/ports.ts'
import { createUser } from '../../core/users/manage.ts'
import { temporaryFolder } from './stores.ts'

const ROOT = join(import.meta.dirname, '../..')

export interface TestBackend {
  name: string
  url: string
  api_key?: string
  weight?: number
  enabled?: boolean
  models?: string[]
}

export interface GatewaySettings {
  backends: TestBackend[]
  [section: string]: unknown
}

export interface TestGateway {
  url: string
  db: Db
  /** A key of a new active user (named by `given.itcode`, else by chance). */
  newKey(
    given?: Partial<typeof users.$inferInsert>,
  ): Promise<{ secret: string; userId: number; keyId: number }>
  /** POST /v1/messages with a key. */
  send(
    body: object | string | Uint8Array,
    init?: { key?: string; headers?: HeadersInit; signal?: AbortSignal; path?: string },
  ): Promise<Response>
  /** A key made at the start. */
  key: string
  /** Rows of the log, oldest first, once `count` are there. */
  rows(count: number): Promise<(typeof usageLogs.$inferSelect)[]>
  configPath: string
  /** Everything it printed so far. */
  output(): string
  process: ChildProcess
  /** Sends a signal and waits for the end; answers the exit code. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
  /** Starts it again on the same data. */
  restart(settings?: Partial<GatewaySettings>): Promise<void>
  /** Writes a new configuration file. */
  configure(settings: Partial<GatewaySettings>): void
  stop(): Promise<void>
}

export const DEFAULTS = {
  server: { port: 0, host: '127.0.0.1', drain_timeout: '5s' },
  auth: { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a' },
  health: { startup_check: 'off', cooldown: '1s' },
}

/** A libSQL server that several gateways share. */
const SharedDatabase = z.object({ url: z.string(), auth_token: z.string() })

export async function startGateway(given: GatewaySettings): Promise<TestGateway> {
  const folder = temporaryFolder()
  const databasePath = join(folder.path, 'data', 'gateway.db')
  const configPath = join(folder.path, 'config.yaml')
  let settings: GatewaySettings = {
    ...DEFAULTS,
    ...given,
    database: { path: databasePath, ...(typeof given.database === 'object' ? given.database : {}) },
  }
  const configure = (change: Partial<GatewaySettings>) => {
    settings = { ...settings, ...change }
    const backends = settings.backends.map((backend) => ({
      api_key: `upstream-key-of-${backend.name}`,
      ...backend,
    }))
    writeFileSync(configPath, stringify({ ...settings, backends }))
  }
  configure({})
  const shared = SharedDatabase.safeParse(given.database).data
  const storage: Storage = shared ? openServer(shared.url, shared.auth_token) : await openFile(databasePath)
  await migrate(storage.db)
  const { db } = storage

  const output: Buffer[] = []
  let child: ChildProcess
  let url = ''
  const launch = async () => {
    const env = { ...process.env, CONFIG_PATH: configPath }
    child = spawn(process.execPath, ['adapters/node/index.ts'], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const listening = Promise.withResolvers<void>()
    url = ''
    let started = ''
    const hear = (data: Buffer) => {
      output.push(data)
      if (url !== '') return
      started += data
      url = /"server\.listening","url":"([^"]+)"/.exec(started)?.[1] ?? ''
      if (url !== '') listening.resolve()
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('exit', (code) => listening.reject(new Error(`the gateway ended with ${code}: ${started}`)))
    await listening.promise
  }
  const newKey: TestGateway['newKey'] = async (overrides = {}) => {
    const { itcode = `user-${crypto.randomUUID().slice(0, 8)}`, ...rest } = overrides
    const user = await createUser(
      { db, clock: systemClock, actor: COMMAND_LINE },
      {
        itcode,
        role: 'user',
        quotaTokens: 0,
        budgetMicros: 0,
      },
    )
    if (Object.keys(rest).length > 0) await db.update(users).set(rest).where(eq(users.id, user.id))
    const { key, secret } = await createKey(
      { db, clock: systemClock, sha256, actor: COMMAND_LINE },
      { userId: user.id, name: 'test', expiresAt: null },
    )
    return { secret, userId: user.id, keyId: key.id }
  }
  const { secret } = await newKey()
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
    db,
    configPath,
    key: secret,
    newKey,
    send: (body, init = {}) =>
      fetch(`${url}${init.path ?? '/v1/messages'}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': init.key ?? secret, ...init.headers },
        body:
          typeof body === 'string' || body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body),
        ...(init.signal ? { signal: init.signal } : {}),
      }),
    async rows(count) {
      const deadline = performance.now() + 5_000
      for (;;) {
        const rows = await db.select().from(usageLogs).orderBy(usageLogs.id)
        if (rows.length >= count || performance.now() > deadline) return rows
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    output: () => Buffer.concat(output).toString(),
    end,
    async restart(change = {}) {
      await end('SIGTERM')
      configure(change)
      await launch()
    },
    configure,
    async stop() {
      await end('SIGKILL')
      storage.close()
      folder.remove()
    },
  }
}
