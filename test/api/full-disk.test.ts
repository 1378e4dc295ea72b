import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { startApp } from '../support/app.ts'

test('a change on a full disk is refused as one of a database that is away, and what is there is read', async () => {
  const app = await startApp()
  const boss = await app.signIn('boss', 'admin')
  await app.db.run(sql`pragma max_page_count = 1`)
  const make = (i: number) => boss.post('/admin/api/groups', { name: `${i}${'x'.repeat(80)}` })
  let made = await make(0)
  for (let i = 1; i < 500 && made.status === 201; i++) made = await make(i)
  expect([made.status, made.body.error.code]).toEqual([503, 'database_unavailable'])
  expect((await boss.get('/admin/api/users')).status).toBe(200)
  await app.db.run(sql`pragma max_page_count = 1000000`)
  expect((await make(500)).status).toBe(201)
  await app.close()
})
