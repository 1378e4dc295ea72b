/** Summaries that did not become one: they must not take the place of a conversation. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const MODEL = 'claude-opus-5-5'
const TALK = [
  { role: 'user', content: 'hi' },
  { role: 'assistant', content: 'hello' },
]
const TRIGGERED = { model: MODEL, input: [...TALK, { type: 'compaction_trigger' }] }

describe('a compaction', () => {
  let upstream: FakeUpstream
  let app: App
  let key: string
  beforeAll(async () => {
    upstream = await startUpstream()
    app = await startApp({
      health: { startup_check: 'off' },
      backends: [{ name: 'a', url: upstream.url, api_key: 'k' }],
    })
    key = (await (await app.signIn('ann')).post('/api/keys', { name: 'x' })).body.key.key
  })
  afterAll(async () => {
    await app.close()
    await upstream.stop()
  })
  beforeEach(() => upstream.reset())

  const ask = (path: string, body: object) =>
    app.request(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  const declined = { text: 'I will', stopReason: 'refusal' }
  const cut = { text: 'They greeted and', stopReason: 'max_tokens' }
  const empty = { text: ' ', stopReason: 'end_turn' }

  test.each([
    ['that Claude declines', declined, 'Claude declined to answer this.'],
    ['that is cut off', cut, 'The summary was cut off: the model may write no more.'],
    ['without a word', empty, 'Claude wrote no summary.'],
  ])('%s is an error of /v1/responses/compact', async (_, answer, message) => {
    upstream.answer({ chunks: messageStream(answer) })
    const { status, body } = await ask('/v1/responses/compact', { model: MODEL, input: TALK })
    expect([status, body.error.message]).toEqual([502, message])
    expect((await app.rows()).at(-1)).toMatchObject({ outputTokens: 20 })
  })

  test.each([
    ['that Claude declines', declined, 'Claude declined to answer this.'],
    ['that is cut off', cut, 'The summary was cut off: the model may write no more.'],
    ['without a word', empty, 'Claude wrote no summary.'],
  ])('%s is a failed response', async (_, answer, message) => {
    upstream.answer({ chunks: messageStream(answer) })
    const whole = await ask('/v1/responses', TRIGGERED)
    expect([whole.status, whole.body.error.message]).toEqual([502, message])
    const { text } = await ask('/v1/responses', { ...TRIGGERED, stream: true })
    const events = text.split('\n\n').flatMap((event) => event.split('\ndata: ').slice(1))
    expect(JSON.parse(events.at(-1) ?? '{}')).toMatchObject({
      type: 'response.failed',
      response: { status: 'failed', error: { code: 'server_error', message } },
    })
    expect(text).not.toContain('response.output_item.done')
  })
})
