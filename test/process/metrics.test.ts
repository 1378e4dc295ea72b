/** Metrics and live figures of the real server. */
import { execFileSync } from 'node:child_process'
import { get } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { settingsFrom } from '../../config/settings.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { openSession } from '../../core/auth/sessions.ts'
import { systemClock } from '../../core/clock.ts'
import { createUser } from '../../core/users/manage.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { DEFAULTS } from '../support/runtime.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'
import { load, MINIMAL } from '../unit/config/settings.ts'

const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'hi' }],
}
const TOKEN = 'a-scraper-of-the-test'

let upstream: FakeUpstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

/** Where the metrics of a gateway listen, as its log says. */
const portOf = (gateway: TestGateway) => {
  const [, port = ''] = /"metrics\.listening"[^\n]*"port":(\d+)/.exec(gateway.output()) ?? []
  return `http://127.0.0.1:${port}/metrics`
}

/** The cookie of a new administrator. */
async function adminCookie({ db }: TestGateway) {
  const settings = settingsFrom(load({ ...MINIMAL, ...DEFAULTS }))
  const parts = { db, clock: systemClock, actor: COMMAND_LINE, settings, auth: settings.auth }
  const user = await createUser(parts, { itcode: 'boss', role: 'admin', quotaTokens: 0 })
  const about = { userId: user.id, itcode: 'boss', ip: '', userAgent: '', previous: undefined }
  return `session=${await openSession(parts, about)}`
}

describe('metrics on a port of their own', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startGateway({
      backends: [{ name: 'a', url: upstream.url }],
      metrics: { port: 0 },
    })
  })
  afterAll(() => gateway.stop())

  test('tell what was called, and how the process is', async () => {
    await (await gateway.send(ASK)).text()
    const text = await (await fetch(portOf(gateway))).text()
    expect(text).toContain(
      'claude_gateway_calls_total{route="/v1/messages",model="claude-opus-5-5",backend="a",outcome="ok"} 1\n',
    )
    for (const name of [
      'nodejs_eventloop_delay_p99_seconds',
      'process_memory_usage_bytes',
      'claude_gateway_journal_size_bytes',
    ]) {
      expect(text).toMatch(new RegExp(`^${name} [0-9.e+-]+$`, 'm'))
    }
  })

  test('go on counting when the configuration is read again', async () => {
    gateway.process.kill('SIGHUP')
    await expect.poll(() => gateway.output()).toContain('config.reloaded')
    await (await gateway.send(ASK)).text()
    expect(await (await fetch(portOf(gateway))).text()).toContain('outcome="ok"} 2\n')
    expect(gateway.output()).not.toContain('config.needs_restart')
  })

  test('are not where calls are, and nothing else is where they are', async () => {
    expect((await fetch(`${gateway.url}/metrics`)).status).toBe(404)
    const base = portOf(gateway)
    expect((await fetch(new URL('/v1/messages', base), { method: 'POST', body: '{}' })).status).toBe(404)
    expect((await fetch(new URL('/healthz', base))).status).toBe(404)
    expect((await fetch(base, { method: 'POST' })).status).toBe(405)
    expect((await fetch(`${base}?x=1`)).status).toBe(200)
  })
})

test('metrics on a port of their own may want a token', async () => {
  const gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url }],
    metrics: { port: 0, token: TOKEN },
  })
  const statusWith = async (authorization: string) =>
    (await fetch(portOf(gateway), { headers: authorization ? { authorization } : {} })).status
  expect(await statusWith('')).toBe(401)
  expect(await statusWith(`Bearer ${TOKEN}x`)).toBe(401)
  expect(await statusWith(`bearer ${TOKEN}`)).toBe(200)
  expect(
    (await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).status,
  ).toBe(404)
  await gateway.stop()
})

test('an open stream of live figures does not keep a stopping process waiting', async () => {
  const gateway = await startGateway({ backends: [{ name: 'a', url: upstream.url }] })
  const cookie = await adminCookie(gateway)
  const events: string[] = []
  const ended = new Promise<void>((resolve) => {
    get(`${gateway.url}/admin/api/live`, { headers: { cookie } }, (answer) => {
      answer.setEncoding('utf8')
      answer.on('data', (text: string) => events.push(text))
      answer.once('close', resolve)
    })
  })
  await expect.poll(() => events.length, { timeout: 10_000 }).toBeGreaterThan(1)
  expect(JSON.parse(/data: (.*)/.exec(events[0] ?? '')?.[1] ?? '')).toMatchObject({ processes: 1 })
  expect(await gateway.end('SIGTERM')).toBe(0)
  await ended
  expect(gateway.output()).toContain('server.stopped')
  await gateway.stop()
})

describe('with several workers', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startGateway({
      server: { workers: 2 },
      backends: [{ name: 'a', url: upstream.url }],
      metrics: { port: 0 },
    })
  })
  afterAll(() => gateway.stop())
  const figure = async (name: string) => {
    const text = await (await fetch(portOf(gateway))).text()
    return text
      .split('\n')
      .filter((line) => line.startsWith(name))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }
  const calls = () => figure('claude_gateway_calls_total')
  /** Each on a connection of its own, so that both workers get some. */
  const call = async (times: number) => {
    const send = async () => (await gateway.send(ASK, { headers: { connection: 'close' } })).text()
    await Promise.all(Array.from({ length: times }, send))
  }

  test('the primary process tells the figures of all of them', async () => {
    await call(20)
    await expect.poll(calls, { timeout: 10_000 }).toBe(20)
    await expect.poll(() => figure('claude_gateway_processes'), { timeout: 10_000 }).toBe(2)
    await expect.poll(() => figure('claude_gateway_calls_in_flight'), { timeout: 10_000 }).toBe(0)
  })

  test('nothing that was counted is lost when a worker is killed or all are replaced', async () => {
    const workers = () => [...gateway.output().matchAll(/"server\.listening"/g)].length
    const before = workers()
    const children = execFileSync('pgrep', ['-P', String(gateway.process.pid)])
      .toString()
      .trim()
      .split('\n')
    process.kill(Number(children[0]), 'SIGKILL')
    await expect.poll(workers, { timeout: 20_000 }).toBe(before + 1)
    expect(await calls()).toBe(20)
    gateway.process.kill('SIGHUP')
    await expect.poll(() => gateway.output(), { timeout: 30_000 }).toContain('cluster.restarted')
    await call(10)
    await expect.poll(calls, { timeout: 10_000 }).toBe(30)
  })

  test('whichever worker is asked where calls are tells the figures of all of them', async () => {
    const other = await startGateway({
      server: { workers: 2 },
      backends: [{ name: 'a', url: upstream.url }],
      metrics: { token: TOKEN },
    })
    const headers = { authorization: `Bearer ${TOKEN}`, connection: 'close' }
    const told = async () => {
      const text = await (await fetch(`${other.url}/metrics`, { headers })).text()
      const calls = /^claude_gateway_calls_total\{.*outcome="ok"\} (\d+)$/m.exec(text)?.[1]
      return `${calls} ${/^claude_gateway_processes (\d+)$/m.exec(text)?.[1]}`
    }
    const send = async () => (await other.send(ASK, { headers: { connection: 'close' } })).text()
    await Promise.all(Array.from({ length: 20 }, send))
    const many = () => Promise.all(Array.from({ length: 12 }, told))
    await expect.poll(many).toEqual(Array(12).fill('20 2'))
    await other.stop()
  })

  test('live figures are those of all of them', async () => {
    const cookie = await adminCookie(gateway)
    const answer = await fetch(`${gateway.url}/admin/api/live`, { headers: { cookie } })
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    const next = async () => JSON.parse(/data: (.*)/.exec((await reader?.read())?.value ?? '')?.[1] ?? '')
    // Those that were replaced just now are still told until their sockets close.
    await expect
      .poll(next, { timeout: 20_000 })
      .toMatchObject({ processes: 2, calls_per_minute: expect.any(Number) })
    await reader?.cancel()
  })
})
