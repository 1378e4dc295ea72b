/** Which answers are compressed, and that they say what they said. */
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { compress } from '../../adapters/drivers/compress.ts'
import type { Deps } from '../../core/deps.ts'
import { compressed, sameForAll } from '../../functions/compressed.ts'
import { report, route } from '../../functions/route.ts'

const LIST = report({ path: '/api/list', tier: 'session', summary: '', handle: () => ({}) })
const LONG = { rows: Array.from({ length: 100 }, (_, id) => ({ id, name: `row ${id}` })) }

const answer = (body: object = LONG, status = 200) =>
  Response.json(body, { status, headers: { 'request-id': 'req_1', 'cache-control': 'no-store' } })
const asked = (accept: string, given = answer(), by = LIST) =>
  compressed(given, by, { headers: accept === '' ? [] : [['accept-encoding', accept]], compress })

test.each(['gzip', 'gzip, deflate, br, zstd', 'br;q=1.0, GZIP;q=0.5', 'deflate,gzip;q=1'])(
  'a long list is for %s',
  async (accept) => {
    const { status, headers } = await asked(accept)
    expect([status, headers.get('content-encoding'), headers.get('vary')]).toEqual([
      200,
      'gzip',
      'accept-encoding',
    ])
  },
)

test('it says what it said', async () => {
  const sent = await asked('gzip', answer(LONG, 201))
  const body = gunzipSync(new Uint8Array(await sent.arrayBuffer())).toString()
  expect([sent.status, JSON.parse(body)]).toEqual([201, LONG])
  expect([sent.headers.get('request-id'), sent.headers.get('content-type')]).toEqual([
    'req_1',
    'application/json',
  ])
})

test.each(['', 'identity', 'br', 'gzip;q=0', 'gzip; q=0.0', 'xgzip', '*;q=0'])(
  'not for %o',
  async (accept) => {
    const sent = await asked(accept)
    expect([sent.headers.get('content-encoding'), await sent.json()]).toEqual([null, LONG])
  },
)

test('neither short answers, nor files, nor what is not JSON, nor answers to changes, which may have a secret', async () => {
  const change = route({
    method: 'POST',
    path: '/api/keys',
    tier: 'session',
    summary: '',
    handle: () => ({}),
  })
  const file = report({ path: '/api/file', tier: 'session', summary: '', file: true, handle: () => ({}) })
  const text = new Response('x,'.repeat(2_000), { headers: { 'content-type': 'text/csv' } })
  for (const sent of [
    await asked('gzip', answer({ ok: true })),
    await asked('gzip', answer(), change),
    await asked('gzip', answer(), file),
    await asked('gzip', text),
    await compressed(answer(), LIST, { headers: [['accept-encoding', 'gzip']], compress: undefined }),
  ]) {
    expect(sent.headers.get('content-encoding')).toBeNull()
  }
})

test('a text that is the same for everybody is written once, and again only after it failed', async () => {
  let writes = 0
  const answerWith = sameForAll(
    () => {
      writes += 1
      if (writes === 1) throw new Error('not yet')
      return JSON.stringify(LONG)
    },
    { 'content-type': 'application/json' },
  )
  // The cast holds because nothing else of it is looked at.
  const deps = { compress } as Deps
  const ask = (accept: string) => answerWith({ deps, headers: [['accept-encoding', accept]] })
  await expect(ask('gzip')).rejects.toThrow('not yet')
  const [zipped, again, plain] = [await ask('gzip'), await ask('gzip'), await ask('identity')]
  expect(writes).toBe(2)
  expect(zipped.headers.get('content-encoding')).toBe('gzip')
  for (const one of [zipped, again]) {
    expect(JSON.parse(gunzipSync(new Uint8Array(await one.arrayBuffer())).toString())).toEqual(LONG)
  }
  expect([plain.headers.get('content-encoding'), await plain.json()]).toEqual([null, LONG])
  expect(
    (
      await compressed(await ask('gzip'), LIST, { headers: [['accept-encoding', 'gzip']], compress })
    ).headers.get('content-encoding'),
  ).toBe('gzip')
})
