/** Days of an account that were missed, and accounts whose backends change. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { createBooks } from '../../adapters/demo/simulated-claude/reports.ts'
import { reconcile } from '../../core/reports/reconcile.ts'
import { DAY_MS } from '../../core/units.ts'
import { type App, startApp } from '../support/app.ts'

const MODEL = 'claude-haiku-4-5'
const OWN = 'sim-upstream-key'

let app: App
let claude: SimulatedClaude
beforeEach(async () => {
  const books = createBooks(
    () => app.clock.now(),
    () => ({ input: 1, output: 5, cacheRead: 0.1, cacheWrite5m: 1.25, cacheWrite1h: 2 }),
  )
  claude = await startSimulatedClaude({ pace: 0, books })
  app = await startApp({ backends: [backend('claude')] })
  await (await call()).text()
})
afterEach(async () => {
  await app.close()
  await claude.stop()
})

const backend = (name: string) => ({ name, url: claude.url, api_key: OWN, admin_key: 'sim-admin-key' })

/** One that does not pass the gateway. */
const call = () =>
  fetch(`${claude.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': OWN, 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model: MODEL, max_tokens: 200, messages: [{ role: 'user', content: 'hi' }] }),
  })

async function found() {
  const boss = await app.signIn('boss', 'admin')
  const { status, body } = await boss.get('/admin/api/reconciliation')
  expect(status).toBe(200)
  return body
}

test('days on which nothing could be compared are compared once it can, however many they were', async () => {
  app.clock.set(DAY_MS)
  await reconcile(app.deps)
  for (let day = 0; day < 6; day++) {
    await (await call()).text()
    app.clock.set(DAY_MS)
  }
  await reconcile(app.deps)
  const { days, rows } = await found()
  const dates = new Set(days.map(({ date }: { date: string }) => date))
  expect(dates.size).toBe(days.length)
  expect(days).toHaveLength(29)
  expect(rows.filter(({ measure }: { measure: string }) => measure === 'output')).toHaveLength(7)
})

test('a failure is told of the days that were asked for, not of those that are compared', async () => {
  app.clock.set(DAY_MS)
  await reconcile(app.deps)
  for (let day = 0; day < 6; day++) app.clock.set(DAY_MS)
  await claude.stop()
  await reconcile(app.deps)
  const { days } = await found()
  const failed = days.filter(({ problem }: { problem: string }) => problem !== '')
  expect(failed).toHaveLength(6)
  expect(failed.every((day: { compared_at: string | null }) => day.compared_at === null)).toBe(true)
})

test('an account that gets another backend is compared anew, and nothing of it is counted twice', async () => {
  app.clock.set(DAY_MS)
  await reconcile(app.deps)
  const before = await found()
  const more = { ...app.deps.settings.backends[0], name: 'claude-2' }
  const settings = { ...app.deps.settings, backends: [...app.deps.settings.backends, more] }
  await reconcile({ ...app.deps, settings } as typeof app.deps)
  const after = await found()
  expect(before.totals.theirs_usd).toBeGreaterThan(0)
  expect(after.totals).toEqual(before.totals)
  expect(new Set(after.days.map(({ account }: { account: string }) => account))).toEqual(
    new Set(['claude, claude-2']),
  )
})
