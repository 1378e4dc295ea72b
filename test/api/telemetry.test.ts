/** What Claude Code tells of itself, on its way to collectors. */
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeCollector, startCollector } from '../support/collector.ts'

const PROTOBUF = 'application/x-protobuf'
const BODY = '{"resourceMetrics":[]}'

let collector: FakeCollector
let app: App
let secret: string
const start = async (telemetry: object[]) => {
  app = await startApp({ claude_code: { telemetry } })
  secret = (await (await app.signIn('ann')).post('/api/keys', { name: 'x' })).body.key.key
}
beforeEach(async () => {
  collector = await startCollector()
})
afterEach(async () => {
  await app.close()
  await collector.stop()
})

const tell = (signal: string, body: BodyInit = BODY, headers: Record<string, string> = {}, key = secret) =>
  app.request(`/v1/${signal}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body,
  })
const got = async () => {
  await app.settled()
  return collector.requests.map(({ url }) => url)
}
const dropped = (reason: string) =>
  app.deps.observability?.memory.registry
    .all()
    .filter(({ metric, labels }) => metric === 'claude_gateway.telemetry.dropped' && labels[1] === reason)
    .reduce((sum, { numbers }) => sum + (numbers[0] ?? 0), 0)

describe('a collector', () => {
  test('gets metrics as they came, with its own headers and without the caller’s', async () => {
    await start([{ endpoint: collector.url, headers: { 'x-token': 'of the collector' } }])
    const { status, headers, text } = await tell('metrics')
    expect([status, headers.get('content-type'), text]).toEqual([200, 'application/json', '{}'])
    expect(await got()).toEqual(['/v1/metrics'])
    const [request] = collector.requests
    expect(String(request?.body)).toBe(BODY)
    expect(request?.headers).toMatchObject({
      'x-token': 'of the collector',
      'content-type': 'application/json',
    })
    expect(JSON.stringify(request?.headers)).not.toContain(secret)
  })

  test('gets logs and traces only where it is told so', async () => {
    const other = await startCollector()
    await start([{ endpoint: collector.url }, { endpoint: other.url, signals: ['logs', 'traces'] }])
    for (const signal of ['metrics', 'logs', 'traces']) expect((await tell(signal)).status).toBe(200)
    expect(await got()).toEqual(['/v1/metrics'])
    expect(other.requests.map(({ url }) => url)).toEqual(['/v1/logs', '/v1/traces'])
    await other.stop()
  })

  test('gets protobuf that came compressed, whose answer is protobuf as well', async () => {
    await start([{ endpoint: collector.url }])
    const bytes = new Uint8Array([0x0a, 0x00])
    const { status, headers, text } = await tell('metrics', gzipSync(bytes), {
      'content-type': PROTOBUF,
      'content-encoding': 'gzip',
    })
    expect([status, headers.get('content-type'), text]).toEqual([200, PROTOBUF, ''])
    await got()
    expect(collector.requests[0]?.headers['content-encoding']).toBeUndefined()
    expect(new Uint8Array(collector.requests[0]?.body ?? [])).toEqual(bytes)
  })

  test('that is away gets it when it is back, asked again after a pause, and the log says so once', async () => {
    await start([{ endpoint: collector.url }])
    collector.answer(503)
    await tell('metrics')
    await app.settled()
    await tell('metrics')
    expect(await got()).toHaveLength(1)
    await app.deps.telemetry.run()
    expect(collector.requests).toHaveLength(1)
    app.clock.advance(1_000)
    await app.deps.telemetry.run()
    expect(collector.requests).toHaveLength(2)
    collector.answer(200)
    app.clock.advance(2_000)
    await app.deps.telemetry.run()
    expect(collector.requests).toHaveLength(4)
    const events = app.logs.lines.map(({ event }) => event).filter((event) => event.startsWith('telemetry.'))
    expect(events).toEqual(['telemetry.failed', 'telemetry.works_again'])
    expect(JSON.stringify(app.logs.lines)).not.toContain(secret)
  })

  test('that refuses one, or stays away for long, is not asked for ever', async () => {
    await start([{ endpoint: collector.url }])
    collector.answer(400)
    await tell('metrics')
    await got()
    expect(dropped('collector_refused')).toBe(1)
    collector.answer(503)
    await tell('metrics')
    await app.settled()
    for (let i = 0; i < 10; i++) {
      app.clock.advance(60_000)
      await app.deps.telemetry.run()
    }
    expect(collector.requests).toHaveLength(6)
    expect(dropped('collector_away')).toBe(1)
  })

  test('that does not answer keeps nobody waiting, and holds up no other', async () => {
    const other = await startCollector()
    await start([{ endpoint: collector.url }, { endpoint: other.url }])
    collector.answer('hang')
    for (let i = 0; i < 20; i++) expect((await tell('metrics')).status).toBe(200)
    await expect.poll(() => other.requests.length).toBe(20)
    expect(collector.requests.length).toBeLessThanOrEqual(8)
    await other.stop()
    await collector.stop()
    collector = await startCollector()
  })
})

describe('what waits at a change of the configuration', () => {
  test('goes to the collectors that are still there, and to each once', async () => {
    const other = await startCollector()
    await start([{ endpoint: collector.url }, { endpoint: other.url }])
    const next = await startApp({ claude_code: { telemetry: [{ endpoint: collector.url }] } })
    collector.answer(503)
    other.answer(503)
    for (let i = 0; i < 3; i++) await tell('metrics')
    await app.settled()
    const asked = [collector.requests.length, other.requests.length]
    collector.answer(200)
    other.answer(200)
    next.deps.telemetry.takeOver(app.deps.telemetry.left())
    await next.deps.telemetry.run()
    app.clock.advance(60_000)
    await app.deps.telemetry.run()
    expect(collector.requests.length).toBe((asked[0] ?? 0) + 3)
    expect(other.requests.length).toBe(asked[1])
    await next.close()
    await other.stop()
  })
})

test('two collectors at one address keep apart what waits for each', async () => {
  const twice = [
    { endpoint: collector.url, headers: { 'x-token': 'one' } },
    { endpoint: collector.url, headers: { 'x-token': 'other' }, signals: ['logs'] },
  ]
  await start(twice)
  const next = await startApp({ claude_code: { telemetry: twice } })
  collector.answer(503)
  await tell('metrics')
  await tell('logs')
  await app.settled()
  const asked = collector.requests.length
  collector.answer(200)
  next.deps.telemetry.takeOver(app.deps.telemetry.left())
  await next.deps.telemetry.run()
  const sent = collector.requests.slice(asked).map(({ url, headers }) => `${url} ${headers['x-token']}`)
  expect(sent.toSorted()).toEqual(['/v1/logs other', '/v1/metrics one'])
  await next.close()
})

describe('whoever tells', () => {
  test('more than is counted has it go on, and the sums are known to lack it', async () => {
    await start([{ endpoint: collector.url }])
    const large = `{"resourceMetrics":[${' '.repeat(600_000)}]}`
    expect((await tell('metrics', large)).status).toBe(200)
    expect([await got(), dropped('not_counted')]).toEqual([['/v1/metrics'], 1])
  })

  test('needs a key, and is answered with 200 whatever becomes of it', async () => {
    await start([{ endpoint: collector.url }])
    expect((await tell('metrics', BODY, {}, 'sk-wrong')).status).toBe(401)
    const large = gzipSync(new Uint8Array(5 * 1024 * 1024))
    for (const [body, encoding] of [
      [large, 'gzip'],
      ['no gzip', 'gzip'],
      [BODY, 'unheard-of'],
    ] as const) {
      expect((await tell('metrics', body, { 'content-encoding': encoding })).status).toBe(200)
    }
    expect(dropped('unreadable')).toBe(3)
    expect(await got()).toEqual([])
  })

  test('is answered where there are no collectors', async () => {
    await start([])
    for (const signal of ['metrics', 'logs', 'traces']) expect((await tell(signal)).status).toBe(200)
  })

  test('too often is not read, and others are', async () => {
    await start([{ endpoint: collector.url }])
    const bob = (await (await app.signIn('bob')).post('/api/keys', { name: 'x' })).body.key.key
    for (let i = 0; i < 125; i++) expect((await tell('metrics')).status).toBe(200)
    expect(dropped('too_many')).toBe(5)
    await tell('metrics', BODY, {}, bob)
    expect(await got()).toHaveLength(121)
  })
})
