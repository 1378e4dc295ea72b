/** Results of a batch that several ask for at once, as the gateway's limits in memory count them. */
import { expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { messageJson, startUpstream } from '../support/upstream.ts'

const BATCHES = '/v1/messages/batches'
const AT_ONCE = 6
const params = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] }

test('results that several ask for at once count once against a budget', async () => {
  const upstream = await startUpstream()
  // Five times what the batch costs.
  const gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url }],
    limits: { default_budget_usd: 0.1 },
  })
  const json = (text: string) => ({ headers: { 'content-type': 'application/json' }, chunks: [text] })
  const message = JSON.parse(messageJson({ usage: { input_tokens: 10_000 } }))
  const line = JSON.stringify({ custom_id: 'r-0', result: { type: 'succeeded', message } })
  const told = Promise.withResolvers<void>()
  upstream.answer(({ url }) => {
    if (url.endsWith('/results')) return { chunks: [told.promise, `${line}\n`] }
    return json(url.startsWith(BATCHES) ? '{"id":"msgbatch_1","processing_status":"ended"}' : messageJson())
  })
  const made = await gateway.send({ requests: [{ custom_id: 'r-0', params }] }, { path: BATCHES })
  expect(made.status).toBe(200)
  const headers = { 'x-api-key': gateway.key }
  const results = Array.from({ length: AT_ONCE }, async () =>
    (await fetch(`${gateway.url}${BATCHES}/msgbatch_1/results`, { headers })).text(),
  )
  const asked = () => upstream.requests.filter(({ url }) => url.endsWith('/results')).length
  await expect.poll(asked).toBeGreaterThanOrEqual(AT_ONCE)
  told.resolve()
  for (const text of results) expect(await text).toBe(`${line}\n`)
  const call = await gateway.send(params)
  await call.text()
  const used = call.headers.get('anthropic-ratelimit-unified-overage-utilization')
  expect([call.status, used]).toEqual([200, '0.2'])
  await gateway.stop()
  await upstream.stop()
})
