/** Batches where their account refuses them, is another one for a while, or has other names for models. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { batches } from '../../core/db/batches.ts'
import { limitSpent } from '../../core/db/schema.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { type App, startApp } from '../support/app.ts'
import { errorJson, type FakeUpstream, messageJson, type Script, startUpstream } from '../support/upstream.ts'

let upstream: FakeUpstream
let app: App
let ann: string

const JSON_TYPE = { 'content-type': 'application/json' }
const PATH = '/v1/messages/batches'
const keyOf = async (itcode: string) =>
  (await (await app.signIn(itcode)).post('/api/keys', { name: 'x' })).body.key.key
const start = async (backend: object = {}, file: object = {}) => {
  app = await startApp({ backends: [{ name: 'a', url: upstream.url, api_key: 'key', ...backend }], ...file })
  ann = await keyOf('ann')
}
beforeEach(async () => {
  upstream = await startUpstream()
  await start()
})
afterEach(async () => {
  await app.close()
  await upstream.stop()
})

const json = (value: object): Script => ({ headers: JSON_TYPE, chunks: [JSON.stringify(value)] })
const refusal = (status: number, type: string, message?: string): Script => ({
  status,
  headers: JSON_TYPE,
  chunks: [errorJson(type, message)],
})
const ask = (key: string, method: string, path = '', body?: object) =>
  app.request(`${PATH}${path}`, {
    method,
    headers: { 'x-api-key': key, ...JSON_TYPE },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
const params = (more: object = {}) => ({
  model: 'claude-opus-5-5',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Hi' }],
  ...more,
})
const create = (key = ann, ...all: object[]) =>
  ask(key, 'POST', '', {
    requests: [params(), ...all].map((one, i) => ({ custom_id: `r-${i}`, params: one })),
  })
const spent = async () =>
  (await app.db.select().from(limitSpent)).reduce((sum, { micros }) => sum + micros, 0)
const states = async () => (await app.db.select().from(batches)).map(({ state }) => state)
const ENDED = { id: 'msgbatch_1', processing_status: 'ended' }
const RESULTS: Script = {
  chunks: [`{"custom_id":"r-0","result":{"type":"succeeded","message":${messageJson()}}}\n`],
}

test.each<[string, Script]>([
  ['the credential', refusal(401, 'authentication_error', 'invalid x-api-key')],
  ['for want of credit', refusal(400, 'invalid_request_error', 'Your credit balance is too low.')],
  ['behind a proxy of its own', { status: 403, headers: { 'content-type': 'text/html' }, chunks: ['<p>no'] }],
])('what an account refuses (%s) reserves nothing', async (_, script) => {
  upstream.answerNext(script)
  expect((await create()).status).toBe(503)
  expect([await states(), await spent()]).toEqual([['lost'], 0])
})

test('a batch that its account does not know for a while is booked when its results are read', async () => {
  upstream.answerNext(json({ ...ENDED, processing_status: 'in_progress' }))
  expect((await create()).status).toBe(200)
  upstream.answerNext(refusal(404, 'not_found_error'))
  app.clock.advance(600_000)
  await createTaskRunner(() => app.deps)()
  expect([await states(), await spent()]).toEqual([['lost'], 0])
  for (const time of [1, 2]) {
    upstream.answerNext(...(time === 1 ? [json(ENDED), RESULTS] : []), RESULTS)
    expect((await ask(ann, 'GET', '/msgbatch_1/results')).text).toContain('r-0')
  }
  expect((await app.rows()).length).toBe(1)
  expect(await states()).toEqual(['booked'])
})

test('an account that answers with the id of another batch is told at once, and the batch that has it stays', async () => {
  const ben = await keyOf('ben')
  upstream.answer(json({ ...ENDED, processing_status: 'in_progress' }))
  expect((await create()).status).toBe(200)
  const reserved = await spent()
  for (const key of [ann, ben]) {
    const { status, body } = await create(key)
    expect([status, body.error.message]).toEqual([502, expect.stringContaining('id of another batch')])
    expect((await ask(ben, 'GET', '/msgbatch_1')).status).toBe(404)
  }
  expect((await ask(ann, 'GET', '/msgbatch_1')).status).toBe(200)
  expect([await states(), await spent()]).toEqual([['open', 'sending', 'sending'], reserved * 3])
  // They are looked for, and nothing of them is found.
  upstream.answer(json({ data: [], ...ENDED, processing_status: 'in_progress' }))
  app.clock.advance(3_600_000)
  await createTaskRunner(() => app.deps)()
  expect([await states(), await spent()]).toEqual([['open', 'lost', 'lost'], reserved])
})

const lineOf = (id: string) =>
  `{"custom_id":"${id}","result":{"type":"succeeded","message":${messageJson()}}}\n`
test.each<[string, string[], Script['end']]>([
  ['twice the same', ['r-0', 'r-0'], 'clean'],
  ['a request of another batch', ['r-0', 'other'], 'clean'],
  ['more than the batch has, without end', ['r-0', 'r-1', 'r-2', ...Array(400).fill('r-3')], 'hang'],
])('results that are not those of the batch book nothing: %s', async (_, ids, end) => {
  upstream.answerNext(json({ ...ENDED, processing_status: 'in_progress' }))
  await create(ann, params())
  const reserved = await spent()
  upstream.answerNext(json(ENDED), { chunks: [ids.map(lineOf).join('')], ...(end ? { end } : {}) })
  const { status, text } = await ask(ann, 'GET', '/msgbatch_1/results')
  expect([status, text]).toEqual([503, expect.stringContaining('not those of this batch')])
  expect([await app.rows(), await states(), await spent()]).toEqual([[], ['open'], reserved])
  const right: Script = { chunks: [['r-1', 'r-0'].map(lineOf).join('')] }
  upstream.answerNext(json(ENDED), right, right)
  expect((await ask(ann, 'GET', '/msgbatch_1/results')).status).toBe(200)
  expect([(await app.rows()).length, await states()]).toEqual([2, ['booked']])
})

test.each<[string, Script]>([
  ['holds more than it said', { chunks: [['r-0', 'r-1', 'r-2'].map(lineOf).join('')] }],
  ['breaks off', { chunks: [lineOf('r-0')], end: 'reset' }],
])('a batch whose answer was lost is found behind one of which what is read %s', async (_, others) => {
  upstream.answerNext(json({ ...ENDED, processing_status: 'in_progress' }))
  await create(ann, params())
  await app.db.update(batches).set({ id: null, state: 'sending' })
  const listed = ['msgbatch_9', 'msgbatch_1'].map((id) => ({
    ...ENDED,
    id,
    request_counts: { succeeded: 2 },
  }))
  const right: Script = { chunks: [['r-1', 'r-0'].map(lineOf).join('')] }
  upstream.answer(({ url }) => {
    if (!url.endsWith('/results')) return json({ data: listed })
    return url.includes('msgbatch_9') ? others : right
  })
  app.clock.advance(600_000)
  await createTaskRunner(() => app.deps)()
  expect([(await app.rows()).length, await states()]).toEqual([2, ['booked']])
})

test('results of blank lines without end are as an answer that broke off', async () => {
  upstream.answerNext(json({ ...ENDED, processing_status: 'in_progress' }))
  await create()
  upstream.answerNext(json(ENDED), { chunks: [lineOf('r-0'), '\n'.repeat(200)], end: 'hang' })
  expect((await ask(ann, 'GET', '/msgbatch_1/results')).text).toContain('broke off')
  expect([await app.rows(), await states()]).toEqual([[], ['open']])
})

test('models of a batch have the names that their account has for them, in requests and in rows', async () => {
  await app.close()
  const models = [{ id: 'claude-opus-5-5', upstream: 'opus@eu' }, 'claude-haiku-5-5']
  await start({ models })
  upstream.answerNext(json(ENDED))
  expect((await create(ann, params({ model: 'claude-haiku-5-5' }))).status).toBe(200)
  const [{ body, headers } = { body: '', headers: {} }] = upstream.requests
  const sent = JSON.parse(String(body)).requests
  expect(sent.map((one: { params: { model: string } }) => one.params.model)).toEqual([
    'opus@eu',
    'claude-haiku-5-5',
  ])
  expect(headers['content-length']).toBeUndefined()
  const lines = ['opus@eu', 'claude-haiku-5-5'].map((model, i) =>
    JSON.stringify({
      custom_id: `r-${i}`,
      result: { type: 'succeeded', message: JSON.parse(messageJson({ model })) },
    }),
  )
  upstream.answerNext(json(ENDED), { chunks: [lines.join('\n')] }, RESULTS)
  await ask(ann, 'GET', '/msgbatch_1/results')
  expect((await app.rows()).map(({ model, unpriced }) => [model, unpriced])).toEqual([
    ['claude-opus-5-5', false],
    ['claude-haiku-5-5', false],
  ])
})

test('a batch that no account here can ever take is refused for good', async () => {
  await app.close()
  await start({ models: ['claude-haiku-5-5'] })
  const answer = await create()
  expect([answer.status, answer.body.error.message]).toEqual([
    400,
    'No upstream account here takes batches of claude-opus-5-5.',
  ])
})

test('a batch counts against the group that its tag names, and against no other', async () => {
  await app.close()
  await start({}, { claude_code: { billing_tag: 'team' } })
  const boss = await app.signIn('boss', 'admin')
  const member = (await app.signIn('ann')).id
  const groups: number[] = []
  for (const name of ['usual', 'tagged']) {
    const { id } = (await boss.post('/admin/api/groups', { name, bills: true })).body.group
    await boss.put(`/admin/api/groups/${id}/members/${member}`, {})
    groups.push(id)
  }
  const limit = (id: number | undefined, amount_usd: number) =>
    boss.put('/admin/api/limits', { scope: 'group_pool', scope_id: id, period: 'monthly', amount_usd })
  const tagged = (key: string) =>
    ask(key, 'POST', '', { requests: [{ custom_id: 'r', params: params({ tags: { team: 'tagged' } }) }] })
  expect((await limit(groups[1], 0)).status).toBe(200)
  expect((await tagged(ann)).status).toBe(429)
  await limit(groups[0], 0)
  await limit(groups[1], 5)
  upstream.answerNext(json(ENDED))
  expect((await tagged(ann)).status).toBe(200)
})

test('what stands before the requests of a batch is bounded, because it is kept until one is there', async () => {
  await app.close()
  await start({}, { limits: { max_body_bytes: 4096 } })
  const pieces = ['{"x":"', ...Array.from({ length: 9 }, () => 'x'.repeat(1000)), '","requests":[]}']
  const stream = new ReadableStream({
    pull(controller) {
      const piece = pieces.shift()
      if (piece === undefined) controller.close()
      else controller.enqueue(new TextEncoder().encode(piece))
    },
  })
  const headers = { 'x-api-key': ann, ...JSON_TYPE }
  const init = { method: 'POST', headers, body: stream, duplex: 'half' }
  expect((await app.request(PATH, init)).status).toBe(413)
})

test('an account that is silent keeps neither lists nor the batches of other accounts waiting for long', async () => {
  await app.close()
  const other = await startUpstream()
  const backends = [upstream, other].map(({ url }, i) => ({ name: `account-${i}`, url, api_key: 'key' }))
  await start({}, { backends })
  for (const account of [upstream, other]) account.answerNext(json(ENDED))
  await create()
  const [row] = await app.db.select().from(batches)
  if (!row) throw new Error('no batch was made')
  const [silent, talking, backend] =
    row.backend === 'account-0' ? [upstream, other, 'account-1'] : [other, upstream, 'account-0']
  const second = { ...row, requestId: 'req_2', id: 'msgbatch_2', backend, checkAt: row.checkAt + 1 }
  await app.db.insert(batches).values({ ...second, micros: 0, tokens: 0 })
  for (const account of [silent, talking]) account.reset()
  silent.answer({ before: 'hang' })
  talking.answerNext(json(ENDED), RESULTS)
  app.clock.advance(600_000)
  const tasks = createTaskRunner(() => app.deps)()
  await expect.poll(states).toEqual(['open', 'booked'])
  const listing = ask(ann, 'GET')
  await expect.poll(() => silent.requests.length).toBe(2)
  app.clock.advance(60_000)
  const { status, body, headers } = await listing
  expect([status, body.data, headers.get('x-gateway-warning')]).toEqual([
    200,
    [],
    expect.stringContaining('1 of the accounts'),
  ])
  await tasks
  await other.stop()
})

test('a batch of which an account says nothing keeps the others of that account waiting once', async () => {
  upstream.answerNext(json({ ...ENDED, processing_status: 'in_progress' }))
  await create()
  const [row] = await app.db.select().from(batches)
  if (!row) throw new Error('no batch was made')
  const second = { ...row, requestId: 'req_z', id: 'msgbatch_2', micros: 0, tokens: 0 }
  await app.db.insert(batches).values(second)
  upstream.answer(({ url }) => {
    if (url.includes('msgbatch_1')) return { before: 'hang' }
    return url.endsWith('/results') ? RESULTS : json({ ...ENDED, id: 'msgbatch_2' })
  })
  const runTasks = createTaskRunner(() => app.deps)
  app.clock.advance(600_000)
  upstream.requests.splice(0)
  const first = runTasks()
  await expect.poll(() => upstream.requests.length).toBe(1)
  app.clock.advance(60_000)
  await first
  expect(await states()).toEqual(['open', 'open'])
  app.clock.advance(60_000)
  const next = runTasks()
  await expect.poll(states).toEqual(['open', 'booked'])
  app.clock.advance(60_000)
  await next
})
