/** Requests of a few megabytes, which keep everybody's calls waiting while they are translated. */
import { describe, expect, test } from 'vitest'
import { chatToMessages } from '../../../core/openai/request/chat-request.ts'
import { ChatRequest } from '../../../core/openai/request/chat-shape.ts'
import { parsedBody } from '../../../core/openai/request/refuse.ts'
import { responsesToMessages } from '../../../core/openai/request/responses-request.ts'
import { ResponsesRequest } from '../../../core/openai/request/responses-shape.ts'
import { context, HI, refusal, tool } from '../../support/translation.ts'

/** More than a call takes arguments. */
const MANY = 150_000
/** Looking through all others for each of so many takes minutes. */
const ALIKE = 60_000
const list = <T>(length: number, make: (i: number) => T) => Array.from({ length }, (_, i) => make(i))
const chat = (body: object, model = 'claude-opus-5-5') =>
  chatToMessages(ChatRequest.parse({ model, messages: HI, ...body }), context(model)).request
const responses = (body: object, model = 'claude-opus-5-5') =>
  responsesToMessages(ResponsesRequest.parse({ model, input: 'hi', ...body }), context(model)).request
const call = (id: string) => ({ id, type: 'function', function: { name: 'f', arguments: '' } })
const result = (id: string) => ({ role: 'tool', tool_call_id: id, content: 'x' })
const part = { type: 'text', text: 'a' }

describe('as many as there is room for', () => {
  test('parts of system messages are taken', () => {
    const messages = [{ role: 'system', content: list(MANY, () => part) }, ...HI]
    expect(chat({ messages }).system).toHaveLength(MANY)
  })

  test('calls of one turn are taken', () => {
    const ids = list(MANY, (i) => `a${i}`)
    const messages = [...HI, { role: 'assistant', tool_calls: ids.map(call) }, ...ids.map(result)]
    expect(chat({ messages }).messages.map(({ content }) => content.length)).toEqual([1, MANY, MANY])
  })

  test('deprecated functions are taken', () => {
    expect(chat({ functions: list(MANY, (i) => ({ name: `f${i}` })) }).tools).toHaveLength(MANY)
  })
})

describe('as many of one kind as there is room for', () => {
  test('calls with one id get ids of their own, and their results in order', () => {
    const messages = [
      ...HI,
      { role: 'assistant', tool_calls: list(ALIKE, () => call('a')) },
      ...list(ALIKE, () => result('a')),
    ]
    const last = chat({ messages }).messages.at(-1)?.content.at(-1)
    expect(last).toMatchObject({ type: 'tool_result', tool_use_id: `a_${ALIKE}` })
  })

  test('tools whose names are alike at Claude get names of their own', () => {
    const letter = (i: number) => String.fromCharCode(0x4e00 + i)
    const tools = list(ALIKE, (i) => ({
      type: 'function',
      name: letter(i % 1000) + letter(Math.floor(i / 1000)),
    }))
    const names = responses({ tools: [{ type: 'namespace', name: 'n', tools }] }).tools?.map(
      ({ name }) => name,
    )
    expect(names?.at(-1)).toBe(`n_____${ALIKE}`)
  })

  test('texts between a call and its result stand before the call', () => {
    const texts = list(MANY, (i) => ({ role: 'assistant', content: String(i) }))
    const messages = [...HI, { role: 'assistant', tool_calls: [call('a')] }, ...texts, result('a')]
    const content = chat({ messages }).messages[1]?.content ?? []
    expect([content[0], content.at(-2), content.at(-1)]).toMatchObject([
      { text: '0' },
      { text: String(MANY - 1) },
      { type: 'tool_use' },
    ])
  })

  test('required properties of a choice between schemas stay required', () => {
    const required = list(MANY, (i) => `p${i}`)
    const parameters = { anyOf: [{ required }, { required }, { required }] }
    const [made] = chat({ tools: [tool('f', { parameters })] }).tools ?? []
    expect(made).toMatchObject({ input_schema: { required } })
  })

  test('allowed tools are found', () => {
    const tools = list(MANY, (i) => tool(`f${i}`))
    const allowed_tools = { mode: 'required', tools: tools.toReversed() }
    expect(chat({ tools, tool_choice: { type: 'allowed_tools', allowed_tools } }).tools).toHaveLength(MANY)
  })
})

describe('the first problem of a list', () => {
  test.each([
    ['input[0]', ResponsesRequest, 'input'],
    ['messages[0]', ChatRequest, 'messages'],
    ['tools[0]', ChatRequest, 'tools'],
    ['messages[0].content[0]', ChatRequest, 'content'],
  ])('is told, and nothing behind it is looked at: %s', (param, schema, name) => {
    let looked = 0
    const look = () => {
      looked += 1
    }
    const behind = Object.defineProperties({}, { type: { get: look }, role: { get: look } })
    const elements = [1, behind]
    const messages = name === 'content' ? [{ role: 'user', content: elements }] : HI
    const body = { model: 'm', messages, input: 'hi', [name]: elements }
    expect(refusal(() => parsedBody<object>(schema, body))).toEqual({ code: 'invalid_input', param })
    expect(looked).toBe(0)
  })
})
