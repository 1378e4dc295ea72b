/** Groups, limits and what people ask for, over HTTP, whatever runtime the gateway is on. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type People, type Person, startPeople } from '../support/people.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const OPUS = 'claude-opus-5-5'
const HAIKU = 'claude-haiku-5-5'
const FABLE = 'claude-fable-5'

export function organisationContract({ name, start }: Runtime) {
  describe(`the organisation on ${name}`, () => {
    let upstream: FakeUpstream
    let people: People
    let gateway: Gateway
    let boss: Person
    let tests = 0
    /** In every test a group with a lead and a member, who has a key. */
    let group: number
    let lena: Person
    let ann: Person
    let secret: string
    beforeAll(async () => {
      upstream = await startUpstream()
      upstream.models([OPUS, HAIKU, FABLE])
      upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
      people = await startPeople()
      gateway = await start({
        auth: { send_code_url: people.url },
        models: { rules: [{ match: 'claude-fable-*', access: 'approval' }] },
        backends: [{ name: 'a', url: upstream.url }],
      })
      boss = await people.signIn(gateway, 'chief', 'admin')
    })
    afterAll(async () => {
      await gateway?.stop()
      await people?.stop()
      await upstream?.stop()
    })
    beforeEach(async () => {
      tests += 1
      lena = await someone('lena')
      ann = await someone('ann')
      group = await newGroup('team', { lead_max_usd: 50 })
      await join(group, lena, 'lead')
      await join(group, ann)
      secret = (await ann.post('/api/keys', { name: 'x' })).body.key.key
    })

    const someone = (who: string, role: Parameters<People['signIn']>[2] = 'user') =>
      people.signIn(gateway, `${who}-of-${tests}`, role)
    const newGroup = async (called: string, given: object = {}): Promise<number> => {
      const made = await boss.post('/admin/api/groups', { name: `${called} ${tests}`, ...given })
      expect(made.status).toBe(201)
      return made.body.group.id
    }
    const join = async (id: number, { id: userId }: Person, role = 'member') =>
      expect((await boss.put(`/admin/api/groups/${id}/members/${userId}`, { role })).status).toBe(200)
    const limit = async (scope: string, scope_id: number, amount_usd: number | null, more: object = {}) => {
      const body = { scope, scope_id, period: 'monthly', amount_usd, ...more }
      expect(await boss.put('/admin/api/limits', body)).toMatchObject({ status: 200 })
    }
    const call = (key = secret, model = HAIKU, more: object = {}) =>
      gateway.send({ model, max_tokens: 10, messages: [{ role: 'user', content: 'hi' }], ...more }, { key })
    const statusOf = async (answer: Promise<Response>) => {
      const { status, body } = await answer
      await body?.cancel()
      return status
    }
    /** Other processes hear of a change within a second. */
    const becomes = (ask: () => Promise<Response>, status: number) =>
      expect.poll(() => statusOf(ask()), { timeout: 15_000 }).toBe(status)
    const isBookedTo = (key: string, billingGroupId: number) => {
      const booked = async () => {
        const answer = await call(key)
        await answer.text()
        return answer.ok ? (await gateway.rowOf(answer)).billingGroupId : answer.status
      }
      return expect.poll(booked, { timeout: 15_000 }).toBe(billingGroupId)
    }
    const ask = async (amount_usd: number): Promise<number> => {
      const asked = await ann.post('/api/requests', {
        period: 'monthly',
        amount_usd,
        reason: 'a large translation',
      })
      expect(asked.status).toBe(201)
      return asked.body.request.id
    }
    const decide = (by: Person, id: number, more: object = {}) =>
      by.put(`/api/queue/requests/${id}`, { status: 'approved', ...more })

    test('a call is booked to the group of the person, and after they changed, to the next', async () => {
      await isBookedTo(secret, group)
      const other = await newGroup('others', { priority: 1 })
      await join(other, ann)
      await isBookedTo(secret, other)
    })

    test('what a group closes is closed for its members, wherever a call names it; what it opens is open', async () => {
      await becomes(() => call(), 200)
      await becomes(() => call(secret, FABLE), 400)
      await boss.put(`/admin/api/groups/${group}/models`, {
        allow: ['claude-fable-*'],
        deny: ['claude-opus-*'],
      })
      await becomes(() => call(secret, FABLE), 200)
      await becomes(() => call(secret, OPUS), 400)
      await becomes(() => call(secret, HAIKU, { fallbacks: [{ model: OPUS }] }), 400)
      const listed = await fetch(`${gateway.url}/v1/models`, { headers: { 'x-api-key': secret } })
      const ids = Object(await listed.json()).data.map(({ id }: { id: string }) => id)
      expect([ids.includes(FABLE), ids.includes(OPUS)]).toEqual([true, false])
      const offered = (await ann.get('/api/models')).body.models
      expect(offered).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ id: OPUS, access: 'closed' }),
          expect.objectContaining({ id: FABLE, access: 'open' }),
        ]),
      )
    })

    test('a key is for the models and networks in its lists alone', async () => {
      const made = async (bounds: object): Promise<string> =>
        (await ann.post('/api/keys', { name: 'narrow', ...bounds })).body.key.key
      const narrow = await made({ models: ['claude-haiku-*'] })
      await becomes(() => call(narrow), 200)
      await becomes(() => call(narrow, OPUS), 400)
      await becomes(() => call(narrow, HAIKU, { fallbacks: [{ model: OPUS }] }), 400)
      const elsewhere = await made({ networks: ['203.0.113.0/24'] })
      await becomes(() => call(elsewhere), 403)
      const anywhere = await made({ networks: ['0.0.0.0/0', '::/0'] })
      await becomes(() => call(anywhere), 200)
    })

    test('a limit of members refuses; a lead raises it, and the next call passes', async () => {
      await limit('group_each', group, 0)
      await becomes(() => call(), 429)
      expect((await ann.get('/api/limits')).body).toMatchObject({
        billing_group_id: group,
        caps: [{ period: 'monthly', amount_usd: 0, source: 'group' }],
      })
      const id = await ask(20)
      expect((await lena.get('/api/queue')).body.requests.map((one: { id: number }) => one.id)).toEqual([id])
      const approved = await decide(lena, id)
      expect(approved.body.request).toMatchObject({
        status: 'approved',
        granted_usd: 20,
        reviewer_id: lena.id,
      })
      await becomes(() => call(), 200)
    })

    test('a lead gives up to their maximum, nothing to themselves, to others or to administrators', async () => {
      await limit('group_each', group, 1)
      const id = await ask(51)
      expect(await decide(lena, id)).toMatchObject({
        status: 400,
        body: { error: { fields: { amount_usd: expect.any(String) } } },
      })
      const own = await lena.post('/api/requests', { period: 'monthly', amount_usd: 2, reason: 'me' })
      expect((await decide(lena, own.body.request.id)).status).toBe(403)

      const max = await someone('max')
      const others = await newGroup('others', { lead_max_usd: 1000 })
      await join(others, max, 'lead')
      expect((await decide(max, id, { amount_usd: 2 })).status).toBe(404)
      expect((await max.get('/api/queue')).body).toEqual({ applications: [], requests: [] })

      await boss.delete(`/admin/api/groups/${group}/members/${lena.id}`)
      expect((await decide(lena, id, { amount_usd: 2 })).status).toBe(404)
      expect((await decide(ann, id)).status).toBe(403)
      const chief = await someone('second-chief', 'admin')
      await join(group, chief)
      await join(group, lena, 'lead')
      const ofChief = await chief.post('/api/requests', { period: 'monthly', amount_usd: 2, reason: 'more' })
      expect((await decide(lena, ofChief.body.request.id)).status).toBe(404)
      expect((await decide(boss, id)).status).toBe(200)
    })

    test('of two who decide at once one does; a temporary amount is one', async () => {
      await limit('group_each', group, 0)
      const id = await ask(10)
      const until = new Date(Date.now() + 3_600_000).toISOString()
      const answers = await Promise.all([decide(lena, id, { until }), decide(boss, id, { until })])
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409])
      const { limits } = (await boss.get(`/admin/api/limits?scope=user&scope_id=${ann.id}`)).body
      expect(limits).toMatchObject([{ is_set: false, temporary_usd: 10, temporary_until: until }])
      await becomes(() => call(), 200)
    })

    test('a lead decides applications of their people, and of nobody else', async () => {
      const asked = await ann.post('/api/applications', { model: FABLE, reason: 'for the novel' })
      const path = `/api/queue/applications/${asked.body.application.id}`
      const max = await someone('max')
      await join(await newGroup('others'), max, 'lead')
      expect((await max.put(path, { status: 'approved' })).status).toBe(404)
      expect((await ann.put(path, { status: 'approved' })).status).toBe(403)
      expect((await lena.put(path, { status: 'approved' })).status).toBe(200)
      await becomes(() => call(secret, FABLE), 200)
    })

    test('a long list is the same for those who take it compressed and for others', async () => {
      for (let i = 0; i < 6; i++) await newGroup(`department ${i}`)
      const read = async (accept: string) =>
        (await boss.get('/admin/api/groups', { headers: { 'accept-encoding': accept } })).body
      expect((await read('gzip')).groups.length).toBeGreaterThan(6)
      expect(await read('gzip')).toEqual(await read('identity'))
    })

    test('a pool is shared: what one spent, another misses', async () => {
      const bob = await someone('bob')
      await join(group, bob)
      const { key } = (await bob.post('/api/keys', { name: 'x' })).body.key
      await becomes(() => call(), 200)
      await becomes(() => call(key), 200)
      const third = await call()
      await third.text()
      const { costMicros } = await gateway.rowOf(third)
      await limit('group_pool', group, 0.000_001)
      const path = `/admin/api/limits?scope=group_pool&scope_id=${group}`
      const used = async () => (await boss.get(path)).body.limits[0].used_usd
      await expect.poll(used).toBe((3 * costMicros) / 1_000_000)
      const seenBy = async (by: Person) => (await by.get('/api/groups')).body.groups[0]
      const pool = { period: 'monthly', amount_usd: 0.000_001, used_usd: await used() }
      expect(await seenBy(lena)).toMatchObject({ id: group, role: 'lead', pools: [pool] })
      expect(await seenBy(bob)).toMatchObject({ id: group, role: 'member', pools: [] })
      await becomes(() => call(), 429)
      await becomes(() => call(key), 429)
      await limit('group_pool', group, null)
      await becomes(() => call(key), 200)
    })

    test('a service account spends what an administrator lets it, with keys that its lead makes', async () => {
      const robot = { itcode: `robot-${tests}`, kind: 'service', billing_group_id: group }
      const { id } = (await boss.post('/admin/api/users', robot)).body.user
      expect((await lena.get('/api/service-accounts')).body.service_accounts).toMatchObject([{ id }])
      const path = `/api/service-accounts/${id}/keys`
      const max = await someone('max')
      await join(await newGroup('others'), max, 'lead')
      expect((await max.post(path, { name: 'x' })).status).toBe(404)
      expect((await ann.post(path, { name: 'x' })).status).toBe(404)
      const made = await lena.post(path, { name: 'ci' })
      expect(made.status).toBe(201)
      const { key, id: keyId } = made.body.key
      await becomes(() => call(key), 429)
      await limit('user', id, 5)
      await becomes(() => call(key), 200)
      await isBookedTo(key, group)
      expect((await max.post(`${path}/${keyId}/rotate`, {})).status).toBe(404)
      const { key: rotated } = (await lena.post(`${path}/${keyId}/rotate`, {})).body.key
      await becomes(() => call(rotated), 200)
      await becomes(() => call(key), 200)
      expect((await lena.delete(`${path}/${keyId}/previous`)).status).toBe(200)
      await becomes(() => call(key), 401)
      expect((await max.delete(`${path}/${keyId}`)).status).toBe(404)
      expect((await lena.delete(`${path}/${keyId}`)).status).toBe(200)
      await becomes(() => call(rotated), 401)
    })

    test('an auditor reads what an administrator reads, an accountant what was spent; neither changes anything', async () => {
      const auditor = await someone('auditor', 'auditor')
      const accountant = await someone('accountant', 'billing')
      const seen = async ({ get }: Person) =>
        Promise.all(
          ['users', 'audit', 'groups', 'limits', 'usage'].map(
            async (what) => (await get(`/admin/api/${what}`)).status,
          ),
        )
      expect(await seen(auditor)).toEqual([200, 200, 200, 200, 200])
      expect(await seen(accountant)).toEqual([403, 403, 200, 200, 200])
      for (const reader of [auditor, accountant]) {
        expect((await reader.post('/admin/api/groups', { name: 'mine' })).status).toBe(403)
        expect((await reader.put(`/admin/api/users/${reader.id}`, { role: 'admin' })).status).toBe(403)
        // Even a lead who only reads decides nothing.
        await join(group, reader, 'lead')
      }
      await limit('group_each', group, 1)
      const id = await ask(2)
      for (const reader of [auditor, accountant]) expect((await decide(reader, id)).status).toBe(404)
    })
  })
}
