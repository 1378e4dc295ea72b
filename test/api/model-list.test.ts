import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { type App, startApp } from '../support/app.ts'
import { callRecord } from '../support/records.ts'
import { errorJson, type FakeUpstream, type Script, startUpstream } from '../support/upstream.ts'

const DAY_MS = 86_400_000
const json = (status: number, body: string): Script => ({
  status,
  headers: { 'content-type': 'application/json' },
  chunks: [body],
})
const DOWN = json(500, errorJson('api_error'))

describe('the list of models', () => {
  let upstreams: FakeUpstream[]
  let app: App
  let key: string
  beforeEach(async () => {
    upstreams = await Promise.all(['a', 'b'].map(startUpstream))
    app = await startApp({
      backends: upstreams.map(({ url }, i) => ({ name: 'ab'[i] ?? '', url, api_key: 'k' })),
    })
    key = (await (await app.signIn('ann')).post('/api/keys', { name: 'x' })).body.key.key
  })
  afterEach(async () => {
    await app.close()
    for (const upstream of upstreams) await upstream.stop()
  })
  const get = (path: string) => app.request(path, { headers: { 'x-api-key': key } })
  const listed = async () => {
    const { status, body } = await get('/v1/models')
    return [status, body.data?.map(({ id }: { id: string }) => id)]
  }
  const models = (...scripts: (Script | string[])[]) =>
    upstreams.forEach((upstream, i) => void upstream.models(scripts[i] ?? DOWN))

  test('stays as it was last while backends are out', async () => {
    models(['claude-opus-5-5'], ['claude-haiku-5-5'])
    const all = [200, ['claude-opus-5-5', 'claude-haiku-5-5']]
    expect(await listed()).toEqual(all)
    models(DOWN, json(401, errorJson('authentication_error')))
    app.clock.advance(2 * DAY_MS)
    expect(await listed()).toEqual(all)
    for (const upstream of upstreams) await upstream.stop()
    app.clock.advance(2 * DAY_MS)
    expect(await listed()).toEqual(all)
    expect((await get('/v1/models/claude-haiku-5-5')).status).toBe(200)
    upstreams = []
  })

  test('tells which models end when, and a report who is to be told of it', async () => {
    const at = (days: number) => new Date(app.clock.now() + days * DAY_MS).toISOString()
    const entries = [
      { id: 'claude-opus-4-5-20251101', lifecycle: 'deprecated', retires_at: at(59) },
      { id: 'claude-opus-4-1', lifecycle: 'retired', retires_at: at(-3) },
      { id: 'claude-opus-5-5', lifecycle: 'active', retires_at: at(61) },
      { id: 'claude-haiku-5-5', lifecycle: 7, retires_at: 'soon' },
      { id: 'claude-sonnet-5', retires_at: null },
    ]
    models(json(200, JSON.stringify({ data: entries })))
    const { body } = await get('/v1/models')
    expect(body.data).toMatchObject(entries)
    const boss = await app.signIn('boss', 'admin')
    const ben = await app.signIn('ben')
    const call = (userId: number, model: string, daysAgo: number) =>
      recordText(callRecord({ userId, model, createdAt: app.clock.now() - daysAgo * DAY_MS }))
    await writeRecords(app.db, [
      call(ben.id, 'claude-opus-4.5', 1),
      call(ben.id, 'claude-opus-4-5-20251101', 29),
      call(boss.id, 'claude-opus-4-5-20251101', 2),
      call(boss.id, 'claude-opus-4-5-20251101', 31),
      call(boss.id, 'claude-opus-5-5', 1),
    ])
    const report = await boss.get('/admin/api/reports/retiring-models')
    expect(report.body).toEqual({
      models: [
        {
          model: 'claude-opus-4-1',
          display_name: 'claude-opus-4-1',
          lifecycle: 'retired',
          retires_at: at(-3),
          users: [],
        },
        {
          model: 'claude-opus-4-5-20251101',
          display_name: 'claude-opus-4-5-20251101',
          lifecycle: 'deprecated',
          retires_at: at(59),
          users: [
            { user_id: ben.id, itcode: 'ben', requests: 2, cost_usd: 0.001 },
            { user_id: boss.id, itcode: 'boss', requests: 1, cost_usd: 0.0005 },
          ],
        },
      ],
    })
    expect((await ben.get('/admin/api/reports/retiring-models')).status).toBe(403)
  })

  test('is an error and not empty while no backend ever told one', async () => {
    models(DOWN, json(401, errorJson('authentication_error')))
    for (const path of ['/v1/models', '/v1/models/claude-opus-5-5']) {
      const answer = await get(path)
      expect([answer.status, answer.body.error.type, answer.headers.get('retry-after')]).toEqual([
        529,
        'overloaded_error',
        '5',
      ])
    }
    models(['claude-opus-5-5'])
    app.clock.advance(DAY_MS)
    expect(await listed()).toEqual([200, ['claude-opus-5-5']])
  })

  test('is whole for clients that ask for no page, because those of OpenAI ask for no further one', async () => {
    const all = Array.from({ length: 25 }, (_, i) => `claude-opus-5-${i}`)
    models(all)
    expect(await listed()).toEqual([200, all])
    const { body } = await get('/v1/models?limit=20')
    expect([body.data.length, body.has_more]).toEqual([20, true])
  })

  test('is empty where a backend says that it has none', async () => {
    models(json(404, '{}'))
    expect(await listed()).toEqual([200, []])
  })

  test('leaves out what no backend offers', async () => {
    models(['claude-opus-5-5', 'claude-haiku-5-5'], ['claude-opus-5-5'])
    expect(await listed()).toEqual([200, ['claude-opus-5-5', 'claude-haiku-5-5']])
    const missing = json(404, errorJson('not_found_error', 'model: claude-opus-5-5'))
    models(missing, missing)
    for (const upstream of upstreams) upstream.answer(missing)
    const ask = { model: 'claude-opus-5-5', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] }
    const headers = { 'x-api-key': key, 'content-type': 'application/json' }
    await app.request('/v1/messages', { method: 'POST', headers, body: JSON.stringify(ask) })
    await app.settled()
    expect(await listed()).toEqual([200, ['claude-haiku-5-5']])
    expect((await get('/v1/models/claude-opus-5-5')).status).toBe(404)
  })
})
