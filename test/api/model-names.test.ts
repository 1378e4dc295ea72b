import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const HI = '[{"role":"user","content":"hi"}]'
/** JSON texts of names that are none. */
const BAD = {
  'a lone surrogate': '"a\\ud800"',
  'a null character': '"a\\u0000b"',
  'a line break': '"a\\nb"',
  'an escape of terminals': '"a\\u001b[31m"',
  'a line separator': '"a\\u2028b"',
  nothing: '""',
  'more than a name': `"${'m'.repeat(257)}"`,
  megabytes: `"${'m'.repeat(2_000_000)}"`,
}

describe('names of models', () => {
  let upstream: FakeUpstream
  let app: App
  let ann: Browser
  let key: string
  beforeAll(async () => {
    upstream = await startUpstream()
    app = await startApp({
      health: { startup_check: 'off' },
      models: { default_access: 'approval' },
      backends: [{ name: 'a', url: upstream.url, api_key: 'k' }],
    })
    ann = await app.signIn('ann')
    key = (await ann.post('/api/keys', { name: 'x' })).body.key.key
  })
  afterAll(async () => {
    await app.close()
    await upstream.stop()
  })
  const post = (path: string, body: string) =>
    app.request(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body,
    })

  test.each(
    Object.entries(BAD).flatMap(([what, name]) => [
      ['/v1/messages', what, `{"model":${name},"messages":${HI}}`],
      ['/v1/messages/count_tokens', what, `{"model":${name},"messages":${HI}}`],
      ['/v1/chat/completions', what, `{"model":${name},"messages":${HI}}`],
      ['/v1/responses', what, `{"model":${name},"input":"hi","store":false}`],
    ]),
  )('are refused on %s with %s, and leave nothing behind', async (path, _, body) => {
    const answer = await post(path, body)
    expect([answer.status, answer.text.includes('model')]).toEqual([400, true])
    expect(answer.text.length).toBeLessThan(500)
    await app.settled()
    expect(await app.rows()).toEqual([])
  })

  const short = Object.entries(BAD).filter(([, name]) => name.length < 1000)
  test.each(short)('are refused in an application with %s', async (_, name) => {
    const answer = await ann.post('/api/applications', { model: JSON.parse(name), reason: 'please' })
    expect([answer.status, Object.keys(answer.body.error.fields)]).toEqual([400, ['model']])
  })

  test.each(['a%00b', 'a%0Ab', 'm'.repeat(257)])('are unknown in an address: %s', async (name) => {
    const answer = await app.request(`/v1/models/${name}`, { headers: { 'x-api-key': key } })
    expect([answer.status, answer.body.error.message]).toEqual([404, 'model: this is no name of a model.'])
  })

  test('may have 256 characters of any script, and an application takes them with white space around', async () => {
    const name = '模'.repeat(256)
    expect((await ann.post('/api/applications', { model: ` ${name} `, reason: 'please' })).status).toBe(201)
  })
})
