/** Backends that an administrator adds, changes and removes while the gateway runs, whatever runtime it is on. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Browser } from '../support/browser.ts'
import { type People, startPeople } from '../support/people.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const PATH = '/admin/api/backends'
const SLOW = { timeout: 20_000 }
const HELLO = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }

export function storedBackendsContract({ name, start }: Runtime) {
  describe(`backends that are added on ${name}`, () => {
    let people: People
    let file: FakeUpstream
    let added: FakeUpstream
    let gateway: Gateway
    let boss: Browser
    beforeAll(async () => {
      people = await startPeople()
      file = await startUpstream()
      added = await startUpstream()
      gateway = await start({
        auth: { send_code_url: people.url },
        secrets: { key: 'f3b1c2d4e5a60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90' },
        backends: [{ name: 'file', url: file.url, weight: 0.000_001 }],
      })
      boss = await people.signIn(gateway, 'chief', 'admin')
    })
    afterAll(async () => {
      await gateway?.stop()
      await Promise.all([people, file, added].map((one) => one?.stop()))
    })
    beforeEach(() => {
      file.reset()
      added.reset()
    })
    const settings = { name: 'added', url: '', api_key: 'key-of-added-4711', weight: 1000 }
    const send = () => gateway.send(HELLO).then((answer) => answer.text())
    /** Every process that answers calls knows it once many calls in a row went there. */
    const served = async (by: FakeUpstream) => {
      const before = by.requests.length
      for (let i = 0; i < 10; i++) await send()
      return by.requests.length - before
    }

    test('serve calls within a second, after a restart too, and none once they are removed', async () => {
      const made = await boss.post(PATH, { ...settings, url: added.url })
      expect([made.status, made.body.backend.source]).toEqual([201, 'api'])
      await expect.poll(() => served(added), SLOW).toBe(10)
      expect(added.requests.at(-1)?.headers['x-api-key']).toBe('key-of-added-4711')
      await gateway.restart()
      boss = await people.signIn(gateway, 'chief', 'admin')
      await expect.poll(() => served(added), SLOW).toBe(10)
      const tried = await boss.post(`${PATH}/added/test`)
      expect(tried.body.steps.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
        'passed',
        'passed',
        'passed',
      ])
      expect((await boss.put(`${PATH}/added`, { api_key: 'key-of-later-4712' })).status).toBe(200)
      const key = async () => {
        await send()
        return added.requests.at(-1)?.headers['x-api-key']
      }
      await expect.poll(key, SLOW).toBe('key-of-later-4712')
      expect((await boss.delete(`${PATH}/added`)).status).toBe(200)
      await expect.poll(() => served(file), SLOW).toBe(10)
      expect(gateway.output()).not.toMatch(/key-of-(added|later)/)
    })

    test('end their streams well when they are removed in the midst of one', async () => {
      await boss.post(PATH, { ...settings, url: added.url })
      await expect.poll(() => served(added), SLOW).toBe(10)
      const removed = Promise.withResolvers<void>()
      const frames = messageStream({ text: ['one', 'two', 'three'] })
      added.answer({ chunks: frames.flatMap((frame, i) => (i === 3 ? [frame, removed.promise] : [frame])) })
      const answer = await gateway.send({ ...HELLO, stream: true })
      expect((await boss.delete(`${PATH}/added`)).status).toBe(200)
      removed.resolve()
      expect(await answer.text()).toBe(frames.join(''))
      const row = await gateway.rowOf(answer)
      expect(row).toMatchObject({ backend: 'added', outcome: 'ok' })
    })
  })
}
