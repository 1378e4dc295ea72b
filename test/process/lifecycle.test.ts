import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { eq, sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { apiKeys, usageHourly, usageLogs } from '../../core/db/schema.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { errorJson, type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'hi' }],
}

describe('the life of the process', () => {
  let upstream: FakeUpstream
  let gateway: TestGateway
  beforeEach(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({ backends: [{ name: 'a', url: upstream.url }] })
  })
  afterEach(async () => {
    await gateway.stop()
    await upstream.stop()
  })

  /** Calls without end, until the process is killed in the midst of them; answers the ids whose final usage came. */
  async function callUntilKilled(): Promise<string[]> {
    const finished: string[] = []
    let killed: Promise<unknown> | undefined
    const killSoon = async () => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 100))
      await gateway.end('SIGKILL')
    }
    const worker = async () => {
      while (!killed || gateway.process.signalCode === null) {
        let id = ''
        let text = ''
        try {
          const answer = await gateway.send(ASK)
          id = answer.headers.get('request-id') ?? ''
          for await (const chunk of answer.body ?? []) text += Buffer.from(chunk)
        } catch {
          // Killed in the middle: what came before still counts.
        }
        if (text.includes('event: message_delta')) finished.push(id)
        if (finished.length >= 10) killed ??= killSoon()
      }
    }
    await Promise.all(Array.from({ length: 12 }, worker))
    await killed
    return finished
  }

  test('kill -9, 12 times under load: every call whose final usage came is in the log exactly once', async () => {
    const frames = messageStream({ text: ['one', 'two'] })
    upstream.answer({ chunks: frames.flatMap((frame) => [frame, 1]) })
    const finished: string[] = []
    for (let round = 0; round < 12; round++) {
      finished.push(...(await callUntilKilled()))
      await gateway.restart()
    }
    const rows = await gateway.rows(0)
    const ids = rows.map(({ requestId }) => requestId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(finished.length).toBeGreaterThanOrEqual(120)
    expect(finished.filter((id) => !ids.includes(id))).toEqual([])
    for (const row of rows.filter(({ requestId }) => finished.includes(requestId))) {
      expect(row).toMatchObject({ inputTokens: 10, outputTokens: 20, estimated: false })
    }
    const figures = sql<number>`sum(cost_micros + input_tokens * 1000 + output_tokens * 7)`.mapWith(Number)
    const [[log], [hours]] = await Promise.all([
      gateway.db.select({ figures, n: sql<number>`count(*)` }).from(usageLogs),
      gateway.db.select({ figures, n: sql<number>`sum(requests)`.mapWith(Number) }).from(usageHourly),
    ])
    expect(hours).toEqual(log)
    expect(await gateway.db.get(sql`pragma integrity_check`)).toEqual({ integrity_check: 'ok' })
  }, 180_000)

  test('SIGTERM lets streams end, takes no new calls, writes everything and ends with 0', async () => {
    const frames = messageStream({ text: Array.from({ length: 10 }, () => 'word') })
    upstream.answer({ chunks: frames.flatMap((frame) => [frame, 50]) })
    const answer = await gateway.send(ASK)
    const ended = gateway.end('SIGTERM')
    await expect.poll(() => gateway.output()).toContain('server.stopping')
    await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow()
    expect(await answer.text()).toBe(frames.join(''))
    expect(await ended).toBe(0)
    expect(await gateway.rows(1)).toMatchObject([{ outcome: 'ok', outputTokens: 20 }])
  })

  test('a second SIGTERM does not wait for streams, and still loses nothing', async () => {
    upstream.answer({ chunks: messageStream().slice(0, 3), end: 'hang' })
    const answer = await gateway.send(ASK)
    const reading = answer.text().catch(() => 'cut')
    const ended = gateway.end('SIGTERM')
    await expect.poll(() => gateway.output()).toContain('server.stopping')
    gateway.process.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(await reading).toBe('cut')
    expect(await gateway.rows(1)).toMatchObject([{ outcome: 'interrupted', inputTokens: 10 }])
  })

  test('SIGHUP puts a valid configuration in force between requests, and a broken one changes nothing', async () => {
    const send = async (model: string) => (await gateway.send({ ...ASK, model })).status
    expect(await send('claude-fable-5-2')).toBe(200)
    gateway.configure({ models: { rules: [{ match: 'claude-fable-*', access: 'closed' }] } })
    gateway.process.kill('SIGHUP')
    await expect.poll(() => send('claude-fable-5-2')).toBe(400)
    gateway.configure({ models: { rules: [{ match: 'claude-*', access: 'nonsense' }] } })
    gateway.process.kill('SIGHUP')
    await expect.poll(() => gateway.output()).toContain('config.reload_failed')
    expect([await send('claude-fable-5-2'), await send('claude-opus-5-5')]).toEqual([400, 200])
  })

  test('SIGHUP takes no time off: calls are served, and it is ready, while backends are checked anew', async () => {
    const ready = async () => (await fetch(`${gateway.url}/readyz`)).status
    await expect.poll(ready).toBe(200)
    upstream.models({ before: 'hang' })
    gateway.process.kill('SIGHUP')
    await expect.poll(() => gateway.output()).toContain('config.reloaded')
    expect([await ready(), (await gateway.send(ASK)).status]).toEqual([200, 200])
  })

  test('SIGHUP forgets neither what a backend failed nor that it works', async () => {
    const overloaded = { status: 529, headers: JSON_TYPE, chunks: [errorJson('overloaded_error')] }
    const model = 'claude-fable-5-2'
    const calls = () => upstream.requests.filter(({ body }) => body.includes(model)).length
    upstream.answer(({ body }) => (body.includes(model) ? overloaded : { chunks: messageStream() }))
    for (let i = 0; i < 5; i++) expect((await gateway.send({ ...ASK, model })).status).toBe(529)
    upstream.models(overloaded)
    gateway.process.kill('SIGHUP')
    await expect.poll(() => gateway.output()).toContain('config.reloaded')
    // Out as before: two calls at once are one try and one refusal in our own words.
    const held = Promise.withResolvers<void>()
    upstream.answer(({ body }) =>
      body.includes(model)
        ? { ...overloaded, chunks: [held.promise, errorJson('overloaded_error')] }
        : overloaded,
    )
    const before = calls()
    const tried = gateway.send({ ...ASK, model })
    await expect.poll(calls).toBe(before + 1)
    const refused = await gateway.send({ ...ASK, model })
    expect([refused.status, await refused.text()]).toEqual([
      529,
      expect.stringContaining('failing or overloaded'),
    ])
    held.resolve()
    expect((await tried).status).toBe(529)
  })

  test('SIGHUP leaves in force, and names, what only a start can change', async () => {
    const { secret } = await gateway.newKey({ quotaTokens: 1 })
    gateway.configure({ limits: { period: 'total' }, log: { level: 'debug' } })
    gateway.process.kill('SIGHUP')
    await expect.poll(() => gateway.output()).toContain('config.reloaded')
    expect(gateway.output()).toMatch(/needs_restart","setting":"limits\.period"/)
    expect(gateway.output()).toMatch(/needs_restart","setting":"log\.level"/)
    const last = await gateway.send(ASK, { key: secret })
    await last.text()
    await gateway.rowOf(last)
    const refused = await gateway.send(ASK, { key: secret })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).not.toBeNull()
    expect(await refused.text()).toContain('Your monthly token quota')
  })

  test('what the command line changes holds within a second', async () => {
    const { secret, keyId } = await gateway.newKey()
    const status = async () => (await gateway.send(ASK, { key: secret })).status
    await expect.poll(status, { timeout: 1_500 }).toBe(200)
    await gateway.db.update(apiKeys).set({ status: 'disabled' }).where(eq(apiKeys.id, keyId))
    await expect.poll(status, { timeout: 1_500 }).toBe(401)
    await gateway.db.update(apiKeys).set({ status: 'active', expiresAt: Date.now() + 1_200 })
    await expect.poll(status, { timeout: 1_100 }).toBe(200)
    await expect.poll(status, { timeout: 2_500 }).toBe(401)
  })

  test('the data is for its owner only', async () => {
    await (await gateway.send(ASK)).text()
    const { file } = (await gateway.db.get<{ file: string }>(sql`pragma database_list`)) ?? { file: '' }
    const journals = join(dirname(file), 'journal')
    for (const path of [file, journals, ...readdirSync(journals).map((name) => join(journals, name))]) {
      expect([path, statSync(path).mode & 0o077]).toEqual([path, 0])
    }
  })
})
