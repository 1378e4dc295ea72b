/** Models that must be applied for, whatever runtime the gateway is on. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { auditEvents, grants } from '../../core/db/schema.ts'
import type { Browser } from '../support/browser.ts'
import { type People, type Person, startPeople } from '../support/people.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const OPUS = 'claude-opus-5-5'
const MODELS = {
  rules: [
    { match: 'claude-opus-*', access: 'approval' },
    { match: 'claude-fable-*', access: 'closed' },
  ],
}

export function approvalsContract({ name, start }: Runtime) {
  describe(`approvals on ${name}`, () => {
    let upstream: FakeUpstream
    let people: People
    let gateway: Gateway
    let boss: Person
    /** Somebody new in every test, with a key. */
    let ann: Person
    let secret: string
    let tests = 0
    const someone = (who: string, role: 'user' | 'admin' = 'user') =>
      people.signIn(gateway, `${who}-${tests}`, role)
    beforeAll(async () => {
      upstream = await startUpstream()
      upstream.models([OPUS, 'claude-sonnet-5-5', 'claude-fable-5'])
      people = await startPeople()
      gateway = await start({
        auth: { send_code_url: people.url },
        models: MODELS,
        model_replacements: { best: OPUS },
        backends: [{ name: 'a', url: upstream.url }],
      })
      boss = await people.signIn(gateway, 'boss', 'admin')
    })
    afterAll(async () => {
      await gateway?.stop()
      await people?.stop()
      await upstream?.stop()
    })
    beforeEach(async () => {
      tests += 1
      ann = await someone('ann')
      secret = (await ann.post('/api/keys', { name: 'x' })).body.key.key
    })
    const ask = (browser: Browser, model = OPUS, reason = 'for the big refactoring') =>
      browser.post('/api/applications', { model, reason })
    const decide = (browser: Browser, id: number, status: string, note?: string) =>
      browser.put(`/admin/api/applications/${id}/review`, { status, note })
    const call = async (model: string, path = '/v1/messages') => {
      const body = { model, max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
      const answer = await gateway.send(body, { key: secret, path })
      return { status: answer.status, body: Object(await answer.json()) }
    }
    const modelsOf = async () => {
      const { body } = await ann.get('/api/models')
      return Object.fromEntries(body.models.map(({ id, access }: Record<string, string>) => [id, access]))
    }
    const keyModels = async () => {
      const { body } = await people.browser(gateway).get('/v1/models', { headers: { 'x-api-key': secret } })
      return body.data.map(({ id }: { id: string }) => id)
    }

    const grantsOf = ({ id }: Person) => gateway.db.select().from(grants).where(eq(grants.userId, id))

    test('a model that needs approval goes from asked for to granted to revoked, and calls follow at once', async () => {
      expect(await modelsOf()).toEqual({
        [OPUS]: 'approval',
        'claude-sonnet-5-5': 'open',
        'claude-fable-5': 'closed',
      })
      const refused = await call(OPUS)
      expect(refused.status).toBe(400)
      expect(refused.body.error).toEqual({
        type: 'invalid_request_error',
        message: `The model ${OPUS} needs approval. Apply for it in the dashboard.`,
      })
      const asked = await ask(ann)
      expect(asked.status).toBe(201)
      expect(asked.body.application).toEqual({
        id: expect.any(Number),
        user_id: ann.id,
        itcode: `ann-${tests}`,
        model: OPUS,
        reason: 'for the big refactoring',
        status: 'pending',
        reviewer_id: null,
        review_note: null,
        grant_id: null,
        created_at: asked.body.application.updated_at,
        updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/),
      })
      expect((await modelsOf())[OPUS]).toBe('pending')
      expect((await call(OPUS)).status).toBe(400)
      const approved = await decide(boss, asked.body.application.id, 'approved', 'enjoy')
      expect(approved.body.application).toMatchObject({
        status: 'approved',
        reviewer_id: boss.id,
        review_note: 'enjoy',
      })
      expect((await modelsOf())[OPUS]).toBe('granted')
      expect(await keyModels()).toContain(OPUS)
      for (const model of [OPUS, 'best', `${OPUS}-20260401`, OPUS.toUpperCase()]) {
        expect([model, (await call(model)).status]).toEqual([model, 200])
      }
      const { grant_id } = approved.body.application
      expect((await boss.delete(`/admin/api/grants/${grant_id}`)).status).toBe(200)
      for (const model of [OPUS, 'best', `${OPUS}-20260401`, `anthropic/${OPUS}`]) {
        expect([model, (await call(model)).status]).toEqual([model, 400])
        expect((await call(model, '/v1/messages/count_tokens')).status).toBe(400)
      }
      expect(await keyModels()).not.toContain(OPUS)
      expect((await boss.delete(`/admin/api/grants/${grant_id}`)).status).toBe(404)
      expect((await ask(ann)).status).toBe(201)
    })

    test('to ask for another name of a model is to ask for the model', async () => {
      const asked = await ask(ann, 'best')
      expect([asked.status, asked.body.application?.model]).toEqual([201, OPUS])
      expect((await ask(ann)).status).toBe(409)
      await decide(boss, asked.body.application.id, 'approved')
      expect(await grantsOf(ann)).toMatchObject([{ model: OPUS }])
      for (const model of ['best', OPUS]) expect((await call(model)).status).toBe(200)
      expect((await ask(ann, 'best')).status).toBe(409)
    })

    test('a rejected one stays refused, and may be asked for again', async () => {
      const { application } = (await ask(ann)).body
      expect((await decide(boss, application.id, 'rejected', 'not now')).body.application.grant_id).toBeNull()
      expect((await call(OPUS)).status).toBe(400)
      expect(await grantsOf(ann)).toEqual([])
      expect((await ann.get('/api/applications?status=rejected')).body.applications).toMatchObject([
        { review_note: 'not now' },
      ])
      expect((await ask(ann)).status).toBe(201)
    })

    test('an empty note is none', async () => {
      const { application } = (await ask(ann)).body
      expect((await decide(boss, application.id, 'rejected', ' ')).body.application?.review_note).toBeNull()
    })

    test('nothing is asked for twice, when it is open, or when it is closed', async () => {
      await ask(ann)
      for (const model of [OPUS, `${OPUS}-20260401`]) expect((await ask(ann, model)).status).toBe(409)
      expect((await ask(ann, 'claude-sonnet-5-5')).status).toBe(409)
      const closed = await ask(ann, 'claude-fable-5')
      expect([closed.status, Object.keys(closed.body.error.fields)]).toEqual([400, ['model']])
      const parallel = await Promise.all(Array.from({ length: 20 }, () => ask(ann, 'claude-opus-9')))
      expect(parallel.filter(({ status }) => status === 201)).toHaveLength(1)
      expect((await ann.get('/api/applications')).body.applications).toHaveLength(2)
    })

    test('I02: nobody has more than 20 pending', async () => {
      const statuses: number[] = []
      for (let i = 0; i < 21; i++) statuses.push((await ask(ann, `claude-opus-${i + 10}`)).status)
      expect(statuses.filter((status) => status === 201)).toHaveLength(20)
      expect(statuses.at(-1)).toBe(409)
    })

    test('one may be taken back while it is pending, by its owner', async () => {
      const { application } = (await ask(ann)).body
      const bob = await someone('bob')
      expect((await bob.delete(`/api/applications/${application.id}`)).status).toBe(404)
      expect((await bob.get('/api/applications')).body.applications).toEqual([])
      const back = await ann.delete(`/api/applications/${application.id}`)
      expect(back.body.application.status).toBe('withdrawn')
      expect((await ann.delete(`/api/applications/${application.id}`)).status).toBe(409)
      expect((await decide(boss, application.id, 'approved')).status).toBe(409)
      expect(await modelsOf()).toMatchObject({ [OPUS]: 'approval' })
    })

    test('Q06: of two decisions at once one holds, with one audit row', async () => {
      const { application } = (await ask(ann)).body
      const other = await someone('other', 'admin')
      const answers = await Promise.all([
        decide(boss, application.id, 'approved'),
        decide(other, application.id, 'rejected'),
      ])
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409])
      const target = eq(auditEvents.target, `application:${application.id}`)
      const audit = await gateway.db.select().from(auditEvents).where(target)
      expect(audit).toHaveLength(1)
      const made = await grantsOf(ann)
      expect(made).toHaveLength(audit[0]?.action === 'application.approve' ? 1 : 0)
      await boss.put(`/admin/api/users/${other.id}`, { role: 'user' })
    })

    test('Z08: nobody decides their own, unless there is no other administrator', async () => {
      const { application } = (await ask(boss)).body
      const other = await someone('other', 'admin')
      const own = await decide(boss, application.id, 'approved')
      expect([own.status, own.body.error.code]).toEqual([403, 'own_application'])
      await boss.put(`/admin/api/users/${other.id}`, { role: 'user' })
      expect((await decide(boss, application.id, 'approved')).status).toBe(200)
    })

    test('administrators see all, pending ones first', async () => {
      const first = (await ask(ann)).body.application
      await decide(boss, first.id, 'rejected')
      await ask(ann)
      await decide(boss, (await ask(await someone('bob'))).body.application.id, 'approved')
      const listed = async (query = '') => {
        const { body } = await boss.get(`/admin/api/applications${query}`)
        return body.applications.flatMap(({ itcode, status }: Record<string, string>) =>
          itcode?.endsWith(`-${tests}`) ? [`${itcode} ${status}`] : [],
        )
      }
      const [approved, rejected] = [`bob-${tests} approved`, `ann-${tests} rejected`]
      expect(await listed()).toEqual([`ann-${tests} pending`, approved, rejected])
      expect(await listed('?status=pending')).toEqual([`ann-${tests} pending`])
      expect((await boss.get('/admin/api/applications?status=open')).status).toBe(400)
    })

    test.each([
      [{ model: OPUS }, 'reason'],
      [{ model: '', reason: 'x' }, 'model'],
      [{ model: OPUS, reason: 'x'.repeat(2001) }, 'reason'],
      [{ model: OPUS, reason: 'a\0b' }, 'reason'],
      [{ model: OPUS, reason: 'x', status: 'approved' }, 'status'],
      [{ model: OPUS, reason: 'x', user_id: 1 }, 'user_id'],
    ])('the application %j is refused', async (body, field) => {
      const answer = await ann.post('/api/applications', body)
      expect([answer.status, Object.keys(answer.body.error.fields)]).toEqual([400, [field]])
    })

    test('text of several lines and any script is kept as it is', async () => {
      const reason = '因为 <script>alert(1)</script>\n‮ refactoring 👩‍💻'
      expect((await ask(ann, OPUS, reason)).body.application.reason).toBe(reason)
    })

    test('prices stand beside the models, and what calls of one’s own cost', async () => {
      const { body } = await ann.get('/api/models')
      // Another instance may not know the key yet.
      await expect.poll(async () => (await call('claude-sonnet-5-5')).status).toBe(200)
      const figures = async () => (await ann.get('/api/models/figures')).body.figures
      await expect
        .poll(figures)
        .toContainEqual(
          expect.objectContaining({ model: 'claude-sonnet-5-5', own_cost_usd: expect.any(Number) }),
        )
      expect(body.models.find(({ id }: { id: string }) => id === OPUS).pricing).toEqual({
        input: expect.any(Number),
        output: expect.any(Number),
        cache_read: expect.any(Number),
        cache_write_5m: expect.any(Number),
        cache_write_1h: expect.any(Number),
      })
    })
  })
}
