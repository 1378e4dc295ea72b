/** Translating a request of many megabytes takes a while in which others want to be served. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

let upstream: FakeUpstream
let app: App
let key: string
beforeAll(async () => {
  upstream = await startUpstream()
  app = await startApp({ backends: [{ name: 'a', url: upstream.url, api_key: 'k' }] })
  key = (await (await app.signIn('ann')).post('/api/keys', { name: 'x' })).body.key.key
})
afterAll(async () => {
  await app.close()
  await upstream.stop()
})

/** So often others have a turn while the call is prepared, where each step of that takes as long as a turn. */
async function turnsIn(call: () => Promise<unknown>): Promise<number> {
  const { clock } = app
  const { elapsed, after } = clock
  let turns = 0
  let spent = 0
  clock.elapsed = () => {
    spent += 6
    return elapsed() + spent
  }
  clock.after = (ms, action) => {
    if (ms > 0) return after(ms, action)
    turns += 1
    setImmediate(action)
    return () => {}
  }
  await call()
  Object.assign(clock, { elapsed, after })
  return turns
}

test.each([
  ['/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }], max_tokens: 5 }],
  ['/v1/responses', { input: 'hi', store: false, max_output_tokens: 5 }],
  ['/v1/responses/input_tokens', { input: 'hi' }],
])('%s lets them have their turn between its steps', async (path, body) => {
  const turns = await turnsIn(async () => {
    const answer = await app.request(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'claude-opus-5-5', ...body }),
    })
    expect(answer.status).toBe(200)
  })
  // It is read, translated, written and looked through.
  expect(turns).toBeGreaterThanOrEqual(4)
})
