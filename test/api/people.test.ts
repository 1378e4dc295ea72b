/** One person as administrators see them: how they sign in, their groups, what they may spend, what they asked for. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { limitSpent } from '../../core/db/schema.ts'
import { type App, startApp } from '../support/app.ts'

type Person = Awaited<ReturnType<App['signIn']>>

let app: App
let boss: Person
let ann: Person
let ben: Person
beforeAll(async () => {
  app = await startApp({ models: { rules: [{ match: 'claude-opus-*', access: 'approval' }] } })
  boss = await app.signIn('boss', 'admin')
  ann = await app.signIn('ann')
  ben = await app.signIn('ben')
})
afterAll(() => app.close())

const about = async (what: string, id = ann.id) => (await boss.get(`/admin/api/users/${id}/${what}`)).body

test('sessions are listed and ended, one or all, and only those of the person', async () => {
  app.clock.advance(1_000)
  const second = await app.signIn('ann')
  const { sessions, ...account } = await about('sign-ins')
  expect(account).toEqual({
    last_at: new Date(app.clock.now()).toISOString(),
    paused_since: null,
    kept_by_directory: false,
  })
  expect(sessions).toHaveLength(2)
  expect(sessions[0]).toMatchObject({ created_at: account.last_at, ip: '192.0.2.1' })

  const [{ id }] = sessions
  expect((await boss.delete(`/admin/api/users/${ben.id}/sessions/${id}`)).status).toBe(404)
  expect((await second.get('/api/auth/me')).status).toBe(200)
  expect((await boss.delete(`/admin/api/users/${ann.id}/sessions/${id}`)).status).toBe(200)
  expect((await second.get('/api/auth/me')).status).toBe(401)
  expect((await boss.delete(`/admin/api/users/${ann.id}/sessions/${id}`)).status).toBe(404)
  expect((await ann.get('/api/auth/me')).status).toBe(200)

  expect((await boss.delete(`/admin/api/users/${ann.id}/sessions`)).status).toBe(200)
  expect((await ann.get('/api/auth/me')).status).toBe(401)
  expect((await ben.get('/api/auth/me')).status).toBe(200)
  expect((await about('sign-ins')).sessions).toEqual([])
  const rows = (await app.audit()).filter(({ target }) => target === `user:${ann.id}`)
  expect(rows.map(({ action, actorId }) => [action, actorId])).toEqual([
    ['session.end', boss.id],
    ['logout.everywhere', boss.id],
  ])
  ann = await app.signIn('ann')
})

test('a session that was idle for too long is not listed', async () => {
  const idle = await app.signIn('idle')
  expect((await about('sign-ins', idle.id)).sessions).toHaveLength(1)
  const { sessionIdleMs } = app.deps.settings.auth
  app.clock.advance(sessionIdleMs)
  boss = await app.signIn('boss', 'admin')
  ann = await app.signIn('ann')
  expect((await about('sign-ins', idle.id)).sessions).toEqual([])
})

test('who leads a group goes on leading it where they are added once more', async () => {
  const { group } = (await boss.post('/admin/api/groups', { name: 'Choir' })).body
  const put = (body: object) => boss.put(`/admin/api/groups/${group.id}/members/${ann.id}`, body)
  expect((await put({})).body.members).toMatchObject([{ role: 'member' }])
  expect((await put({ role: 'lead' })).body.members).toMatchObject([{ role: 'lead' }])
  expect((await put({})).body.members).toMatchObject([{ role: 'lead' }])
  expect((await put({ role: 'member' })).body.members).toMatchObject([{ role: 'member' }])
  await boss.delete(`/admin/api/groups/${group.id}`)
})

test('limits say whose they are and what is spent, and which group calls are booked to', async () => {
  const { group } = (await boss.post('/admin/api/groups', { name: 'Research', bills: true })).body
  await boss.put(`/admin/api/groups/${group.id}/members/${ann.id}`, { role: 'lead' })
  const limit = { scope_id: group.id, scope: 'group_each', period: 'daily', amount_usd: 7 }
  await boss.put('/admin/api/limits', limit)
  await boss.put('/admin/api/limits', { ...limit, scope: 'user', scope_id: ann.id, period: 'total' })
  const { start } = app.deps.periods.spanOf('daily', app.clock.now())
  const spent = { owner: `user:${ann.id}`, period: 'daily' as const, start, tokens: 1 }
  await app.db.insert(limitSpent).values({ ...spent, micros: 2_500_000 })
  const { caps, billing_group: booked } = await about('limits')
  expect(caps).toMatchObject([
    {
      period: 'daily',
      amount_usd: 7,
      used_usd: 2.5,
      source: 'group',
      group: { id: group.id, name: 'Research' },
    },
    { period: 'total', amount_usd: 7, used_usd: 0, source: 'user', group: null, resets_at: null },
  ])
  expect(booked).toEqual({ id: group.id, name: 'Research' })
  expect(await about('groups')).toEqual({
    groups: [{ id: group.id, name: 'Research', source: 'direct', bills: true, role: 'lead' }],
  })
  expect(await about('groups', ben.id)).toEqual({ groups: [] })
})

test('what one person asked for is listed alone, also what they withdrew', async () => {
  const ask = async (person: Person) => {
    const asked = { model: 'claude-opus-5-5', reason: 'for the report' }
    return (await person.post('/api/applications', asked)).body.application.id
  }
  ben = await app.signIn('ben')
  const [withdrawn] = [await ask(ann), await ask(ben)]
  await ann.delete(`/api/applications/${withdrawn}`)
  app.clock.advance(1)
  const waiting = await ask(ann)
  const asked = async (query: string) =>
    (await boss.get(`/admin/api/queue?user_id=${ann.id}${query}`)).body.items.map(
      ({ id }: { id: number }) => id,
    )
  expect(await asked('&status=all')).toEqual([waiting, withdrawn])
  expect(await asked('')).toEqual([waiting])
})

test.each(['sign-ins', 'limits', 'groups'])('nobody has no %s', async (what) => {
  expect((await boss.get(`/admin/api/users/999/${what}`)).status).toBe(404)
})
