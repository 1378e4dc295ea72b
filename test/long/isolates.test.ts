/** Isolates on Workers that die in the middle of answers: Durable Objects write the rows of their calls. */
import { expect, test } from 'vitest'
import { repairSums } from '../../core/reports/repair.ts'
import { messageStream, startUpstream } from '../support/upstream.ts'
import { WORKERS } from '../support/workers.ts'

const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'hi' }],
}

test('50 calls that were killed in the middle are 50 rows within two minutes, and hold nothing any more', async () => {
  const upstream = await startUpstream()
  const backends = [{ name: 'a', url: upstream.url }]
  const gateway = await WORKERS.start({ backends, limits: { concurrent_requests: 50 } })
  upstream.answer({ chunks: messageStream().slice(0, 3), end: 'hang' })
  const stop = new AbortController()
  const calls = Array.from({ length: 50 }, () => gateway.send(ASK, { signal: stop.signal }).catch(() => {}))
  await expect.poll(() => upstream.requests.length, { timeout: 30_000 }).toBe(50)
  await gateway.restart()
  stop.abort()
  await Promise.all(calls)
  // Wakes the object: the runtime here, unlike Cloudflare's, forgets alarms when it restarts.
  expect((await gateway.send(ASK)).status).toBe(429)
  const started = performance.now()
  const written = async () => (await gateway.rows(0)).length
  await expect.poll(written, { timeout: 130_000, interval: 1_000 }).toBe(50)
  console.log({ seconds: (performance.now() - started) / 1000 })
  expect((await gateway.rows(50)).every(({ outcome }) => outcome === 'interrupted')).toBe(true)
  upstream.reset()
  expect((await gateway.send({ ...ASK, stream: false })).status).toBe(200)
  expect(await repairSums(gateway.db, 0)).toBe(false)
  await gateway.stop()
  await upstream.stop()
})
