import { describe, expect, test } from 'vitest'
import { conversationOf } from '../../../core/calls/conversation.ts'
import { inspect } from '../../../core/calls/inspect.ts'
import type { HeaderPairs } from '../../../core/ports.ts'

const encoder = new TextEncoder()

interface Told {
  userId?: number
  headers?: HeaderPairs
  promptCacheKey?: string
}

function identified(text: string, told: Told = {}) {
  const body = encoder.encode(text)
  const { metadata, messages, named } = inspect(body)
  const { longCache } = named
  return conversationOf({ userId: 1, headers: [], metadata, messages, body, longCache, ...told })
}
const idOf = (members: object, told?: Told) =>
  identified(JSON.stringify({ model: 'm', ...members }), told)?.id

const turn = (content: unknown, role = 'user') => ({ role, content })
const block = (text: string, more: object = {}) => ({ type: 'text', text, ...more })
const said = (content: unknown, ...rest: object[]) => ({ messages: [turn(content), ...rest] })
const mark = { cache_control: { type: 'ephemeral' } }
const session = (value: string): HeaderPairs => [['x-claude-code-session-id', value]]
const claudeCode = (sessionId: string) => JSON.stringify({ device_id: 'd', session_id: sessionId })

describe('a conversation without a name', () => {
  const hello = idOf(said('hello'))

  test.each([
    ['in its second turn', said('hello', turn('hi', 'assistant'), turn('go on'))],
    ['as one block', said([block('hello')])],
    ['with a mark for the cache', said([block('hello', mark)])],
    ['with its members in another order', said([{ ...mark, text: 'hello', type: 'text' }])],
    ['after messages of others', { messages: [turn('be kind', 'system'), turn('hello')] }],
    ["as a text alone, as the input of OpenAI's responses may be", { messages: 'hello' }],
    ['with another system prompt', { ...said('hello'), system: 'x' }],
  ])('is the same %s', (_, members) => {
    expect(idOf(members)).toBe(hello)
  })

  test('is the same however it is written', () => {
    const escaped =
      '{"model":"m","messages" : [ { "content" : [ { "te\\u0078t":"h\\u0065llo" } ],"role":"user"}]}'
    expect(identified(escaped)?.id).toBe(hello)
  })

  test.each([
    ['another text', idOf(said('hello!'))],
    ['another block', idOf(said([block('hello'), block('x')]))],
    ['another person', idOf(said('hello'), { userId: 2 })],
  ])('is another with %s', (_, id) => {
    expect(id).toBeDefined()
    expect(id).not.toBe(hello)
  })

  test('is told by its first hundred parts, because nobody else is served while they are read', () => {
    const parts = (count: number, last: string) => [...Array(count).fill(block('x')), block(last)]
    expect(idOf(said(parts(99, 'a')))).not.toBe(idOf(said(parts(99, 'b'))))
    expect(idOf(said(parts(100, 'a')))).toBe(idOf(said(parts(100, 'b'))))
  })

  test('is told by the whole of a long text', () => {
    const long = (middle: string) => idOf(said(`${'a'.repeat(9000)}${middle}${'b'.repeat(9000)}`))
    expect(long('x')).toBe(long('x'))
    expect(long('x')).not.toBe(long('xy'))
  })

  test('is told by its picture', () => {
    const picture = (data: string) => [
      { type: 'image', source: { type: 'base64', data } },
      block('what is this?'),
    ]
    expect(idOf(said(picture('AAAA')))).toBe(idOf(said(picture('AAAA').map((one) => ({ ...one, ...mark })))))
    expect(idOf(said(picture('AAAA')))).not.toBe(idOf(said(picture('BBBB'))))
  })

  test.each([
    ['no messages', {}],
    ['messages of another kind', { messages: 5 }],
    ['no message of the user', { messages: [turn('hello', 'assistant')] }],
    ['elements of another kind', { messages: ['hello', 1, null] }],
  ])('is none with %s', (_, members) => {
    expect(idOf(members)).toBeUndefined()
  })
})

describe('a conversation with a name', () => {
  test('goes by the session of Claude Code, in a header or in metadata', () => {
    const named = idOf(said('a'), { headers: session('s1') })
    expect(idOf(said('b'), { headers: session('s1') })).toBe(named)
    expect(idOf({ ...said('c'), metadata: { user_id: claudeCode('s1') } })).toBe(named)
    expect(idOf(said('a'), { headers: session('s2') })).not.toBe(named)
    expect(idOf(said('a'), { headers: session('s1'), userId: 2 })).not.toBe(named)
  })

  test('goes by the session in the older form of metadata', () => {
    const named = (id: string, text: string) => idOf({ ...said(text), metadata: { user_id: id } })
    expect(named('user_1_account__session_a-1', 'x')).toBe(named('user_1_account__session_a-1', 'y'))
    expect(named('user_1_account__session_a-1', 'x')).not.toBe(named('user_1_account__session_a-2', 'x'))
  })

  test('goes by the user and the first text, when metadata names no session', () => {
    const of = (user: string, text: string) => idOf({ ...said(text), metadata: { user_id: user } })
    expect(of('u1', 'x')).toBe(of('u1', 'x'))
    expect(of('u1', 'x')).not.toBe(of('u1', 'y'))
    expect(of('u1', 'x')).not.toBe(of('u2', 'x'))
    expect(of(claudeCode(''), 'x')).not.toBe(of(claudeCode(''), 'y'))
  })

  test("goes by OpenAI's cache key", () => {
    expect(idOf(said('a'), { promptCacheKey: 'k' })).toBe(idOf(said('b'), { promptCacheKey: 'k' }))
    expect(idOf(said('a'), { promptCacheKey: 'k' })).not.toBe(idOf(said('a'), { promptCacheKey: 'l' }))
  })

  test('is kept for as long as its cache lives', () => {
    const life = (more: object) =>
      identified(JSON.stringify({ model: 'm', ...said([block('a', more)]) }))?.cacheLifeMs
    expect(life(mark)).toBe(5 * 60_000)
    expect(life({ cache_control: { type: 'ephemeral', ttl: '1h' } })).toBe(60 * 60_000)
  })
})
