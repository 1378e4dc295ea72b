/** Kinds of backends that speak Claude's own interface, on any runtime: what each gets, and how calls move between them. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CloudServer } from '../support/cloud-server.ts'
import { startClaudeOnAws, startFoundry, startMantle } from '../support/relatives.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { errorJson, type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const MODEL = 'claude-opus-5-5'
const HELLO = { model: MODEL, max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] }
const STREAMING = { ...HELLO, stream: true }
const FILE = { type: 'document', source: { type: 'url', url: 'https://x.test/a.pdf' } }
const JSON_TYPE = { 'content-type': 'application/json' }
const KEY = 'k-of-the-company-4711'

export function kindsContract({ name, start, abilities }: Runtime) {
  describe(`kinds on ${name}`, () => {
    let claude: FakeUpstream
    let other: FakeUpstream
    let aws: CloudServer
    let foundry: CloudServer
    let mantle: CloudServer
    let gateway: Gateway
    beforeAll(async () => {
      claude = await startUpstream()
      other = await startUpstream()
      aws = await startClaudeOnAws({ claude, key: KEY, workspace: 'wrkspc_1' })
      foundry = await startFoundry({ claude, key: KEY, deployments: ['opus-in-sweden'] })
      mantle = await startMantle({ claude, key: KEY })
    })
    afterAll(() => Promise.all([aws, foundry, mantle, claude, other].map((server) => server.stop())))
    beforeEach(() => {
      for (const upstream of [claude, other]) upstream.reset()
      for (const place of [aws, foundry, mantle]) place.requests.length = 0
    })
    afterEach(() => gateway.stop())

    const onAws = (given: object = {}) => ({
      ...{ name: 'aws', type: 'claude-on-aws', region: 'eu-west-1', workspace_id: 'wrkspc_1' },
      ...{ url: aws.url, api_key: KEY, ...given },
    })
    const onFoundry = (given: object = {}) => ({
      ...{ name: 'foundry', type: 'foundry', url: `${foundry.url}/anthropic`, api_key: KEY },
      models: [{ id: MODEL, upstream: 'opus-in-sweden' }],
      ...given,
    })
    const onMantle = (given: object = {}) => ({
      ...{ name: 'mantle', type: 'bedrock-mantle', region: 'eu-west-1', url: `${mantle.url}/anthropic` },
      ...{ api_key: KEY, models: [{ id: MODEL, upstream: `anthropic.${MODEL}` }] },
      ...given,
    })
    const elsewhere = () => ({ name: 'other', url: other.url, weight: 0.000_001 })
    const places = [
      ['Claude on AWS', onAws, () => aws, MODEL],
      ['Foundry', onFoundry, () => foundry, 'opus-in-sweden'],
      ['Mantle', onMantle, () => mantle, `anthropic.${MODEL}`],
    ] as const
    const bodyOf = (place: CloudServer) => place.requests.at(-1)?.body.toString()

    test.each(places)('%s serves whole answers and streams, byte for byte', async (_, on, _place, model) => {
      gateway = await start({ backends: [on()] })
      const whole = await gateway.send(HELLO)
      expect([whole.status, await whole.json()]).toMatchObject([200, { type: 'message', role: 'assistant' }])
      const frames = messageStream()
      claude.answer({ chunks: frames })
      const stream = await gateway.send(STREAMING)
      expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/)
      expect(await stream.text()).toBe(frames.join(''))
      expect(JSON.parse(claude.requests.at(-1)?.body.toString() ?? '{}')).toEqual({ ...STREAMING, model })
    })

    test.each(places)('%s is booked with its tokens, and priced by our name of the model', async (_, on) => {
      gateway = await start({ backends: [on()] })
      await (await gateway.send(HELLO)).text()
      claude.answer({ chunks: messageStream() })
      await (await gateway.send(STREAMING)).text()
      const usage = { outcome: 'ok', model: MODEL, inputTokens: 10, outputTokens: 20, estimated: false }
      const rows = await gateway.rows(2)
      expect(rows).toMatchObject([usage, usage])
      // 10 tokens for $4 and 20 for $20 per million.
      expect(rows.map(({ costMicros }) => costMicros)).toEqual([440, 440])
    })

    test('bytes that need no change are the caller’s', async () => {
      gateway = await start({ backends: [onAws()] })
      const text = `{ "max_tokens" : 5,"model":"${MODEL}","messages":[{"role":"user","content":"\\u0068i"}], "tags":{} }`
      expect((await gateway.send(text)).status).toBe(200)
      expect(bodyOf(aws)).toBe(text)
    })

    test('a model’s other name is all that changes', async () => {
      gateway = await start({ backends: [onFoundry()] })
      await gateway.send(
        `{ "max_tokens" : 5, "model":"${MODEL}","messages":[{"role":"user","content":"\\u0068i"}]}`,
      )
      expect(bodyOf(foundry)).toBe(
        '{"model":"opus-in-sweden", "max_tokens" : 5,"messages":[{"role":"user","content":"\\u0068i"}]}',
      )
    })

    test('what a kind would refuse is left out where the answer stays the same, and the caller is told', async () => {
      gateway = await start({ backends: [onMantle()] })
      const body = { ...HELLO, tags: { team: 'a' }, diagnostics: { previous_message_id: null } }
      const answer = await gateway.send(body, { headers: { 'anthropic-beta': 'request-tags-2026-08-21' } })
      expect(answer.status).toBe(200)
      const warning = answer.headers.get('x-gateway-warning')
      for (const left of ['tags', 'diagnostics', 'anthropic-beta']) expect(warning).toContain(left)
    })

    test.each(places)('%s counts tokens', async (_, on, _place, model) => {
      gateway = await start({ backends: [on()] })
      const { max_tokens: _max, ...body } = HELLO
      const answer = await gateway.send(body, { path: '/v1/messages/count_tokens' })
      expect([answer.status, await answer.json()]).toEqual([200, { input_tokens: 7 }])
      expect(JSON.parse(claude.requests.at(-1)?.body.toString() ?? '{}')).toMatchObject({ model })
    })

    test.each(places)(
      '%s that refuses our key is followed by another, and nobody sees its words',
      async (_, on) => {
        gateway = await start({ backends: [on({ api_key: 'k-of-somebody-else' }), elsewhere()] })
        expect((await gateway.send(HELLO)).status).toBe(200)
        await gateway.stop()
        gateway = await start({ backends: [on({ api_key: 'k-of-somebody-else' })] })
        expect((await gateway.send(HELLO)).status).toBe(502)
      },
    )

    test('a deployment that is not there is followed by another backend', async () => {
      const models = [{ id: MODEL, upstream: 'nothing-here' }]
      gateway = await start({ backends: [onFoundry({ models }), elsewhere()] })
      expect((await gateway.send(HELLO)).status).toBe(200)
      expect(other.requests).toHaveLength(1)
    })

    test.each(places)('%s hands a mistake of the caller on as it is', async (_, on) => {
      gateway = await start({ backends: [on(), elsewhere()] })
      const error = errorJson('invalid_request_error', 'messages.0: Input should be a valid dictionary')
      claude.answerNext({ status: 400, chunks: [error], headers: JSON_TYPE })
      const answer = await gateway.send(HELLO)
      expect([answer.status, await answer.text()]).toEqual([400, error])
      expect(other.requests).toEqual([])
    })

    test('a call goes to a kind that can serve it, and is refused by its field where there is none', async () => {
      const body = { ...HELLO, messages: [{ role: 'user', content: [FILE] }] }
      gateway = await start({ backends: [onMantle(), elsewhere()] })
      expect((await gateway.send(body)).status).toBe(200)
      expect([mantle.requests.length, other.requests.length]).toEqual([0, 1])
      await gateway.stop()
      gateway = await start({ backends: [onMantle()] })
      const answer = await gateway.send(body)
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({
        error: { message: expect.stringMatching(/^messages\.0\.content\.0\.source: no upstream/) },
      })
      expect(mantle.requests).toEqual([])
    })

    test.each(places)('a client that leaves stops %s', async (_, on, place) => {
      gateway = await start({ backends: [on()] })
      const [first = '', ...rest] = messageStream()
      claude.answer({ chunks: [first, ...rest.flatMap((chunk) => [200, chunk]), 60_000], end: 'hang' })
      const leaving = new AbortController()
      const answer = await gateway.send(STREAMING, { signal: leaving.signal })
      await answer.body?.getReader().read()
      leaving.abort()
      if (abilities.hearsLeaving === 'never') return
      await expect.poll(() => claude.requests.at(-1)?.aborted, { timeout: 15_000 }).toBe(true)
      expect(place().requests).toHaveLength(1)
    })
  })
}
