/** Kinds of backends that speak Claude's own interface, on any runtime: what each gets, and how calls move between them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CloudServer } from '../support/cloud-server.ts'
import { startClaudeOnAws, startFoundry, startMantle } from '../support/relatives.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { errorJson, type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

/** A kind for each, so that a call's model says where it goes. The name behind it is the upstream's. */
const OPUS = 'claude-opus-5-5'
const [SONNET, IN_SWEDEN] = ['claude-sonnet-5-5', 'sonnet-in-sweden']
const [HAIKU, OF_MANTLE] = ['claude-haiku-5-5', 'anthropic.claude-haiku-5-5']
/** What fails has effects on what follows, so that it has backends of its own. */
const [NO_DEPLOYMENT, LONE] = ['claude-backed-elsewhere', 'claude-alone']
const refused = (place: string) => `claude-backed-${place}`
const FILE = { type: 'document', source: { type: 'url', url: 'https://x.test/a.pdf' } }
const JSON_TYPE = { 'content-type': 'application/json' }
const KEY = 'k-of-the-company-4711'

/** A conversation of its own, because one that moved to another backend stays there. */
const hello = (model: string, more: object = {}) => ({
  model,
  max_tokens: 100,
  messages: [{ role: 'user', content: `hello ${crypto.randomUUID()}` }],
  ...more,
})
/** The place, its model, what that is called there, and what 10 tokens in and 20 out cost in micro-dollars. */
const PLACES = [
  ['aws', OPUS, OPUS, 440],
  ['foundry', SONNET, IN_SWEDEN, 220],
  ['mantle', HAIKU, OF_MANTLE, 11],
] as const

export function kindsContract({ name, start, abilities }: Runtime) {
  describe(`kinds on ${name}`, () => {
    let claude: FakeUpstream
    let other: FakeUpstream
    let places: Record<'aws' | 'foundry' | 'mantle', CloudServer>
    let gateway: Gateway
    beforeAll(async () => {
      claude = await startUpstream()
      other = await startUpstream()
      places = {
        aws: await startClaudeOnAws({ claude, key: KEY, workspace: 'wrkspc_1' }),
        foundry: await startFoundry({ claude, key: KEY, deployments: [IN_SWEDEN] }),
        mantle: await startMantle({ claude, key: KEY }),
      }
      gateway = await start({ backends: backendsAt(places, other) })
    })
    afterAll(async () => {
      await gateway?.stop()
      await Promise.all([...Object.values(places ?? {}), claude, other].map((server) => server?.stop()))
    })
    beforeEach(() => {
      for (const upstream of [claude, other]) upstream.reset()
      for (const place of Object.values(places)) place.requests.length = 0
    })
    const got = () => JSON.parse(claude.requests.at(-1)?.body.toString() ?? '{}')
    const bodyAt = (place: keyof typeof places) => places[place].requests.at(-1)?.body.toString()

    test.each(PLACES)(
      '%s serves whole answers and streams, byte for byte, and both are booked at the price of our name',
      async (_, model, upstream, costMicros) => {
        const whole = await gateway.send(hello(model))
        expect([whole.status, await whole.json()]).toMatchObject([
          200,
          { type: 'message', role: 'assistant' },
        ])
        const frames = messageStream()
        claude.answer({ chunks: frames })
        const body = hello(model, { stream: true })
        const stream = await gateway.send(body)
        expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/)
        expect(await stream.text()).toBe(frames.join(''))
        expect(got()).toEqual({ ...body, model: upstream })
        const usage = { inputTokens: 10, outputTokens: 20, estimated: false, costMicros }
        for (const answer of [whole, stream]) {
          expect(await gateway.rowOf(answer)).toMatchObject({ outcome: 'ok', model, ...usage })
        }
        expect(other.requests).toEqual([])
      },
    )

    test('bytes that need no change are the caller’s, and a model’s other name is all that changes', async () => {
      const rest = '"messages":[{"role":"user","content":"\\u0068i"}]'
      const text = `{ "max_tokens" : 5,"model":"${OPUS}",${rest}, "tags":{} }`
      expect((await gateway.send(text)).status).toBe(200)
      expect(bodyAt('aws')).toBe(text)
      await gateway.send(`{ "max_tokens" : 5, "model":"${SONNET}",${rest}}`)
      expect(bodyAt('foundry')).toBe(`{"model":"${IN_SWEDEN}", "max_tokens" : 5,${rest}}`)
    })

    test('what a kind would refuse is left out where the answer stays the same, and the caller is told', async () => {
      const body = hello(HAIKU, { tags: { team: 'a' }, diagnostics: { previous_message_id: null } })
      const answer = await gateway.send(body, { headers: { 'anthropic-beta': 'request-tags-2026-08-21' } })
      expect(answer.status).toBe(200)
      const warning = answer.headers.get('x-gateway-warning')
      for (const left of ['tags', 'diagnostics', 'anthropic-beta']) expect(warning).toContain(left)
    })

    test.each(PLACES)('%s counts tokens', async (_, model, upstream) => {
      const { max_tokens: _max, ...body } = hello(model)
      const answer = await gateway.send(body, { path: '/v1/messages/count_tokens' })
      expect([answer.status, await answer.json()]).toEqual([200, { input_tokens: 7 }])
      expect(got()).toMatchObject({ model: upstream })
    })

    test.each(PLACES)('%s hands a mistake of the caller on as it is', async (_, model) => {
      const error = errorJson('invalid_request_error', 'messages.0: Input should be a valid dictionary')
      claude.answerNext({ status: 400, chunks: [error], headers: JSON_TYPE })
      const answer = await gateway.send(hello(model))
      expect([answer.status, await answer.text()]).toEqual([400, error])
      expect(other.requests).toEqual([])
    })

    // Where nobody tells that the client left, the answer is generated to its end (contract `gateway`).
    test.skipIf(abilities.hearsLeaving === 'never').each(PLACES)(
      'a client that leaves stops %s',
      async (place, model) => {
        const [first = '', ...rest] = messageStream()
        claude.answer({ chunks: [first, ...rest.flatMap((chunk) => [200, chunk])], end: 'hang' })
        const leaving = new AbortController()
        const answer = await gateway.send(hello(model, { stream: true }), { signal: leaving.signal })
        await answer.body?.getReader().read()
        leaving.abort()
        await expect.poll(() => claude.requests.at(-1)?.aborted).toBe(true)
        expect(places[place].requests).toHaveLength(1)
      },
    )

    test.each(PLACES)(
      '%s that refuses our key is followed by another, and nobody sees its words',
      async (place) => {
        const answer = await gateway.send(hello(refused(place)))
        expect([answer.status, await answer.json()]).toMatchObject([200, { type: 'message' }])
        expect([places[place].requests.length > 0, other.requests.length]).toEqual([true, 1])
      },
    )

    test('a deployment that is not there is followed by another backend', async () => {
      expect((await gateway.send(hello(NO_DEPLOYMENT))).status).toBe(200)
      expect(other.requests).toHaveLength(1)
    })

    test('a call goes to a kind that can serve it, and is refused by its field where there is none', async () => {
      const messages = [{ role: 'user', content: [FILE] }]
      expect((await gateway.send(hello(HAIKU, { messages }))).status).toBe(200)
      expect(other.requests).toHaveLength(1)
      const answer = await gateway.send(hello(LONE, { messages }))
      expect(answer.status).toBe(400)
      const message = expect.stringMatching(/^messages\.0\.content\.0\.source: no upstream/)
      expect(await answer.json()).toMatchObject({ error: { message } })
      expect(places.mantle.requests).toEqual([])
    })

    test('a thread where nobody has threads is refused by the code at which SDKs go on without one', async () => {
      const answer = await gateway.send(hello(LONE, { thread: { type: 'create' } }))
      const details = { error_code: 'thread_unsupported_request' }
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ error: { type: 'invalid_request_error', details } })
    })
  })
}

function backendsAt({ aws, foundry, mantle }: Record<string, CloudServer>, other: FakeUpstream) {
  const on = {
    aws: {
      name: 'aws',
      type: 'claude-on-aws',
      region: 'eu-west-1',
      workspace_id: 'wrkspc_1',
      url: aws?.url ?? '',
      api_key: KEY,
      models: [OPUS],
    },
    foundry: {
      name: 'foundry',
      type: 'foundry',
      url: `${foundry?.url}/anthropic`,
      api_key: KEY,
      models: [{ id: SONNET, upstream: IN_SWEDEN }],
    },
    mantle: {
      name: 'mantle',
      type: 'bedrock-mantle',
      region: 'eu-west-1',
      url: `${mantle?.url}/anthropic`,
      api_key: KEY,
      models: [HAIKU, LONE].map((id) => ({ id, upstream: OF_MANTLE })),
    },
  }
  const strange = Object.entries(on).map(([place, backend]) => {
    const models = [{ id: refused(place), upstream: OF_MANTLE }]
    return { ...backend, name: `strange-${place}`, api_key: 'k-of-somebody-else', models }
  })
  const missing = {
    ...on.foundry,
    name: 'missing',
    models: [{ id: NO_DEPLOYMENT, upstream: 'nothing-here' }],
  }
  const models = [OPUS, SONNET, HAIKU, 'claude-backed-*']
  const last = { name: 'other', url: other.url, weight: 0.000_001, models }
  return [...Object.values(on), ...strange, missing, last]
}
