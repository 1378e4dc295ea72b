import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'

let claude: SimulatedClaude
beforeAll(async () => {
  claude = await startSimulatedClaude({ pace: 0 })
})
afterAll(() => claude.stop())

const get = (path: string, headers: Record<string, string> = { 'x-api-key': 'sim-test' }) =>
  fetch(claude.url + path, { headers })
const HELLO = {
  model: 'claude-opus-5-5',
  max_tokens: 1000,
  messages: [{ role: 'user', content: 'Hello, you!' }],
}
const post = (
  body: unknown,
  { path = '/v1/messages', signal }: { path?: string; signal?: AbortSignal } = {},
) =>
  fetch(claude.url + path, {
    method: 'POST',
    headers: { authorization: 'Bearer sim-test', 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal ? { signal } : {}),
  })

interface Block {
  type: string
  text: string
  name?: string
  id?: string
  input?: Record<string, unknown>
}
/** As much of any answer as is looked at here. */
interface Said {
  content: [Block, ...Block[]]
  stop_reason: string
  usage: {
    cache_creation_input_tokens: number
    cache_read_input_tokens: number
    cache_creation: Record<string, number>
  }
  error: { type: string }
  data: { id: string }[]
  has_more: boolean
  last_id: string
}
const jsonOf = async (answer: Response): Promise<Said> => JSON.parse(await answer.text())
const ask = async (change: object) => jsonOf(await post({ ...HELLO, ...change }))

/** What a stream amounts to, after its frames were found to be exact. */
async function streamed(change: object) {
  const answer = await post({ ...HELLO, ...change, stream: true })
  expect(answer.headers.get('content-type')).toContain('text/event-stream')
  const frames = (await answer.text()).split('\n\n')
  expect(frames.pop()).toBe('')
  const events = frames.map((frame) => {
    const [, name, json = ''] = /^event: (\w+)\ndata: (\{.*\})$/.exec(frame) ?? []
    const event = JSON.parse(json)
    expect(event.type).toBe(name)
    return event
  })
  const deltas = events.filter(({ type }) => type === 'content_block_delta').map(({ delta }) => delta)
  return {
    types: events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]),
    text: deltas.map(({ text }) => text ?? '').join(''),
    json: deltas.map(({ partial_json }) => partial_json ?? '').join(''),
    start: events[0].message,
    blocks: events.filter(({ type }) => type === 'content_block_start').map((event) => event.content_block),
    end: events.at(-2),
  }
}

const WEATHER = {
  name: 'get_weather',
  input_schema: {
    type: 'object',
    properties: {
      city: { type: 'string' },
      unit: { enum: ['celsius', 'kelvin'] },
      days: { type: 'integer' },
    },
    required: ['city', 'unit'],
  },
}
const BASH = { name: 'Bash', input_schema: { type: 'object', properties: { command: { type: 'string' } } } }
const WRITE = { name: 'Write', input_schema: { type: 'object', properties: {} } }
const user = (content: unknown) => ({ messages: [{ role: 'user', content }] })

describe('the simulated Claude', () => {
  test('streams an answer to what was said, with the grammar and the counts of a real one', async () => {
    const { types, text, start, end } = await streamed({})
    expect(types).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    expect(text).toContain('simulated Claude')
    expect(text).toContain('Hello, you!')
    expect(start).toMatchObject({ model: 'claude-opus-5-5', content: [], stop_reason: null })
    expect(end).toMatchObject({
      delta: { stop_reason: 'end_turn' },
      usage: { output_tokens: Math.ceil(text.length / 4) },
    })
    expect(start.usage.input_tokens).toBe(Math.ceil(JSON.stringify({ ...HELLO, stream: true }).length / 4))
  })

  test('says the same in one piece', async () => {
    const [{ text }, whole] = [await streamed({}), await ask({})]
    expect(whole.content).toEqual([{ type: 'text', text }])
    expect(whole).toMatchObject({
      stop_reason: 'end_turn',
      usage: { output_tokens: Math.ceil(text.length / 4) },
    })
  })

  test('stops at max_tokens', async () => {
    const cut = await ask({ max_tokens: 5 })
    expect(cut).toMatchObject({ stop_reason: 'max_tokens', usage: { output_tokens: 5 } })
    expect(cut.content[0].text).toHaveLength(20)
  })

  test('caches for each credential, and reads what it has cached', async () => {
    const marked = [
      { type: 'text', text: `${Math.random()} ${'x'.repeat(4000)}`, cache_control: { type: 'ephemeral' } },
    ]
    const [{ usage: first }, { usage: second }] = [
      await ask({ system: marked }),
      await ask({ system: marked }),
    ]
    expect(first.cache_read_input_tokens).toBe(0)
    expect(first.cache_creation_input_tokens).toBeGreaterThan(1000)
    expect(first.cache_creation.ephemeral_5m_input_tokens).toBe(first.cache_creation_input_tokens)
    expect(second).toMatchObject({
      cache_read_input_tokens: first.cache_creation_input_tokens,
      cache_creation_input_tokens: 0,
    })
  })

  test('takes what Claude Code sends: reminders, system messages among others, fields it does not know', async () => {
    const messages = [
      {
        role: 'user',
        content: [
          { type: 'text', text: '<system-reminder>run it</system-reminder>' },
          { type: 'text', text: 'Hi' },
        ],
      },
      { role: 'system', output_config: { effort: 'medium' }, content: 'environment' },
    ]
    const { content } = await ask({ messages, tools: [BASH], thinking: { type: 'adaptive' }, safeguards: {} })
    expect(content).toHaveLength(1)
    expect(content[0].text).toContain('“Hi”')
  })

  test('uses a tool that is asked for, with input that fits its schema', async () => {
    const { blocks, json, end } = await streamed({
      ...user('How is the weather in Lisbon?'),
      tools: [BASH, WEATHER],
    })
    expect(blocks).toMatchObject([{ type: 'text' }, { type: 'tool_use', name: 'get_weather', input: {} }])
    expect(JSON.parse(json)).toEqual({ city: 'Lisbon', unit: 'celsius' })
    expect(end.delta.stop_reason).toBe('tool_use')
  })

  test.each([
    ['please run the tests', [WRITE, BASH], 'Bash'],
    ['list my files', [WRITE, BASH], 'Bash'],
    ['use the Write tool', [BASH, WRITE], 'Write'],
    ['call get_weather', [BASH, WEATHER], 'get_weather'],
    ['use the tool', [WEATHER], 'get_weather'],
    ['write a poem about bashful rungs', [BASH, WRITE], undefined],
    ['run it', [{ name: 'web_search', type: 'web_search_20250305' }], undefined],
    ['run it', [{ ...BASH, defer_loading: true }], undefined],
  ])('to "%s" it answers with the right tool or none', async (text, tools, name) => {
    const { content } = await ask({ ...user(text), tools })
    expect(content.at(-1)?.name).toBe(name)
  })

  test('gives Bash a harmless command, and speaks of the result', async () => {
    const asked = user('run something')
    const first = await ask({ ...asked, tools: [BASH] })
    const call = first.content[1]
    expect(call?.input?.command).toBe('echo hello from the simulated Claude')
    const result = {
      type: 'tool_result',
      tool_use_id: call?.id,
      content: [{ type: 'text', text: 'hello from afar' }],
    }
    const { content, stop_reason } = await ask({
      messages: [
        ...asked.messages,
        { role: 'assistant', content: first.content },
        ...user([result, { type: 'text', text: 'run' }]).messages,
      ],
      tools: [BASH],
    })
    expect(content).toHaveLength(1)
    expect(content[0].text).toContain('hello from afar')
    expect(stop_reason).toBe('end_turn')
  })

  test('is forced to a tool by tool_choice, and kept from it', async () => {
    const chosen = async (tool_choice: object, text = 'Hi') => {
      // A model that takes a forced choice.
      const model = 'claude-opus-4-8'
      const { content } = await ask({ model, ...user(text), tools: [BASH, WEATHER], tool_choice })
      return content.at(-1)?.name
    }
    expect(await chosen({ type: 'any' })).toBe('Bash')
    expect(await chosen({ type: 'tool', name: 'get_weather' })).toBe('get_weather')
    expect(await chosen({ type: 'none' }, 'run it')).toBeUndefined()
    expect(await chosen({ type: 'auto' })).toBeUndefined()
  })

  test('answers in JSON when a schema is given', async () => {
    const schema = {
      $defs: { tag: { type: 'string', enum: ['a', 'b'] } },
      type: 'object',
      properties: {
        title: { type: 'string' },
        tags: { type: 'array', items: { $ref: '#/$defs/tag' }, minItems: 1 },
        note: { anyOf: [{ type: 'null' }, { type: 'string' }] },
        extra: { type: 'string' },
      },
      required: ['title', 'tags', 'note'],
      additionalProperties: false,
    }
    const { content } = await ask({ output_config: { format: { type: 'json_schema', schema } } })
    expect(JSON.parse(content[0].text)).toEqual({ title: 'Hello, you!', tags: ['a'], note: null })
  })

  test('only fills its cache for a max_tokens of 0', async () => {
    const marked = [{ type: 'text', text: 'x'.repeat(400), cache_control: { type: 'ephemeral' } }]
    const { content, stop_reason, usage } = await ask({ system: marked, max_tokens: 0 })
    expect([content, stop_reason]).toEqual([[], 'max_tokens'])
    expect(usage).toMatchObject({ output_tokens: 0, cache_creation_input_tokens: expect.any(Number) })
    expect(usage.cache_creation_input_tokens).toBeGreaterThan(0)
  })

  test('answers with a JSON object alone where the system prompt asks for one', async () => {
    const system = [{ type: 'text', text: 'Respond with one valid JSON object and nothing else.' }]
    for (const asked of [system, `Be brief. ${system[0]?.text}`]) {
      const { content } = await ask({ system: asked })
      expect(JSON.parse(content[0].text)).toEqual({ answer: expect.stringContaining('Hello, you!') })
    }
  })

  test('refuses what Claude refuses, counting tokens too', async () => {
    const body = { ...HELLO, messages: [{ role: 'assistant', content: 'Hello' }, ...HELLO.messages] }
    for (const path of ['/v1/messages', '/v1/messages/count_tokens']) {
      const answer = await post(body, { path })
      expect(answer.status).toBe(400)
      expect(await answer.text()).toContain('first message must use')
    }
  })

  test('counts tokens', async () => {
    const { max_tokens: _, ...body } = HELLO
    const answer = await post(body, { path: '/v1/messages/count_tokens?beta=true' })
    expect(await jsonOf(answer)).toEqual({ input_tokens: Math.ceil(JSON.stringify(body).length / 4) })
  })

  test('lists its models page by page, and each by its name', async () => {
    const all = await jsonOf(await get('/v1/models?limit=1000'))
    expect(all.has_more).toBe(false)
    expect(all.data.length).toBeGreaterThan(5)
    const ids: string[] = []
    for (let after = ''; ; ) {
      const page = await jsonOf(await get(`/v1/models?limit=4${after && `&after_id=${after}`}`))
      ids.push(...page.data.map(({ id }) => id))
      if (!page.has_more) break
      after = page.last_id
    }
    expect(ids).toEqual(all.data.map(({ id }) => id))
    const one = await jsonOf(await get('/v1/models/claude-opus-5-5'))
    expect(one).toMatchObject({
      type: 'model',
      display_name: 'Claude Opus 5.5',
      created_at: '2026-09-22T00:00:00Z',
      max_input_tokens: 1_000_000,
      max_tokens: 128_000,
      capabilities: {
        thinking: { types: { adaptive: { supported: true }, disabled: { supported: false } } },
      },
    })
    expect((await get('/v1/models?limit=0')).status).toBe(400)
  })

  test.each([
    ['no model', { ...HELLO, model: undefined }, 400, 'invalid_request_error', 'model: Field required'],
    [
      'no messages',
      { ...HELLO, messages: undefined },
      400,
      'invalid_request_error',
      'messages: Field required',
    ],
    [
      'no max_tokens',
      { ...HELLO, max_tokens: undefined },
      400,
      'invalid_request_error',
      'max_tokens: Field required',
    ],
    ['no JSON', '{', 400, 'invalid_request_error', 'The request body is not valid JSON'],
    ['an unknown model', { ...HELLO, model: 'gpt-4' }, 404, 'not_found_error', 'model: gpt-4'],
  ])('refuses %s in the envelope of Claude', async (_what, body, status, type, message) => {
    const answer = await post(body)
    const request_id = answer.headers.get('request-id')
    expect([answer.status, await jsonOf(answer)]).toEqual([
      status,
      { type: 'error', error: { type, message }, request_id },
    ])
    expect(request_id).toMatch(/^req_/)
  })

  test('wants a credential, but not to say that it is there', async () => {
    const wrong: Record<string, string>[] = [{}, { 'x-api-key': 'sk-real' }, { authorization: 'Basic sim-x' }]
    for (const headers of wrong) {
      const answer = await get('/v1/models', headers)
      expect([answer.status, (await jsonOf(answer)).error.type]).toEqual([401, 'authentication_error'])
    }
    expect((await fetch(claude.url, { method: 'HEAD' })).status).toBe(200)
    expect((await get('/', {})).status).toBe(200)
    expect((await get('/v1/nothing')).status).toBe(404)
  })

  test('outlives a client that leaves in the middle', async () => {
    const slow = await startSimulatedClaude({ pace: 20 })
    const leaving = new AbortController()
    const answer = await fetch(`${slow.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': 'sim-test' },
      body: JSON.stringify({ ...HELLO, stream: true }),
      signal: leaving.signal,
    })
    await answer.body?.getReader().read()
    leaving.abort()
    expect((await fetch(slow.url)).status).toBe(200)
    await slow.stop()
  })
})
