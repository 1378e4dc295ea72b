import { describe, expect, test } from 'vitest'
import { inspect } from '../../../core/calls/inspect.ts'

const encoder = new TextEncoder()

describe('a body of very many parts', () => {
  const refused = (members: object) => {
    try {
      inspect(encoder.encode(JSON.stringify({ model: 'm', max_tokens: 1, ...members })))
    } catch (thrown) {
      return String(thrown)
    }
    return undefined
  }
  const document = { type: 'document', source: { type: 'url', url: 'https://a.example' } }
  const messages = (content: object[]) => ({ messages: [{ role: 'user', content }] })

  test('is refused, because nobody else is served while it is looked at', () => {
    expect(refused(messages(Array(49_000).fill(document)))).toBeUndefined()
    expect(refused(messages(Array(51_000).fill(document)))).toContain('messages: at most 100000 parts')
    const tools = (count: number) => ({ tools: Array(count).fill({ type: 'advisor_20260101', model: 'm' }) })
    expect(refused(tools(500))).toBeUndefined()
    expect(refused(tools(501))).toContain('tools: at most 1000 models')
  })
})
