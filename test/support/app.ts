/** The whole gateway in this process: real core, functions and storage, a clock that stands still, mail that is kept. */

import { decompress } from '../../adapters/drivers/decompress.ts'
import { memoryHealth } from '../../adapters/drivers/health/memory.ts'
import { directRecords } from '../../adapters/drivers/ledger/direct.ts'
import { localLedger } from '../../adapters/drivers/ledger/local.ts'
import { ldapLogin } from '../../adapters/drivers/login/ldap.ts'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { sendTelemetry } from '../../adapters/drivers/telemetry/fetch.ts'
import { undiciUpstream } from '../../adapters/drivers/upstream/undici.ts'
import { createObservability } from '../../adapters/node/observability.ts'
import { followFleet } from '../../adapters/shared/follow-fleet.ts'
import { loginsFrom } from '../../adapters/shared/logins.ts'
import { notifierFrom } from '../../adapters/shared/notifier.ts'
import { createPendingWork } from '../../adapters/shared/pending-work.ts'
import { shippedAbilities } from '../../adapters/shared/tables.ts'
import { webWire } from '../../adapters/web/wire.ts'
import { settingsFrom } from '../../config/settings.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import type { User } from '../../core/auth/account.ts'
import { auditEvents, usageLogs } from '../../core/db/schema.ts'
import { createDeps, type Deps } from '../../core/deps.ts'
import type { Db, Mail, Site } from '../../core/ports.ts'
import { createUser, findUser, updateUser } from '../../core/users/manage.ts'
import { createGateway } from '../../functions/gateway.ts'
import { load, MINIMAL } from '../unit/config/settings.ts'
import { type Answer, answerOf, type Browser, browserOf } from './browser.ts'
import { type FakeClock, fakeClock } from './clock.ts'
import { type KeptLogs, keptLogs } from './logs.ts'
import { memoryStore, type OpenedStore } from './memory-store.ts'

export interface App {
  deps: Deps
  db: Db
  clock: FakeClock
  logs: KeptLogs
  mails: Mail[]
  /** Makes delivering fail. */
  failMail(fails: boolean): void
  browser(): Browser
  /** Signs in as this user through the interface; the account is made when it is missing. */
  signIn(itcode: string, role?: User['role'], browser?: Browser): Promise<Browser & { id: number }>
  /** The code that was mailed last. */
  code(): string
  request(path: string, init?: RequestInit & { peer?: string }): Promise<Answer>
  /** The same, for answers that do not end. */
  open(path: string, init?: RequestInit): Promise<Response>
  audit(): Promise<(typeof auditEvents.$inferSelect)[]>
  rows(): Promise<(typeof usageLogs.$inferSelect)[]>
  /** Waits for what goes on after the answers. */
  settled(): Promise<void>
  close(): Promise<void>
}

export const ORIGIN = 'http://gateway.test'

/** `file` is a configuration file's content, over a minimal one. */
export async function startApp(file: object = {}, given?: OpenedStore, site?: Site): Promise<App> {
  const store = given ?? (await memoryStore())
  const { db } = store
  const config = load({ ...MINIMAL, health: { startup_check: 'off' }, ...file })
  const clock = fakeClock()
  const logs = keptLogs()
  const mails: Mail[] = []
  const { waitUntil, settled } = createPendingWork()
  const upstream = undiciUpstream()
  let mailFails = false
  const settings = settingsFrom(config)
  const observability = createObservability({
    config,
    clock,
    logger: logs,
    channel: undefined,
    current: () => inForce(),
    leaving: () => false,
  })
  const gatewayParts = {
    observability,
    version: '1.2.3',
    db,
    clock,
    logger: logs,
    health: memoryHealth(),
    ledger: await localLedger({
      db,
      records: directRecords({ db, logger: logs }),
      failClosed: false,
      clock,
    }),
    upstream,
    mailer: {
      delivers: true,
      async send(mail: Mail) {
        if (mailFails) throw new Error('no mail today')
        mails.push(mail)
      },
    },
    notifier: notifierFrom(config, clock),
    abilities: shippedAbilities(),
    sha256,
    decompress,
    sendTelemetry,
    logins: loginsFrom(config, clock, ldapLogin),
    random: () => 0.5,
    waitUntil,
    // What app.request passes as the runtime's bindings.
    wire: webWire((_request, bindings) => Reflect.get(Object(bindings), 'peer') ?? '192.0.2.1', waitUntil),
    ...(site ? { site } : {}),
    accepting: () => true,
  }
  const inForce = await followFleet(
    config,
    { db, clock, logger: logs, waitUntil, platform: undefined, hasProxies: true },
    (change, fleet) => createDeps({ ...gatewayParts, ...change, fleet }),
  )
  await inForce().keyCache.refresh()
  let gateway = { of: inForce(), fetch: createGateway(inForce()).fetch }

  const fetchIn = () => {
    if (gateway.of !== inForce()) gateway = { of: inForce(), fetch: createGateway(inForce()).fetch }
    return gateway.fetch
  }
  const open = async (path: string, init: RequestInit = {}, bindings = {}) =>
    fetchIn()(new Request(`${ORIGIN}${path}`, init), bindings)
  const request: App['request'] = async (path, { peer, ...init } = {}) =>
    answerOf(await open(path, init, peer ? { peer } : {}))
  const browser = () => browserOf(request, () => ORIGIN)
  const code = () => mails.at(-1)?.code ?? ''
  return {
    get deps() {
      return inForce()
    },
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
      const parts = { db, clock, settings, actor: COMMAND_LINE }
      const known = await findUser(db, itcode)
      const user = known ?? (await createUser(parts, { itcode, role, quotaTokens: 0 }))
      if (user.role !== role) await updateUser(parts, user.id, { role })
      const invite_code = settings.auth.inviteCode || undefined
      const sent = await used.post('/api/auth/send-code', { itcode, invite_code })
      if (sent.status !== 200) throw new Error(`no code for ${itcode}: ${sent.text}`)
      await settled()
      const answer = await used.post('/api/auth/login', { itcode, code: code() })
      if (answer.status !== 200) throw new Error(`no session for ${itcode}: ${answer.text}`)
      return { ...used, id: user.id }
    },
    request,
    open,
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
