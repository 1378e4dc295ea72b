/** Workers that share limits and health by their primary process: what `server.workers` does when nothing else is set. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { stringify } from 'yaml'
import type { users } from '../../core/db/schema.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { countOf, workersOf } from '../support/restarts.ts'
import { complete } from '../support/runtime.ts'
import { limitTo } from '../support/spend.ts'
import { temporaryFolder } from '../support/stores.ts'
import { errorJson, type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] }
const COUNT = '/v1/messages/count_tokens'
const SLOW = { timeout: 60_000 }

let gateway: TestGateway
let upstream: FakeUpstream
beforeAll(async () => {
  upstream = await startUpstream()
  gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url }],
    server: { port: await freePort(), host: '127.0.0.1', drain_delay: 0, workers: 2 },
    health: { startup_check: 'off', cooldown: '20s' },
  })
  await vi.waitFor(() => expect(countOf(gateway, 'cluster.started')).toBe(1), SLOW)
}, 120_000)
afterEach(() => upstream.reset())
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
})

/**
 * A key that every worker knows. Each connection is answered by one of them, by chance, and a busy machine may give all of
 * them to one: they ask again for as long as a worker takes to read what is new.
 */
async function known(limits: Partial<typeof users.$inferInsert>) {
  const key = await gateway.newKey(limits)
  const ask = async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(key.secret, COUNT)))
    return answers.every((status) => status === 200)
  }
  let rounds = 0
  const isKnown = async () => {
    rounds = (await ask()) ? rounds + 1 : 0
    await sleep(500)
    return rounds >= 3
  }
  await expect.poll(isKnown, SLOW).toBe(true)
  return key
}
/** Each on a connection of its own, so that both workers get some. */
const call = async (key: string, path = '/v1/messages') => {
  const answer = await gateway.send(ASK, { key, path, headers: { connection: 'close' } })
  await answer.text()
  return answer.status
}
const passed = async (key: string, calls: number) =>
  (await Promise.all(Array.from({ length: calls }, () => call(key)))).filter((status) => status === 200)
    .length

describe('over two workers', () => {
  test('100 requests a minute are exactly 100 of 300, also after one worker was killed and both were replaced', async () => {
    const { secret } = await known({ requestsPerMinute: 100 })
    expect(await passed(secret, 60)).toBe(60)
    const [victim = 0] = workersOf(gateway)
    process.kill(victim, 'SIGKILL')
    await expect.poll(() => countOf(gateway, 'server.listening'), SLOW).toBe(3)
    const before = workersOf(gateway)
    gateway.process.kill('SIGHUP')
    await expect.poll(() => workersOf(gateway).filter((pid) => before.includes(pid)), SLOW).toEqual([])
    await expect.poll(() => countOf(gateway, 'cluster.restarted'), SLOW).toBe(1)
    expect(await passed(secret, 240)).toBe(40)
  }, 120_000)

  test('one call at once is one, and its end makes room at the other worker at once', async () => {
    const { secret } = await known({ concurrentRequests: 1 })
    for (let i = 0; i < 100; i++) expect(await call(secret)).toBe(200)
    upstream.answer({ chunks: messageStream().slice(0, 3), end: 'hang' })
    const stop = new AbortController()
    const answer = await gateway.send(ASK, { key: secret, signal: stop.signal })
    expect(await passed(secret, 20)).toBe(0)
    stop.abort()
    await answer.text().catch(() => '')
    upstream.reset()
    await expect.poll(() => call(secret)).toBe(200)
  }, 60_000)

  test('what a killed worker had under way is counted, and its place is free when another takes its journal', async () => {
    const { secret, userId } = await known({ concurrentRequests: 1, budgetMicros: 1e9 })
    const listening = countOf(gateway, 'server.listening')
    upstream.answer({ chunks: messageStream().slice(0, 3), end: 'hang' })
    const answer = await gateway.send(ASK, { key: secret })
    const reading = answer.text().catch(() => 'cut')
    for (const pid of workersOf(gateway)) process.kill(pid, 'SIGKILL')
    expect(await reading).toBe('cut')
    upstream.reset()
    await expect.poll(() => countOf(gateway, 'server.listening'), SLOW).toBe(listening + 2)
    const row = await gateway.rowOf(answer)
    expect(row).toMatchObject({ outcome: 'interrupted' })
    await expect.poll(() => call(secret).catch(() => 0), SLOW).toBe(200)
    await limitTo(gateway.db, userId, row.costMicros)
    await expect.poll(() => call(secret), SLOW).toBe(429)
  }, 120_000)

  test('what one learns of a backend, the other knows', async () => {
    const { secret } = await known({})
    upstream.answer({
      status: 401,
      headers: { 'content-type': 'application/json' },
      chunks: [errorJson('authentication_error', 'invalid x-api-key')],
    })
    const askedByTwenty = async () => {
      const before = upstream.requests.length
      await Promise.all(Array.from({ length: 20 }, () => call(secret)))
      return upstream.requests.length - before
    }
    expect(await askedByTwenty()).toBeGreaterThan(0)
    await expect.poll(askedByTwenty, SLOW).toBe(0)
  }, 60_000)
})

test('a worker serves with a primary of an older release, which shares nothing in its memory', async () => {
  const folder = temporaryFolder()
  const config = join(folder.path, 'config.yaml')
  const settings = {
    backends: [{ name: 'a', url: upstream.url }],
    database: { path: join(folder.path, 'gateway.db') },
    server: { port: await freePort(), host: '127.0.0.1', workers: 2 },
    limits: { store: 'database' },
    health: { startup_check: 'off', store: 'database' },
  }
  writeFileSync(config, stringify(complete(settings)))
  const older = spawn(process.execPath, ['test/support/older-primary-process.ts', config])
  let output = ''
  older.stdout.on('data', (data) => {
    output += data
  })
  await expect.poll(() => output, SLOW).toMatch(/^(listening|ended with \d+)$/m)
  expect(output).toContain('listening')
  expect((await fetch(`http://127.0.0.1:${settings.server.port}/healthz`)).status).toBe(200)
  older.kill()
  await once(older, 'exit')
  folder.remove()
}, 60_000)
