/** Somebody who asks and withdraws again and again: those who decide have one mailbox each. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'

let app: App
beforeEach(async () => {
  app = await startApp({
    models: { default_access: 'approval' },
    limits: { default_budget_usd: 10 },
  })
})
afterEach(() => app.close())

const MOST = 40
const DAY = 86_400_000

test.each([
  ['/api/applications', { model: 'claude-opus-5-5', reason: 'x' }, 'application'],
  ['/api/requests', { period: 'monthly', amount_usd: 50, reason: 'x' }, 'request'],
] as const)('%s is told of forty times a day, and is refused then', async (path, wanted, name) => {
  await app.signIn('boss@example.com', 'admin')
  const ann = await app.signIn('ann')
  const sent = app.mails.length
  const statuses: number[] = []
  let retryAfter: string | null = null
  for (let i = 0; i < MOST + 5; i++) {
    const asked = await ann.post(path, wanted)
    statuses.push(asked.status)
    retryAfter = asked.headers.get('retry-after')
    app.clock.advance(3_000)
    await app.deps.courier.run()
    await app.settled()
    const id = asked.body[name]?.id
    if (id !== undefined) await ann.delete(`${path}/${id}`)
  }
  expect(statuses).toEqual([...Array(MOST).fill(201), ...Array(5).fill(429)])
  expect(app.mails.length - sent).toBe(MOST)
  expect(Number(retryAfter)).toBeGreaterThan(80_000)
  app.clock.advance(DAY / 3)
  expect((await ann.post(path, wanted)).status).toBe(429)
})
