/** Lists of administrators: sorted, searched and paged. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { usageSums } from '../../core/db/schema.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

let app: App
let boss: Browser & { id: number }
beforeAll(async () => {
  app = await startApp()
  boss = await app.signIn('boss', 'admin')
  for (const [name, costMicros, lastAt] of [
    ['ann', 5, 300],
    ['bob', 9, 100],
  ] as const) {
    const person = await app.signIn(name)
    for (const key of ['laptop', 'server']) await person.post('/api/keys', { name: `${name} ${key}` })
    const tokens = { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0 }
    const written = { cacheWrite5mTokens: 0, cacheWrite1hTokens: 0, latencyMs: 1 }
    const of = { cut: 'total', start: 0, userId: person.id, apiKeyId: 1, model: 'm', backend: 'b' } as const
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
])('keys%s are %s', async (query, names, count) => {
  const { keys, total } = (await boss.get(`/admin/api/keys${query}`)).body
  expect([keys.map(({ name }: { name: string }) => name), total]).toEqual([names, count])
})
