/** Claude Code signs in, runs by a policy and is ended, whatever runtime the gateway is on. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerOf } from '../support/browser.ts'
import { type People, type Person, startPeople } from '../support/people.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const ADDRESS = 'http://gateway.test'
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
const SEEN = { timeout: 15_000 }

export function devicesContract({ name, start }: Runtime) {
  describe(`Claude Code that people sign in, on ${name}`, () => {
    let people: People
    let upstream: FakeUpstream
    let gateway: Gateway
    let boss: Person
    let ann: Person
    beforeAll(async () => {
      people = await startPeople(ADDRESS)
      upstream = await startUpstream()
      upstream.answer({
        headers: { 'content-type': 'application/json' },
        chunks: [messageJson({ usage: { input_tokens: 249_900, output_tokens: 20 } })],
      })
      gateway = await start({
        backends: [{ name: 'a', url: upstream.url }],
        auth: { send_code_url: people.url, admin_itcode: 'boss', email_domain: 'corp.test' },
        server: { public_url: ADDRESS },
      })
      boss = await people.signIn(gateway, 'boss@corp.test')
      ann = await people.signIn(gateway, 'ann@corp.test')
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
      await people?.stop()
    })

    const form = async (path: string, fields: Record<string, string>) =>
      answerOf(
        await fetch(`${gateway.url}${path}`, {
          method: 'POST',
          headers: { 'user-agent': 'claude-code/2.1.332' },
          body: new URLSearchParams(fields),
        }),
      )
    const refresh = (refresh_token: string) =>
      form('/oauth/token', { grant_type: 'refresh_token', refresh_token })
    const call = async (token: string, model = ASK.model) => {
      const headers = { 'x-api-key': '', authorization: `Bearer ${token}` }
      const answer = await gateway.send({ ...ASK, model }, { headers })
      await answer.text()
      return answer.status
    }
    const read = async (path: string, token: string, headers = {}) =>
      answerOf(
        await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } }),
      )
    /** Signs them in on a machine. */
    const signedIn = async (person: Person) => {
      const { body: asked } = await form('/oauth/device_authorization', { surface: 'claude_code' })
      const { user_code, device_code } = asked
      const looked = await person.post('/api/device/lookup', { user_code, typed: false })
      expect(looked.body.grant).toMatchObject({ client: 'claude-code/2.1.332', same_address: true })
      const decided = await person.post('/api/device/decide', { user_code, decision: 'approved' })
      expect(decided.status).toBe(200)
      const answer = await form('/oauth/token', { grant_type: DEVICE_GRANT, device_code })
      expect(answer.status).toBe(200)
      return answer.body
    }

    test('it finds its way by the gateway’s own address, waits for a person, and a code is good once', async () => {
      const found = await fetch(`${gateway.url}/.well-known/oauth-authorization-server`)
      expect(await found.json()).toMatchObject({ issuer: ADDRESS, token_endpoint: `${ADDRESS}/oauth/token` })
      const { body, headers } = await form('/oauth/device_authorization', { surface: 'claude_code' })
      expect(body).toMatchObject({ verification_uri: `${ADDRESS}/device`, expires_in: 600, interval: 5 })
      expect(headers.get('cache-control')).toBe('no-store')
      const { user_code, device_code } = body
      const ask = () => form('/oauth/token', { grant_type: DEVICE_GRANT, device_code })
      expect(await ask()).toMatchObject({ status: 400, body: { error: 'authorization_pending' } })
      expect(await ask()).toMatchObject({ status: 400, body: { error: 'slow_down' } })
      const decide = () => ann.post('/api/device/decide', { user_code, decision: 'denied' })
      expect([(await decide()).status, (await decide()).status]).toEqual([200, 404])
      expect(await ask()).toMatchObject({ status: 400, body: { error: 'access_denied' } })
    })

    test('who sets machines up is told what puts Claude Code on it in touch with this gateway', async () => {
      const listed = await answerOf(await fetch(`${gateway.url}/api/connect`))
      expect([listed.status, listed.body.url]).toEqual([200, ADDRESS])
      expect(listed.body.settings.length).toBeGreaterThan(8)
      const file = await fetch(`${gateway.url}/api/connect/linux`)
      expect(file.headers.get('content-disposition')).toContain('attachment')
      expect(await file.json()).toMatchObject({ forceLoginGatewayUrl: ADDRESS })
      expect((await fetch(`${gateway.url}/api/connect/amiga`)).status).toBe(404)
    })

    test('it calls by its token, which is refreshed also twice, and counts as its person’s', async () => {
      const { access_token, refresh_token, ...rest } = await signedIn(ann)
      expect(rest).toEqual({ token_type: 'Bearer', expires_in: 3600, email: 'ann@corp.test' })
      expect(await call(access_token)).toBe(200)
      const [one, other] = [await refresh(refresh_token), await refresh(refresh_token)]
      expect([one.status, other.status]).toEqual([200, 200])
      expect(await call(other.body.access_token)).toBe(200)
      const { devices } = (await ann.get('/api/devices')).body
      expect(devices).toMatchObject([{ name: 'claude-code/2.1.332', status: 'active' }])
      const usage = async () => (await read('/api/oauth/usage', access_token)).body.extra_usage.used_credits
      await expect.poll(usage, SEEN).toBe(200)
      expect((await refresh('rt-nonsense')).body).toMatchObject({ error: 'invalid_grant' })
    })

    test('a policy reaches it by checksum, and narrows its models', async () => {
      const { access_token } = await signedIn(ann)
      const settings = (headers = {}) => read('/managed/settings', access_token, headers)
      expect((await settings()).status).toBe(404)
      const policy = { name: 'all', settings: { availableModels: ['opus'] } }
      const made = await boss.post('/admin/api/policies', policy)
      expect(made.status).toBe(201)
      const got = await settings()
      expect(got.body.settings).toEqual(policy.settings)
      const etag = got.headers.get('etag') ?? ''
      expect([etag, (await settings({ 'if-none-match': etag })).status]).toEqual([
        `"${got.body.checksum}"`,
        304,
      ])
      await expect.poll(() => call(access_token, 'claude-haiku-5-5'), SEEN).toBe(400)
      expect(await call(access_token)).toBe(200)
      expect((await boss.delete(`/admin/api/policies/${made.body.policy.id}`)).status).toBe(200)
      await expect.poll(() => call(access_token, 'claude-haiku-5-5'), SEEN).toBe(200)
    })

    test.each(['signing out', 'its person', 'an administrator', 'disabling its person'])(
      'it is ended by %s',
      async (how) => {
        const person = await people.signIn(gateway, `p${crypto.randomUUID().slice(0, 8)}@corp.test`)
        const { access_token, refresh_token } = await signedIn(person)
        expect(await call(access_token)).toBe(200)
        const [device] = (await person.get('/api/devices')).body.devices
        const ends = {
          'signing out': () => form('/oauth/revoke', { token: access_token }),
          'its person': () => person.delete(`/api/devices/${device.id}`),
          'an administrator': () => boss.delete(`/admin/api/devices/${device.id}`),
        }
        const end =
          Reflect.get(ends, how) ?? (() => boss.put(`/admin/api/users/${person.id}`, { status: 'disabled' }))
        expect((await end()).status).toBe(200)
        await expect.poll(() => call(access_token), SEEN).toBeOneOf([401, 403])
        expect((await refresh(refresh_token)).status).toBe(401)
      },
    )
  })
}
