/** Telling people: channels, what reaches them, and who gets mail. */

import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { noticeChannels, noticeDeliveries, users } from '../../core/db/schema.ts'
import { createCourier } from '../../core/notices/courier.ts'
import { noticeRow } from '../../core/notices/outbox.ts'
import { type App, startApp } from '../support/app.ts'
import { type Receiver, SECRET, startReceiver } from '../support/receivers.ts'

const KEY = 'f3b1c2d4e5a60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90'
const NAMES = { name: 'Ops', events: ['application.made', 'backend.out'] }
let app: App
let slack: Receiver
let feishu: Receiver
let webhook: Receiver

beforeEach(async () => {
  ;[slack, feishu, webhook] = await Promise.all([
    startReceiver('slack'),
    startReceiver('feishu'),
    startReceiver('webhook'),
  ])
  app = await startApp({
    secrets: { key: KEY },
    notify: { allow_private: true },
    server: { public_url: 'http://gateway.test' },
    models: { default_access: 'approval' },
  })
})
afterEach(async () => {
  await app.close()
  await Promise.all([slack, feishu, webhook].map((one) => one.stop()))
})

async function told() {
  await app.deps.courier.run()
  await app.settled()
}
const out = (key: string) =>
  ({
    event: 'backend.out',
    data: { backend: 'main', state: 'ejected', reason: 'no answer' },
    key,
    at: app.clock.now(),
  }) as const

describe('a channel', () => {
  test('is set up, changed, tried out and removed by admins, and no answer, log or audit shows its address', async () => {
    const root = await app.signIn('root', 'admin')
    const made = await root.post('/admin/api/channels', {
      ...NAMES,
      kind: 'feishu',
      language: 'zh',
      target: { url: feishu.url, secret: SECRET },
    })
    expect(made.status).toBe(201)
    const { id } = made.body.channel
    const tried = await root.post(`/admin/api/channels/${id}/test`)
    expect(tried.body).toEqual({ delivered: true, error: null })
    expect(feishu.received[0]?.body.card.header.title.content).toBe('Claude Gateway 的消息可以送达 Ops')
    const changed = await root.put(`/admin/api/channels/${id}`, { target: { url: feishu.url } })
    expect(changed.status).toBe(200)
    // The old secret went with the old address.
    expect((await root.post(`/admin/api/channels/${id}/test`)).body).toEqual({
      delivered: false,
      error: 'it answered 19021: sign match fail or timestamp',
    })
    const listed = await root.get('/admin/api/channels')
    expect(listed.body.channels[0]).toMatchObject({
      name: 'Ops',
      kind: 'feishu',
      host: new URL(feishu.url).host,
    })
    const gone = await root.delete(`/admin/api/channels/${id}`)
    expect([gone.status, (await root.post(`/admin/api/channels/${id}/test`)).status]).toEqual([200, 404])
    const audit = await app.audit()
    expect(audit.map(({ action }) => action).filter((action) => action.startsWith('channel.'))).toEqual([
      'channel.create',
      'channel.update',
      'channel.delete',
    ])
    const stored = JSON.stringify([made, changed, listed, audit, app.logs.lines])
    expect(stored).not.toContain('T0K3N')
    expect(stored).not.toContain(SECRET)
  })

  test('is stored encrypted', async () => {
    const root = await app.signIn('root', 'admin')
    await root.post('/admin/api/channels', { ...NAMES, kind: 'slack', target: { url: slack.url } })
    const rows = JSON.stringify(await app.db.select().from(noticeChannels))
    expect(rows).not.toContain('T0K3N')
  })

  test.each([
    [{ kind: 'slack', target: { url: 'ftp://chat.test/' } }, 'target.url'],
    [{ kind: 'slack', target: { url: 'https://chat.test/', secret: SECRET } }, 'target.secret'],
    [{ kind: 'webhook', target: { url: 'https://chat.test/' } }, 'target.secret'],
    [{ kind: 'slack', target: { url: 'https://chat.test/' }, events: ['audit'] }, 'events'],
    [{ kind: 'slack', target: { url: 'https://chat.test/' }, name: 'a\r\nb' }, 'name'],
  ])('that cannot be is refused: %j', async (wanted, field) => {
    const root = await app.signIn('root', 'admin')
    const { status, body } = await root.post('/admin/api/channels', { ...NAMES, ...wanted })
    expect([status, Object.keys(body.error.fields)]).toEqual([400, [field]])
  })

  test('that was switched off gets nothing', async () => {
    const root = await app.signIn('root', 'admin')
    const target = { url: slack.url }
    await root.post('/admin/api/channels', { ...NAMES, kind: 'slack', enabled: false, target })
    await noticeRow(app.db, out('1'))
    await told()
    expect(slack.received).toEqual([])
  })
})

test('without a key to encrypt with there are no channels, and the answer says what to set', async () => {
  const plain = await startApp()
  const root = await plain.signIn('root', 'admin')
  const target = { url: 'https://hooks.chat.test/a' }
  const { status, body } = await root.post('/admin/api/channels', { ...NAMES, kind: 'slack', target })
  expect([status, body.error.message]).toEqual([
    409,
    'Set secrets.key in the configuration first: it encrypts the addresses of channels.',
  ])
  await plain.close()
})

test('private addresses are refused unless the configuration allows them', async () => {
  const strict = await startApp({ secrets: { key: KEY } })
  const root = await strict.signIn('root', 'admin')
  for (const url of ['https://10.0.0.1/hook', 'https://[::1]/', 'https://169.254.169.254/', slack.url]) {
    const { status } = await root.post('/admin/api/channels', { ...NAMES, kind: 'slack', target: { url } })
    expect([url, status]).toEqual([url, 400])
  }
  await strict.close()
})

describe('a notice', () => {
  test('of an application reaches the channels and those who decide, with a link that leads there', async () => {
    const root = await app.signIn('root@corp.test', 'admin')
    const ann = await app.signIn('ann@corp.test')
    await app.signIn('ben@corp.test')
    await root.post('/admin/api/channels', { ...NAMES, kind: 'slack', target: { url: slack.url } })
    app.mails.length = 0
    const asked = await ann.post('/api/applications', {
      model: 'claude-opus-5-5',
      reason: 'For\r\nBcc: all',
    })
    expect(asked.status).toBe(201)
    await told()
    const [message, ...more] = slack.received
    expect(more).toEqual([])
    expect(message?.body.text).toBe('ann@corp.test applies for the model claude-opus-5-5')
    const link = message?.body.blocks.at(-1).elements[0].url
    expect(link).toBe(`http://gateway.test/requests#application-${asked.body.application.id}`)
    expect(JSON.stringify(message?.body)).toContain('For Bcc: all')
    expect(app.mails.map(({ to }) => to)).toEqual(['root@corp.test'])
    expect(app.mails[0]?.text).toContain(link)
  })

  test('is sent again, later and later, until the channel takes it, and others do not wait', async () => {
    const root = await app.signIn('root', 'admin')
    await root.post('/admin/api/channels', { ...NAMES, kind: 'slack', target: { url: slack.url } })
    await root.post('/admin/api/channels', {
      ...NAMES,
      kind: 'feishu',
      target: { url: feishu.url, secret: SECRET },
    })
    slack.will('refuse')
    await noticeRow(app.db, out('1'))
    await noticeRow(app.db, out('2'))
    await told()
    expect([slack.received.length, feishu.received.length]).toEqual([0, 2])
    const failing = (await root.get('/admin/api/channels')).body.channels[0]
    expect(failing).toMatchObject({ last_error: 'it answered 503: busy' })
    slack.will('take')
    await told()
    expect(slack.received).toHaveLength(0)
    app.clock.advance(10_000)
    await told()
    expect(slack.received).toHaveLength(2)
    expect((await root.get('/admin/api/channels')).body.channels[0]).toMatchObject({ failing_since: null })
    const left = await app.db.select().from(noticeDeliveries)
    expect(left.filter(({ dueAt }) => dueAt !== null)).toEqual([])
  })

  test('waits for the one before it, so that the last word about a backend is the last that a chat reads', async () => {
    const root = await app.signIn('root', 'admin')
    const events = ['backend.out', 'backend.back']
    await root.post('/admin/api/channels', { ...NAMES, events, kind: 'slack', target: { url: slack.url } })
    const back = (key: string) =>
      noticeRow(app.db, { event: 'backend.back', data: { backend: 'main' }, key, at: app.clock.now() })
    slack.will('refuse')
    await noticeRow(app.db, out('1'))
    await told()
    app.clock.advance(5_000)
    await back('1')
    await told()
    app.clock.advance(5_000)
    await told()
    await noticeRow(app.db, out('2'))
    await told()
    slack.will('take')
    app.clock.advance(20_000)
    await back('2')
    await told()
    const ends = slack.received.map(({ body }) => (body.text.endsWith('again') ? 'back' : 'out'))
    expect(ends).toEqual(['out', 'back', 'out', 'back'])
  })

  test('that a channel refuses for what it says does not hold up the others for long', async () => {
    const root = await app.signIn('root', 'admin')
    const events = ['backend.out']
    await root.post('/admin/api/channels', { ...NAMES, events, kind: 'slack', target: { url: slack.url } })
    slack.refuses('main')
    await noticeRow(app.db, out('1'))
    for (let minute = 0; minute < 150; minute++) {
      await told()
      app.clock.advance(60_000)
    }
    const data = { ...out('2').data, backend: 'spare' }
    await noticeRow(app.db, { ...out('2'), data })
    await told()
    expect(slack.received.map(({ body }) => body.text)).toEqual(['The backend spare takes no calls'])
    expect(app.logs.lines.map(({ event }) => event)).toContain('notice.given_up')
  })
})

test('a mail server that does not answer holds up no channel, however many mails wait for it', async () => {
  const root = await app.signIn('root@corp.test', 'admin')
  const events = ['backend.back']
  await root.post('/admin/api/channels', { ...NAMES, events, kind: 'slack', target: { url: slack.url } })
  for (let i = 0; i < 12; i++) await app.signIn(`admin${i}@corp.test`, 'admin')
  const { promise: answer, resolve } = Promise.withResolvers<void>()
  const courier = createCourier({ ...app.deps, mailer: { delivers: true, send: () => answer } })
  await noticeRow(app.db, out('1'))
  await courier.run()
  const back = { event: 'backend.back', data: { backend: 'main' }, key: '1', at: app.clock.now() } as const
  await noticeRow(app.db, back)
  await courier.run()
  await vi.waitFor(() => expect(slack.received).toHaveLength(1), 30_000).finally(resolve)
  await app.settled()
})

describe('a webhook that takes the audit', () => {
  test('gets every event in order, in batches, and again what it did not take', async () => {
    const root = await app.signIn('root', 'admin')
    const target = { url: webhook.url, secret: SECRET }
    await root.post('/admin/api/channels', { kind: 'webhook', name: 'SIEM', events: ['audit'], target })
    const made = (await app.audit()).at(-1)?.id ?? 0
    for (let i = 0; i < 120; i++) await root.post('/admin/api/groups', { name: `group ${i}` })
    webhook.will('refuse')
    await told()
    expect(webhook.received).toEqual([])
    webhook.will('take')
    app.clock.advance(10_000)
    await told()
    const ids = webhook.received.flatMap(({ body }) => body.events.map((event: { id: number }) => event.id))
    expect(webhook.received.map(({ body }) => [body.event, body.events.length])).toEqual([
      ['audit', 100],
      ['audit', 21],
    ])
    expect(ids).toEqual(Array.from({ length: 121 }, (_, i) => made + i))
    expect(webhook.received[0]?.body.events[1]).toMatchObject({
      action: 'group.create',
      actor_itcode: 'root',
    })
  })
})

describe('people', () => {
  test('are mailed unless they or the administrators chose otherwise', async () => {
    const root = await app.signIn('root@corp.test', 'admin')
    const second = await app.signIn('second@corp.test', 'admin')
    const mailed = async (key: string) => {
      app.mails.length = 0
      await noticeRow(app.db, out(key))
      await told()
      return app.mails.map(({ to }) => to).sort()
    }
    expect(await mailed('1')).toEqual(['root@corp.test', 'second@corp.test'])
    const event = 'backend.out'
    await root.put('/admin/api/notices/preferences', { preferences: [{ event, wanted: false }] })
    expect(await mailed('2')).toEqual([])
    const chosen = await second.put('/api/notices/preferences', { preferences: [{ event, wanted: true }] })
    expect(chosen.body.preferences).toContainEqual({ event, wanted: true, chosen: true })
    expect(await mailed('3')).toEqual(['second@corp.test'])
    await second.put('/api/notices/preferences', { preferences: [{ event, wanted: null }] })
    expect(await mailed('4')).toEqual([])
    expect((await app.audit()).at(-1)).toMatchObject({ action: 'notices.defaults' })
  })

  test('cannot put headers or markup of their own into a mail', async () => {
    const root = await app.signIn('root@corp.test', 'admin')
    const name = 'Ann\r\nBcc: all@corp.test <b>x</b>'
    const ann = await app.signIn('ann@corp.test')
    await app.db.update(users).set({ name }).where(eq(users.id, ann.id))
    app.mails.length = 0
    await ann.post('/api/applications', { model: 'claude-opus-5-5', reason: '<script>' })
    await told()
    const [mail] = app.mails
    expect(mail?.to).toBe('root@corp.test')
    expect(mail?.subject).not.toMatch(/[\r\n]/)
    expect(mail?.html).not.toMatch(/<b>|<script>/)
    expect(root.id).toBeGreaterThan(0)
  })
})
