/** Bodies of requests that come compressed, whatever the runtime. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const HELLO = JSON.stringify({
  model: 'claude-opus-5-5',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'hello '.repeat(20_000) }],
})
const COMPRESSED: [named: string, body: Uint8Array][] = [
  ['gzip', gzipSync(HELLO)],
  ['X-GZIP', gzipSync(HELLO)],
  ['deflate', deflateSync(HELLO)],
  ['deflate', deflateRawSync(HELLO)],
  ['br', brotliCompressSync(HELLO)],
  ['zstd', zstdCompressSync(HELLO)],
]
const MOST_BYTES = 1_000_000

export function compressionContract({ name, start }: Runtime) {
  describe(`compressed bodies on ${name}`, () => {
    let upstream: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      upstream = await startUpstream()
      gateway = await start({
        backends: [{ name: 'claude', url: upstream.url, api_key: 'sk-backend' }],
        limits: { max_body_bytes: MOST_BYTES },
      })
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
    })
    beforeEach(() => upstream.reset())

    const send = (body: Uint8Array | string, encoding: string, path = '/v1/messages') =>
      gateway.send(body, { path, headers: { 'content-encoding': encoding } })

    test.each(COMPRESSED)('in %s reach Claude as they were before', async (encoding, body) => {
      const answer = await send(body, encoding)
      await answer.text()
      expect(answer.status).toBe(200)
      const [asked] = upstream.requests
      expect(asked?.body.toString()).toBe(HELLO)
      expect(asked?.headers).not.toHaveProperty('content-encoding')
    })

    test('are understood by every interface', async () => {
      const input = zstdCompressSync(JSON.stringify({ model: 'claude-opus-5-5', input: 'hello' }))
      for (const [path, body] of [
        ['/v1/messages/count_tokens', zstdCompressSync(HELLO)],
        ['/v1/chat/completions', zstdCompressSync(HELLO)],
        ['/v1/responses', input],
      ] as const) {
        const answer = await send(body, 'zstd', path)
        await answer.text()
        expect([path, answer.status]).toEqual([path, 200])
      }
    })

    test.each([
      ['gzip', gzipSync],
      ['deflate', deflateSync],
      ['br', brotliCompressSync],
      ['zstd', zstdCompressSync],
    ] as const)('in %s that would be too large are refused like any other', async (encoding, compress) => {
      const answer = await send(compress(Buffer.alloc(4 * MOST_BYTES, ' ')), encoding)
      expect([answer.status, await answer.json()]).toMatchObject([
        413,
        { error: { type: 'request_too_large' } },
      ])
      expect(upstream.requests).toEqual([])
    })

    test.each(['gzip', 'deflate', 'br', 'zstd'])('that are no %s are named', async (encoding) => {
      const answer = await send(HELLO, encoding)
      expect(answer.status).toBe(400)
      expect(await answer.text()).toContain(`The body is no valid ${encoding}.`)
    })

    test('that are cut are refused', async () => {
      for (const [encoding, body] of COMPRESSED) {
        const answer = await send(body.subarray(0, body.length - 20), encoding)
        expect([encoding, answer.status]).toEqual([encoding, 400])
        await answer.text()
      }
    })

    test.each(['compress', 'gzip, gzip', 'constructor'])(
      'in %s are refused, and what is taken is told',
      async (encoding) => {
        const answer = await send(HELLO, encoding)
        expect(answer.status).toBe(415)
        expect(answer.headers.get('accept-encoding')).toBe('zstd, gzip, br, deflate')
        expect(await answer.text()).toContain(encoding)
      },
    )
  })
}
