/** Signing in with Feishu, against a double of the calls that its documentation describes. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { identities, users } from '../../core/db/schema.ts'
import { askProviders } from '../../core/identity/refresh.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'

const asked: { path: string; body: Record<string, unknown>; authorization: string | undefined }[] = []
/** The code of the token endpoint's answers: 0 is right. */
let answer = 0
const server = createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  const { authorization } = request.headers
  asked.push({ path: request.url ?? '', body: body === '' ? {} : JSON.parse(body), authorization })
  const person = { union_id: 'on_1', open_id: 'ou_1', name: '王五', enterprise_email: 'wang@corp.test' }
  const tokens = {
    access_token: 'at',
    refresh_token: `rt${asked.length}`,
    expires_in: 7200,
    token_type: 'Bearer',
  }
  const right = request.url?.endsWith('/token')
    ? { code: 0, ...tokens }
    : { code: 0, msg: 'success', data: person }
  response.end(JSON.stringify(answer === 0 ? right : { code: answer, error: 'invalid_grant' }))
})
let app: App
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // it listens on a port
  app = await startApp({
    server: { public_url: ORIGIN },
    secrets: { key: '9f1c07be52d84a63b1e7c05d4f8a92e6d3b7' },
    feishu: { app_id: 'cli_a1', app_secret: '4e1b77c0a9d2', accounts_url: url, api_url: url },
  })
})
afterAll(async () => {
  await app.close()
  server.close()
})

test('people sign in with Feishu, go on while it lets them, and are paused when it does not', async () => {
  const browser = app.browser()
  const start = await browser.get('/api/auth/oidc/feishu/start?next=/keys')
  const address = new URL(start.headers.get('location') ?? '')
  const redirect = `${ORIGIN}/api/auth/oidc/feishu/callback`
  expect(Object.fromEntries(address.searchParams)).toMatchObject({
    client_id: 'cli_a1',
    redirect_uri: redirect,
  })
  const forged = await browser.get('/api/auth/oidc/feishu/callback?code=c1&state=another')
  expect(forged.headers.get('location')).toBe('/login?problem=failed')
  expect(asked).toEqual([])

  const again = await browser.get('/api/auth/oidc/feishu/start?next=/keys')
  const state = new URL(again.headers.get('location') ?? '').searchParams.get('state')
  const back = await browser.get(`/api/auth/oidc/feishu/callback?code=c1&state=${state}`)
  expect(back.headers.get('location')).toBe('/keys')
  const grant = { grant_type: 'authorization_code', code: 'c1', redirect_uri: redirect }
  expect(asked).toMatchObject([
    { path: '/open-apis/authen/v2/oauth/token', body: { ...grant, client_id: 'cli_a1' } },
    { path: '/open-apis/authen/v1/user_info', authorization: 'Bearer at' },
  ])
  expect((await browser.get('/api/auth/me')).body.user).toMatchObject({
    itcode: 'wang@corp.test',
    name: '王五',
  })
  expect(await app.db.select().from(identities)).toMatchObject([{ issuer: 'feishu', subject: 'on_1' }])

  app.clock.advance(3_600_000)
  await askProviders(app.deps)
  expect(asked[2]?.body).toMatchObject({ grant_type: 'refresh_token', refresh_token: 'rt1' })
  const paused = async () => (await app.db.select().from(users))[0]?.pausedAt
  expect(await paused()).toBeNull()
  answer = 20_064
  app.clock.advance(3_600_000)
  await askProviders(app.deps)
  expect(await paused()).not.toBeNull()
})
