/** Claude on Amazon Bedrock and Google Cloud, on any runtime, with keys that are checked by AWS's and Google's own libraries. */
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { chunkFrame, damaged, exceptionFrame } from '../support/amazon-frames.ts'
import { startBedrock } from '../support/bedrock.ts'
import type { CloudServer } from '../support/cloud-server.ts'
import { type CloudChecks, startCloudChecks } from '../support/clouds.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { errorJson, type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'
import { type SimulatedVertex, startVertex } from '../support/vertex.ts'

const KEYS = {
  accessKeyId: 'AKIA2QX7Z0K3M9VB4T1R',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG',
  sessionToken: 'FQoG/+=x',
}
/** The models of each: the first for what goes well, because what goes wrong has effects on those that follow. */
const AWS = ['claude-opus-5-5', 'claude-fable-5-2', 'claude-opus-4-6', 'claude-opus-5', 'claude-opus-4-8']
const GOOGLE = [
  'claude-sonnet-5-5',
  'claude-haiku-5-5',
  'claude-haiku-4-5',
  'claude-sonnet-5',
  'claude-sonnet-4-6',
]
/** A conversation of its own, because one that moved to another backend stays there. */
const hello = (model = '', more = {}) => ({
  model,
  max_tokens: 100,
  messages: [{ role: 'user', content: `hello ${crypto.randomUUID()}` }],
  ...more,
})
const JSON_TYPE = { 'content-type': 'application/json' }

const onBedrock = ({ url }: CloudServer) => ({
  name: 'aws',
  type: 'bedrock',
  api_key: undefined,
  url,
  region: 'eu-west-1',
  credentials: {
    access_key_id: KEYS.accessKeyId,
    secret_access_key: KEYS.secretAccessKey,
    session_token: KEYS.sessionToken,
  },
  models: AWS.map((id) => ({ id, upstream: `eu.anthropic.${id}-v1:0` })),
})
const onVertex = ({ url, serviceAccount }: SimulatedVertex) => ({
  name: 'google',
  type: 'vertex',
  api_key: undefined,
  url,
  project: 'project-7',
  region: 'europe-west1',
  credentials: { service_account: JSON.stringify(serviceAccount) },
  models: [{ id: 'claude-sonnet-5-5', upstream: 'claude-sonnet-5-5@20260915' }, ...GOOGLE.slice(1)],
})
const streaming =
  (...frames: Uint8Array[]) =>
  (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
    response.end(Buffer.concat(frames))
  }

export function cloudsContract({ name, start }: Runtime) {
  describe(`clouds on ${name}`, () => {
    let checks: CloudChecks
    let claude: FakeUpstream
    let bedrock: CloudServer
    let vertex: SimulatedVertex
    let other: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      checks = await startCloudChecks()
      claude = await startUpstream()
      other = await startUpstream()
      const signed = { keys: () => KEYS, checks, now: Date.now }
      bedrock = await startBedrock({ claude, region: 'eu-west-1', signed })
      vertex = await startVertex({ claude, project: 'project-7', region: 'europe-west1', checks })
      const backends = [
        onBedrock(bedrock),
        onVertex(vertex),
        { name: 'other', url: other.url, weight: 0.000_001 },
      ]
      gateway = await start({ backends })
    }, 300_000)
    afterAll(async () => {
      await gateway?.stop()
      await Promise.all([bedrock, vertex, claude, other, checks].map((one) => one?.stop()))
    })
    beforeEach(() => {
      for (const upstream of [claude, other]) upstream.reset()
      for (const cloud of [bedrock, vertex]) cloud.requests.length = 0
    })

    const clouds = [
      ['Amazon Bedrock', AWS, 'eu.anthropic.claude-opus-5-5-v1:0', 'anthropic.claude-opus-5-5-v1:0'],
      ['Google Cloud', GOOGLE, 'claude-sonnet-5-5@20260915', 'claude-sonnet-5-5@20260915'],
    ] as const
    const asked = () => JSON.parse(claude.requests.at(-1)?.body.toString() ?? '{}')

    test.each(clouds)(
      '%s serves whole answers and streams, and both are booked',
      async (_, [model], upstream) => {
        const body = hello(model)
        const whole = await gateway.send(body)
        expect([whole.status, await whole.json()]).toMatchObject([
          200,
          { type: 'message', role: 'assistant' },
        ])
        expect(whole.headers.get('x-gateway-warning')).toBeNull()
        expect(asked()).toMatchObject({ model: upstream, messages: body.messages, max_tokens: 100 })
        const frames = messageStream()
        claude.answer({ chunks: frames })
        const stream = await gateway.send(hello(model, { stream: true }))
        expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/)
        const eventsIn = (text: string) =>
          text.split('\n\n').filter((event) => event && !event.startsWith('event: ping'))
        expect(eventsIn(await stream.text())).toEqual(eventsIn(frames.join('')))
        expect(asked()).toMatchObject({ model: upstream, stream: true })
        for (const [answer, streamed] of [
          [whole, false],
          [stream, true],
        ] as const) {
          const row = await gateway.rowOf(answer)
          const tokens = { inputTokens: 10, outputTokens: 20, estimated: false }
          expect(row).toMatchObject({ outcome: 'ok', model, stream: streamed, ...tokens })
          expect(row.costMicros).toBeGreaterThan(0)
        }
        expect(other.requests).toEqual([])
      },
    )

    test.each(clouds)('%s counts tokens', async (_, [model], _upstream, counted) => {
      const { max_tokens: _max, ...body } = hello(model)
      const answer = await gateway.send(body, { path: '/v1/messages/count_tokens' })
      expect([answer.status, await answer.json()]).toEqual([200, { input_tokens: 7 }])
      expect(asked()).toMatchObject({ model: counted, messages: body.messages })
    })

    test.each(clouds)(
      '%s gets no hints that it does not know, and the caller is told',
      async (_, [model]) => {
        const answer = await gateway.send(hello(model, { diagnostics: { previous_message_id: null } }), {
          headers: { 'anthropic-beta': 'interleaved-thinking-2025-05-14,oauth-2025-04-20' },
        })
        expect(answer.status).toBe(200)
        expect(answer.headers.get('x-gateway-warning')).toContain('diagnostics')
        expect(answer.headers.get('x-gateway-warning')).toContain('oauth-2025-04-20')
        expect(asked()).not.toHaveProperty('diagnostics')
      },
    )

    test.each(clouds)(
      '%s that fails, is throttled or refuses us is followed by another',
      async (_, models) => {
        const types = ['api_error', 'rate_limit_error', 'overloaded_error', 'permission_error']
        for (const [i, type] of types.entries()) {
          claude.answerNext({ status: 500, chunks: [errorJson(type)], headers: JSON_TYPE })
          expect((await gateway.send(hello(models[i + 1], { stream: true }))).status).toBe(200)
        }
        expect(other.requests).toHaveLength(types.length)
      },
    )

    test.each(clouds)(
      'a mistake of the caller on %s is told to them, in Anthropic’s envelope',
      async (_, [model]) => {
        const message = 'messages.0: Input should be a valid dictionary'
        const chunks = [errorJson('invalid_request_error', message)]
        claude.answerNext({ status: 400, chunks, headers: JSON_TYPE })
        const answer = await gateway.send(hello(model))
        const error = { type: 'invalid_request_error', message }
        expect([answer.status, await answer.json()]).toMatchObject([400, { type: 'error', error }])
        expect(other.requests).toEqual([])
      },
    )

    test.each(clouds)('%s is no candidate for what it cannot do', async (_, [model]) => {
      const mcp_servers = [{ type: 'url', url: 'https://mcp.example.com/', name: 'm' }]
      expect((await gateway.send(hello(model, { mcp_servers }))).status).toBe(200)
      expect([claude.requests.length, other.requests.length]).toEqual([0, 1])
    })

    test('a stream of Bedrock that breaks off is told, or never looks like a finished one', async () => {
      const [first = '', ...rest] = messageStream().map((event) => event.replace(/^.*\ndata: /, '').trim())
      const stop = chunkFrame(rest.at(-1) ?? '')
      bedrock.answerNext(
        streaming(chunkFrame(first), exceptionFrame('modelStreamErrorException', 'It broke.'), stop),
      )
      const told = await gateway.send(hello(AWS[0], { stream: true }))
      expect((await told.text()).split('\n\n').at(-2)).toBe(
        'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"It broke."}}',
      )
      const arrived = Promise.withResolvers<void>()
      bedrock.answerNext(async (response) => {
        response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
        response.write(chunkFrame(first))
        await arrived.promise
        response.end(damaged(stop))
      })
      const cut = await gateway.send(hello(AWS[0], { stream: true }))
      const reader = cut.body?.getReader()
      expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('message_start')
      arrived.resolve()
      await expect(reader?.read()).rejects.toThrow()
      expect(await gateway.rowOf(cut)).toMatchObject({ outcome: 'upstream_cut' })
    })

    test('an exception that opens a stream of Bedrock moves the call on', async () => {
      bedrock.answerNext(streaming(exceptionFrame('throttlingException', 'Too many tokens')))
      expect((await gateway.send(hello(AWS[0], { stream: true }))).status).toBe(200)
      expect(other.requests).toHaveLength(1)
    })
  })
}
