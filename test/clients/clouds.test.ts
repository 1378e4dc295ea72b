/** Anthropic's clients for the clouds, straight at the simulated ones: what they ask is what the gateway asks for the same call. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BEDROCK } from '../../core/backends/kinds/bedrock.ts'
import type { Kind } from '../../core/backends/kinds/kind.ts'
import { VERTEX } from '../../core/backends/kinds/vertex.ts'
import type { HeaderPairs } from '../../core/ports.ts'
import type { Backend } from '../../core/settings.ts'
import { backend } from '../support/backends.ts'
import { startBedrock } from '../support/bedrock.ts'
import type { CloudServer } from '../support/cloud-server.ts'
import { type CloudChecks, startCloudChecks } from '../support/clouds.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'
import { type SimulatedVertex, startVertex } from '../support/vertex.ts'
import { cloudClients } from './install.ts'

const KEYS = {
  accessKeyId: 'AKIA2QX7Z0K3M9VB4T1R',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG',
  sessionToken: 'FQoG/+=x',
}

interface CloudClient {
  messages: {
    create(parameters: object): Promise<{ content: { text: string }[] }>
    stream(parameters: object): { finalMessage(): Promise<{ content: { text: string }[] }> }
    countTokens?(parameters: object): Promise<{ input_tokens: number }>
  }
  beta: { messages: { create(parameters: object): Promise<unknown> } }
}
type ClientClass = new (options: object) => CloudClient

let checks: CloudChecks
let claude: FakeUpstream
let bedrock: CloudServer
let vertex: SimulatedVertex
let aws: CloudClient
let google: CloudClient
beforeAll(async () => {
  checks = await startCloudChecks()
  claude = await startUpstream()
  const signed = { keys: () => KEYS, checks, now: Date.now }
  bedrock = await startBedrock({ claude, region: 'eu-west-1', signed })
  vertex = await startVertex({ claude, project: 'project-7', region: 'global', token: 'ya29.token' })
  // What the packages export, as their own declarations say; they are not there when this is checked.
  const { AnthropicBedrock } = (await cloudClients('bedrock-sdk')) as { AnthropicBedrock: ClientClass }
  const { AnthropicVertex } = (await cloudClients('vertex-sdk')) as { AnthropicVertex: ClientClass }
  aws = new AnthropicBedrock({
    baseURL: bedrock.url,
    awsRegion: 'eu-west-1',
    awsAccessKey: KEYS.accessKeyId,
    awsSecretKey: KEYS.secretAccessKey,
    awsSessionToken: KEYS.sessionToken,
    maxRetries: 0,
  })
  google = new AnthropicVertex({
    baseURL: `${vertex.url}/v1`,
    region: 'global',
    projectId: 'project-7',
    authClient: { getRequestHeaders: async () => new Headers({ authorization: 'Bearer ya29.token' }) },
    maxRetries: 0,
  })
}, 300_000)
afterAll(async () => {
  await Promise.all([bedrock, vertex, claude, checks].map((one) => one?.stop()))
})

const HELLO = { max_tokens: 100, messages: [{ role: 'user', content: 'hellö' }] }
const AWS_NAME = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0'
const GOOGLE_NAME = 'claude-sonnet-4-5@20250929'
const MODEL = 'claude-sonnet-4-5'
const BETA = 'interleaved-thinking-2025-05-14'

/** What is asked by a client of the cloud, and by the gateway for the same call: address and body, whose version differs. */
function both(
  server: CloudServer,
  kind: Kind,
  to: Backend,
  call: { body: object; path?: string; betas?: string[] },
) {
  const { body, path = '/v1/messages', betas = [] } = call
  const headers: HeaderPairs = [
    ['anthropic-version', '2023-06-01'],
    ...betas.map((beta): [string, string] => ['anthropic-beta', beta]),
  ]
  const made = kind.addressed(to, {
    method: 'POST',
    path,
    headers,
    model: MODEL,
    openAi: false,
    stream: 'stream' in body,
    body: new TextEncoder().encode(JSON.stringify({ model: MODEL, ...body })),
  })
  const shape = (path: string, bytes: Uint8Array | undefined) => {
    const { anthropic_version, ...rest } = JSON.parse(new TextDecoder().decode(bytes))
    expect(typeof anthropic_version).toBe('string')
    return { path: decodeURIComponent(path), body: rest }
  }
  const asked = server.requests.at(-1)
  const betaOf = (pairs: readonly (readonly [string, string])[] = []) =>
    pairs.find(([name]) => name === 'anthropic-beta')?.[1]
  return [
    { ...shape(asked?.url ?? '', asked?.body), beta: betaOf(asked?.headers) },
    { ...shape(made.path, made.body), beta: betaOf(made.headers) },
  ]
}

describe('The client of Amazon Bedrock', () => {
  const to = () => backend('aws', { url: bedrock.url, upstreamModels: new Map([[MODEL, AWS_NAME]]) })

  test('asks and is answered as the gateway is, whole and streamed', async () => {
    const whole = await aws.messages.create({ model: AWS_NAME, ...HELLO })
    expect(whole.content[0]?.text).toBe('Hello there')
    const [theirs, ours] = both(bedrock, BEDROCK, to(), { body: HELLO })
    expect(ours).toEqual(theirs)
    const streamed = await aws.messages.stream({ model: AWS_NAME, ...HELLO }).finalMessage()
    expect(streamed.content[0]?.text).toBe('Hello there')
    const [theirStream, ourStream] = both(bedrock, BEDROCK, to(), { body: { ...HELLO, stream: true } })
    expect(ourStream).toEqual(theirStream)
  })

  test('puts betas where the gateway does', async () => {
    await aws.beta.messages.create({ model: AWS_NAME, ...HELLO, betas: [BETA] })
    const [theirs, ours] = both(bedrock, BEDROCK, to(), { body: HELLO, betas: [BETA] })
    expect(ours?.body).toEqual(theirs?.body)
    expect(ours?.body.anthropic_beta).toEqual([BETA])
  })
})

describe('The client of Google Cloud', () => {
  const to = () =>
    backend('google', {
      url: vertex.url,
      region: 'global',
      project: 'project-7',
      upstreamModels: new Map([[MODEL, GOOGLE_NAME]]),
    })

  test('asks and is answered as the gateway is, whole, streamed and for tokens', async () => {
    await google.messages.create({ model: GOOGLE_NAME, ...HELLO })
    const [theirs, ours] = both(vertex, VERTEX, to(), { body: HELLO })
    expect(ours).toEqual(theirs)
    const streamed = await google.messages.stream({ model: GOOGLE_NAME, ...HELLO }).finalMessage()
    expect(streamed.content[0]?.text).toBe('Hello there')
    const [theirStream, ourStream] = both(vertex, VERTEX, to(), { body: { ...HELLO, stream: true } })
    expect(ourStream).toEqual(theirStream)
    const { messages } = HELLO
    expect(await google.messages.countTokens?.({ model: GOOGLE_NAME, messages })).toEqual({ input_tokens: 7 })
    const path = '/v1/messages/count_tokens'
    const [theirCount, ourCount] = both(vertex, VERTEX, to(), { body: { messages }, path })
    expect(ourCount).toEqual(theirCount)
  })

  test('puts betas where the gateway does', async () => {
    await google.beta.messages.create({ model: GOOGLE_NAME, ...HELLO, betas: [BETA] })
    const [theirs, ours] = both(vertex, VERTEX, to(), { body: HELLO, betas: [BETA] })
    expect(ours).toEqual(theirs)
    expect(ours?.beta).toBe(BETA)
  })
})
