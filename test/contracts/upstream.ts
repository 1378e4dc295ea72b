/** What every Upstream must do: carry bytes, and tell a whole answer from a cut one. */
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Upstream, UpstreamReply, UpstreamRequest } from '../../core/ports.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

export function upstreamContract(name: string, make: () => Upstream) {
  describe(`upstream: ${name}`, () => {
    let server: FakeUpstream
    let upstream: Upstream
    beforeEach(async () => {
      server = await startUpstream()
      upstream = make()
    })
    afterEach(async () => {
      await upstream.close()
      await server.stop()
    })
    const request = (given: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
      origin: server.url,
      method: 'POST',
      path: '/v1/messages?beta=true',
      headers: [
        ['accept-encoding', 'identity'],
        ['x-api-key', 'k'],
      ],
      body: new TextEncoder().encode('{"é":1}'),
      ...given,
    })
    const send = (signal = new AbortController().signal) => upstream.send(request(), signal)
    const textOf = async (reply: UpstreamReply) => {
      const chunks: Uint8Array[] = []
      await reply.pipe({ write: (chunk) => void chunks.push(chunk) })
      return Buffer.concat(chunks).toString()
    }

    test('sends method, path, headers and bytes as given', async () => {
      await textOf(await send())
      expect(server.requests[0]).toMatchObject({ method: 'POST', url: '/v1/messages?beta=true' })
      expect(server.requests[0]?.headers).toMatchObject({ 'x-api-key': 'k', 'accept-encoding': 'identity' })
      expect(server.requests[0]?.body.toString()).toBe('{"é":1}')
    })

    test('answers at the first byte and delivers every byte after it', async () => {
      const frames = messageStream({ text: Array.from({ length: 50 }, (_, i) => `${i} `.repeat(100)) })
      server.answer({ chunks: frames.flatMap((frame, i) => (i % 10 === 0 ? [frame, 5] : [frame])) })
      const reply = await send()
      expect(reply.status).toBe(200)
      expect(frames.join('').startsWith(Buffer.from(reply.first ?? []).toString())).toBe(true)
      expect(await textOf(reply)).toBe(frames.join(''))
    })

    test('loses nothing when the pipe begins late or the reader is slow', async () => {
      const frames = messageStream({ text: Array.from({ length: 30 }, () => 'x'.repeat(20_000)) })
      server.answer({ chunks: frames })
      const reply = await send()
      await new Promise((resolve) => setTimeout(resolve, 50))
      let text = ''
      await reply.pipe({
        async write(chunk) {
          await new Promise((resolve) => setTimeout(resolve, 1))
          text += Buffer.from(chunk)
        },
      })
      expect(text).toBe(frames.join(''))
    })

    test('delivers no empty piece, however slow the reader of a body of announced length is', async () => {
      const [one, two] = ['{"type":"mess', 'age"}']
      const headers = {
        'content-type': 'application/json',
        'content-length': String(one.length + two.length),
      }
      server.answer({ headers, chunks: [one, 50, two] })
      const sizes: number[] = []
      await (await send()).pipe({
        async write({ byteLength }) {
          sizes.push(byteLength)
          await new Promise((resolve) => setTimeout(resolve, 5))
        },
      })
      expect(sizes).toEqual([one.length, two.length])
    })

    test('has an empty answer', async () => {
      server.answer({ status: 204, headers: {} })
      const reply = await send()
      expect([reply.status, reply.first]).toEqual([204, undefined])
      expect(await textOf(reply)).toBe('')
    })

    test('does not follow redirects', async () => {
      server.answer({ status: 302, headers: { location: '/elsewhere' } })
      expect((await send()).status).toBe(302)
      expect(server.requests).toHaveLength(1)
    })

    test('rejects when no answer comes', async () => {
      server.answer({ before: 'refuse' })
      await expect(send()).rejects.toThrow()
      await expect(
        upstream.send(request({ origin: 'http://127.0.0.1:1' }), new AbortController().signal),
      ).rejects.toThrow()
    })

    test('rejects a body that was cut', async () => {
      server.answer({ chunks: [...messageStream().slice(0, 3), 20], end: 'reset' })
      await expect(textOf(await send())).rejects.toThrow()
    })

    describe('an answer that comes encoded, though nobody asked for it', () => {
      const text = messageStream({ text: Array.from({ length: 200 }, (_, i) => `${i} `.repeat(50)) }).join('')
      const encoded = (bytes: Uint8Array, encoding: string) => {
        const headers = { 'content-type': 'text/event-stream', 'content-encoding': encoding }
        server.answer({ headers, chunks: [bytes.subarray(0, 100), 5, bytes.subarray(100)] })
      }

      test('is decoded, and says so', async () => {
        encoded(gzipSync(text), 'gzip')
        const reply = await send()
        const names = reply.headers.map(([name]) => name)
        expect(names).toContain('content-type')
        expect(names).not.toContain('content-encoding')
        expect(names).not.toContain('content-length')
        expect(text.startsWith(Buffer.from(reply.first ?? []).toString())).toBe(true)
        expect(await textOf(reply)).toBe(text)
      })

      test('ends with what its reader throws', async () => {
        encoded(gzipSync(new Uint8Array(1024 * 1024)), 'gzip')
        const { pipe } = await send()
        let pieces = 0
        const write = () => {
          pieces += 1
          if (pieces > 2) throw new Error('this is enough')
        }
        await expect(pipe({ write })).rejects.toThrow('this is enough')
      })

      test('is decoded no faster than it is read', async () => {
        encoded(gzipSync(new Uint8Array(64 * 1024 * 1024)), 'gzip')
        const reply = await send()
        let taken = 0
        const taking = Promise.withResolvers<void>()
        const reading = reply.pipe({
          write(chunk) {
            taken += chunk.length
            return taking.promise
          },
        })
        await new Promise((resolve) => setTimeout(resolve, 100))
        expect(taken).toBeLessThan(1024 * 1024)
        taking.reject(new Error('left'))
        await expect(reading).rejects.toThrow()
      })

      test('does not become whole when it is cut', async () => {
        encoded(gzipSync(text).subarray(0, 300), 'gzip')
        // fetch tells of it by the missing end alone.
        const read = await send()
          .then(textOf)
          .catch(() => '')
        expect(text.startsWith(read)).toBe(true)
        expect(read.length).toBeLessThan(text.length)
      })

      test.each(['gzip, gzip', 'rot13', 'constructor'])('is refused as %s', async (encoding) => {
        encoded(gzipSync(gzipSync(text)), encoding)
        await expect(send().then(textOf)).rejects.toThrow()
      })
    })

    test('an abort before the answer ends the call, here and there', async () => {
      server.answer({ before: 'hang' })
      const stop = new AbortController()
      const call = send(stop.signal)
      await expect.poll(() => server.requests.length).toBe(1)
      stop.abort(new Error('enough'))
      await expect(call).rejects.toThrow()
      await expect.poll(() => server.requests[0]?.aborted).toBe(true)
    })

    test('an abort in the middle of an answer does too', async () => {
      server.answer({ chunks: messageStream().slice(0, 2), end: 'hang' })
      const stop = new AbortController()
      const reply = await send(stop.signal)
      const reading = textOf(reply)
      stop.abort(new Error('enough'))
      await expect(reading).rejects.toThrow()
      await expect.poll(() => server.requests[0]?.aborted).toBe(true)
    })

    test('a reader that fails ends the call upstream', async () => {
      server.answer({ chunks: messageStream().slice(0, 2), end: 'hang' })
      const reply = await send()
      await expect(reply.pipe({ write: () => Promise.reject(new Error('left')) })).rejects.toThrow()
      await expect.poll(() => server.requests[0]?.aborted).toBe(true)
    })

    test('a dropped answer frees its connection', async () => {
      server.answer({ chunks: messageStream().slice(0, 2), end: 'hang' })
      const reply = await send()
      reply.cancel()
      await expect.poll(() => server.sockets()).toBe(0)
    })

    test('calls that were given up leave no connection behind, and open none', async () => {
      server.answer({ chunks: messageStream().slice(0, 2), end: 'hang' })
      const replies = await Promise.all(Array.from({ length: 20 }, () => send()))
      expect(server.sockets()).toBe(20)
      for (const reply of replies) reply.cancel()
      await expect.poll(() => server.sockets()).toBe(0)
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(server.sockets()).toBe(0)
    })
  })
}
