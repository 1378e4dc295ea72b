/** Streams of OpenAI's interfaces whose upstream breaks its connection. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const OPUS = 'claude-opus-5-5'
const ASKED = {
  '/v1/chat/completions': { messages: [{ role: 'user', content: 'hi' }] },
  '/v1/responses': { input: 'hi' },
}

let upstream: FakeUpstream
let app: App
let key: string
beforeAll(async () => {
  upstream = await startUpstream()
  app = await startApp({ backends: [{ name: 'claude', url: upstream.url, api_key: 'k-of-claude' }] })
  const ann = await app.signIn('ann')
  key = (await ann.post('/api/keys', { name: 'x' })).body.key.key
})
afterAll(async () => {
  await app.close()
  await upstream.stop()
})

/** The last event of a stream whose connection Claude's side resets behind these frames. Rejects where ours breaks, too. */
async function lastEvent(path: keyof typeof ASKED, frames: readonly string[]) {
  upstream.answer({ chunks: [...frames, 20], end: 'reset' })
  const { text } = await app.request(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: OPUS, stream: true, ...ASKED[path] }),
  })
  return text.trim().split('\n\n').at(-1)
}

test.each([
  ['/v1/chat/completions', '"code":"upstream_cut"', 'data: [DONE]'],
  ['/v1/responses', 'event: response.failed', 'event: response.completed'],
] as const)(
  '%s says so and ends well, because clients tell a broken connection instead',
  async (path, failed, whole) => {
    expect(await lastEvent(path, messageStream().slice(0, 4))).toContain(failed)
    expect(await lastEvent(path, messageStream())).toContain(whole)
    const rows = await app.rows()
    expect(rows.map(({ outcome }) => outcome).slice(-2)).toEqual(['upstream_cut', 'ok'])
  },
)
