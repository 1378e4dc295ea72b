/** What is told without anybody asking: keys that end, backends that are out and back. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { notices } from '../../core/db/schema.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { DAY_MS, timeText } from '../../core/units.ts'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

let app: App
let upstream: FakeUpstream
beforeEach(async () => {
  upstream = await startUpstream()
  upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
  app = await startApp({ backends: [{ name: 'a', url: upstream.url, api_key: 'upstream-key' }] })
})
afterEach(async () => {
  await app.close()
  await upstream.stop()
})

const told = async (prefix: string) => {
  await app.settled()
  const rows = await app.db.select().from(notices).orderBy(notices.id)
  return rows
    .filter(({ event }) => event.startsWith(prefix))
    .map(({ event, data }) => ({ event, ...JSON.parse(data) }))
}

test('a key that ends within a week is told of once, to its owner', async () => {
  const ann = await app.signIn('ann@corp.test')
  const end = (days: number) => timeText(app.clock.now() + days * DAY_MS)
  await ann.post('/api/keys', { name: 'later', expires_at: end(30) })
  const soon = await ann.post('/api/keys', { name: 'soon', expires_at: end(5) })
  const runTasks = createTaskRunner(() => app.deps)
  app.mails.length = 0
  await runTasks()
  app.clock.advance(2 * 3_600_000)
  await runTasks()
  await app.settled()
  expect(await told('key.')).toEqual([{ event: 'key.ending', id: soon.body.key.id }])
  expect(app.mails.map(({ to, subject }) => [to, subject])).toEqual([
    ['ann@corp.test', 'Claude Gateway: 密钥 soon 即将到期 · The key soon ends soon'],
  ])
})

test('an account that is refused is told of as out, and as back once a call of it is served again', async () => {
  const ann = await app.signIn('ann@corp.test')
  const { body } = await ann.post('/api/keys', { name: 'x' })
  await app.deps.keyCache.refresh()
  const call = () =>
    app.request('/v1/messages', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': body.key.key },
      body: JSON.stringify({
        model: 'claude-haiku-5-5',
        max_tokens: 5,
        messages: [{ role: 'user', content: 'hi' }],
      }),
    })
  const unpaid = {
    status: 400,
    headers: { 'content-type': 'application/json' },
    chunks: [
      '{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}',
    ],
  }
  upstream.answer(unpaid)
  upstream.counts(unpaid)
  await call()
  await expect.poll(() => told('')).toEqual([{ event: 'credit.used_up', backend: 'a' }])
  upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
  app.clock.advance(3_600_000)
  await call()
  await expect.poll(() => told('backend')).toEqual([{ event: 'backend.back', backend: 'a' }])
})

test('a model that retires soon is told of once, and no list is read for that', async () => {
  const root = await app.signIn('root@corp.test', 'admin')
  const runTasks = createTaskRunner(() => app.deps)
  await runTasks()
  expect(upstream.requests).toEqual([])
  const retires_at = timeText(app.clock.now() + 10 * DAY_MS)
  upstream.models({
    headers: { 'content-type': 'application/json' },
    chunks: [
      JSON.stringify({ data: [{ type: 'model', id: 'claude-opus-4-1', retires_at }], has_more: false }),
    ],
  })
  await app.deps.catalogue.checkAll()
  await root.get('/api/models')
  for (const _ of [1, 2]) {
    app.clock.advance(2 * 3_600_000)
    await runTasks()
  }
  expect(await told('model.')).toEqual([
    { event: 'model.retiring', model: 'claude-opus-4-1', retires_at: Date.parse(retires_at), user_ids: [] },
  ])
})
