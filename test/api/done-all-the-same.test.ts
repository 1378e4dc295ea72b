/** A change that is made is answered as made, where only the look at what changed fails. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Db } from '../../core/ports.ts'
import { type App, startApp } from '../support/app.ts'
import { memoryStore } from '../support/memory-store.ts'

let app: App
let blind = false
beforeEach(async () => {
  blind = false
  const { db, close } = await memoryStore()
  // What the key cache asks for first is refused.
  const refused = { from: () => Promise.reject(new Error('disk I/O error')) }
  const partly: Db = new Proxy(db, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name !== 'select') return typeof value === 'function' ? value.bind(target) : value
      return (fields?: object) =>
        blind && fields && Object.keys(fields).join() === 'revision' ? refused : value.call(target, fields)
    },
  })
  app = await startApp({ server: { public_url: 'http://gateway.test' } }, { db: partly, close })
})
afterEach(() => app.close())

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const form = (fields: Record<string, string>, path: string) =>
  app.request(path, { method: 'POST', headers: FORM, body: new URLSearchParams(fields).toString() })

test('a new key is shown, because it is shown once', async () => {
  const ann = await app.signIn('ann')
  blind = true
  const made = await ann.post('/api/keys', { name: 'laptop' })
  expect(made.status).toBe(201)
  blind = false
  await app.deps.keyCache.refresh()
  const used = await app.request('/api/oauth/usage', { headers: { 'x-api-key': made.body.key.key } })
  expect(used.status).toBe(200)
})

test('a device that was let in gets its tokens, because its code is used up', async () => {
  const ann = await app.signIn('ann')
  const { device_code, user_code } = (await form({}, '/oauth/device_authorization')).body
  expect((await ann.post('/api/device/decide', { user_code, decision: 'approved' })).status).toBe(200)
  blind = true
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  const opened = await form({ grant_type, device_code }, '/oauth/token')
  expect([opened.status, Boolean(opened.body.access_token)]).toEqual([200, true])
})
