import { describe, expect, test } from 'vitest'
import { clientTimeout } from '../../../core/calls/call.ts'
import { peeked } from '../../../core/calls/peek.ts'
import { wholeBody } from '../../../core/calls/whole-body.ts'
import type { UpstreamReply } from '../../../core/ports.ts'

const encoder = new TextEncoder()
const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)

test.each([
  ['1', 1_000],
  ['600', 600_000],
  ['3600', 3_600_000],
  ['3601', undefined],
  ['0.9', undefined],
  ['soon', undefined],
  [undefined, undefined],
])('a client that says it waits for %j seconds waits for %j ms', (value, ms) => {
  expect(clientTimeout(value === undefined ? [] : [['x-stainless-timeout', value]])).toBe(ms)
})

/** A reply that writes these chunks, and whose writer waits as it is told to. */
function replyOf(chunks: readonly string[], cut?: Error) {
  const written: string[] = []
  const reply: UpstreamReply = {
    status: 200,
    headers: [],
    first: undefined,
    async pipe(sink) {
      for (const chunk of chunks) {
        written.push(chunk)
        await sink.write(encoder.encode(chunk))
      }
      if (cut) throw cut
    },
    cancel() {},
  }
  return { reply, written }
}
async function read(reply: UpstreamReply) {
  const got: string[] = []
  await reply.pipe({ write: (chunk) => void got.push(textOf(chunk)) })
  return got
}

describe('an answer whose beginning is looked at', () => {
  const isClear = (bytes: Uint8Array) => textOf(bytes).includes('!')

  test('has all of what came until it is clear as its first bytes', async () => {
    const { reply, written } = replyOf(['a', 'b!', 'c', 'd'])
    const seen = await peeked(reply, isClear)
    expect([textOf(seen.first), seen.status]).toEqual(['ab!', 200])
    // What follows waits until somebody takes it.
    await new Promise((resolve) => setImmediate(resolve))
    expect(written).toEqual(['a', 'b!', 'c'])
    expect(await read(seen)).toEqual(['ab!', 'c', 'd'])
  })

  test('has all of its bytes when it ends before it is clear', async () => {
    const seen = await peeked(replyOf(['a', 'b']).reply, isClear)
    expect(textOf(seen.first)).toBe('ab')
    expect(await read(seen)).toEqual(['ab'])
  })

  test('is held back for 64 KiB at most', async () => {
    const limit = 64 * 1024
    const seen = await peeked(replyOf(['x'.repeat(limit), 'y', 'z']).reply, isClear)
    expect(seen.first?.length).toBe(limit + 1)
  })

  test('is judged once for all chunks that come together', async () => {
    const { reply } = replyOf([])
    const judged: string[] = []
    const pipe: UpstreamReply['pipe'] = async (sink) => {
      for (let i = 0; i < 1000; i++) sink.write(encoder.encode('x'))
      sink.write(encoder.encode('!'))
    }
    const seen = await peeked({ ...reply, pipe }, (bytes) => {
      judged.push(textOf(bytes))
      return isClear(bytes)
    })
    expect([judged.length, seen.first?.length]).toEqual([1, 1001])
  })

  test('tells when it was cut before it was clear', async () => {
    await expect(peeked(replyOf(['a'], new Error('cut')).reply, isClear)).rejects.toThrow('cut')
  })

  test('tells its reader when it was cut afterwards', async () => {
    const seen = await peeked(replyOf(['!', 'a'], new Error('cut')).reply, isClear)
    await expect(read(seen)).rejects.toThrow('cut')
  })

  test('waits for a slow reader', async () => {
    const { reply, written } = replyOf(['!', 'a', 'b'])
    const seen = await peeked(reply, isClear)
    const slow = Promise.withResolvers<void>()
    let reading = true
    const done = seen
      .pipe({ write: (chunk) => (textOf(chunk) === 'a' ? slow.promise : undefined) })
      ?.then(() => {
        reading = false
      })
    await new Promise((resolve) => setImmediate(resolve))
    expect([written, reading]).toEqual([['!', 'a'], true])
    slow.resolve()
    await done
    expect(written).toEqual(['!', 'a', 'b'])
  })
})

describe('a body as one piece', () => {
  test('is all of its chunks', async () => {
    expect(textOf(await wholeBody(replyOf(['a', 'bc']).reply.pipe, 3))).toBe('abc')
    expect(textOf(await wholeBody(replyOf([]).reply.pipe, 3))).toBe('')
  })
  test('is nothing once it is too long, and is not read on', async () => {
    const { reply, written } = replyOf(['a', 'bcd', 'e'])
    expect(await wholeBody(reply.pipe, 3)).toBeUndefined()
    expect(written).toEqual(['a', 'bcd'])
  })
  test('is nothing as well when its driver tells of it in other words', async () => {
    const pipe: UpstreamReply['pipe'] = async (sink) => {
      try {
        await sink.write(encoder.encode('abcd'))
      } catch {
        throw new Error('the reader left')
      }
    }
    expect(await wholeBody(pipe, 3)).toBeUndefined()
  })
  test('that was cut is an error', async () => {
    await expect(wholeBody(replyOf(['a'], new Error('cut')).reply.pipe, 3)).rejects.toThrow('cut')
  })
})
