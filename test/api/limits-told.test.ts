/** A limit that is nearly used up is told once, whichever process saw it. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { notices } from '../../core/db/schema.ts'
import { createKey } from '../../core/keys/manage.ts'
import { registerUser } from '../../core/users/manage.ts'
import { type App, startApp } from '../support/app.ts'
import { type Receiver, SECRET, startReceiver } from '../support/receivers.ts'
import { limitTo } from '../support/spend.ts'
import { fileStore } from '../support/stores.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

let upstream: FakeUpstream
let slack: Receiver
let feishu: Receiver
let store: Awaited<ReturnType<typeof fileStore>>
let apps: App[]
let key: string
let userId: number

beforeEach(async () => {
  upstream = await startUpstream()
  upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
  slack = await startReceiver('slack')
  feishu = await startReceiver('feishu')
  store = await fileStore()
  const file = {
    secrets: { key: 'f3b1c2d4e5a60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90' },
    notify: { allow_private: true },
    server: { public_url: 'http://gateway.test' },
    backends: [{ name: 'a', url: upstream.url, api_key: 'upstream-key' }],
  }
  const process = () => startApp(file, { db: store.db, close: async () => {} })
  apps = [await process(), await process()]
  const parts = { db: store.db, clock: systemClock, actor: COMMAND_LINE }
  const ann = await registerUser(parts, { itcode: 'ann@corp.test', role: 'user', quotaTokens: 0 })
  userId = ann?.id ?? 0
  key = (await createKey({ ...parts, sha256 }, { userId, name: 'x', expiresAt: null })).secret
  const root = await apps[0]?.signIn('root@corp.test', 'admin')
  const channel = (kind: string, target: object) =>
    root?.post('/admin/api/channels', { kind, name: kind, events: ['limit.reached'], target })
  await channel('slack', { url: slack.url })
  await channel('feishu', { url: feishu.url, secret: SECRET })
})
afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()))
  await store.close()
  await Promise.all([slack, feishu, upstream].map((one) => one.stop()))
})

async function call(app: App | undefined) {
  const answer = await app?.request('/v1/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({
      model: 'claude-haiku-5-5',
      max_tokens: 10,
      messages: [{ role: 'user', content: 'THE-PROMPT' }],
    }),
  })
  expect(answer?.status).toBe(200)
  await app?.settled()
}

test('a limit that two processes cross at 80 % at once is one notice, in the form of Slack and Feishu, with a link to ask for more', async () => {
  const [one, other] = apps
  const refresh = () => Promise.all(apps.map(({ deps }) => deps.keyCache.refresh()))
  const deliver = () =>
    Promise.all(
      apps.map(async (app) => {
        await app.deps.courier.run()
        await app.settled()
      }),
    )
  await refresh()
  await call(one)
  const [row] = (await one?.rows()) ?? []
  await limitTo(store.db, userId, (row?.costMicros ?? 0) * 10)
  await refresh()
  for (const app of [one, other, one, other, one]) await call(app)
  await deliver()
  expect(slack.received.map(({ body }) => body.text)).toEqual([
    '50 % of the monthly limit of ann@corp.test is used',
  ])
  await Promise.all([call(one), call(other)])
  await Promise.all([call(one), call(other)])
  await deliver()
  await deliver()
  const told = await store.db.select().from(notices)
  expect(told.map(({ data }) => JSON.parse(data).threshold)).toEqual([50, 80, 100])
  const titles = [
    '80 % of the monthly limit of ann@corp.test is used',
    'The monthly limit of ann@corp.test is used up',
  ]
  const sent = slack.received.slice(1)
  expect(sent.map(({ body }) => body.text)).toEqual(titles)
  expect(sent[0]?.body.blocks.at(-1).elements[0].url).toBe('http://gateway.test/requests')
  const cards = feishu.received.slice(1).map(({ body }) => body.card)
  expect(cards.map(({ header }) => header.title.content)).toEqual(titles)
  expect(cards[0]?.elements.at(-1).actions[0].url).toBe('http://gateway.test/requests')
  // The person is mailed as well, and nobody is told what was asked.
  const mails = apps.flatMap((app) => app.mails).filter(({ code }) => code === undefined)
  expect(mails.map(({ to }) => to)).toEqual(Array.from({ length: 3 }, () => 'ann@corp.test'))
  expect(JSON.stringify([slack.received, feishu.received, mails])).not.toContain('THE-PROMPT')
})
