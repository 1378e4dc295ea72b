/** Lists of administrators: sorted, searched and paged. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { usageSums } from '../../core/db/schema.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

let app: App
let boss: Browser & { id: number }
let annsLaptop = 0
beforeAll(async () => {
  app = await startApp()
  boss = await app.signIn('boss', 'admin')
  for (const [name, costMicros, lastAt] of [
    ['ann', 5, 300],
    ['bob', 9, 100],
  ] as const) {
    const person = await app.signIn(name)
    const ids: number[] = []
    for (const key of ['laptop', 'server']) {
      ids.push((await person.post('/api/keys', { name: `${name} ${key}` })).body.key.id)
    }
    if (name === 'ann') annsLaptop = ids[0] ?? 0
    const tokens = { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0 }
    const written = { cacheWrite5mTokens: 0, cacheWrite1hTokens: 0, latencyMs: 1 }
    const apiKeyId = ids[0] ?? 0
    const of = { cut: 'total', start: 0, userId: person.id, apiKeyId, model: 'm', backend: 'b' } as const
    const sums = { requests: 1, errors: 0, costMicros, lastAt }
    await app.db.insert(usageSums).values({ ...of, ...tokens, ...written, ...sums })
  }
})
afterAll(() => app.close())

test.each([
  ['', ['ann', 'bob', 'boss']],
  ['?order=desc', ['boss', 'bob', 'ann']],
  ['?sort=cost_usd&order=desc', ['bob', 'ann', 'boss']],
  ['?sort=last_used_at&order=desc', ['ann', 'bob', 'boss']],
  ['?sort=last_used_at&order=desc&page=2&page_size=2', ['boss']],
  ['?sort=budget_used_usd', ['ann', 'bob', 'boss']],
])('users%s are %s', async (query, names) => {
  const { users, total } = (await boss.get(`/admin/api/users${query}`)).body
  expect([users.map(({ itcode }: { itcode: string }) => itcode), total]).toEqual([names, 3])
})

test.each([
  ['', ['ann laptop', 'ann server', 'bob laptop', 'bob server'], 4],
  ['?q=LAPTOP', ['ann laptop', 'bob laptop'], 2],
  ['?q=bob', ['bob laptop', 'bob server'], 2],
  ['?page=2&page_size=3', ['bob server'], 4],
  ['?sort=name&order=desc&page=1&page_size=2', ['bob server', 'bob laptop'], 4],
  ['?sort=cost_usd&order=desc', ['bob laptop', 'ann laptop', 'ann server', 'bob server'], 4],
  ['?sort=last_used_at&order=desc', ['ann laptop', 'bob laptop', 'ann server', 'bob server'], 4],
  ['?sort=itcode&order=desc', ['bob laptop', 'bob server', 'ann laptop', 'ann server'], 4],
  ['?never_used=true', ['ann server', 'bob server'], 2],
  ['?key_id=2', ['ann server'], 1],
  ['?without_limits=true&state=active', ['ann laptop', 'ann server', 'bob laptop', 'bob server'], 4],
])('keys%s are %s', async (query, names, count) => {
  const { keys, total } = (await boss.get(`/admin/api/keys${query}`)).body
  expect([keys.map(({ name }: { name: string }) => name), total]).toEqual([names, count])
})

test('an administrator changes a key of somebody, finds it by what holds for it, and deletes it', async () => {
  const at = `/admin/api/keys/${annsLaptop}`
  const names = async (query: string) =>
    (await boss.get(`/admin/api/keys?${query}`)).body.keys.map(({ name }: { name: string }) => name)
  const inDays = (days: number) => new Date(app.clock.now() + days * 86_400_000).toISOString()
  const change = { budget_usd: 5, models: ['claude-haiku-*'], networks: ['10.0.0.0/8'] }
  const changed = await boss.put(at, { ...change, expires_at: inDays(13) })
  expect(changed.body.key).toMatchObject({ id: annsLaptop, name: 'ann laptop', ...change })
  expect(await names('without_limits=true')).toEqual(['ann server', 'bob laptop', 'bob server'])
  expect(await names('state=expiring')).toEqual(['ann laptop'])
  expect((await names('sort=expires_at'))[0]).toBe('ann laptop')
  expect((await names('sort=expires_at&order=desc'))[0]).toBe('ann laptop')
  await boss.put(at, { expires_at: inDays(15) })
  expect(await names('state=expiring')).toEqual([])
  await boss.put(`${at}/disable`)
  expect([await names('state=disabled'), (await names('state=active')).length]).toEqual([['ann laptop'], 3])
  await boss.put(`${at}/enable`)
  app.clock.advance(15 * 86_400_000)
  boss = await app.signIn('boss', 'admin')
  expect(await names('state=expired')).toEqual(['ann laptop'])

  expect((await boss.put(at, { expires_at: inDays(-1) })).status).toBe(400)
  expect((await boss.put(at, { status: 'active' })).status).toBe(400)
  expect((await boss.put(at, { expires_at: null, budget_usd: 0, models: null, networks: null })).status).toBe(
    200,
  )
  expect((await names('without_limits=true')).length).toBe(4)
  expect((await boss.delete(at)).status).toBe(200)
  expect((await boss.delete(at)).status).toBe(404)
  expect((await boss.put(at, { name: 'gone' })).status).toBe(404)
  expect(await names('q=laptop')).toEqual(['bob laptop'])
  const rows = (await app.audit()).filter(({ target }) => target === `key:${annsLaptop}`)
  expect(rows.at(-1)).toMatchObject({ action: 'key.delete', actorId: boss.id })
})
