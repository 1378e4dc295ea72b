/** Files of several people in two accounts, behind one gateway. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { type App, startApp } from '../support/app.ts'
import { errorJson, type FakeUpstream, startUpstream } from '../support/upstream.ts'

let accounts: SimulatedClaude[]
let app: App
let ann: string
let ben: string
const ACCOUNTS = ['a', 'b']

beforeEach(async () => {
  accounts = await Promise.all(ACCOUNTS.map(() => startSimulatedClaude({ pace: 0 })))
  app = await startApp({
    backends: accounts.map(({ url }, i) => ({ name: ACCOUNTS[i] ?? '', url, api_key: 'sim-account' })),
  })
  ann = await keyOf(app, 'ann')
  ben = await keyOf(app, 'ben')
})
afterEach(async () => {
  await app.close()
  for (const account of accounts) await account.stop()
})

const keyOf = async (app: App, itcode: string, role?: 'admin'): Promise<string> =>
  (await (await app.signIn(itcode, role)).post('/api/keys', { name: 'x' })).body.key.key
const form = (content = 'what ann knows', type = 'text/plain') => {
  const body = new FormData()
  body.set('file', new Blob([content], { type }), 'note.txt')
  return body
}
const ask = (key: string, path: string, init: RequestInit = {}) =>
  app.request(path, { ...init, headers: { 'x-api-key': key, ...init.headers } })
const upload = async (key: string, content?: string): Promise<string> => {
  const answer = await ask(key, '/v1/files', { method: 'POST', body: form(content) })
  expect(answer.status).toBe(200)
  return answer.body.id
}
const listed = async (key: string, query = '') => {
  const { body } = await ask(key, `/v1/files${query}`)
  return body.data.map(({ id }: { id: string }) => id)
}
/** The account that has a file. */
const placeOf = (id: string) => ACCOUNTS[accounts.findIndex(({ account }) => account.uploads.hasFile(id))]

describe('a file', () => {
  test('is uploaded, shown, downloaded as an attachment only, and deleted, which the audit tells', async () => {
    const id = await upload(ann)
    const metadata = await ask(ann, `/v1/files/${id}?beta=true`)
    expect(metadata.body).toMatchObject({ id, filename: 'note.txt', size_bytes: 14, mime_type: 'text/plain' })
    const content = await ask(ann, `/v1/files/${id}/content`)
    expect(content.text).toBe('what ann knows')
    expect(content.headers.get('content-disposition')).toBe('attachment')
    expect(content.headers.get('x-content-type-options')).toBe('nosniff')
    expect(content.headers.get('content-security-policy')).toContain('sandbox')
    expect((await ask(ann, `/v1/files/${id}`, { method: 'DELETE' })).body).toEqual({
      id,
      type: 'file_deleted',
    })
    expect((await ask(ann, `/v1/files/${id}`)).status).toBe(404)
    expect(placeOf(id)).toBeUndefined()
    const [row] = (await app.audit()).filter(({ action }) => action === 'object.delete')
    expect(row).toMatchObject({ target: `file:${id}`, actorId: 1 })
    expect(JSON.parse(row?.before ?? '')).toMatchObject({ user_id: 1 })
  })

  test("of somebody else's is as unknown as one that never was, everywhere", async () => {
    const id = await upload(ann)
    const unknown = await ask(ben, '/v1/files/file_unknown')
    const ways: [string, RequestInit?][] = [
      [`/v1/files/${id}`],
      [`/v1/files/${id}/content`],
      [`/v1/files/%66${id.slice(1)}`],
      [`/v1/files/${id}`, { method: 'DELETE' }],
    ]
    for (const [path, init] of ways) {
      const answer = await ask(ben, path, init)
      expect([path, answer.status, answer.body.error]).toEqual([path, 404, unknown.body.error])
    }
    expect(await listed(ben)).toEqual([])
    expect(placeOf(id)).toBeDefined()
    const message = {
      model: 'claude-opus-5-5',
      max_tokens: 9,
      messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'file', file_id: id } }] }],
    }
    const init = {
      method: 'POST',
      body: JSON.stringify(message),
      headers: { 'content-type': 'application/json' },
    }
    expect((await ask(ben, '/v1/messages', init)).status).toBe(400)
    expect((await ask(ann, '/v1/messages', init)).status).toBe(200)
  })

  test('goes to an account of the highest priority first', async () => {
    await app.close()
    app = await startApp({
      backends: accounts.map(({ url }, i) => ({
        name: ACCOUNTS[i] ?? '',
        url,
        api_key: 'sim-account',
        priority: 10 * i,
      })),
    })
    for (const itcode of ['ann', 'ben']) expect(placeOf(await upload(await keyOf(app, itcode)))).toBe('b')
  })

  test('goes where the last ones of its owner are', async () => {
    const [first = ''] = [await upload(ann)]
    for (let i = 0; i < 6; i++) expect(placeOf(await upload(ann, `${i}`))).toBe(placeOf(first))
  })

  test('that an answer made is a file like others', async () => {
    const message = {
      model: 'claude-opus-5-5',
      max_tokens: 999,
      tools: [{ type: 'code_execution_20250825', name: 'code_execution' }],
      messages: [{ role: 'user', content: 'write a file' }],
    }
    const init = {
      method: 'POST',
      body: JSON.stringify(message),
      headers: { 'content-type': 'application/json' },
    }
    expect((await ask(ann, '/v1/messages', init)).status).toBe(200)
    const [id] = await listed(ann)
    expect((await ask(ann, `/v1/files/${id}/content`)).text).toBe('made by code execution')
  })

  test('is refused without a form, and over 500 MB', async () => {
    const json = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }
    expect((await ask(ann, '/v1/files', json)).status).toBe(415)
    const headers = { 'content-type': 'multipart/form-data; boundary=x', 'content-length': '600000000' }
    const large = await ask(ann, '/v1/files', { method: 'POST', body: 'x', headers })
    expect([large.status, large.body.error.type]).toEqual([413, 'request_too_large'])
  })
})

describe('the list of files', () => {
  test('has those of the caller in pages, of both shapes, and everybody’s for administrators', async () => {
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.unshift(await upload(ann, `${i}`))
    const other = await upload(ben)
    const boss = await keyOf(app, 'boss', 'admin')
    expect(await listed(boss)).toEqual([other, ...ids])
    const first = (await ask(ann, '/v1/files?limit=2')).body
    expect(first).toMatchObject({ has_more: true, first_id: ids[0], last_id: ids[1] })
    expect(await listed(ann, `?limit=2&page=${first.next_page}`)).toEqual(ids.slice(2, 4))
    expect(await listed(ann, `?after_id=${ids[2]}`)).toEqual(ids.slice(3))
    expect(await listed(ann, `?before_id=${ids[2]}&limit=1`)).toEqual([ids[1]])
    expect(await listed(ann, `?ids[]=${ids[4]}&ids[]=${other}`)).toEqual([ids[4]])
    expect((await ask(ann, `/v1/files?after_id=${other}`)).status).toBe(400)
  })

  test('has no page without anything before its end, because clients would stop there', async () => {
    const ids: string[] = []
    for (let i = 0; i < 4; i++) ids.unshift(await upload(ann, `${i}`))
    // Their account alone knows that these are gone.
    for (const id of ids.slice(1, 3)) {
      const { url = '' } = accounts[ACCOUNTS.indexOf(placeOf(id) ?? '')] ?? {}
      await fetch(`${url}/v1/files/${id}`, { method: 'DELETE', headers: { 'x-api-key': 'sim-account' } })
      expect(placeOf(id)).toBeUndefined()
    }
    expect(await listed(ann, `?limit=1&after_id=${ids[0]}`)).toEqual([ids[3]])
    expect(await listed(ann, `?limit=1&before_id=${ids[3]}`)).toEqual([ids[0]])
  })
})

describe('an account', () => {
  test('that is gone is named as the reason, and is left out of lists', async () => {
    const id = await upload(ann)
    const place = ACCOUNTS.indexOf(placeOf(id) ?? '')
    await accounts[place]?.stop()
    const answer = await ask(ann, `/v1/files/${id}`)
    expect([answer.status, answer.body.error.message]).toEqual([
      503,
      expect.stringContaining('cannot be reached'),
    ])
    expect(answer.headers.get('retry-after')).toBe('30')
    const list = await ask(ann, '/v1/files')
    expect(list.body.data).toEqual([])
    expect(list.headers.get('x-gateway-warning')).toContain('what they have is missing')
    // What comes now goes elsewhere, and later ones stay there.
    const next = await upload(ann)
    expect(placeOf(next)).not.toBe(ACCOUNTS[place])
    expect(await listed(ann)).toEqual([next])
    accounts[place] = await startSimulatedClaude()
  })

  test('that was switched off says so', async () => {
    const id = await upload(ann)
    app.deps.balancer.adjust(placeOf(id) ?? '', { enabled: false })
    const answer = await ask(ann, `/v1/files/${id}`)
    expect([answer.status, answer.body.error.message]).toEqual([503, expect.stringContaining('switched off')])
  })
})

describe('an upload', () => {
  let upstream: FakeUpstream
  let own: App
  let key: string
  beforeEach(async () => {
    upstream = await startUpstream()
    own = await startApp({ backends: [{ name: 'a', url: upstream.url, api_key: 'k-of-the-account' }] })
    key = await keyOf(own, 'ann')
  })
  afterEach(async () => {
    await own.close()
    await upstream.stop()
  })
  const json = { 'content-type': 'application/json' }
  const send = () =>
    own.request('/v1/files', { method: 'POST', body: form(), headers: { 'x-api-key': key, 'x-secret': '1' } })

  test('belongs to whoever had its id first, also where a process has not heard of it', async () => {
    const ben = await keyOf(own, 'ben')
    upstream.answer({ headers: json, chunks: ['{"id":"file_1","type":"file"}'] })
    expect((await send()).status).toBe(200)
    own.deps.objects.forget({ kind: 'file', id: 'file_1' })
    const again = { method: 'POST', body: form(), headers: { 'x-api-key': ben } }
    expect((await own.request('/v1/files', again)).status).toBe(200)
    const seen = async (key: string) =>
      (await own.request('/v1/files/file_1', { headers: { 'x-api-key': key } })).status
    expect([await seen(key), await seen(ben)]).toEqual([200, 404])
  })

  test('arrives as it was sent, with our credential and without the caller’s', async () => {
    upstream.answer({ headers: json, chunks: ['{"id":"file_1","type":"file"}'] })
    expect((await send()).body.id).toBe('file_1')
    const [asked] = upstream.requests.filter(({ method }) => method === 'POST')
    expect(asked?.url).toBe('/v1/files')
    expect(asked?.body.toString()).toContain('what ann knows')
    expect(asked?.headers).toMatchObject({
      'x-api-key': 'k-of-the-account',
      'anthropic-version': '2023-06-01',
    })
    expect(asked?.headers['x-secret']).toBeUndefined()
  })

  test('is left once its head is there, if only that was asked for', async () => {
    upstream.answer({ headers: json, chunks: ['{"id":"file_1","type":"file"}'] })
    await send()
    const chunks = Array.from({ length: 10_000 }, () => 'x'.repeat(64 * 1024))
    upstream.answer({ headers: { 'content-type': 'text/plain' }, chunks })
    const head = await own.request('/v1/files/file_1/content', {
      method: 'HEAD',
      headers: { 'x-api-key': key },
    })
    expect([head.status, head.text]).toEqual([200, ''])
    await expect.poll(() => upstream.requests.at(-1)).toMatchObject({ method: 'GET', aborted: true })
  })

  test.each([
    [401, 503],
    [402, 503],
    [301, 503],
    [400, 400],
    [500, 500],
    [529, 529],
  ])('that the account answers with %i ends with %i', async (status, shown) => {
    upstream.answer({ status, headers: json, chunks: [errorJson('some_error')] })
    const answer = await send()
    expect(answer.status).toBe(shown)
    if (status === shown) expect(answer.text).toBe(errorJson('some_error'))
    const list = await own.request('/v1/files', { headers: { 'x-api-key': key } })
    expect(list.body.data).toEqual([])
  })

  test('with a beta that is not allowed here is refused', async () => {
    const strict = await startApp({
      backends: [{ name: 'a', url: upstream.url, api_key: 'k' }],
      messages: { betas: ['files-api-*'] },
    })
    const headers = {
      'x-api-key': await keyOf(strict, 'ann'),
      'anthropic-beta': 'files-api-2025-04-14,other',
    }
    const answer = await strict.request('/v1/files', { method: 'POST', body: form(), headers })
    expect([answer.status, answer.body.error.message]).toEqual([
      400,
      expect.stringContaining('the beta other'),
    ])
    await strict.close()
  })

  test('whose owner cannot be kept is deleted again, because nobody could reach it', async () => {
    upstream.answer(({ method }) =>
      method === 'POST' ? { headers: json, chunks: ['{"id":"file_1"}'] } : { headers: json, chunks: ['{}'] },
    )
    await own.db.run(
      "create trigger full before insert on upstream_objects begin select raise(abort, 'full'); end",
    )
    let status: number | undefined
    void send().then((answer) => {
      status = answer.status
    })
    const later = () => {
      own.clock.advance(1_000)
      return status
    }
    await expect.poll(later).toBe(500)
    await own.settled()
    expect(upstream.requests.map(({ method, url }) => `${method} ${url}`)).toContain(
      'DELETE /v1/files/file_1',
    )
  })
})

test('an account that takes nothing more of an upload ends it', async () => {
  const silent = createServer(() => {})
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  await app.close()
  // The cast holds because it listens on a port.
  const { port } = silent.address() as AddressInfo
  app = await startApp({ backends: [{ name: 'a', url: `http://127.0.0.1:${port}`, api_key: 'key' }] })
  const connected = once(silent, 'request')
  const uploading = ask(await keyOf(app, 'ann'), '/v1/files', { method: 'POST', body: form('x'.repeat(2e7)) })
  const [{ socket }] = await connected
  // All that fits between the two has been sent: from here on the account is waited for, not the client.
  const came = [-1]
  const grew = () => came.unshift(socket.bytesRead) > 1 && came[0] !== came[1]
  await expect.poll(grew, { interval: 200 }).toBe(false)
  const done = uploading.then(({ status }) => status)
  await expect
    .poll(() => {
      app.clock.advance(600_000)
      return Promise.race([done, undefined])
    })
    .toBe(504)
  silent.closeAllConnections()
  silent.close()
})
