/** Tokens of devices that are forged, copied, of elsewhere, or of a device that has ended. */
import { decodeJwt, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { notices, refreshTokens } from '../../core/db/schema.ts'
import { messageOf } from '../../core/notices/compose.ts'
import { createGroup } from '../../core/organisation/groups.ts'
import { removeMember, setMember } from '../../core/organisation/members.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import { deviceClient, HOME } from '../support/devices.ts'
import { memoryStore } from '../support/memory-store.ts'

const MINUTE = 60_000
const SECRET = 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a'
const SETTINGS = {
  server: { public_url: ORIGIN },
  auth: { session_secret: SECRET, email_domain: 'corp.test' },
}
const ELSEWHERE = '198.51.100.7'

let app: App
beforeEach(async () => {
  app = await startApp(SETTINGS)
})
afterEach(() => app.close())
const { begin, call, decide, form, letIn, poll, refresh, signedIn } = deviceClient(() => app)
const audited = async (action: string) => (await app.audit()).filter((row) => row.action === action)
const good = async (token: string, peer?: string) => {
  const { status, body } = await refresh(token, peer)
  expect(status).toBe(200)
  return body
}

describe('a refresh token that was replaced', () => {
  test('and comes back later is refused, noted and told once, while its device goes on', async () => {
    const { browser, tokens } = await signedIn()
    const next = await good(tokens.refresh_token)
    app.clock.advance(10 * MINUTE)
    for (let i = 0; i < 3; i++) {
      const late = await refresh(tokens.refresh_token, ELSEWHERE)
      expect([late.status, late.body.error]).toEqual([401, 'invalid_grant'])
    }
    expect(await audited('device.copied')).toMatchObject([
      { ip: ELSEWHERE, after: '{"reason":"replaced_token"}' },
    ])
    const told = await app.db.select().from(notices)
    expect(told.map(({ event }) => event)).toEqual(['device.copied'])
    const message = told[0] && (await messageOf(app.deps, told[0]))
    expect(message).toMatchObject({ tone: 'bad', link: { url: `${ORIGIN}/keys` } })
    await app.deps.courier.run()
    await app.settled()
    expect(app.mails.at(-1)?.subject).toContain('claude-code/2.1.332')
    expect((await call(next.access_token)).status).toBe(400)
    expect((await refresh(next.refresh_token)).status).toBe(200)
    expect((await browser.get('/api/devices')).body.devices).toHaveLength(1)
  })

  test('at its own address within ten minutes tells nobody, at a new one its person, who sees both and ends it', async () => {
    const { browser, tokens } = await signedIn()
    await good(tokens.refresh_token)
    app.clock.advance(MINUTE)
    await good(tokens.refresh_token)
    expect(await app.db.select().from(notices)).toEqual([])
    const copy = await good(tokens.refresh_token, ELSEWHERE)
    app.clock.advance(MINUTE)
    await good(copy.refresh_token, ELSEWHERE)
    expect(await audited('device.copied')).toMatchObject([
      { ip: ELSEWHERE, after: '{"reason":"new_address"}' },
    ])
    expect(await app.db.select().from(notices)).toHaveLength(1)
    const [device] = (await browser.get('/api/devices')).body.devices
    expect(device.addresses.map(({ ip }: { ip: string }) => ip)).toEqual([ELSEWHERE, HOME])
    await browser.delete(`/api/devices/${device.id}`)
    expect((await call(copy.access_token)).status).toBe(401)
    expect((await refresh(copy.refresh_token, ELSEWHERE)).status).toBe(401)
    expect(await app.db.select().from(refreshTokens)).toEqual([])
  })

  test('is not suspicious where a machine moves on with it, so that nobody is told of travelling', async () => {
    const { tokens } = await signedIn()
    let token = tokens.refresh_token
    for (const at of [ELSEWHERE, HOME, ELSEWHERE]) {
      app.clock.advance(60 * MINUTE)
      token = (await good(token, at)).refresh_token
    }
    expect(await app.db.select().from(notices)).toEqual([])
  })

  test('has at most eight others alive, of which the oldest ends', async () => {
    const { tokens } = await signedIn()
    const all = []
    for (let i = 0; i < 9; i++) {
      app.clock.advance(1_000)
      all.push((await good(tokens.refresh_token)).refresh_token)
    }
    const statuses = []
    for (const token of all) statuses.push((await refresh(token)).status)
    expect(statuses.sort()).toEqual([...Array(8).fill(200), 401])
    expect(
      (await app.db.select().from(refreshTokens)).filter(({ replacedAt }) => replacedAt === null),
    ).toHaveLength(8)
  })

  test('is used once by ten at the same moment, each of which gets tokens that work', async () => {
    const { tokens } = await signedIn()
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(tokens.refresh_token)))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    for (const { body } of answers) expect((await refresh(body.refresh_token)).status).toBe(200)
  })
})

describe('a forged token', () => {
  const altered = (token: string, part: number, change: (json: Record<string, unknown>) => object) => {
    const parts = token.split('.')
    const json = JSON.parse(Buffer.from(parts[part] ?? '', 'base64url').toString())
    return parts.with(part, Buffer.from(JSON.stringify(change(json))).toString('base64url')).join('.')
  }

  test.each([
    [
      'with other groups',
      (token: string) => altered(token, 1, (claims) => ({ ...claims, groups: ['admins'] })),
    ],
    ['of another device', (token: string) => altered(token, 1, (claims) => ({ ...claims, did: 'device x' }))],
    [
      'that lasts longer',
      (token: string) => altered(token, 1, (claims) => ({ ...claims, exp: 9_999_999_999 })),
    ],
    ['that says alg none', (token: string) => altered(token, 0, (header) => ({ ...header, alg: 'none' }))],
    ['without a signature', (token: string) => new UnsecuredJWT(decodeJwt(token)).encode()],
    ['with an empty signature', (token: string) => `${token.split('.').slice(0, 2).join('.')}.`],
    [
      'that names its own key',
      (token: string) =>
        altered(token, 0, (header) => ({ ...header, jku: 'https://evil.test', kid: '../../dev/null' })),
    ],
  ])('is refused: %s', async (_, forge) => {
    const { tokens } = await signedIn()
    const refused = await call(forge(tokens.access_token))
    expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([401, 'false'])
  })

  test('is refused that another kind of key signed, or the text of a public key, or the secret of sessions', async () => {
    const { tokens } = await signedIn()
    const claims = decodeJwt(tokens.access_token)
    const pair = await generateKeyPair('RS256', { extractable: true })
    const text = new TextEncoder()
    const keys = [
      ['RS256', pair.privateKey],
      ['HS256', text.encode(await exportSPKI(pair.publicKey))],
      ['HS256', text.encode(SECRET)],
      ['HS512', text.encode(SECRET.repeat(4))],
    ] as const
    for (const [alg, key] of keys) {
      const forged = await new SignJWT(claims).setProtectedHeader({ alg, typ: 'at+jwt' }).sign(key)
      expect((await call(forged)).status).toBe(401)
    }
  })

  test('gives nobody a group: what a token says of groups is for telemetry only', async () => {
    const parts = { ...app.deps, actor: COMMAND_LINE }
    const { browser, tokens: before } = await signedIn()
    const group = await createGroup(parts, { name: 'research' })
    const { id } = (await browser.get('/api/auth/me')).body.user
    await setMember(parts, group.id, id, 'member')
    const admin = await app.signIn('admin', 'admin')
    await admin.put(`/admin/api/groups/${group.id}/models`, { allow: [], deny: ['claude-opus-*'] })
    const ask = async (token: string) => {
      const body = JSON.stringify({
        model: 'claude-opus-5-5',
        max_tokens: 1,
        messages: [{ role: 'user', content: 'hi' }],
      })
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      return (await app.request('/v1/messages', { method: 'POST', headers, body })).status
    }
    const { access_token: within } = await good(before.refresh_token)
    expect([decodeJwt(before.access_token)['groups'], decodeJwt(within)['groups']]).toEqual([
      [],
      ['research'],
    ])
    expect([await ask(before.access_token), await ask(within)]).toEqual([400, 400])
    await removeMember(parts, group.id, id)
    await app.deps.keyCache.refresh()
    // There is no backend, which only an allowed call learns.
    expect([await ask(before.access_token), await ask(within)]).toEqual([503, 503])
  })
})

test('a token is good however many groups its person has, and whatever script they are named in', async () => {
  const { id, ...browser } = await app.signIn('ann')
  const parts = { ...app.deps, actor: COMMAND_LINE }
  for (let i = 0; i < 50; i++) {
    const group = await createGroup(parts, { name: `研发中心/平台工程部/${'组'.repeat(25)} ${i}` })
    await setMember(parts, group.id, id, 'member')
  }
  const { access_token: token } = await letIn(browser)
  expect((await call(token)).status).toBe(400)
  expect(decodeJwt(token)['groups']).toContain(`研发中心/平台工程部/${'组'.repeat(25)} 0`)
})

describe('several gateways', () => {
  test('do not take each other’s tokens: of another address, another secret, or on a copy of the data without an address', async () => {
    const store = await memoryStore()
    const kept = { ...store, close: async () => {} }
    await app.close()
    app = await startApp(SETTINGS, kept)
    const { tokens } = await signedIn()
    const others = [
      { ...SETTINGS, server: { public_url: 'https://other.test' } },
      { ...SETTINGS, server: {} },
      { ...SETTINGS, auth: { session_secret: `other ${SECRET}` } },
    ]
    for (const settings of others) {
      const other = await startApp(settings, kept)
      expect((await call(tokens.access_token, other)).status).toBe(401)
      await other.close()
    }
    expect((await call(tokens.access_token)).status).toBe(400)
    await store.close()
    app = await startApp(SETTINGS)
  })

  test('behind one name take tokens of each other at once, also of many who sign in within the same second', async () => {
    const store = await memoryStore()
    const kept = { ...store, close: async () => {} }
    await app.close()
    const second = await startApp(SETTINGS, kept)
    app = await startApp(SETTINGS, kept)
    for (let i = 0; i < 5; i++) {
      const { tokens } = await signedIn(`p${i}`)
      expect((await call(tokens.access_token, second)).status).toBe(400)
    }
    await second.close()
    await store.close()
  })

  test('whose clocks differ by a minute let a program wait and refresh as one', async () => {
    const store = await memoryStore()
    const kept = { ...store, close: async () => {} }
    await app.close()
    const ahead = await startApp(SETTINGS, kept)
    app = await startApp(SETTINGS, kept)
    ahead.clock.set(MINUTE)
    const browser = await app.signIn('ann')
    const { body: asked } = await begin()
    const fields = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: asked.device_code,
    }
    const pollAhead = () => form('/oauth/token', fields, HOME, ahead)
    for (let i = 0; i < 4; i++) {
      expect((await (i % 2 === 0 ? pollAhead() : poll(asked.device_code))).body.error).toBe(
        'authorization_pending',
      )
      app.clock.advance(5_000)
      ahead.clock.advance(5_000)
    }
    await decide(browser, asked.user_code)
    const { body: tokens } = await pollAhead()
    expect((await call(tokens.access_token)).status).toBe(400)
    const there = await form(
      '/oauth/token',
      { grant_type: 'refresh_token', refresh_token: tokens.refresh_token },
      HOME,
      ahead,
    )
    expect((await good(there.body.refresh_token)).token_type).toBe('Bearer')
    await ahead.close()
    await store.close()
  })
})
