/** What OpenAI takes and Claude refuses: how it is sent all the same. */
import { describe, expect, test } from 'vitest'
import { mayLoseDigits } from '../../../core/json/exact.ts'
import { chat, HI, OLD, PDF, PNG, refusal, responses, tool } from '../../support/translation.ts'

const said = (role: string, content: unknown) => ({ role, content })
const call = (id: string, args = '{}') => ({ id, type: 'function', function: { name: 'f', arguments: args } })
const called = (...calls: object[]) => ({ role: 'assistant', content: null, tool_calls: calls })
const result = (tool_call_id: string, content: unknown = 'x') => ({ role: 'tool', tool_call_id, content })
const userPart = (part: object) => ({ messages: [said('user', [part])] })
/** The turns as a line: roles, and in them texts and ids. */
const line = ({ request }: ReturnType<typeof chat>) =>
  request.messages.map(({ role, content }) =>
    [role, ...content.map((block) => ('text' in block ? block.text : idOf(block)))].join(' '),
  )
const idOf = (block: object) =>
  Reflect.get(block, 'id') ?? Reflect.get(block, 'tool_use_id') ?? Reflect.get(block, 'type')

describe('the order of turns', () => {
  test.each([
    [
      'a system message before a user',
      ['u1', 'a1', 's1', 'u2'],
      ['user u1', 'assistant a1', 'user u2', 'system s1'],
    ],
    ['two of them between users', ['u1', 's1', 's2', 'u2'], ['user u1 u2', 'system s1 s2']],
    [
      'one before the assistant',
      ['u1', 's1', 'a1', 'u2'],
      ['user u1', 'system s1', 'assistant a1', 'user u2'],
    ],
    [
      'one between assistants',
      ['u1', 'a1', 's1', 'a2', 'u2'],
      ['user u1', 'assistant a1 a2', 'user u2', 'system s1'],
    ],
    ['one at the end', ['u1', 's1'], ['user u1', 'system s1']],
  ])('%s', (_, spoken, expected) => {
    const roles: Record<string, string> = { u: 'user', a: 'assistant', s: 'developer' }
    const messages = spoken.map((text) => said(roles[text[0] ?? ''] ?? '', text))
    expect(line(chat({ messages }))).toEqual(expected)
    expect(line(responses({ input: messages }))).toEqual(expected)
    const elsewhere = chat({ messages }, 'claude-sonnet-5')
    expect(line(elsewhere).join()).not.toMatch(/system/)
    expect(elsewhere.request.system?.map(({ text }) => text).join(' ')).toMatch(/^s1( s2)?$/)
  })

  test('a system message between a call and its result stands behind the result', () => {
    const messages = [...HI, called(call('c1')), said('system', 's1'), result('c1')]
    expect(line(chat({ messages }))).toEqual(['user hi', 'assistant c1', 'user c1', 'system s1'])
  })

  test('results are drawn to their calls, wherever they come', () => {
    const messages = [
      ...HI,
      called(call('c1'), call('c2')),
      result('c1'),
      said('assistant', 'a'),
      result('c2'),
      ...HI,
    ]
    expect(line(chat({ messages }))).toEqual([
      'user hi',
      'assistant c1 c2',
      'user c1 c2',
      'assistant a',
      'user hi',
    ])
  })

  test('an id that is used again gets a number, and results find their calls in order', () => {
    const turn = [called(call('c'), call('c')), result('c', 'first'), result('c', 'second')]
    const talk = chat({ messages: [...HI, ...turn, ...turn] })
    expect(line(talk)).toEqual([
      'user hi',
      'assistant c c_2',
      'user c c_2',
      'assistant c_3 c_4',
      'user c_3 c_4',
    ])
  })

  test('a call without a result is refused by name', () => {
    const messages = [...HI, called(call('c1'), call('c2')), result('c1'), ...HI]
    expect(refusal(() => chat({ messages })).param).toBe('messages[1].tool_calls[1]')
    const input = [...HI, { type: 'function_call', call_id: 'c1', name: 'f', arguments: '' }, ...HI]
    expect(refusal(() => responses({ input })).param).toBe('input[1]')
  })

  test.each([
    ['{"a": "b', { INVALID_JSON: '{"a": "b' }],
    ['{"a": "\\ud83d', { INVALID_JSON: '{"a": "\\ud83d' }],
    ['[1]', { INVALID_JSON: '[1]' }],
    ['"x"', { INVALID_JSON: '"x"' }],
    ['['.repeat(100_000), { INVALID_JSON: '['.repeat(100_000) }],
    ['null', {}],
  ])('arguments that are no object do not end a conversation: %.20s', (args, input) => {
    const messages = [...HI, called(call('c1', args)), result('c1')]
    expect(chat({ messages }).request.messages[1]?.content).toMatchObject([{ input }])
    const items = [
      ...HI,
      { type: 'function_call', call_id: 'c1', name: 'f', arguments: args },
      { type: 'function_call_output', call_id: 'c1', output: 'no JSON' },
    ]
    expect(responses({ input: items }).request.messages[1]?.content).toMatchObject([{ input }])
  })

  test.each([
    [
      'u1 a1 s1',
      ['user u1', 'assistant a1', 'user (The user says nothing.)', 'system s1'],
      'claude-opus-5-5',
    ],
    ['u1 a1 s1', ['user u1', 'assistant a1', 'user (The user says nothing.)'], OLD],
    ['s1', ['user (The user says nothing.)'], 'claude-opus-5-5'],
  ])('a system message that is to be answered follows a turn of the user: %s', (spoken, expected, model) => {
    const roles: Record<string, string> = { u: 'user', a: 'assistant', s: 'system' }
    const messages = spoken.split(' ').map((text) => said(roles[text[0] ?? ''] ?? '', text))
    const translated = chat({ messages }, model)
    expect(line(translated)).toEqual(expected)
    expect(translated.warnings).toEqual(['messages: a turn of the user was put at the end'])
  })

  test('a conversation that the assistant begins gets a turn before it, and a warning', () => {
    const { request, warnings } = chat({ messages: [said('system', 's'), said('assistant', 'hello'), ...HI] })
    expect(request.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(warnings).toEqual(['messages[0]: a turn of the user was put before it'])
  })

  test('text of white space is left out, and so is a turn that has nothing else', () => {
    const parts = (text: string) => [{ type: 'text', text }]
    const messages = [said('system', ' '), ...HI, said('assistant', ' \n'), said('user', parts('\t')), ...HI]
    const { request } = chat({ messages })
    expect(request.messages).toEqual([said('user', [...parts('hi'), ...parts('hi')])])
    expect(request.system).toBeUndefined()
    expect(refusal(() => chat({ messages: [said('user', ' ')] })).param).toBe('messages')
    const answered = chat({ messages: [...HI, called(call('c')), result('c', ' ')] }).request.messages[2]
    expect(answered?.content).toEqual([{ type: 'tool_result', tool_use_id: 'c', content: [] }])
  })
})

describe('values are sent as they came', () => {
  const exact = '{"id": 2512292042121000001, "r":1.0, "10":1e400, "2":-0}'

  test('the arguments of a call, text for text', () => {
    const chatText = chat({ messages: [...HI, called(call('c', exact)), result('c')] }).text
    expect(chatText).toContain(`"input":${exact}`)
    const item = { type: 'function_call', call_id: 'c', name: 'f', arguments: exact }
    const output = { type: 'function_call_output', call_id: 'c', output: 'x' }
    expect(responses({ input: [...HI, item, output] }).text).toContain(`"input":${exact}`)
  })

  test('numbers in the schemas of tools and of structured output', () => {
    const numbers = '[2512292042121000001,1.0,1e400,-0,0.1000000000000000055]'
    const schema = `{"type":"object","properties":{"a":{"enum":${numbers}}},"required":["a"],"additionalProperties":false}`
    const format = { type: 'json_schema', json_schema: { name: 'x', schema: 'SCHEMA' } }
    const asked = { tools: [tool('t', { strict: true, parameters: 'SCHEMA' })], response_format: format }
    const { text } = chat(JSON.stringify({ messages: HI, ...asked }).replaceAll('"SCHEMA"', schema))
    expect(text.split(numbers)).toHaveLength(3)
  })

  test.each([
    ['[1]', false],
    ['[0.5,10,-3,123456789012345]', false],
    ['{"a":"1.0"}', false],
    ['[1.0]', true],
    ['{"a": -0}', true],
    ['[1,1E5]', true],
    ['[12345678901234567890]', true],
  ])('%s may lose digits: %s', (text, may) => {
    expect(mayLoseDigits(text)).toBe(may)
  })

  test('half a surrogate pair, which Claude refuses, is replaced', () => {
    const messages = [said('user', 'a\ud83d'), called(call('c', '{"a":"\\ud83d"}')), result('c', '\udc00')]
    expect(chat({ messages }).text).not.toMatch(/\\ud|[\ud800-\udfff]/)
  })
})

describe('pictures and files', () => {
  const image = (url: string) => userPart({ type: 'image_url', image_url: { url } })
  const file = (file_data: string, filename?: string) =>
    userPart({ type: 'file', file: { file_data, filename } })
  const block = (body: object) => chat(body).request.messages[0]?.content[0]

  test.each([
    ['image/jpg', image('data:image/jpg;base64,/9j/AAAA'), { media_type: 'image/jpeg', data: '/9j/AAAA' }],
    ['a JPEG that is called a PNG', image('data:image/png;base64,/9j/AAAA'), { media_type: 'image/jpeg' }],
    [
      'a WebP of no known type',
      image('data:application/octet-stream;base64,UklGRiQAAABXRUJQVlA4IA=='),
      { media_type: 'image/webp' },
    ],
    ['base64 in lines', image('data:image/png;base64,iVBORw0K\r\nGgo='), { data: 'iVBORw0KGgo=' }],
    ['base64 without its end', image('data:image/png;base64,iVBORw0KGgo'), { data: 'iVBORw0KGgo=' }],
    ['a raw PDF', file('JVBERi0='), { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' }],
    ['a PDF of no known type', file('data:;base64,JVBERi0='), { media_type: 'application/pdf' }],
    ['a raw text by its name', file('w6Q=', 'a.md'), { type: 'text', media_type: 'text/plain', data: 'ä' }],
    ['a raw picture', file('iVBORw0KGgo='), { media_type: 'image/png' }],
  ])('%s is sent', (_, body, source) => {
    expect(block(body)).toMatchObject({ source })
  })

  test.each([
    ['no base64', image('data:image/png;base64,*'), 'messages[0].content[0].image_url.url'],
    ['an address without TLS', image('http://x.test/a.png'), 'messages[0].content[0].image_url.url'],
    ['bytes of no known kind', file('AAAA'), 'messages[0].content[0].file.file_data'],
    ['broken escapes', file('data:text/plain,%'), 'messages[0].content[0].file.file_data'],
    ['an empty text', file('data:text/plain,'), 'messages[0].content[0].file.file_data'],
  ])('%s is refused by name', (_, body, param) => {
    expect(refusal(() => chat(body)).param).toBe(param)
  })

  test('are in the results of tools too, on both interfaces', () => {
    const parts = [
      { type: 'text', text: 'see' },
      { type: 'image_url', image_url: { url: PNG } },
      { type: 'file', file: { file_data: PDF } },
    ]
    const types = (request: ReturnType<typeof chat>) =>
      request.request.messages
        .at(-1)
        ?.content.flatMap((one) => ('content' in one ? one.content.map(({ type }) => type) : []))
    const messages = [...HI, called(call('c')), result('c', parts)]
    expect(types(chat({ messages }))).toEqual(['text', 'image', 'document'])
    const output = [
      { type: 'input_text', text: 'see' },
      { type: 'input_image', image_url: PNG },
      { type: 'input_file', file_data: PDF },
    ]
    const input = [
      ...HI,
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c', output },
    ]
    expect(types(responses({ input }))).toEqual(['text', 'image', 'document'])
  })

  test('are refused in messages that hold texts only', () => {
    const input = [said('developer', [{ type: 'input_image', image_url: PNG }]), ...HI]
    expect(refusal(() => responses({ input })).param).toBe('input[0].content')
  })
})

describe('marks of what is kept', () => {
  const part = (letter: string) => ({
    type: 'text',
    text: letter.repeat(1_200),
    prompt_cache_breakpoint: { mode: 'explicit' },
  })
  const marks = (parts: object[]) => {
    const { text, warnings } = chat({ tools: [tool('t')], messages: [said('user', parts)] })
    return [
      text.split('"cache_control"').length - 1,
      text.includes('"cache_control":{"type":"ephemeral"}'),
      warnings.length,
    ]
  }
  const end = { type: 'text', text: 'end' }
  const long = { type: 'text', text: 'x'.repeat(5_000) }

  test('of Claude keep as long as they say, but behind one of five minutes no longer', () => {
    const marked = (ttl?: '5m' | '1h') => ({
      type: 'text',
      text: 'x',
      cache_control: { type: 'ephemeral', ...(ttl && { ttl }) },
    })
    const lifetimes = (request: { messages: { content: unknown[] }[] }) =>
      request.messages.flatMap(({ content }) =>
        content.map((block) => Reflect.get(Object(block), 'cache_control')),
      )
    const kept = (parts: object[]) => {
      const { request, warnings } = chat({ messages: [said('user', parts)] })
      return [lifetimes(request), warnings.length]
    }
    const [short, hour] = [{ type: 'ephemeral' }, { type: 'ephemeral', ttl: '1h' }]
    expect(kept([marked('1h'), end, marked()])).toEqual([[hour, undefined, short], 0])
    expect(kept([marked(), marked('1h'), part('a')])).toEqual([[short, short, short], 1])
    const asked = { input: [said('user', [{ ...marked('1h'), type: 'input_text' }])] }
    expect(lifetimes(responses(asked).request)).toEqual([hour])
    const wrong = { ...end, cache_control: { type: 'ephemeral', ttl: '2h' } }
    expect(refusal(() => chat({ messages: [said('user', [wrong])] })).param).toBe(
      'messages[0].content[0].cache_control.ttl',
    )
  })

  test.each([
    ['four, and no automatic one', ['a', 'b', 'c', 'd'], [4, false, 0]],
    ['the last four of five, with a warning', ['a', 'b', 'c', 'd', 'e'], [4, false, 1]],
    ['three, and an automatic one', ['a', 'b', 'c', '-'], [4, true, 0]],
  ])('%s', (_, letters, expected) => {
    expect(marks([...letters.map((letter) => (letter === '-' ? long : part(letter))), end])).toEqual(expected)
  })

  test('no automatic one where the last block has one of another lifetime', () => {
    expect(marks([long, part('a')])).toEqual([1, false, 0])
    expect(marks([part('a'), long])).toEqual([2, true, 0])
  })
})

describe('tools', () => {
  test('a choice between schemas at the top becomes one object, and is said in words', () => {
    const parameters = {
      anyOf: [
        { type: 'object', properties: { a: { type: 'string' }, b: {} }, required: ['a', 'b'] },
        { type: 'object', properties: { a: { type: 'string' }, c: {} }, required: ['a'] },
      ],
    }
    const { request, warnings } = chat({ tools: [tool('t', { parameters })] }, OLD)
    expect(request.tools?.[0]).toMatchObject({
      description: expect.stringMatching(/^\{anyOf: \[/),
      input_schema: { type: 'object', properties: { a: {}, b: {}, c: {} }, required: ['a'] },
    })
    expect(warnings).toEqual(['tools[0].function.parameters.anyOf: said in the description'])
  })

  test('names that Claude does not take are refused by name', () => {
    const parameters = { type: 'object', properties: { 'a b': {} } }
    expect(refusal(() => chat({ tools: [tool('t', { parameters })] })).param).toBe(
      'tools[0].function.parameters.properties.a b',
    )
    expect(refusal(() => chat({ tools: [tool('t'), tool('t')] })).param).toBe('tools[1].name')
  })

  test('a forced call that the model does not take is structured output of its input', () => {
    const parameters = {
      type: 'object',
      properties: { city: { type: 'string', minLength: 1 } },
      required: ['city'],
    }
    const asked = {
      tools: [tool('weather', { description: 'Tells it.', parameters }), tool('other')],
      tool_choice: { type: 'function', function: { name: 'weather' } },
    }
    const { request, forcedTool, warnings } = chat(asked)
    expect(forcedTool).toBe('weather')
    expect(warnings).toEqual([])
    expect(request).toMatchObject({
      tool_choice: { type: 'none' },
      output_config: { format: { schema: { required: ['city'], additionalProperties: false } } },
      system: [{ text: expect.stringMatching(/weather/) }],
    })
    expect(chat(asked, OLD).forcedTool).toBeUndefined()
    expect(chat({ ...asked, tool_choice: 'required' }).warnings).toEqual(['tool_choice downgraded to auto'])
  })

  test('strict ones beyond what Claude compiles are loose, with a warning', () => {
    const parameters = { type: 'object', properties: {}, additionalProperties: false }
    const tools = Array.from({ length: 21 }, (_, i) => tool(`t${i}`, { strict: true, parameters }))
    const { request, warnings } = chat({ tools })
    expect(request.tools?.filter((one) => 'strict' in one && one.strict)).toHaveLength(20)
    expect(warnings).toEqual([expect.stringMatching(/^tools\[20\]\.strict/)])
  })
})
