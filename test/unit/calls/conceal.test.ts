import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concealed } from '../../../core/calls/conceal.ts'
import type { HeaderPairs, UpstreamReply } from '../../../core/ports.ts'
import { backend as backendNamed } from '../../support/backends.ts'

const SECRET = 'sk-ant-api03-C~nary+of/the_Backend?42'
const backend = (apiKey = SECRET) => backendNamed('a', { apiKey })
const reply = (status: number, body: string, given: { cuts?: number[]; headers?: HeaderPairs } = {}) => {
  const bytes = Buffer.from(body)
  const ends = [...new Set([...(given.cuts ?? []).map((cut) => cut % (bytes.length + 1)), bytes.length])]
  const chunks = ends.sort((a, b) => a - b).map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
  return {
    status,
    headers: given.headers ?? [],
    first: chunks[0],
    pipe: async (sink) => {
      for (const chunk of chunks) await sink.write(chunk)
    },
    cancel() {},
  } satisfies UpstreamReply
}
const textOf = async (seen: UpstreamReply) => {
  const chunks: Uint8Array[] = []
  await seen.pipe({ write: (chunk) => void chunks.push(chunk) })
  return Buffer.concat(chunks).toString()
}
const base64 = (text: string) => Buffer.from(text).toString('base64')

describe('the credential in an answer', () => {
  test.each([
    ['as it is', SECRET],
    ['as a bearer', `Bearer ${SECRET}`],
    ['as basic authentication', `Basic ${base64(`x:${SECRET}`)}`],
    ['as base64', base64(SECRET)],
    ['as base64 of more', base64(`ab${SECRET}cd`)],
    ['as base64url', Buffer.from(SECRET).toString('base64url')],
    ['percent-encoded', encodeURIComponent(SECRET)],
  ])('is shown in no error and no header, %s', async (_how, quoted) => {
    const body = `{"message":"é ${quoted} is wrong, really: ${quoted}"}`
    for (const status of [302, 400, 401, 500]) {
      const seen = concealed(reply(status, body), backend())
      const text = await textOf(seen)
      expect(text).toMatch(/^\{"message":"é [^é]*\*{20,}.* is wrong, really: .*\*{20,}.*"\}$/)
      expect(Buffer.byteLength(text)).toBe(Buffer.byteLength(body))
      expect(text).not.toContain(quoted)
      expect(Buffer.from(seen.first ?? []).toString()).not.toContain(quoted)
    }
    const headers: HeaderPairs = [
      ['anthropic-told', quoted],
      ['content-type', 'application/json'],
      [`anthropic-${SECRET.toLowerCase()}`, 'x'],
      [SECRET.toLowerCase(), 'x'],
    ]
    for (const status of [200, 400]) {
      expect(concealed(reply(status, '', { headers }), backend()).headers).toEqual([
        ['content-type', 'application/json'],
      ])
    }
  })

  test('is found wherever the body is cut, and the rest stays as it came', async () => {
    const parts = fc.array(fc.constantFrom(SECRET, SECRET.slice(0, 9), SECRET.slice(9), '中', 'x', '*'))
    await fc.assert(
      fc.asyncProperty(parts, fc.array(fc.nat(400)), async (given, cuts) => {
        const body = given.join('')
        const text = await textOf(concealed(reply(500, body, { cuts }), backend()))
        expect(text).toBe(body.replaceAll(SECRET, '*'.repeat(SECRET.length)))
      }),
      { numRuns: 300 },
    )
  })

  test('takes no header away that is only as long as it', () => {
    const headers: HeaderPairs = [
      ['anthropic-told', 'x'.repeat(200)],
      [`anthropic-${'x'.repeat(200)}`, 'told'],
    ]
    expect(concealed(reply(200, '', { headers }), backend()).headers).toEqual(headers)
  })

  test('stays in the body of a success, which is byte for byte what came', async () => {
    expect(await textOf(concealed(reply(200, SECRET), backend()))).toBe(SECRET)
  })

  test('that is too short for a secret leaves words as they are', async () => {
    expect(await textOf(concealed(reply(400, 'the key is wrong'), backend('key')))).toBe('the key is wrong')
  })
})
