/** The whole gateway in this process: real core, functions and storage, a clock that stands still, mail that is kept. */

import { memoryHealth } from '../../adapters/drivers/health/memory.ts'
import { directRecords } from '../../adapters/drivers/ledger/direct.ts'
import { localLedger } from '../../adapters/drivers/ledger/local.ts'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { undiciUpstream } from '../../adapters/drivers/upstream/undici.ts'
import { pricesFrom, shippedAbilities } from '../../adapters/node/tables.ts'
import { policyFrom } from '../../config/policy.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { auditEvents, usageLogs } from '../../core/db/schema.ts'
import { createDeps, type Deps } from '../../core/deps.ts'
import type { CodeMail, Db } from '../../core/ports.ts'
import { webWire } from '../../core/proxy/wire.ts'
import { createUser, findUser, updateUser } from '../../core/users/manage.ts'
import { createGateway } from '../../functions/gateway.ts'
import { load, MINIMAL } from '../config/settings.ts'
import { type FakeClock, fakeClock } from './clock.ts'
import { type KeptLogs, keptLogs } from './logs.ts'
import { memoryStore, type OpenedStore } from './stores.ts'

export interface Answer {
  status: number
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads from an answer it also asserts
  body: any
}

/** Somebody with a browser: keeps cookies, says where it comes from. */
export interface Browser {
  cookies: Map<string, string>
  get(path: string, init?: Init): Promise<Answer>
  post(path: string, body?: unknown, init?: Init): Promise<Answer>
  put(path: string, body?: unknown, init?: Init): Promise<Answer>
  delete(path: string, init?: Init): Promise<Answer>
}
export interface Init {
  /** Over the usual ones; '' leaves one out. */
  headers?: Record<string, string>
  /** The address that the connection comes from. */
  peer?: string
}

export interface App {
  deps: Deps
  db: Db
  clock: FakeClock
  logs: KeptLogs
  mails: CodeMail[]
  /** Makes delivering fail. */
  failMail(fails: boolean): void
  browser(): Browser
  /** Signs in as this user through the interface; the account is made when it is missing. */
  signIn(itcode: string, role?: 'user' | 'admin', browser?: Browser): Promise<Browser & { id: number }>
  /** The code that was mailed last. */
  code(): string
  request(path: string, init?: RequestInit & { peer?: string }): Promise<Answer>
  audit(): Promise<(typeof auditEvents.$inferSelect)[]>
  rows(): Promise<(typeof usageLogs.$inferSelect)[]>
  /** Waits for what goes on after the answers. */
  settled(): Promise<void>
  close(): Promise<void>
}

export const ORIGIN = 'http://gateway.test'

/** `settings` is a configuration file's content, over a minimal one. */
export async function startApp(settings: object = {}, given?: OpenedStore): Promise<App> {
  const store = given ?? (await memoryStore())
  const { db } = store
  const config = load({ ...MINIMAL, health: { startup_check: 'off' }, ...settings })
  const clock = fakeClock()
  const logs = keptLogs()
  const mails: CodeMail[] = []
  const pending = new Set<Promise<unknown>>()
  const upstream = undiciUpstream()
  let mailFails = false
  const waitUntil = (work: Promise<unknown>) => {
    const kept = work.finally(() => pending.delete(kept)).catch(() => {})
    pending.add(kept)
  }
  const policy = policyFrom(config)
  const deps = createDeps({
    db,
    clock,
    logger: logs,
    policy,
    health: memoryHealth(),
    ledger: await localLedger({
      db,
      records: directRecords({ db, logger: logs }),
      period: policy.limits.period,
      failClosed: false,
      clock,
    }),
    upstream,
    codes: {
      async send(mail) {
        if (mailFails) throw new Error('no mail today')
        mails.push(mail)
      },
    },
    prices: pricesFrom(config),
    abilities: shippedAbilities(),
    sha256,
    random: () => 0.5,
    waitUntil,
    // What app.request passes as the runtime's bindings.
    wire: webWire((_request, bindings) => Reflect.get(Object(bindings), 'peer') ?? '192.0.2.1', waitUntil),
    accepting: () => true,
  })
  await deps.directory.refresh()
  const gateway = createGateway(deps)

  const request: App['request'] = async (path, { peer, ...init } = {}) => {
    const answer = await gateway.fetch(new Request(`${ORIGIN}${path}`, init), peer ? { peer } : {})
    const text = await answer.text()
    const isJson = answer.headers.get('content-type')?.startsWith('application/json')
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      body: isJson ? JSON.parse(text) : undefined,
    }
  }
  const settled = async () => {
    while (pending.size > 0) await Promise.allSettled(pending)
  }
  const browser = (): Browser => {
    const cookies = new Map<string, string>()
    const ask = async (method: string, path: string, body: unknown, init: Init = {}) => {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const headers = {
        host: new URL(ORIGIN).host,
        ...(method === 'GET' ? {} : { origin: ORIGIN }),
        ...(cookie ? { cookie } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...init.headers,
      }
      const answer = await request(path, {
        method,
        ...(init.peer ? { peer: init.peer } : {}),
        headers: Object.entries(headers).filter(([, value]) => value !== ''),
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      for (const line of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        if (/max-age=0/i.test(line)) cookies.delete(name)
        else cookies.set(name, value)
      }
      return answer
    }
    return {
      cookies,
      get: (path, init) => ask('GET', path, undefined, init),
      post: (path, body, init) => ask('POST', path, body, init),
      put: (path, body, init) => ask('PUT', path, body, init),
      delete: (path, init) => ask('DELETE', path, undefined, init),
    }
  }
  const code = () => mails.at(-1)?.code ?? ''
  return {
    deps,
    db,
    clock,
    logs,
    mails,
    failMail(fails) {
      mailFails = fails
    },
    browser,
    code,
    async signIn(itcode, role = 'user', used = browser()) {
      const parts = { db, clock, actor: COMMAND_LINE }
      const known = await findUser(db, itcode)
      const user = known ?? (await createUser(parts, { itcode, role, quotaTokens: 0, budgetMicros: 0 }))
      if (user.role !== role) await updateUser(parts, user.id, { role })
      const invite_code = policy.auth.inviteCode || undefined
      const sent = await used.post('/api/auth/send-code', { itcode, invite_code })
      if (sent.status !== 200) throw new Error(`no code for ${itcode}: ${sent.text}`)
      await settled()
      const answer = await used.post('/api/auth/login', { itcode, code: code() })
      if (answer.status !== 200) throw new Error(`no session for ${itcode}: ${answer.text}`)
      return { ...used, id: user.id }
    },
    request,
    audit: () => db.select().from(auditEvents).orderBy(auditEvents.id),
    async rows() {
      await settled()
      return db.select().from(usageLogs).orderBy(usageLogs.id)
    },
    settled,
    async close() {
      await settled()
      await upstream.close()
      await store.close()
    },
  }
}
