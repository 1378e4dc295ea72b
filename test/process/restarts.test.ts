import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import {
  countOf,
  restartBalanced,
  restartWorkers,
  startSlowUpstream,
  workersOf,
} from '../support/restarts.ts'
import { startTraffic } from '../support/traffic.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'hi' }],
}
const NOBODY_NOTICED = { refused: [], cut: 0, hung: 0 }
const SLOW = { timeout: 60_000 }

const open: { stop(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop()
})

async function started(server: object, upstream?: FakeUpstream) {
  const claude = upstream ?? (await startUpstream())
  const gateway = await startGateway({
    backends: [{ name: 'a', url: claude.url }],
    server: { port: await freePort(), host: '127.0.0.1', drain_delay: 0, ...server },
  })
  open.push(gateway, claude)
  return { gateway, upstream: claude }
}

async function withWorkers(server: object = {}, upstream?: FakeUpstream) {
  const parts = await started({ workers: 2, ...server }, upstream)
  await expect.poll(() => countOf(parts.gateway, 'cluster.started'), SLOW).toBe(1)
  return parts
}

describe('a restart that nobody notices', () => {
  test('of two workers, one by one, under load: no call is refused, cut or hangs', async () => {
    expect(await restartWorkers({ perSecond: 25, rounds: 2 })).toMatchObject(NOBODY_NOTICED)
  }, 180_000)

  test('of two gateways behind a load balancer: no call is refused, cut or hangs', async () => {
    expect(await restartBalanced({ perSecond: 25, rounds: 1 })).toMatchObject(NOBODY_NOTICED)
  }, 180_000)
})

describe('SIGTERM', () => {
  test('/readyz says 503 at once, and calls are still taken for drain_delay', async () => {
    const { gateway } = await started({ drain_delay: '30s' })
    await expect.poll(async () => (await fetch(`${gateway.url}/readyz`)).status).toBe(200)
    const ended = gateway.end('SIGTERM')
    await expect.poll(() => gateway.output()).toContain('server.stopping')
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503)
    const answer = await gateway.send(ASK)
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close'])
    expect(await answer.text()).toContain('message_stop')
    gateway.process.kill('SIGTERM')
    expect(await ended).toBe(0)
  })

  test('a stream that outlasts drain_timeout is recorded as interrupted, with the figures that came', async () => {
    const { gateway, upstream } = await started({ drain_timeout: '200ms' })
    upstream.answer({ chunks: messageStream().slice(0, 3), end: 'hang' })
    const answer = await gateway.send(ASK)
    const reading = answer.text().catch(() => 'cut')
    expect(await gateway.end('SIGTERM')).toBe(0)
    expect(await reading).toBe('cut')
    expect(await gateway.rows(1)).toMatchObject([
      { outcome: 'interrupted', inputTokens: 10, estimated: true },
    ])
  })
})

describe('server.workers', () => {
  test('kill -9 of a worker resets its own connections at once, and others go on', async () => {
    const { gateway } = await withWorkers({}, await startSlowUpstream())
    const traffic = startTraffic({ url: () => gateway.url, key: gateway.key, perSecond: 25 })
    for (let round = 1; round <= 3; round++) {
      await expect.poll(traffic.underWay, SLOW).toBeGreaterThan(5)
      process.kill(workersOf(gateway)[0] ?? 0, 'SIGKILL')
      const before = traffic.answered()
      await expect.poll(() => countOf(gateway, 'server.listening'), SLOW).toBe(2 + round)
      await expect.poll(traffic.answered, SLOW).toBeGreaterThan(before + 5)
    }
    const { hung, refused } = await traffic.stop()
    expect(hung).toBe(0)
    expect(refused.filter((cause) => !/ECONNRESET|other side closed/.test(cause))).toEqual([])
  }, 180_000)

  test('a worker that is replaced gets the configuration in force, not the file as it is', async () => {
    const { gateway } = await withWorkers()
    gateway.configure({ models: { rules: [{ match: 'claude-*', access: 'nonsense' }] } })
    for (const pid of workersOf(gateway)) process.kill(pid, 'SIGKILL')
    await expect.poll(() => countOf(gateway, 'server.listening'), SLOW).toBe(4)
    expect((await gateway.send(ASK)).status).toBe(200)
  }, 120_000)

  test('SIGHUP puts a new file in force by new workers, and a broken one changes nothing', async () => {
    const { gateway } = await withWorkers()
    const before = workersOf(gateway)
    gateway.configure({ models: { rules: [{ match: 'claude-*', access: 'nonsense' }] } })
    gateway.process.kill('SIGHUP')
    await expect.poll(() => gateway.output(), SLOW).toContain('config.reload_failed')
    expect(workersOf(gateway)).toEqual(before)
    gateway.configure({ models: { rules: [{ match: 'claude-*', access: 'closed' }] } })
    gateway.process.kill('SIGHUP')
    await expect.poll(() => countOf(gateway, 'cluster.restarted'), SLOW).toBe(1)
    await expect.poll(() => workersOf(gateway).filter((pid) => before.includes(pid)), SLOW).toEqual([])
    expect((await gateway.send(ASK)).status).toBe(400)
  }, 120_000)

  test('a signal to the whole group, as of a terminal or systemd, lets answers end', async () => {
    const { gateway, upstream } = await withWorkers()
    const frames = messageStream()
    upstream.answer({ chunks: frames.flatMap((frame) => [frame, 50]) })
    const answer = await gateway.send(ASK)
    const ended = once(gateway.process, 'exit')
    for (const pid of [gateway.process.pid ?? 0, ...workersOf(gateway)]) process.kill(pid, 'SIGTERM')
    expect(await answer.text()).toBe(frames.join(''))
    expect(await ended).toEqual([0, null])
  }, 60_000)

  test('the workers of a primary that is killed end too, and write the records of what they cut', async () => {
    const { gateway, upstream } = await withWorkers()
    upstream.answer({ chunks: messageStream().slice(0, 3), end: 'hang' })
    const answer = await gateway.send(ASK)
    const reading = answer.text().catch(() => 'cut')
    const workers = workersOf(gateway)
    await gateway.end('SIGKILL')
    expect(await reading).toBe('cut')
    expect(await gateway.rows(1)).toMatchObject([{ outcome: 'interrupted', inputTokens: 10 }])
    const alive = (pid: number) => {
      try {
        return process.kill(pid, 0)
      } catch {
        return false
      }
    }
    await expect.poll(() => workers.filter(alive), SLOW).toEqual([])
  }, 60_000)

  test('the primary ends with an error when no worker can start', async () => {
    const { gateway } = await started({})
    const place = { port: Number(new URL(gateway.url).port), workers: 2 }
    await expect(started(place)).rejects.toThrow('ended with 1')
  }, 60_000)
})
