/** The whole way of a person and an administrator, over HTTP, whatever runtime the gateway is on. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type People, startPeople } from '../support/people.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const OPUS = 'claude-opus-5-5'

export function accountsContract({ name, start }: Runtime) {
  describe(`accounts on ${name}`, () => {
    let people: People
    let upstream: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      people = await startPeople()
      upstream = await startUpstream()
      upstream.answer({
        chunks: messageStream({ usage: { input_tokens: 100 }, finalUsage: { output_tokens: 20 } }),
      })
      gateway = await start({
        backends: [{ name: 'a', url: upstream.url, api_key: 'key-of-a', weight: 1 }],
        auth: { send_code_url: people.url, admin_itcode: 'boss' },
        models: { rules: [{ match: 'claude-opus-*', access: 'approval' }] },
      })
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
      await people?.stop()
    })

    const call = async (key: string, model: string) => {
      const body = { model, max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
      const answer = await gateway.send(body, { key })
      await answer.text()
      return answer.status
    }

    test('sign in, make a key, call, see it, apply, be approved, call, be revoked, be disabled', async () => {
      const ann = await people.signIn(gateway, 'ann-new')
      const boss = await people.signIn(gateway, 'boss')
      expect((await ann.get('/admin/api/users')).status).toBe(403)

      const made = await ann.post('/api/keys', { name: 'x' })
      expect([made.status, made.headers.get('x-content-type-options')]).toEqual([201, 'nosniff'])
      const { key: secret, id: keyId } = made.body.key
      expect(await call(secret, 'claude-haiku-5-5')).toBe(200)
      const logs = async () => (await ann.get('/api/usage')).body
      await expect.poll(async () => (await logs()).total).toBe(1)
      expect((await logs()).logs[0]).toMatchObject({
        model: 'claude-haiku-5-5',
        input_tokens: 100,
        output_tokens: 20,
      })
      expect((await ann.get('/api/usage/summary')).body.totals.requests).toBe(1)
      expect((await ann.get('/api/usage/export')).text.split('\n')[1]).toContain('claude-haiku-5-5')

      expect(await call(secret, OPUS)).toBe(400)
      const asked = await ann.post('/api/applications', { model: OPUS, reason: 'because' })
      expect((await ann.post('/api/applications', { model: OPUS, reason: 'because' })).status).toBe(409)
      const path = `/admin/api/applications/${asked.body.application.id}/review`
      const decided = await boss.put(path, { status: 'approved' })
      expect(decided.body.application.status).toBe('approved')
      expect((await boss.put(path, { status: 'rejected' })).status).toBe(409)
      await expect.poll(() => call(secret, OPUS), { timeout: 2_000 }).toBe(200)
      await boss.delete(`/admin/api/grants/${decided.body.application.grant_id}`)
      await expect.poll(() => call(secret, OPUS), { timeout: 2_000 }).toBe(400)

      expect((await boss.put(`/admin/api/keys/${keyId}/disable`)).status).toBe(200)
      await expect.poll(() => call(secret, 'claude-haiku-5-5'), { timeout: 2_000 }).toBe(401)
      expect((await ann.put(`/api/keys/${keyId}/enable`)).status).toBe(403)
      expect((await boss.put(`/admin/api/users/${ann.id}`, { status: 'disabled' })).status).toBe(200)
      expect((await ann.get('/api/auth/me')).status).toBe(401)
      expect((await boss.get('/admin/api/audit?action=application.approve')).body.total).toBe(1)
      expect((await boss.get('/admin/api/backends')).body.backends).toMatchObject([
        { name: 'a', state: 'healthy' },
      ])
    }, 30_000)

    test('who is not signed in, or comes from elsewhere, gets nothing', async () => {
      const answer = await fetch(`${gateway.url}/api/keys`)
      expect([answer.status, await answer.json()]).toMatchObject([401, { error: { code: 'not_signed_in' } }])
      const foreign = await fetch(`${gateway.url}/api/auth/send-code`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: 'http://evil.test' },
        body: '{"itcode":"x"}',
      })
      expect(foreign.status).toBe(403)
      expect((await fetch(`${gateway.url}/openapi.json`)).status).toBe(200)
    })
  })
}
