/** The whole way of a person and an administrator, over HTTP, whatever runtime the gateway is on. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const OPUS = 'claude-opus-5-5'

export function accountsContract({ name, start }: Runtime) {
  describe(`accounts on ${name}`, () => {
    const codes = new Map<string, string>()
    let post: Server
    let upstream: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      post = createServer(async (request, response) => {
        let body = ''
        for await (const chunk of request) body += chunk
        const { email, html } = JSON.parse(body)
        codes.set(email, /<h1>(\w+)<\/h1>/.exec(html)?.[1] ?? '')
        response.end()
      }).listen(0, '127.0.0.1')
      await new Promise((resolve) => post.once('listening', resolve))
      const { port } = post.address() as AddressInfo // it listens on a port
      upstream = await startUpstream()
      upstream.answer({
        chunks: messageStream({ usage: { input_tokens: 100 }, finalUsage: { output_tokens: 20 } }),
      })
      gateway = await start({
        backends: [{ name: 'a', url: upstream.url, api_key: 'key-of-a', weight: 1 }],
        auth: { send_code_url: `http://127.0.0.1:${port}/`, admin_itcode: 'boss' },
        models: { rules: [{ match: 'claude-opus-*', access: 'approval' }] },
      })
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
      post?.closeAllConnections()
      post?.close()
    })

    /** Somebody with a browser. */
    const person = () => {
      const cookies = new Map<string, string>()
      return async (method: string, path: string, body?: object) => {
        const answer = await fetch(`${gateway.url}${path}`, {
          method,
          headers: {
            'sec-fetch-site': 'same-origin',
            cookie: [...cookies].map(([key, value]) => `${key}=${value}`).join('; '),
            ...(body ? { 'content-type': 'application/json' } : {}),
          },
          ...(body ? { body: JSON.stringify(body) } : {}),
        })
        for (const line of answer.headers.getSetCookie()) {
          const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
          cookies.set(key, value)
        }
        const text = await answer.text()
        const json = answer.headers.get('content-type')?.startsWith('application/json')
          ? JSON.parse(text)
          : {}
        return { status: answer.status, text, json, headers: answer.headers }
      }
    }
    const signIn = async (ask: ReturnType<typeof person>, itcode: string) => {
      codes.delete(itcode)
      expect((await ask('POST', '/api/auth/send-code', { itcode })).status).toBe(200)
      await expect.poll(() => codes.get(itcode)).toBeDefined()
      const answer = await ask('POST', '/api/auth/login', { itcode, code: codes.get(itcode) })
      expect(answer.status).toBe(200)
      return answer.json.user.id as number
    }
    const call = async (key: string, model: string) => {
      const body = JSON.stringify({ model, max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] })
      const headers = { 'x-api-key': key, 'content-type': 'application/json' }
      const answer = await fetch(`${gateway.url}/v1/messages`, { method: 'POST', headers, body })
      await answer.text()
      return answer.status
    }

    test('sign in, make a key, call, see it, apply, be approved, call, be revoked, be disabled', async () => {
      const [ann, boss] = [person(), person()]
      const id = await signIn(ann, 'ann-new')
      await signIn(boss, 'boss')
      expect((await ann('GET', '/admin/api/users')).status).toBe(403)

      const made = await ann('POST', '/api/keys', { name: 'x' })
      expect([made.status, made.headers.get('x-content-type-options')]).toEqual([201, 'nosniff'])
      const { key: secret, id: keyId } = made.json.key
      expect(await call(secret, 'claude-haiku-5-5')).toBe(200)
      const logs = async () => (await ann('GET', '/api/usage')).json
      await expect.poll(async () => (await logs()).total).toBe(1)
      expect((await logs()).logs[0]).toMatchObject({
        model: 'claude-haiku-5-5',
        input_tokens: 100,
        output_tokens: 20,
      })
      expect((await ann('GET', '/api/usage/summary')).json.totals.requests).toBe(1)
      expect((await ann('GET', '/api/usage/export')).text.split('\n')[1]).toContain('claude-haiku-5-5')

      expect(await call(secret, OPUS)).toBe(400)
      const asked = await ann('POST', '/api/applications', { model: OPUS, reason: 'because' })
      expect((await ann('POST', '/api/applications', { model: OPUS, reason: 'because' })).status).toBe(409)
      const path = `/admin/api/applications/${asked.json.application.id}/review`
      const decided = await boss('PUT', path, { status: 'approved' })
      expect(decided.json.application.status).toBe('approved')
      expect((await boss('PUT', path, { status: 'rejected' })).status).toBe(409)
      await expect.poll(() => call(secret, OPUS), { timeout: 2_000 }).toBe(200)
      await boss('DELETE', `/admin/api/grants/${decided.json.application.grant_id}`)
      await expect.poll(() => call(secret, OPUS), { timeout: 2_000 }).toBe(400)

      expect((await boss('PUT', `/admin/api/keys/${keyId}/disable`)).status).toBe(200)
      await expect.poll(() => call(secret, 'claude-haiku-5-5'), { timeout: 2_000 }).toBe(401)
      expect((await ann('PUT', `/api/keys/${keyId}/enable`)).status).toBe(403)
      expect((await boss('PUT', `/admin/api/users/${id}`, { status: 'disabled' })).status).toBe(200)
      expect((await ann('GET', '/api/auth/me')).status).toBe(401)
      expect((await boss('GET', '/admin/api/audit?action=application.approve')).json.total).toBe(1)
      expect((await boss('GET', '/admin/api/backends')).json.backends).toMatchObject([
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
