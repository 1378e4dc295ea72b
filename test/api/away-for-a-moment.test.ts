/** What happened outside and does not happen again is written down, also where the database is away at that moment. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { openServer } from '../../adapters/drivers/storage/libsql-http.ts'
import { outageWriter } from '../../core/backends/outages.ts'
import { upstreamObjects } from '../../core/db/objects.ts'
import { auditEvents, batches, identities, noticeDeliveries, notices } from '../../core/db/schema.ts'
import { askProviders } from '../../core/identity/refresh.ts'
import { createCourier } from '../../core/notices/courier.ts'
import { noticeRow } from '../../core/notices/outbox.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { HranaServer } from '../support/hrana.ts'
import { CLIENT, signInAt, startOidc } from '../support/oidc.ts'
import { startDatabase } from '../support/stores.ts'

const HOUR = 3_600_000
const SECRET = '9f1c07be52d84a63b1e7c05d4f8a92e6d3b7'
let server: HranaServer
let app: App | undefined
beforeEach(async () => {
  server = await startDatabase()
  app = undefined
})
afterEach(async () => {
  server.down(false)
  await app?.close()
  await server.stop()
})

async function start(file: object = {}) {
  const { db, close } = openServer(server.url, server.token)
  const started = await startApp(file, { db, close })
  app = started
  return started
}

/** The database comes back once it was missed. Resolves as `work`, which waits for it. */
async function comesBack<T>({ clock }: App, work: Promise<T>): Promise<T> {
  let over = false
  const ended = work.finally(() => {
    over = true
  })
  await expect.poll(server.missed).toBeGreaterThan(0)
  server.down(false)
  const later = () => {
    clock.advance(50)
    return over
  }
  await expect.poll(later).toBe(true)
  return ended
}

test('the new token of a person, because they would be paused for the old one an hour later', async () => {
  const okta = await startOidc({ redirectUris: [`${ORIGIN}/api/auth/oidc/okta/callback`] })
  onTestFinished(() => okta.stop())
  const gateway = await start({
    server: { public_url: ORIGIN },
    secrets: { key: SECRET },
    auth: { session_secret: SECRET },
    oidc: { providers: [{ name: 'okta', label: 'Okta', issuer: okta.issuer, ...CLIENT }] },
  })
  okta.people.set('ann', { claims: { email: 'ann@example.com', email_verified: true } })
  okta.who = 'ann'
  const ann = gateway.browser()
  await signInAt(okta, ann, 'okta')
  gateway.clock.advance(HOUR)
  const { promise, resolve } = Promise.withResolvers<void>()
  okta.hold = promise
  const asked = askProviders(gateway.deps)
  const claimed = async () => (await gateway.db.select().from(identities))[0]?.claimedUntil ?? 0
  await expect.poll(claimed).toBeGreaterThan(gateway.clock.now())
  server.down(true)
  resolve()
  await comesBack(gateway, asked)
  okta.hold = undefined
  gateway.clock.advance(HOUR)
  await askProviders(gateway.deps)
  expect(okta.asked).toEqual(['authorization_code', 'refresh_token', 'refresh_token'])
  expect((await ann.get('/api/auth/me')).status).toBe(200)
})

/** A gateway on an account that makes this, and with whose answer the database is away. */
async function startMaking(made: object) {
  const account = createServer((request, response) => {
    request.resume().once('end', () => {
      server.down(true)
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(made))
    })
  }).listen(0, '127.0.0.1')
  await once(account, 'listening')
  onTestFinished(() => void account.close())
  // It listens on a port.
  const url = `http://127.0.0.1:${(account.address() as AddressInfo).port}`
  const gateway = await start({ backends: [{ name: 'a', url, api_key: 'k' }] })
  const key: string = (await (await gateway.signIn('ann')).post('/api/keys', { name: 'x' })).body.key.key
  return { gateway, key }
}

test('that an account made a batch, because whoever is told of an error makes another one', async () => {
  const made = { id: 'msgbatch_1', type: 'message_batch', processing_status: 'in_progress' }
  const { gateway, key } = await startMaking(made)
  const ask = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
  const answer = gateway.request('/v1/messages/batches', {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ requests: [{ custom_id: 'r', params: ask }] }),
  })
  expect(await comesBack(gateway, answer)).toMatchObject({ status: 200, body: { id: 'msgbatch_1' } })
  expect(await gateway.db.select().from(batches)).toMatchObject([{ id: 'msgbatch_1', state: 'open' }])
})

test('whose a file is that an account took, because it would have to be uploaded again', async () => {
  const { gateway, key } = await startMaking({ id: 'file_1', type: 'file' })
  const body = new FormData()
  body.set('file', new Blob(['of ann']), 'a.txt')
  const answer = gateway.request('/v1/files', { method: 'POST', headers: { 'x-api-key': key }, body })
  expect(await comesBack(gateway, answer)).toMatchObject({ status: 200, body: { id: 'file_1' } })
  expect(await gateway.db.select().from(upstreamObjects)).toMatchObject([{ id: 'file_1', backend: 'a' }])
})

test('that an account is out and back, for the audit and for who looks after it', async () => {
  const gateway = await start()
  const writer = outageWriter(gateway.deps)
  server.down(true)
  writer.onOutage({ backend: 'a', state: 'disabled', reason: 'it answered 401' })
  writer.onRecovery('a')
  await comesBack(gateway, gateway.settled())
  const told = await gateway.db.select().from(notices)
  expect(told.map(({ event }) => event).sort()).toEqual(['backend.back', 'backend.out'])
  const isOut = eq(auditEvents.action, 'backend.disabled')
  expect(await gateway.db.select().from(auditEvents).where(isOut)).toHaveLength(1)
})

test('that a message was sent, because it would be sent again', async () => {
  const gateway = await start()
  await gateway.signIn('boss@example.com', 'admin')
  const sent: string[] = []
  const mailer = {
    delivers: true,
    async send({ to }: { to: string }) {
      sent.push(to)
      server.down(true)
    },
  }
  const courier = createCourier({ ...gateway.deps, mailer })
  const data = { backend: 'a', state: 'ejected', reason: 'no answer' } as const
  await noticeRow(gateway.db, { event: 'backend.out', data, key: 'x', at: gateway.clock.now() })
  await courier.run()
  await comesBack(gateway, gateway.settled())
  gateway.clock.advance(HOUR)
  await courier.run()
  await gateway.settled()
  expect(sent).toHaveLength(1)
  expect(await gateway.db.select().from(noticeDeliveries)).toMatchObject([{ dueAt: null, lastError: null }])
})
