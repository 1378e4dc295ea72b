/** The official TypeScript SDK against the real gateway, compared with the same SDK straight at the upstream. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import {
  errorJson,
  type FakeUpstream,
  messageStream,
  type Script,
  sse,
  startUpstream,
} from '../support/upstream.ts'
import { failureOf, type Sdk, type SdkMessage, sdk } from './sdk.ts'

const UPSTREAM_KEY = 'sim-upstream'
const HELLO = {
  model: 'claude-opus-5-5',
  max_tokens: 1000,
  messages: [{ role: 'user', content: 'hello' }],
}
const WEATHER = {
  name: 'get_weather',
  description: 'The weather of a city',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}

const textOf = ({ content }: SdkMessage) => content.map(({ text = '' }) => text).join('')

describe('The SDK with a Claude that answers', () => {
  let claude: SimulatedClaude
  let gateway: TestGateway
  let client: Sdk
  let direct: Sdk

  beforeAll(async () => {
    claude = await startSimulatedClaude({ pace: 0 })
  })
  beforeEach(async () => {
    gateway = await startGateway({ backends: [{ name: 'claude', url: claude.url, api_key: UPSTREAM_KEY }] })
    client = sdk(gateway.url, gateway.key)
    direct = sdk(claude.url, UPSTREAM_KEY)
  })
  afterEach(() => gateway.stop())
  afterAll(() => claude.stop())

  const expectRecorded = async ({ usage }: SdkMessage, stream: boolean) => {
    const [row] = await gateway.rows(1)
    expect(row).toMatchObject({
      outcome: 'ok',
      statusCode: 200,
      stream,
      estimated: false,
      inputTokens: usage.input_tokens,
      outputTokens: usage.output_tokens,
      cacheReadTokens: usage.cache_read_input_tokens,
    })
    expect((row?.cacheWrite5mTokens ?? 0) + (row?.cacheWrite1hTokens ?? 0)).toBe(
      usage.cache_creation_input_tokens,
    )
  }

  test('A message comes whole, and its usage is what the gateway recorded.', async () => {
    const message = await client.messages.create(HELLO)
    expect(message).toMatchObject({ role: 'assistant', model: HELLO.model, stop_reason: 'end_turn' })
    expect(textOf(message)).toContain('You said: “hello”')
    expect(textOf(message)).toBe(textOf(await direct.messages.create(HELLO)))
    expect(message._request_id).toMatch(/^req_/)
    await expectRecorded(message, false)
  })

  test('A key works as a bearer token too.', async () => {
    const message = await sdk(gateway.url, gateway.key, { bearer: true }).messages.create(HELLO)
    expect(textOf(message)).toContain('hello')
  })

  test('A stream gives its text piece by piece, and its usage is what the gateway recorded.', async () => {
    const pieces: string[] = []
    const message = await client.messages
      .stream({
        ...HELLO,
        system: [{ type: 'text', text: 'Be kind.', cache_control: { type: 'ephemeral' } }],
      })
      .on('text', (delta) => pieces.push(delta))
      .finalMessage()
    expect(pieces.length).toBeGreaterThan(10)
    expect(pieces.join('')).toBe(textOf(message))
    expect(message.usage.cache_creation_input_tokens).toBeGreaterThan(0)
    await expectRecorded(message, true)
  })

  test.for([false, true])('A tool is asked for and its result understood (streamed: %s).', async (stream) => {
    const ask = (parameters: object) =>
      stream ? client.messages.stream(parameters).finalMessage() : client.messages.create(parameters)
    const question = { role: 'user', content: 'What is the weather in Oslo?' }
    const asking = await ask({ ...HELLO, tools: [WEATHER], messages: [question] })
    expect(asking.stop_reason).toBe('tool_use')
    const call = asking.content.find(({ type }) => type === 'tool_use')
    expect(call).toMatchObject({ name: 'get_weather', input: { city: 'Oslo' } })

    const result = { type: 'tool_result', tool_use_id: call?.id, content: 'Sleet, 2 °C' }
    const messages = [
      question,
      { role: 'assistant', content: asking.content },
      { role: 'user', content: [result] },
    ]
    const answer = await ask({ ...HELLO, tools: [WEATHER], messages })
    expect(answer.stop_reason).toBe('end_turn')
    expect(textOf(answer)).toContain('Sleet, 2 °C')
    expect(await gateway.rows(2)).toHaveLength(2)
  })

  test('Tokens are counted as the upstream counts them.', async () => {
    const { model, messages } = HELLO
    const counted = await client.messages.countTokens({ model, messages })
    expect(counted.input_tokens).toBeGreaterThan(0)
    expect(counted).toEqual(await direct.messages.countTokens({ model, messages }))
  })

  test('The list of models is read to its end, and each of them by itself.', async () => {
    const idsOf = async (from: Sdk) => {
      const ids: string[] = []
      for await (const { id } of from.models.list({ limit: 3 })) ids.push(id)
      return ids.sort()
    }
    const ids = await idsOf(client)
    expect(ids).toEqual(await idsOf(direct))
    expect(ids).toContain(HELLO.model)
    expect(await client.models.retrieve(HELLO.model)).toMatchObject({ id: HELLO.model })
  })

  test('An unknown key is an AuthenticationError in our words, and is not retried.', async () => {
    const stranger = sdk(gateway.url, 'sk-not-one-of-ours')
    expect(await failureOf(stranger.messages.create(HELLO))).toMatchObject({
      name: 'AuthenticationError',
      status: 401,
      type: 'authentication_error',
      message: 'This API key is unknown. Check it, or make a new one.',
    })
    expect(stranger.statuses).toEqual([401])
    expect(await failureOf(stranger.messages.stream(HELLO).finalMessage())).toMatchObject({
      name: 'AuthenticationError',
    })
    expect(stranger.statuses).toEqual([401, 401])
  })

  test('An unknown model is a NotFoundError, as it is without the gateway.', async () => {
    const parameters = { ...HELLO, model: 'claude-imaginary-9' }
    const { headers: _, ...failure } = await failureOf(client.messages.create(parameters))
    expect(failure).toMatchObject({
      name: 'NotFoundError',
      status: 404,
      message: 'model: claude-imaginary-9',
    })
    expect(await failureOf(direct.messages.create(parameters))).toMatchObject(failure)
  })
})

describe('The SDK with a Claude that fails', () => {
  let upstream: FakeUpstream
  let gateway: TestGateway
  let client: Sdk

  beforeEach(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({ backends: [{ name: 'claude', url: upstream.url }] })
    client = sdk(gateway.url, gateway.key)
  })
  afterEach(async () => {
    await gateway.stop()
    await upstream.stop()
  })

  const failing = (status: number, type: string, headers: Record<string, string> = {}): Script => ({
    status,
    headers: { 'content-type': 'application/json', 'request-id': 'req_upstream', ...headers },
    chunks: [errorJson(type)],
  })
  const OVERLOADED = failing(529, 'overloaded_error')
  const STREAM_ERROR = sse({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })

  /** The same call with and without the gateway; neither retries. */
  const failures = async (script: Script, call: (from: Sdk) => Promise<unknown>) => {
    upstream.answer(script)
    const failureFrom = async (url: string, key: string) => {
      const { headers: _, ...failure } = await failureOf(call(sdk(url, key, { maxRetries: 0 })))
      return failure
    }
    const direct = await failureFrom(upstream.url, UPSTREAM_KEY)
    return { direct, through: await failureFrom(gateway.url, gateway.key) }
  }

  test.for([
    [400, 'invalid_request_error', 'BadRequestError'],
    [404, 'not_found_error', 'NotFoundError'],
    [413, 'request_too_large', 'ContentTooLargeError'],
    [429, 'rate_limit_error', 'RateLimitError'],
    [500, 'api_error', 'InternalServerError'],
    [529, 'overloaded_error', 'OverloadedError'],
  ] as const)(
    'A %i of the upstream is the error it would be without the gateway.',
    async ([status, type, name]) => {
      const script = failing(status, type)
      const whole = await failures(script, (from) => from.messages.create(HELLO))
      expect(whole.through).toMatchObject({ status, type, message: 'as the test wants it' })
      if (name) expect(whole.through.name).toBe(name)
      expect(whole.through).toEqual(whole.direct)
      // With a rested backend.
      await gateway.restart()
      const streamed = await failures(script, (from) => from.messages.stream(HELLO).finalMessage())
      expect(streamed).toEqual(whole)
    },
  )

  test('A request that the upstream finds wrong is not sent again.', async () => {
    upstream.answer(failing(400, 'invalid_request_error'))
    expect(await failureOf(client.messages.create(HELLO))).toMatchObject({ name: 'BadRequestError' })
    expect(client.statuses).toEqual([400])
    expect(upstream.requests).toHaveLength(1)
  })

  test('The upstream refusing our own key is no AuthenticationError of the person.', async () => {
    const { through } = await failures(failing(401, 'authentication_error'), (from) =>
      from.messages.create(HELLO),
    )
    expect(through).toMatchObject({ name: 'InternalServerError', type: 'api_error' })
    expect(through.message).not.toContain('as the test wants it')
  })

  test('An upstream that is overloaded twice is asked a third time, and answers.', async () => {
    upstream.answerNext(OVERLOADED, OVERLOADED)
    expect(textOf(await client.messages.create(HELLO))).toBe('Hello there')
    expect(client.statuses).toEqual([529, 529, 200])
    expect(upstream.requests).toHaveLength(3)
    const rows = await gateway.rows(3)
    expect(rows.map(({ statusCode }) => statusCode)).toEqual([529, 529, 200])
  })

  test('A 429 is retried after the time that the upstream asked for.', async () => {
    const limit = { 'retry-after': '1', 'anthropic-ratelimit-requests-remaining': '0' }
    upstream.answerNext(failing(429, 'rate_limit_error', limit))
    const start = performance.now()
    expect(textOf(await client.messages.create(HELLO))).toBe('Hello there')
    expect(performance.now() - start).toBeGreaterThanOrEqual(990)
    expect(client.statuses).toEqual([429, 200])
    expect(upstream.requests).toHaveLength(2)
  })

  test('The error of a 429 tells when to come back.', async () => {
    upstream.answer(failing(429, 'rate_limit_error', { 'retry-after': '7' }))
    const { headers } = await failureOf(
      sdk(gateway.url, gateway.key, { maxRetries: 0 }).messages.create(HELLO),
    )
    expect(headers?.get('retry-after')).toBe('7')
  })

  test('A stream that begins with an overload is retried, which without the gateway it would not be.', async () => {
    upstream.answerNext({ chunks: [STREAM_ERROR] })
    const direct = sdk(upstream.url, UPSTREAM_KEY)
    expect(await failureOf(direct.messages.stream(HELLO).finalMessage())).toMatchObject({
      type: 'overloaded_error',
    })
    expect(direct.statuses).toEqual([200])

    upstream.answerNext({ chunks: [STREAM_ERROR] })
    expect(textOf(await client.messages.stream(HELLO).finalMessage())).toBe('Hello there')
    expect(client.statuses).toEqual([529, 200])
  })

  test('A stream that breaks off with an error is the error it would be without the gateway.', async () => {
    const chunks = [...messageStream().slice(0, 4), STREAM_ERROR]
    const { direct, through } = await failures({ chunks }, (from) =>
      from.messages.stream(HELLO).finalMessage(),
    )
    expect(through).toMatchObject({ type: 'overloaded_error', message: 'Overloaded' })
    expect(through).toEqual(direct)
    expect(await gateway.rows(1)).toMatchObject([{ outcome: 'error' }])
  })

  test('A stream that is cut is the error it would be without the gateway.', async () => {
    const script: Script = { chunks: [...messageStream().slice(0, 4), 20], end: 'reset' }
    const { direct, through } = await failures(script, (from) => from.messages.stream(HELLO).finalMessage())
    expect(through).toEqual(direct)
    expect(await gateway.rows(1)).toMatchObject([{ outcome: 'upstream_cut' }])
  })

  test('A stream that is aborted is aborted at the upstream too.', async () => {
    upstream.answer({ chunks: messageStream().slice(0, 4), end: 'hang' })
    const stream = client.messages.stream(HELLO)
    stream.on('text', () => stream.abort())
    expect((await failureOf(stream.finalMessage())).name).toBe('APIUserAbortError')
    await vi.waitFor(() => expect(upstream.requests).toMatchObject([{ aborted: true }]), 5_000)
    expect(await gateway.rows(1)).toMatchObject([{ outcome: 'client_aborted', inputTokens: 10 }])
  })
})
