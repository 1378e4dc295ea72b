/** A gateway on any runtime, as tests use it: calls, people with keys, rows, and what is different between runtimes. */
import { eq } from 'drizzle-orm'
import { expect } from 'vitest'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { usageLogs, users } from '../../core/db/schema.ts'
import { createKey } from '../../core/keys/manage.ts'
import type { Db } from '../../core/ports.ts'
import { registerUser } from '../../core/users/manage.ts'

interface TestBackend {
  name: string
  url: string
  api_key?: string | undefined
  weight?: number
  enabled?: boolean
  models?: (string | { id: string; upstream: string })[]
  /** What kinds of clouds need besides. */
  [setting: string]: unknown
}

export interface GatewaySettings {
  backends: TestBackend[]
  [section: string]: unknown
}

type Row = typeof usageLogs.$inferSelect

export interface Client {
  /** A key of a new active user (named by `given.itcode`, else by chance); `budgetMicros` is a limit of a month. */
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
  rows(count: number): Promise<Row[]>
  /** The row of the call that was answered so, once it is there. */
  rowOf(answer: Response): Promise<Row>
}

export interface Gateway extends Client {
  readonly url: string
  db: Db
  /** Everything it printed so far. */
  output(): string
  /** Starts it again on the same data. */
  restart(): Promise<void>
  /** Has recurring work done, where it needs somebody to call for it. */
  runTasks(): Promise<void>
  stop(): Promise<void>
}

/** A gateway whose limits and health are in a store that it shares with others; the store can go and come back. */
export interface SharingGateway {
  gateway: Gateway
  loseStore(): Promise<void>
  regainStore(): Promise<void>
}

export interface Runtime {
  name: string
  start(settings: GatewaySettings): Promise<Gateway>
  /** Absent where there is no such store. */
  startSharing?: ((settings: GatewaySettings) => Promise<SharingGateway>) | undefined
  abilities: Abilities
}

/** In what runtimes differ, each for a reason of its own. Everything else is the same on all. */
interface Abilities {
  /**
   * When it learns that a client left. Node by its socket. workerd when it next writes to it. A Lambda invocation is
   * never told.
   */
  hearsLeaving: 'at once' | 'by writing' | 'never'
  /** How many calls it serves at the same time. Each invocation of a Lambda has a process for itself. */
  atOnce: number
  /**
   * A kept-alive connection that the upstream just closed is replaced silently, on the same backend. Not with the fetch
   * of workerd, which does not tell of connections: there another backend is tried.
   */
  replacesConnections: boolean
}

export const DEFAULTS = {
  auth: { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a' },
  health: { startup_check: 'off', cooldown: '1s' },
}

/** The configuration, with what no test wants to say each time. */
export function complete({ backends, auth, health, ...rest }: GatewaySettings) {
  return {
    ...rest,
    auth: { ...DEFAULTS.auth, ...Object(auth) },
    health: { ...DEFAULTS.health, ...Object(health) },
    backends: backends.map((backend) => ({ api_key: `upstream-key-of-${backend.name}`, ...backend })),
  }
}

/** What tests do to a gateway by its address and its database. */
export async function clientOf({ db, url }: { db: () => Db; url: () => string }): Promise<Client> {
  const newKey: Client['newKey'] = async (overrides = {}) => {
    const {
      itcode = `user-${crypto.randomUUID().slice(0, 8)}`,
      budgetMicros: micros = 0,
      ...rest
    } = overrides
    const parts = { db: db(), clock: systemClock, actor: COMMAND_LINE }
    const ownLimit = { micros, period: 'monthly' } as const
    const user = await registerUser(parts, { itcode, role: 'user', quotaTokens: 0, ownLimit })
    if (!user) throw new Error(`there is a user ${itcode} already`)
    if (Object.keys(rest).length > 0) await db().update(users).set(rest).where(eq(users.id, user.id))
    const { key, secret } = await createKey(
      { ...parts, sha256 },
      { userId: user.id, name: 'test', expiresAt: null },
    )
    return { secret, userId: user.id, keyId: key.id }
  }
  const { secret } = await newKey()
  return {
    newKey,
    key: secret,
    send: (body, init = {}) =>
      fetch(`${url()}${init.path ?? '/v1/messages'}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': init.key ?? secret, ...init.headers },
        body:
          typeof body === 'string' || body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body),
        ...(init.signal ? { signal: init.signal } : {}),
      }),
    rows: (count) => polled(() => db().select().from(usageLogs).orderBy(usageLogs.id), count),
    async rowOf(answer) {
      const id = answer.headers.get('request-id') ?? ''
      const ofCall = () => db().select().from(usageLogs).where(eq(usageLogs.requestId, id))
      const [row] = await polled(ofCall, 1)
      if (!row) throw new Error(`the call ${id}, answered with ${answer.status}, has no row`)
      return row
    },
  }
}

/** A key of a new user that every process of the gateway knows already. */
export async function knownKey(
  { newKey, send }: Client,
  { atOnce }: Pick<Abilities, 'atOnce'>,
  given: Parameters<Client['newKey']>[0],
) {
  const key = await newKey(given)
  const body = { model: 'claude-opus-5-5', messages: [{ role: 'user', content: 'hi' }] }
  const status = async () => (await send(body, { key: key.secret, path: '/v1/messages/count_tokens' })).status
  const statuses = () => Promise.all(Array.from({ length: Math.min(atOnce, 10) }, status))
  const everywhere = async () => (await statuses()).every((got) => got === 200)
  await expect.poll(everywhere, { timeout: 15_000 }).toBe(true)
  return key
}

/** What `find` finds once it is `count`, or after 20 s. */
async function polled<T>(find: () => PromiseLike<T[]>, count: number): Promise<T[]> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const found = await find()
    if (found.length >= count || performance.now() > deadline) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
