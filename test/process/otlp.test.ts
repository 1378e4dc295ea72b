/** Traces and metrics of the real server, at a collector. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type FakeCollector, startCollector } from '../support/collector.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'SECRET words of somebody' }],
}
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`

let upstream: FakeUpstream
let collector: FakeCollector
let gateway: TestGateway | undefined
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())
afterEach(async () => {
  await gateway?.stop()
  await collector.stop()
})

async function start(otlp: object = {}, server: object = {}) {
  upstream.reset()
  collector = await startCollector()
  gateway = await startGateway({
    server,
    backends: [{ name: 'a', url: upstream.url }],
    otlp: { endpoint: collector.url, headers: { 'x-token': 'token-of-the-collector' }, ...otlp },
  })
  return gateway
}

describe('a call', () => {
  test('becomes a span below its caller’s, and its headers go to Claude as they came', async () => {
    const { send, rowOf } = await start()
    const answer = await send(ASK, { headers: { traceparent: TRACEPARENT, tracestate: 'vendor=1' } })
    await answer.text()
    await expect.poll(() => collector.spans.length, { timeout: 10_000 }).toBe(1)
    const row = await rowOf(answer)
    expect(collector.spans[0]).toMatchObject({
      name: 'chat claude-opus-5-5',
      traceId: TRACE,
      parentSpanId: 'b7ad6b7169203331',
      attributes: {
        'claude_gateway.request_id': row.requestId,
        'gen_ai.usage.output_tokens': row.outputTokens,
        'claude_gateway.backend': 'a',
      },
    })
    expect(upstream.requests.at(-1)?.headers).toMatchObject({
      traceparent: TRACEPARENT,
      tracestate: 'vendor=1',
    })
  })

  test('without a trace has none at Claude either', async () => {
    const { send } = await start()
    await (await send(ASK)).text()
    await expect.poll(() => collector.spans.length, { timeout: 10_000 }).toBe(1)
    expect(Object.keys(upstream.requests.at(-1)?.headers ?? {})).not.toContain('traceparent')
  })

  test('tells the collector neither what was said, nor by whom, nor any key', async () => {
    const { send, newKey, end } = await start({ interval: '100ms' })
    const { secret } = await newKey({ itcode: 'person-of-the-test' })
    await expect.poll(async () => (await send(ASK, { key: secret })).status).toBe(200)
    await (await send({ ...ASK, stream: false }, { path: '/v1/chat/completions', key: secret })).text()
    await expect.poll(() => collector.metrics.length, { timeout: 10_000 }).toBeGreaterThan(0)
    await end('SIGTERM')
    expect(collector.spans.length).toBeGreaterThan(0)
    const all = collector.requests.map(({ body }) => body.toString('latin1')).join()
    for (const private_ of [
      'SECRET',
      'person-of-the-test',
      secret,
      secret.slice(0, 8),
      'upstream-key',
      'token-of-the',
    ]) {
      expect(all).not.toContain(private_)
    }
  })
})

test('what is left is exported when the process ends', async () => {
  const { send, end } = await start()
  await (await send(ASK)).text()
  expect(await end('SIGTERM')).toBe(0)
  expect(collector.spans).toHaveLength(1)
  expect(collector.metrics.map(({ name }) => name)).toContain('claude_gateway.calls')
})

test('each worker exports as an instance of its own', async () => {
  const { end, send } = await start({ interval: '100ms' }, { workers: 2 })
  await (await send(ASK)).text()
  const instances = () => new Set(collector.resources.map((resource) => resource['service.instance.id']))
  await expect.poll(() => instances().size, { timeout: 20_000 }).toBe(2)
  expect(await end('SIGTERM')).toBe(0)
  expect(collector.spans).toHaveLength(1)
})

test.each<[string, 'hang' | 503]>([
  ['does not answer', 'hang'],
  ['refuses', 503],
])('a collector that %s keeps neither calls nor the end of the process waiting', async (_what, how) => {
  const { send, end, output } = await start({ interval: '50ms' })
  collector.answer(how)
  const answers = await Promise.all(Array.from({ length: 300 }, async () => (await send(ASK)).text()))
  expect(new Set(answers).size).toBe(1)
  expect(await end('SIGTERM')).toBe(0)
  expect(output()).toContain('server.stopped')
})
