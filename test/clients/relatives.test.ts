/**
 * Anthropic's clients for places that speak its own interface, straight at the simulated ones: what they ask is what the gateway
 * asks for the same call.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAwsCredentials } from '../../adapters/drivers/credentials/aws.ts'
import { AWS_SERVICES } from '../../adapters/shared/credentials.ts'
import type { Kind } from '../../core/backends/kinds/kind.ts'
import { BEDROCK_MANTLE, CLAUDE_ON_AWS, FOUNDRY } from '../../core/backends/kinds/relatives.ts'
import { systemClock } from '../../core/clock.ts'
import type { HeaderPairs } from '../../core/ports.ts'
import type { Backend } from '../../core/settings.ts'
import { backend } from '../support/backends.ts'
import type { CloudServer } from '../support/cloud-server.ts'
import { keptLogs } from '../support/logs.ts'
import { startClaudeOnAws, startFoundry, startMantle } from '../support/relatives.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'
import { cloudClients } from './install.ts'

const KEY = 'k-of-the-company-4711'
const KEYS = { accessKeyId: 'AKIA2QX7Z0K3M9VB4T1R', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' }
const MODEL = 'claude-opus-5-5'
const HELLO = { max_tokens: 100, messages: [{ role: 'user', content: 'hellö' }] }
/** The caller's version, which the gateway hands on, is here that of these clients. */
const VERSION = '2026-10-21'
const BETA = 'interleaved-thinking-2025-05-14'

interface Answer {
  content: { text: string }[]
}
interface Client {
  messages: {
    create(parameters: object): Promise<Answer>
    stream(parameters: object): { finalMessage(): Promise<Answer> }
    countTokens(parameters: object): Promise<{ input_tokens: number }>
    batches?: { create(parameters: object): Promise<unknown> }
  }
  beta: { messages: { create(parameters: object): Promise<Answer> } }
  models?: { list(): PromiseLike<unknown> }
}
type ClientClass = new (options: object) => Client

let claude: FakeUpstream
let places: Record<'aws' | 'foundry' | 'mantle', CloudServer>
let classes: Record<'aws' | 'foundry' | 'mantle', ClientClass>
beforeAll(async () => {
  claude = await startUpstream()
  places = {
    aws: await startClaudeOnAws({ claude, key: KEY, workspace: 'wrkspc_1' }),
    foundry: await startFoundry({ claude, key: KEY, deployments: ['opus-in-sweden'] }),
    mantle: await startMantle({ claude, key: KEY }),
  }
  // What the packages export, as their own declarations say; they are not there when this is checked.
  const { AnthropicAws } = (await cloudClients('aws-sdk')) as { AnthropicAws: ClientClass }
  const { AnthropicFoundry } = (await cloudClients('foundry-sdk')) as { AnthropicFoundry: ClientClass }
  const { AnthropicBedrockMantle } = (await cloudClients('bedrock-sdk')) as {
    AnthropicBedrockMantle: ClientClass
  }
  classes = { aws: AnthropicAws, foundry: AnthropicFoundry, mantle: AnthropicBedrockMantle }
})
afterAll(() => Promise.all([...Object.values(places), claude].map((one) => one.stop())))

const PLACES = {
  aws: {
    kind: CLAUDE_ON_AWS,
    base: '',
    name: MODEL,
    options: { awsRegion: 'eu-west-1', workspaceId: 'wrkspc_1' },
    more: { workspaceId: 'wrkspc_1' },
  },
  foundry: {
    kind: FOUNDRY,
    base: '/anthropic',
    name: 'opus-in-sweden',
    options: {},
    more: { upstreamModels: new Map([[MODEL, 'opus-in-sweden']]) },
  },
  mantle: {
    kind: BEDROCK_MANTLE,
    base: '/anthropic',
    name: `anthropic.${MODEL}`,
    options: { awsRegion: 'eu-west-1' },
    more: { upstreamModels: new Map([[MODEL, `anthropic.${MODEL}`]]) },
  },
}
const NAMES = ['aws', 'foundry', 'mantle'] as const
type Name = (typeof NAMES)[number]

const urlOf = (place: Name) => places[place].url + PLACES[place].base
const clientOf = (place: Name, credentials: object = { apiKey: KEY }) =>
  new classes[place]({ baseURL: urlOf(place), maxRetries: 0, ...PLACES[place].options, ...credentials })
const to = (place: Name) => backend(place, { url: urlOf(place), apiKey: KEY, ...PLACES[place].more })

/** Address, body and the headers that say who asks for what; the others are about the client itself. */
function shapeOf(asked: { url: string; headers: HeaderPairs; body: Uint8Array | undefined }) {
  const matters = /^(anthropic-|authorization$|x-api-key$|content-type$)/
  const text = new TextDecoder().decode(asked.body)
  return {
    url: asked.url,
    headers: Object.fromEntries(asked.headers.filter(([name]) => matters.test(name))),
    body: text === '' ? undefined : JSON.parse(text),
  }
}
function askedOf(place: Name) {
  const asked = places[place].requests.at(-1)
  return shapeOf({
    url: asked?.url ?? '',
    headers: (asked?.headers ?? []).map(([name, value]): [string, string] => [name, value]),
    body: asked?.body,
  })
}
interface Asked {
  path?: string
  betas?: string[]
  body?: object
}
function outgoing({ path = '/v1/messages', betas = [], body }: Asked) {
  const headers: HeaderPairs = [
    ...(body ? [['content-type', 'application/json'] as [string, string]] : []),
    ['anthropic-version', VERSION],
    ...betas.map((beta): [string, string] => ['anthropic-beta', beta]),
  ]
  const method = body ? ('POST' as const) : ('GET' as const)
  const bytes = body && new TextEncoder().encode(JSON.stringify(body))
  const model = body && 'model' in body ? MODEL : undefined
  return { method, path, headers, model, stream: false, openAi: false, body: bytes }
}
/** What the gateway asks for such a call. */
function ours(kind: Kind, at: Backend, call: Asked) {
  const given = outgoing(call)
  const { path, headers, body } = kind.addressed(at, given)
  return shapeOf({ url: path, headers: [...headers, kind.keyHeader(at.apiKey, given)], body })
}

describe.each(NAMES)('The client of %s', (place) => {
  const { kind, name } = PLACES[place]
  const expectSame = (call: Asked) => expect(ours(kind, to(place), call)).toEqual(askedOf(place))

  test('asks and is answered as the gateway is, whole, streamed and for tokens', async () => {
    const client = clientOf(place)
    const whole = await client.messages.create({ model: name, ...HELLO })
    expect(whole.content[0]?.text).toBe('Hello there')
    expectSame({ body: { model: MODEL, ...HELLO } })
    const streamed = await client.messages.stream({ model: name, ...HELLO }).finalMessage()
    expect(streamed.content[0]?.text).toBe('Hello there')
    expectSame({ body: { model: MODEL, ...HELLO, stream: true } })
    const { messages } = HELLO
    expect(await client.messages.countTokens({ model: name, messages })).toEqual({ input_tokens: 7 })
    expectSame({ path: '/v1/messages/count_tokens', body: { model: MODEL, messages } })
  })

  test('asks for the beta interface, and puts betas where the gateway does', async () => {
    // Mantle takes no betas, so that none are sent there by the gateway.
    const betas = place === 'mantle' ? undefined : [BETA]
    await clientOf(place).beta.messages.create({ model: name, ...HELLO, ...(betas && { betas }) })
    expectSame({ ...(betas && { betas }), body: { model: MODEL, ...HELLO } })
  })
})

test('The client of Claude on AWS keeps batches and lists models where the gateway does', async () => {
  const client = clientOf('aws')
  const requests = [{ custom_id: 'r-1', params: { model: MODEL, ...HELLO } }]
  await client.messages.batches?.create({ requests })
  const same = (call: Asked) => expect(ours(CLAUDE_ON_AWS, to('aws'), call)).toEqual(askedOf('aws'))
  same({ path: '/v1/messages/batches', body: { requests } })
  await client.models?.list()
  same({ path: '/v1/models' })
})

test.each([
  ['aws', 'claude-on-aws'],
  ['mantle', 'bedrock-mantle'],
] as const)('The client of %s signs for the same service and region', async (place, type) => {
  const keys = { awsAccessKey: KEYS.accessKeyId, awsSecretAccessKey: KEYS.secretAccessKey }
  // Refused, because the simulated place knows the key alone.
  await clientOf(place, keys)
    .messages.create({ model: PLACES[place].name, ...HELLO })
    .catch(() => {})
  const credentials = createAwsCredentials({
    backend: place,
    clock: systemClock,
    logger: keptLogs(),
    waitUntil: () => {},
    service: AWS_SERVICES[type],
    region: 'eu-west-1',
    keys: KEYS,
  })
  const made = PLACES[place].kind.addressed(to(place), outgoing({ body: { model: MODEL, ...HELLO } }))
  const scopeOf = (headers: HeaderPairs) => {
    const signed = headers.find(([header]) => header === 'authorization')?.[1] ?? ''
    // The day between them may be another at midnight.
    return /Credential=([^/]+)\/\d{8}\/([^,]+),/.exec(signed)?.slice(1)
  }
  const theirs = (places[place].requests.at(-1)?.headers ?? []).map(([n, v]): [string, string] => [n, v])
  expect(scopeOf(await credentials.headers(made))).toEqual(scopeOf(theirs))
  expect(scopeOf(theirs)).toEqual([KEYS.accessKeyId, expect.stringContaining('eu-west-1')])
})
