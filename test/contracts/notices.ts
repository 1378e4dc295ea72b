/** What people and channels are told, whatever runtime the gateway is on. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type People, startPeople } from '../support/people.ts'
import { type Receiver, SECRET, startReceiver } from '../support/receivers.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const FABLE = 'claude-fable-5'

export function noticesContract({ name, start }: Runtime) {
  describe(`telling people on ${name}`, () => {
    let upstream: FakeUpstream
    let people: People
    let feishu: Receiver
    let webhook: Receiver
    let gateway: Gateway
    beforeAll(async () => {
      upstream = await startUpstream()
      upstream.models([FABLE])
      people = await startPeople()
      feishu = await startReceiver('feishu')
      webhook = await startReceiver('webhook')
      gateway = await start({
        auth: { send_code_url: people.url },
        secrets: { key: 'f3b1c2d4e5a60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90' },
        notify: { allow_private: true },
        models: { rules: [{ match: 'claude-fable-*', access: 'approval' }] },
        backends: [{ name: 'a', url: upstream.url }],
      })
    })
    afterAll(async () => {
      await gateway?.stop()
      await Promise.all([people, feishu, webhook, upstream].map((one) => one?.stop()))
    })

    test('an application reaches a chat, and the audit a webhook, although both failed at first', async () => {
      const boss = await people.signIn(gateway, 'chief', 'admin')
      const ann = await people.signIn(gateway, 'ann')
      const channel = (kind: string, url: string, events: string[]) =>
        boss.post('/admin/api/channels', { kind, name: kind, events, target: { url, secret: SECRET } })
      await channel('feishu', feishu.url, ['application.made'])
      const made = await channel('webhook', webhook.url, ['audit'])
      expect(made.status).toBe(201)
      const tried = await boss.post(`/admin/api/channels/${made.body.channel.id}/test`)
      expect(tried.body).toEqual({ delivered: true, error: null })
      webhook.received.length = 0
      feishu.will('refuse')
      webhook.will('refuse')
      expect((await ann.post('/api/applications', { model: FABLE, reason: 'For work.' })).status).toBe(201)
      const failing = async () => {
        await gateway.runTasks()
        const { body } = await boss.get('/admin/api/channels')
        return body.channels.map((one: { last_error: string | null }) => one.last_error !== null)
      }
      await expect.poll(failing, { timeout: 20_000 }).toEqual([true, true])
      feishu.will('take')
      webhook.will('take')
      const titles = async () => {
        await gateway.runTasks()
        // Where requests alone make tasks run.
        await boss.get('/admin/api/channels')
        return feishu.received.map(({ body }) => body.card.header.title.content)
      }
      await expect
        .poll(titles, { timeout: 40_000, interval: 500 })
        .toEqual([`ann applies for the model ${FABLE}`])
      const actions = async () => {
        await titles()
        return webhook.received.flatMap(({ body }) =>
          body.events.map(({ action }: { action: string }) => action),
        )
      }
      await expect.poll(actions, { timeout: 40_000, interval: 500 }).toContain('application.create')
    }, 120_000)
  })
}
