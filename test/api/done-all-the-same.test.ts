/** A change that is made is answered as made, where only what is read afterwards fails. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sessions } from '../../core/db/schema.ts'
import type { Db } from '../../core/ports.ts'
import { type App, startApp } from '../support/app.ts'
import { memoryStore } from '../support/memory-store.ts'
import { startUpstream } from '../support/upstream.ts'

let app: App
/** Which reads fail: those that look for what changed, those of people's own limits, or all behind a change. */
let blind: 'looks' | 'own limits' | 'after a change' | undefined
let isChanged = false
beforeEach(async () => {
  blind = undefined
  isChanged = false
  const { db, close } = await memoryStore()
  const refused = {
    from() {
      throw new Error('disk I/O error')
    },
  }
  const refusedFields = { looks: 'revision', 'own limits': 'userId,micros' }
  const isRefused = (fields: object) =>
    blind === 'after a change' ? isChanged : blind && Object.keys(fields).join() === refusedFields[blind]
  const partly: Db = new Proxy(db, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name === 'select') {
        return (fields?: object) => (isRefused(fields ?? {}) ? refused : value.call(target, fields))
      }
      if (name !== 'batch') return typeof value === 'function' ? value.bind(target) : value
      return async (statements: unknown) => {
        const answers = await value.call(target, statements)
        isChanged = true
        return answers
      }
    },
  })
  const settings = {
    server: { public_url: 'http://gateway.test' },
    secrets: { key: 'f3Q0mZ7xV1cN8bL5kT2wR9dJ4hS6gP0aYuE' },
  }
  app = await startApp(settings, { db: partly, close })
})
afterEach(() => app.close())

function failing(which: typeof blind) {
  blind = which
  isChanged = false
}
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const form = (fields: Record<string, string>, path: string) =>
  app.request(path, { method: 'POST', headers: FORM, body: new URLSearchParams(fields).toString() })
async function worksWith(key: string) {
  failing(undefined)
  await app.deps.keyCache.refresh()
  return (await app.request('/api/oauth/usage', { headers: { 'x-api-key': key } })).status
}

test.each(['looks', 'after a change'] as const)(
  'a new key is shown, because it is shown once: %s',
  async (which) => {
    const ann = await app.signIn('ann')
    failing(which)
    const made = await ann.post('/api/keys', { name: 'laptop' })
    expect([made.status, made.body.key]).toMatchObject([
      201,
      { name: 'laptop', requests: 0, last_used_at: null },
    ])
    expect(await worksWith(made.body.key.key)).toBe(200)
  },
)

test('the new secret of a key is shown, because the one before ends', async () => {
  const ann = await app.signIn('ann')
  const { id } = (await ann.post('/api/keys', { name: 'laptop' })).body.key
  failing('after a change')
  const rotated = await ann.post(`/api/keys/${id}/rotate`, { overlap_hours: 0 })
  expect([rotated.status, rotated.body.key]).toMatchObject([200, { id, previous: {} }])
  expect(await worksWith(rotated.body.key.key)).toBe(200)
})

test('a device that was let in gets its tokens, because its code is used up', async () => {
  const ann = await app.signIn('ann')
  const { device_code, user_code } = (await form({}, '/oauth/device_authorization')).body
  expect((await ann.post('/api/device/decide', { user_code, decision: 'approved' })).status).toBe(200)
  failing('looks')
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  const opened = await form({ grant_type, device_code }, '/oauth/token')
  expect([opened.status, Boolean(opened.body.access_token)]).toEqual([200, true])
})

test('a backend that was added, changed or removed is answered as it is stored', async () => {
  const upstream = await startUpstream()
  const path = '/admin/api/backends'
  const boss = await app.signIn('boss', 'admin')
  failing('looks')
  const added = await boss.post(path, { name: 'added', url: upstream.url, api_key: 'secret-of-added' })
  expect([added.status, added.body.backend]).toMatchObject([201, { name: 'added', source: 'api', weight: 1 }])
  const changed = await boss.put(`${path}/added`, { weight: 7 })
  expect([changed.status, changed.body.backend]).toMatchObject([200, { weight: 7, state: 'healthy' }])
  const names = async () => (await boss.get(path)).body.backends.map(({ name }: { name: string }) => name)
  expect(await names()).not.toContain('added')
  failing(undefined)
  await app.deps.fleet.refresh()
  expect(await names()).toContain('added')
  failing('looks')
  expect((await boss.delete(`${path}/added`)).status).toBe(200)
  await upstream.stop()
})

test.each(['ann', 'a-newcomer'])(
  '%s has a session and a used code only if that is answered',
  async (itcode) => {
    await app.signIn('ann')
    const browser = app.browser()
    await browser.post('/api/auth/send-code', { itcode })
    await app.settled()
    const enter = () => browser.post('/api/auth/login', { itcode, code: app.code() })
    const opened = () => app.db.$count(sessions)
    const before = await opened()
    failing('own limits')
    expect((await enter()).status).toBe(500)
    expect(await opened()).toBe(before)
    failing(undefined)
    expect((await enter()).body.user).toMatchObject({ itcode, budget_usd: 0 })
  },
)
