/** Views of a page that people gave a name: their own, and those that others share. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { savedViews } from '../../core/db/saved-views.ts'
import { eraseUser } from '../../core/users/erase.ts'
import { deleteUser } from '../../core/users/remove.ts'
import { type App, startApp } from '../support/app.ts'
import type { Person } from '../support/people.ts'

let app: App
let ann: Person
let bob: Person
let boss: Person
beforeAll(async () => {
  app = await startApp()
  ann = await app.signIn('ann')
  bob = await app.signIn('bob')
  boss = await app.signIn('boss', 'admin')
})
afterAll(() => app.close())

const listed = async (who: Person, page: string) => (await who.get(`/api/views?page=${page}`)).body

test('a view is saved, renamed, shared and removed by whose it is, and by nobody else', async () => {
  const wanted = { page: '/explore', name: 'Slow models', query: 'show=duration&percentile=p95' }
  const { status, body } = await ann.post('/api/views', wanted)
  expect([status, body.view]).toEqual([201, { id: expect.any(Number), ...wanted, shared: false }])
  const path = `/api/views/${body.view.id}`
  expect(await listed(bob, '/explore')).toEqual({ views: [], shared: [] })
  for (const who of [bob, boss]) {
    expect((await who.put(path, { name: 'x' })).status).toBe(404)
    expect((await who.delete(path)).status).toBe(404)
  }
  expect((await ann.put(path, { name: 'Slow', shared: true })).body.view).toEqual({
    ...body.view,
    name: 'Slow',
    shared: true,
  })
  expect((await listed(bob, '/explore')).shared).toEqual([
    { id: body.view.id, name: 'Slow', query: wanted.query, shared_by: 'ann' },
  ])
  expect(await listed(bob, '/usage')).toEqual({ views: [], shared: [] })
  expect((await listed(ann, '/explore')).shared).toEqual([])
  expect((await ann.delete(path)).status).toBe(200)
  expect(await listed(ann, '/explore')).toEqual({ views: [], shared: [] })
})

test('those of pages of administrators are for who may read these', async () => {
  const wanted = { page: '/admin/usage', name: 'Failed', query: 'outcome=failed', shared: true }
  expect((await ann.post('/api/views', wanted)).status).toBe(404)
  expect((await boss.post('/api/views', wanted)).status).toBe(201)
  expect((await ann.get('/api/views?page=/admin/usage')).status).toBe(404)
  const clerk = await app.signIn('clerk', 'billing')
  expect((await listed(clerk, '/admin/usage')).shared).toMatchObject([{ name: 'Failed', shared_by: 'boss' }])
})

test('a person has fifty of them, also when they are made at once', async () => {
  const make = (n: number) => bob.post('/api/views', { page: '/usage', name: `view ${n}`, query: '' })
  const made = await Promise.all(Array.from({ length: 53 }, (_, n) => make(n)))
  const statuses = made.map(({ status }) => status).sort()
  expect([statuses.filter((one) => one === 201).length, statuses.slice(50)]).toEqual([50, [409, 409, 409]])
  expect((await listed(bob, '/usage')).views.length).toBe(50)
})

test('whoever shares many keeps nobody else off the list', async () => {
  const [cyn, dan, eve] = await Promise.all(['cyn', 'dan', 'eve'].map((name) => app.signIn(name)))
  const share = (userId = 0, count = 1) => {
    const at = app.clock.now()
    const view = { userId, page: '/explore' as const, query: '', shared: true, createdAt: at, updatedAt: at }
    return app.db
      .insert(savedViews)
      .values(Array.from({ length: count }, (_, n) => ({ ...view, name: `view ${n}` })))
  }
  await share(cyn?.id)
  await share(dan?.id, 50)
  await share(eve?.id, 50)
  const { shared } = await listed(boss, '/explore')
  expect(shared.length).toBe(100)
  expect(shared.slice(0, 3).map(({ shared_by }: { shared_by: string }) => shared_by)).toEqual([
    'eve',
    'dan',
    'cyn',
  ])
})

test('those of who was deleted are shared no more, and gone once they are erased', async () => {
  await ann.post('/api/views', { page: '/usage', name: "Ann's own", query: '', shared: true })
  expect((await listed(boss, '/usage')).shared.length).toBe(1)
  const parts = { ...app.deps, actor: COMMAND_LINE }
  await deleteUser(parts, ann.id)
  expect((await listed(boss, '/usage')).shared).toEqual([])
  await eraseUser(parts, ann.id)
  const left = await app.db.select().from(savedViews)
  expect(left.filter(({ userId }) => userId === ann.id)).toEqual([])
})
