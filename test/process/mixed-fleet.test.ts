/**
 * Every kind of backend behind one gateway, while most of them fail: no client sees a failure that another backend could have
 * served, and what belongs to one account stays with it.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { adoptObject } from '../../core/objects/manage.ts'
import { startBedrock } from '../support/bedrock.ts'
import { NODE, startGateway, type TestGateway } from '../support/gateway.ts'
import { startClaudeOnAws, startFoundry, startMantle } from '../support/relatives.ts'
import { knownKey } from '../support/runtime.ts'
import {
  type AskedRequest,
  errorJson,
  type FakeUpstream,
  messageJson,
  messageStream,
  type Script,
  sse,
  startUpstream,
} from '../support/upstream.ts'
import { startVertex } from '../support/vertex.ts'

const OPUS = 'claude-opus-5-5'
/** Of those that offer it, only Anthropic itself keeps batches. */
const HAIKU = 'claude-haiku-5-5'
const KEY = 'k-of-the-company-4711'
const CALLS = 24
const FILE = 'file_011CN'
const BATCH = 'msgbatch_01HK'
const JSON_TYPE = { 'content-type': 'application/json' }

const failing = (status: number, type: string, headers = {}): Script => ({
  status,
  headers: { ...JSON_TYPE, ...headers },
  chunks: [errorJson(type)],
})
const OVERLOADED = failing(529, 'overloaded_error')
const OVERLOADED_STREAM: Script = {
  headers: { 'content-type': 'text/event-stream' },
  chunks: [sse({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })],
}
/** What each place does in turn, over and over. */
const THROTTLED = [failing(429, 'rate_limit_error', { 'retry-after': '1' }), failing(429, 'rate_limit_error')]
const SLOW: Script[] = [{ chunks: [4_000, ...messageStream()] }, { before: 'refuse' }]
const OVERLOADS = [OVERLOADED, OVERLOADED_STREAM, failing(500, 'api_error')]
const inTurn = (scripts: readonly Script[]) => {
  let turn = 0
  return () => scripts[turn++ % scripts.length] ?? {}
}

const json = (body: object): Script => ({ headers: JSON_TYPE, chunks: [JSON.stringify(body)] })
/** What an account has besides messages. */
function inAccount({ url, body }: AskedRequest): Script {
  if (url.startsWith('/v1/files')) return json({ id: FILE, type: 'file', filename: 'a.txt' })
  if (url.startsWith('/v1/messages/batches')) {
    const counts = { processing: 1, succeeded: 0, errored: 0, canceled: 0, expired: 0 }
    const [created_at, expires_at] = [new Date(), new Date(Date.now() + 86_400_000)]
    const state = { type: 'message_batch', processing_status: 'in_progress', request_counts: counts }
    return json({ id: BATCH, ...state, created_at, expires_at, ended_at: null, results_url: null })
  }
  return body.includes('"stream":true')
    ? { chunks: messageStream() }
    : { headers: JSON_TYPE, chunks: [messageJson()] }
}

/** Behind each of them is a Claude of its own; two regions and two slow places share one. */
let claude: FakeUpstream
let regional: FakeUpstream
let distant: FakeUpstream
let sound: FakeUpstream
let gateway: TestGateway
const open: { stop(): Promise<unknown> }[] = []
const opened = async <T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T> => {
  const started = await starting
  open.push(started)
  return started
}

beforeAll(async () => {
  claude = await opened(startUpstream())
  regional = await opened(startUpstream())
  distant = await opened(startUpstream())
  sound = await opened(startUpstream())
  const bedrock = await opened(startBedrock({ claude: regional, region: 'eu-west-1', apiKey: KEY }))
  const mantle = await opened(startMantle({ claude: regional, key: KEY }))
  const vertex = await opened(startVertex({ claude: distant, project: 'project-7', region: 'europe-west1' }))
  const foundry = await opened(startFoundry({ claude: distant, key: KEY, deployments: [OPUS, HAIKU] }))
  const aws = await opened(startClaudeOnAws({ claude: sound, key: KEY, workspace: 'w' }))
  const named = (prefix: string) => [OPUS, HAIKU].map((id) => ({ id, upstream: prefix + id }))
  const service_account = JSON.stringify(vertex.serviceAccount)
  const inEurope = { region: 'eu-west-1', api_key: KEY }
  gateway = await opened(
    startGateway({
      retry: { max_attempts: 6, first_byte_timeout: '1s' },
      backends: [
        { name: 'claude', url: claude.url },
        { name: 'bedrock', type: 'bedrock', url: bedrock.url, ...inEurope, models: named('eu.anthropic.') },
        {
          name: 'mantle',
          type: 'bedrock-mantle',
          url: `${mantle.url}/anthropic`,
          ...inEurope,
          models: named('anthropic.'),
        },
        {
          name: 'vertex',
          type: 'vertex',
          url: vertex.url,
          region: 'europe-west1',
          project: 'project-7',
          api_key: undefined,
          credentials: { service_account },
          models: [OPUS, HAIKU],
        },
        {
          name: 'foundry',
          type: 'foundry',
          url: `${foundry.url}/anthropic`,
          api_key: KEY,
          models: [OPUS, HAIKU],
        },
        {
          name: 'aws',
          type: 'claude-on-aws',
          url: aws.url,
          ...inEurope,
          workspace_id: 'w',
          models: [OPUS],
        },
      ],
    }),
  )
}, 60_000)
afterAll(async () => {
  for (const one of open.splice(0).reverse()) await one.stop()
})
const fakes = () => [claude, regional, distant, sound]
beforeEach(() => {
  for (const fake of fakes()) fake.reset()
  claude.answer(inAccount)
})

const user = (content: unknown) => ({ role: 'user', content })
const LOCKED = [
  { type: 'thinking', thinking: 'They greet me.', signature: 'EqQBCkYIBxgCKkA' },
  { type: 'text', text: 'Hello there' },
]
/** A turn of a conversation whose prompt is cached: `opening`, and `later` turns after it. */
const turn = (opening: string, later: number) => {
  const cached = [{ type: 'text', text: opening, cache_control: { type: 'ephemeral' } }]
  const rest = Array.from({ length: later }, (_, i) => [
    { role: 'assistant', content: LOCKED },
    user(`and then? ${i}`),
  ])
  return { model: OPUS, max_tokens: 10, messages: [user(cached), ...rest.flat()] }
}
/** The backend that served it. */
const servedBy = async (body: object) => {
  const answer = await gateway.send(body)
  await answer.text()
  expect(answer.status).toBe(200)
  return (await gateway.rowOf(answer)).backend
}
const conversationAt = async (place: string) => {
  for (let i = 0; i < 80; i++) {
    const opening = `hello ${crypto.randomUUID()}`
    if ((await servedBy(turn(opening, 0))) === place) return opening
  }
  throw new Error(`no conversation began at ${place}`)
}

test('with a region throttled, two places slow and Anthropic overloaded, every call is served', async () => {
  // A call that met a time-out goes to a backend that answered somebody lately, and to one at most: that is the sound one.
  for (const fake of [claude, regional, distant]) fake.answer(OVERLOADED)
  expect(await servedBy(turn('the first of all', 0))).toBe('aws')
  // A person each, because one alone ejects nothing.
  const keys = await Promise.all(Array.from({ length: CALLS }, () => gateway.newKey()))
  const counted = { model: OPUS, messages: [user('hello')] }
  for (const { secret: key } of keys) {
    const status = async () =>
      (await gateway.send(counted, { path: '/v1/messages/count_tokens', key })).status
    await expect.poll(status).not.toBe(401)
  }
  regional.answer(inTurn(THROTTLED))
  distant.answer(inTurn(SLOW))
  claude.answer(inTurn(OVERLOADS))
  for (const fake of fakes()) fake.requests.length = 0
  const call = async (i: number) => {
    const body = { model: OPUS, max_tokens: 10, stream: true, messages: [user(`conversation ${i}`)] }
    const answer = await gateway.send(body, { key: keys[i]?.secret ?? '' })
    return [answer.status, (await answer.text()).includes('event: message_stop')]
  }
  const seen: unknown[] = []
  for (let i = 0; i < CALLS; i += 4) seen.push(...(await Promise.all([i, i + 1, i + 2, i + 3].map(call))))
  expect(seen).toEqual(Array.from({ length: CALLS }, () => [200, true]))
  // All of them were asked, so that there was something to hide.
  for (const upstream of [regional, distant, claude]) expect(upstream.requests).not.toEqual([])
  const rows = await gateway.rows(1 + CALLS)
  expect(rows.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 1 + CALLS }, () => 'ok'))
  // What was learned of them ends with the process.
  await gateway.restart()
}, 120_000)

test('caches stay with their account: each turn goes where the one before went, after a failure too', async () => {
  const openings = Array.from({ length: 12 }, () => `hello ${crypto.randomUUID()}`)
  const places = (later: number) => Promise.all(openings.map((opening) => servedBy(turn(opening, later))))
  const homes = await places(0)
  expect(new Set(homes).size).toBeGreaterThan(1)
  expect([await places(1), await places(2)]).toEqual([homes, homes])

  const moving = await conversationAt('claude')
  claude.answerNext(OVERLOADED)
  const shelter = await servedBy(turn(moving, 1))
  expect(shelter).not.toBe('claude')
  expect([await servedBy(turn(moving, 2)), await servedBy(turn(moving, 3))]).toEqual([shelter, shelter])
  // Nobody else moved with it.
  expect(await places(3)).toEqual(homes)
})

test('a conversation with locked thinking moves as it is, and a 400 about its thinking is handed on', async () => {
  const opening = await conversationAt('claude')
  for (const fake of fakes()) fake.requests.length = 0
  claude.answerNext(OVERLOADED)
  await servedBy(turn(opening, 1))
  const others = () => fakes().flatMap((fake) => (fake === claude ? [] : fake.requests))
  const [moved] = others()
  expect(JSON.parse(moved?.body.toString() ?? '{}').messages[1].content).toEqual(LOCKED)

  const again = await conversationAt('claude')
  const said = 'messages.1.content.0: Invalid `signature` in `thinking` block'
  const refusal = { status: 400, headers: JSON_TYPE, chunks: [errorJson('invalid_request_error', said)] }
  for (const fake of fakes()) {
    fake.answer(refusal)
    fake.requests.length = 0
  }
  claude.answer(OVERLOADED)
  const answer = await gateway.send(turn(again, 1))
  const message = expect.stringContaining(said)
  expect([answer.status, await answer.json()]).toMatchObject([
    400,
    { error: { type: 'invalid_request_error', message } },
  ])
  expect(others()).toHaveLength(1)
})

test('calls that are bound by ids get the answer of that account, and nobody else is asked', async () => {
  const { secret, userId } = await knownKey(gateway, NODE.abilities, {})
  const parts = { db: gateway.db, clock: systemClock, actor: COMMAND_LINE }
  await adoptObject(parts, { kind: 'file', id: FILE, backend: 'claude', userId })
  const params = { model: HAIKU, max_tokens: 10, messages: [user('hello')] }
  const made = await gateway.send(
    { requests: [{ custom_id: 'r-1', params }] },
    { key: secret, path: '/v1/messages/batches' },
  )
  expect([made.status, await made.json()]).toMatchObject([200, { id: BATCH }])
  const named = {
    ...params,
    messages: [user([{ type: 'document', source: { type: 'file', file_id: FILE } }])],
  }
  const get = (path: string) => fetch(gateway.url + path, { headers: { 'x-api-key': secret } })
  const all = async () => {
    const answers = await Promise.all([
      gateway.send(named, { key: secret }),
      get(`/v1/files/${FILE}`),
      get(`/v1/messages/batches/${BATCH}`),
    ])
    return Promise.all(answers.map(async (answer) => [answer.status, Object(await answer.json()).type]))
  }
  for (const fake of fakes()) fake.requests.length = 0
  expect(await all()).toEqual([
    [200, 'message'],
    [200, 'file'],
    [200, 'message_batch'],
  ])
  claude.answer(OVERLOADED)
  expect(await all()).toEqual(Array.from({ length: 3 }, () => [529, 'error']))
  expect([regional, distant, sound].flatMap(({ requests }) => requests)).toEqual([])
})
