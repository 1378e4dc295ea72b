/** One request and one session, as their pages ask for them: from calls of upstreams that fail, and from rows. */
import { beforeEach, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type UsagePeople, usagePeople } from '../support/usage-people.ts'

const AT = Date.UTC(2026, 10, 20)
const STORY = '[["first",2,310,529],["second",313,1900,200]]'

describe('one request and one session', () => {
  let app: App
  let people: UsagePeople
  beforeEach(async () => {
    app = await startApp()
    people = await usagePeople(app.db, app.signIn)
    const ofAnn = (n: number) =>
      people.ofAnn({ id: `req_a${n}`, session: 'c0ffee', createdAt: AT + n, costMicros: 100 })
    await people.write([
      { ...ofAnn(1), promptLosses: [] },
      {
        ...ofAnn(2),
        story: STORY,
        attempts: 2,
        upstreamId: 'req_011',
        promptLosses: [{ kind: 'cache_miss', reason: 'tools_changed', blocks: 0, tokens: 4102 }],
      },
      { ...ofAnn(3), promptLosses: [], outcome: 'error', statusCode: 502, error: 'all_backends_failed' },
      { ...people.ofBob({ id: 'req_b', session: 'c0ffee', createdAt: AT + 2 }), promptLosses: [] },
      { ...people.ofAnn({ id: 'req_alone', createdAt: AT + 2 }), promptLosses: [] },
    ])
    return () => app.close()
  })

  test('a request tells its attempts, its neighbours and why the cache was missed', async () => {
    const { body, status } = await people.ann.get('/api/usage/requests/req_a2')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      log: { request_id: 'req_a2' },
      attempts: [
        { backend: 'first', began_ms: 2, took_ms: 310, answer: 529 },
        { backend: 'second', began_ms: 313, took_ms: 1900, answer: 200 },
      ],
      upstream_request_id: 'req_011',
      cache_miss: { reason: 'tools_changed', tokens: 4102 },
      session: `${people.ann.id}-c0ffee`,
      previous: 'req_a1',
      next: 'req_a3',
    })
    expect((await people.ann.get('/api/usage/requests/req_a3')).body).toMatchObject({
      error: 'all_backends_failed',
      next: null,
    })
    expect((await people.ann.get('/api/usage/requests/req_alone')).body).toMatchObject({
      session: null,
      previous: null,
      next: null,
      attempts: [],
      cache_miss: null,
    })
  })

  test('an administrator sees the limits that it shares with others, with their use; its person does not', async () => {
    const { ann, boss } = people
    const group = async (name: string, parent_id: number | null) =>
      (await boss.post('/admin/api/groups', { name, parent_id })).body.group.id
    const above = await group('Engineering', null)
    const below = await group('Platform', above)
    for (const [scope, scope_id, amount_usd] of [
      ['group_pool', above, 5],
      ['group_pool', below, null],
      ['organisation_pool', 0, 9],
    ]) {
      const limit = { scope, scope_id, period: 'total', amount_usd }
      expect((await boss.put('/admin/api/limits', limit)).status).toBe(200)
    }
    const booked = people.ofAnn({ id: 'req_booked', costMicros: 100, billingGroupIds: [below, above] })
    await people.write([{ ...booked, promptLosses: [] }])
    const poolsFor = async (by: typeof ann, path: string) =>
      (await by.get(`${path}/usage/requests/req_booked`)).body.pools_now
    expect(await poolsFor(boss, '/admin/api')).toEqual([
      { group_name: 'Engineering', period: 'total', amount_usd: 5, used_usd: 0.0001 },
      // With the five other calls, of which two cost 500 micro-dollars.
      { group_name: null, period: 'total', amount_usd: 9, used_usd: 0.0014 },
    ])
    expect(await poolsFor(ann, '/api')).toEqual([])
  })

  test('a session has its calls in order, and none of another person who names theirs alike', async () => {
    const { ann, bob, boss } = people
    const id = `${ann.id}-c0ffee`
    for (const answer of [
      await ann.get(`/api/usage/sessions/${id}`),
      await boss.get(`/admin/api/usage/sessions/${id}`),
    ]) {
      expect(answer.body).toMatchObject({ requests: 3, failed: 1, cost_usd: 0.0003, cache_misses: 1 })
      const calls: { log: { request_id: string }; cache_miss: unknown }[] = answer.body.calls
      expect(calls.map(({ log }) => log.request_id)).toEqual(['req_a1', 'req_a2', 'req_a3'])
    }
    expect((await bob.get(`/api/usage/sessions/${bob.id}-c0ffee`)).body).toMatchObject({ requests: 1 })
  })

  test('what is not there and what is not theirs look the same', async () => {
    const { ann, bob, boss } = people
    expect((await bob.get('/api/usage/requests/req_a2')).status).toBe(404)
    expect((await bob.get(`/api/usage/sessions/${ann.id}-c0ffee`)).status).toBe(404)
    expect((await bob.get('/api/usage/requests/req_none')).status).toBe(404)
    for (const id of ['x', `${ann.id}-`, `${ann.id}-none`, "1-'"]) {
      expect((await ann.get(`/api/usage/sessions/${encodeURIComponent(id)}`)).status).toBe(404)
    }
    expect((await boss.get('/admin/api/usage/requests/req_a2')).status).toBe(200)
    expect((await ann.get('/admin/api/usage/requests/req_a2')).status).toBe(403)
  })

  test('the log is searched by outcome, session and request id, page after page by cursor', async () => {
    const { ann, bob, boss } = people
    const found = async (by: typeof ann, path: string) => {
      const { status, body } = await by.get(path)
      expect([status, body.total, body.page]).toEqual([200, null, null])
      return body.logs.map((log: { request_id: string }) => log.request_id)
    }
    const session = `${ann.id}-c0ffee`
    expect(await found(ann, `/api/usage?session=${session}`)).toEqual(['req_a3', 'req_a2', 'req_a1'])
    expect(await found(boss, `/admin/api/usage?session=${session}&outcome=ok`)).toEqual(['req_a2', 'req_a1'])
    expect(await found(boss, '/admin/api/usage?outcome=failed')).toEqual(['req_a3'])
    expect(await found(ann, '/api/usage?outcome=interrupted')).toEqual([])
    expect(await found(ann, '/api/usage?request_id=req_alone')).toEqual(['req_alone'])
    // Those of somebody else.
    expect(await found(bob, `/api/usage?session=${session}`)).toEqual([])
    expect(await found(bob, '/api/usage?request_id=req_a1')).toEqual([])
    expect(await found(boss, `/admin/api/usage?session=${session}&user_id=${bob.id}`)).toEqual([])

    const first = (await ann.get(`/api/usage?session=${session}&page_size=2`)).body
    expect(first.logs).toMatchObject([
      { request_id: 'req_a3', session },
      { request_id: 'req_a2', session },
    ])
    const next = `/api/usage?session=${session}&page_size=2&cursor=${first.next_cursor}`
    expect(await found(ann, next)).toEqual(['req_a1'])
    expect((await ann.get('/api/usage?outcome=ok&page=2')).status).toBe(400)
    expect((await ann.get('/api/usage?session=x')).status).toBe(400)
    const file = await boss.get('/admin/api/usage/export?outcome=failed')
    expect(file.text.trim().split('\r\n').slice(1)).toEqual([expect.stringContaining('req_a3')])
  })
})
