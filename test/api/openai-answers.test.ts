/** Answers of Claude's that are more than text, on OpenAI's interfaces. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type App, startApp } from '../support/app.ts'
import { type FakeUpstream, messageStream, sse, startUpstream } from '../support/upstream.ts'

const OPUS = 'claude-opus-5-5'
const HI = [{ role: 'user', content: 'hi' }]
const JSON_TYPE = { 'content-type': 'application/json' }

/** An answer with these blocks, each as it would be whole. */
const answerOf = (blocks: readonly object[], stop_reason: string, usage: object = {}, more: object = {}) => ({
  chunks: [
    sse({ type: 'message_start', message: { id: 'msg_a', usage: { input_tokens: 10, output_tokens: 1 } } }),
    ...blocks.map((content_block, index) =>
      sse({ type: 'content_block_start', index, content_block }, { type: 'content_block_stop', index }),
    ),
    sse({ type: 'message_delta', delta: { stop_reason, ...more }, usage: { output_tokens: 20, ...usage } }),
    sse({ type: 'message_stop' }),
  ],
})
const SEARCH = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'sky' } }
const FOUND = {
  type: 'web_search_tool_result',
  tool_use_id: 'srvtoolu_1',
  content: [{ type: 'web_search_result', url: 'https://sky.example', title: 'Sky', encrypted_content: 'x' }],
}
const CITED = {
  type: 'text',
  text: 'Blue.',
  citations: [
    { type: 'web_search_result_location', url: 'https://sky.example', title: 'Sky', cited_text: 'blue' },
  ],
}
const CITATION = { start_index: 0, end_index: 5, url: 'https://sky.example', title: 'Sky' }

describe("answers on OpenAI's interfaces", () => {
  let upstream: FakeUpstream
  let app: App
  let key: string
  let signedIn: Awaited<ReturnType<App['signIn']>>
  beforeAll(async () => {
    upstream = await startUpstream()
    app = await startApp({
      openai: { web_search: true },
      health: { startup_check: 'off', failure_threshold: 1000 },
      backends: [{ name: 'claude', url: upstream.url, api_key: 'k-of-claude' }],
    })
    signedIn = await app.signIn('ann')
    key = (await signedIn.post('/api/keys', { name: 'x' })).body.key.key
  })
  afterAll(async () => {
    await app.close()
    await upstream.stop()
  })
  beforeEach(() => upstream.reset())

  const send = (method: string, path: string, body?: object) =>
    app.request(path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...JSON_TYPE },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
  const chat = (body: object) => send('POST', '/v1/chat/completions', { model: OPUS, messages: HI, ...body })
  const respond = (body: object) => send('POST', '/v1/responses', { model: OPUS, input: 'hi', ...body })
  const searching = (body: object = {}) => respond({ tools: [{ type: 'web_search' }], ...body })
  const sent = (at = -1) => JSON.parse(upstream.requests.at(at)?.body.toString() ?? '{}')
  const eventsOf = (text: string) =>
    text.split('\n\n').flatMap((event) => {
      const [, data] = /^(?:event: .*\n)?data: ({.*)$/.exec(event) ?? []
      return data ? [JSON.parse(data)] : []
    })

  describe('that Claude pauses', () => {
    const text = { type: 'text', text: 'Blue.' }

    test.each([[false], [true]])('go on where they were, as one answer (streamed: %s)', async (stream) => {
      upstream.answerNext(answerOf([SEARCH], 'pause_turn'), answerOf([FOUND, text], 'end_turn'))
      const answer = await searching({ stream })
      const body = stream ? eventsOf(answer.text).at(-1).response : answer.body
      expect(body).toMatchObject({
        status: 'completed',
        output: [{ type: 'web_search_call', status: 'completed' }, { type: 'message' }],
        usage: { input_tokens: 20, output_tokens: 40, total_tokens: 60 },
      })
      expect(sent().messages).toEqual([
        { role: 'user', content: [{ type: 'text', text: 'hi' }] },
        { role: 'assistant', content: [SEARCH] },
      ])
      expect(sent().max_tokens).toBe(sent(0).max_tokens - 20)
      const rows = (await app.rows()).slice(-2)
      expect(rows).toMatchObject([
        { outcome: 'ok', inputTokens: 10, outputTokens: 20, estimated: false },
        { outcome: 'ok', inputTokens: 10, outputTokens: 20, estimated: false },
      ])
      expect(rows[1]?.requestId).toBe(`${rows[0]?.requestId}_2`)
    })

    test('are not whole after five continuations', async () => {
      upstream.answer(answerOf([SEARCH], 'pause_turn'))
      const { body } = await searching({ max_output_tokens: 1000 })
      expect(body).toMatchObject({
        status: 'incomplete',
        incomplete_details: { reason: 'max_output_tokens' },
        usage: { output_tokens: 120 },
      })
      expect(upstream.requests).toHaveLength(6)
      const finished = await chat({ web_search_options: {}, max_tokens: 1000, stream: true })
      expect(eventsOf(finished.text).at(-1).choices[0].finish_reason).toBe('length')
    })

    test('do not go on beyond the tokens that were asked for', async () => {
      upstream.answer(answerOf([SEARCH], 'pause_turn'))
      const { body } = await searching({ max_output_tokens: 30 })
      expect(body).toMatchObject({ status: 'incomplete', usage: { output_tokens: 40 } })
      expect(upstream.requests.map((_, i) => sent(i).max_tokens)).toEqual([30, 10])
    })

    test('do not go on beyond a limit', async () => {
      const limited = (await signedIn.post('/api/keys', { name: 'one', requests_per_minute: 1 })).body.key.key
      upstream.answer(answerOf([SEARCH], 'pause_turn'))
      const answer = await app.request('/v1/responses', {
        method: 'POST',
        headers: { authorization: `Bearer ${limited}`, ...JSON_TYPE },
        body: JSON.stringify({ model: OPUS, input: 'hi', tools: [{ type: 'web_search' }] }),
      })
      expect(answer.body).toMatchObject({ status: 'incomplete', usage: { output_tokens: 20 } })
      expect(upstream.requests).toHaveLength(1)
    })

    test('end as they are when what goes on is refused, and as failed when it breaks off', async () => {
      const refused = {
        status: 400,
        headers: JSON_TYPE,
        chunks: ['{"type":"error","error":{"type":"invalid_request_error","message":"no"}}'],
      }
      upstream.answerNext(answerOf([SEARCH], 'pause_turn'), refused)
      expect((await searching()).body.status).toBe('incomplete')
      upstream.answerNext(answerOf([SEARCH], 'pause_turn'), { chunks: messageStream().slice(0, 3) })
      expect(eventsOf((await searching({ stream: true })).text).at(-1).type).toBe('response.failed')
    })
  })

  test('searches are items, with their pages where asked for', async () => {
    upstream.answer(answerOf([SEARCH, FOUND, CITED], 'end_turn'))
    const { body } = await searching({ include: ['web_search_call.action.sources'] })
    expect(body.output).toMatchObject([
      {
        id: expect.stringMatching(/^ws_/),
        type: 'web_search_call',
        status: 'completed',
        action: { type: 'search', query: 'sky', sources: [{ type: 'url', url: 'https://sky.example' }] },
      },
      { type: 'message', content: [{ annotations: [{ type: 'url_citation', ...CITATION }] }] },
    ])
    const events = eventsOf((await searching({ stream: true })).text)
    expect(
      events.map(({ type }) => type).filter((type) => type.includes('search') || type.includes('item')),
    ).toEqual([
      'response.output_item.added',
      'response.web_search_call.in_progress',
      'response.web_search_call.searching',
      'response.web_search_call.completed',
      'response.output_item.done',
      'response.output_item.added',
      'response.output_item.done',
    ])
    expect(events.at(-1).response.output[0].action).toEqual({ type: 'search', query: 'sky' })
  })

  test('a search that failed says so', async () => {
    const failed = { ...FOUND, content: { type: 'web_search_tool_result_error', error_code: 'unavailable' } }
    upstream.answer(answerOf([SEARCH, failed], 'end_turn'))
    expect((await searching()).body.output).toMatchObject([{ type: 'web_search_call', status: 'failed' }])
  })

  test('a chat cites, streamed as whole', async () => {
    upstream.answer(answerOf([CITED], 'end_turn'))
    const annotations = [{ type: 'url_citation', url_citation: CITATION }]
    expect((await chat({})).body.choices[0].message.annotations).toEqual(annotations)
    const deltas = eventsOf((await chat({ stream: true })).text).map(({ choices }) => choices[0].delta)
    expect(deltas).toContainEqual({ annotations })
  })

  describe('that Claude refuses', () => {
    test.each([
      ['why', { stop_details: { type: 'refusal', explanation: 'Not this.' } }, 'Not this.'],
      ['nothing', {}, 'Claude declined to answer this.'],
    ])('are completed with a refusal, where Claude says %s', async (_what, details, refusal) => {
      upstream.answer(answerOf([], 'refusal', {}, details))
      const { body } = await respond({})
      expect(body).toMatchObject({
        status: 'completed',
        incomplete_details: null,
        output: [{ type: 'message', status: 'completed', content: [{ type: 'refusal', refusal }] }],
      })
      const events = eventsOf((await respond({ stream: true })).text)
      expect(events.map(({ type }) => type).slice(3)).toEqual([
        'response.content_part.added',
        'response.refusal.delta',
        'response.refusal.done',
        'response.content_part.done',
        'response.output_item.done',
        'response.completed',
      ])
      expect((await chat({})).body.choices[0]).toMatchObject({
        message: { content: null, refusal },
        finish_reason: 'content_filter',
      })
    })

    test('keep the text before it', async () => {
      upstream.answer(answerOf([{ type: 'text', text: 'Well,' }], 'refusal'))
      const [message] = (await respond({})).body.output
      expect(message.content).toMatchObject([{ type: 'output_text', text: 'Well,' }, { type: 'refusal' }])
      expect(eventsOf((await respond({ stream: true })).text).at(-1).response.output[0].content).toEqual(
        message.content,
      )
    })
  })

  test('redacted thinking comes back as the block it was', async () => {
    const redacted = { type: 'redacted_thinking', data: 'EmwKAhgB' }
    upstream.answer(answerOf([redacted, { type: 'text', text: 'ok' }], 'end_turn'))
    const { body } = await respond({ include: ['reasoning.encrypted_content'] })
    await respond({ input: [...HI, ...body.output, { role: 'user', content: 'more' }] })
    expect(sent().messages[1].content).toEqual([redacted, { type: 'text', text: 'ok' }])
  })

  test('calls whose input stands at their beginning, or whose ids repeat, are whole', async () => {
    const call = (city: string) => ({ type: 'tool_use', id: 'call_0', name: 'weather', input: { city } })
    upstream.answer(answerOf([call('Rome'), call('Oslo')], 'tool_use'))
    const tool = { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }
    const { tool_calls } = (await chat({ tools: [{ type: 'function', function: tool }] })).body.choices[0]
      .message
    expect(tool_calls).toMatchObject([
      { id: 'call_0', function: { arguments: '{"city":"Rome"}' } },
      { id: 'call_0_2', function: { arguments: '{"city":"Oslo"}' } },
    ])
    const { output } = (await respond({ tools: [{ type: 'function', ...tool }] })).body
    expect(output).toMatchObject([
      { type: 'function_call', call_id: 'call_0', arguments: '{"city":"Rome"}' },
      { type: 'function_call', call_id: 'call_0_2', arguments: '{"city":"Oslo"}' },
    ])
  })

  test.each([['a stream'], ['one object']])(
    'inputs that come at once in %s keep every digit',
    async (what) => {
      const block = '{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":2512292042121000001,"b":1.0}}'
      const usage = '{"input_tokens":1,"output_tokens":2}'
      const whole = `{"id":"msg_1","type":"message","role":"assistant","content":[${block}],"stop_reason":"tool_use","usage":${usage}}`
      const [start = '', ...rest] = answerOf([], 'tool_use').chunks
      const begun = `event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":${block}}\n\n`
      upstream.answer(
        what === 'a stream' ? { chunks: [start, begun, ...rest] } : { headers: JSON_TYPE, chunks: [whole] },
      )
      const [call] = (await respond({ tools: [{ type: 'function', name: 'f' }] })).body.output
      expect(call).toMatchObject({ type: 'function_call', arguments: '{"a":2512292042121000001,"b":1.0}' })
    },
  )

  describe('with a tool that has to be called, of a model that takes no force', () => {
    const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
    const tool = { type: 'function', function: { name: 'weather', parameters } }
    const choice = { type: 'function', function: { name: 'weather' } }
    const ROME = '{"city":"Rome"}'

    test.each([
      ['named', { tools: [tool], tool_choice: choice }],
      ['the only one', { tools: [tool], tool_choice: 'required' }],
    ])('are asked for as structured output, and are a call (%s)', async (_what, asked) => {
      upstream.answer({ chunks: messageStream({ text: ['{"city":', '"Rome"}'] }) })
      const answer = await chat(asked)
      expect(answer.headers.get('x-gateway-warning')).toBeNull()
      expect(answer.body.choices[0]).toMatchObject({
        finish_reason: 'tool_calls',
        message: { content: null, tool_calls: [{ function: { name: 'weather', arguments: ROME } }] },
      })
      expect(sent()).toMatchObject({
        tool_choice: { type: 'none' },
        output_config: {
          format: { type: 'json_schema', schema: { ...parameters, additionalProperties: false } },
        },
      })
      const streamed = eventsOf((await chat({ ...asked, stream: true })).text).map(
        ({ choices }) => choices[0],
      )
      const pieces = streamed.flatMap(({ delta }) => delta.tool_calls?.[0].function.arguments ?? [])
      expect([pieces.join(''), streamed.at(-1).finish_reason]).toEqual([ROME, 'tool_calls'])
    })

    test.each([
      ['an object that may have any members', { type: 'object', properties: { any: { type: 'object' } } }],
      ['no members', { type: 'object', properties: {} }],
    ])('are asked for only, where structured output cannot say: %s', async (_what, open) => {
      const free = { ...tool, function: { name: 'weather', parameters: open } }
      const answer = await chat({ tools: [free], tool_choice: choice })
      expect(answer.headers.get('x-gateway-warning')).toBe('tool_choice downgraded to auto')
      expect(sent().output_config).toBeUndefined()
    })
  })

  test('a conversation is compacted by a call of its own, and goes on from the summary', async () => {
    upstream.answer({ chunks: messageStream({ text: 'They greeted.' }) })
    const input = [...HI, { role: 'assistant', content: 'hello' }]
    const { body } = await send('POST', '/v1/responses/compact', {
      model: OPUS,
      input,
      instructions: 'be brief',
    })
    expect(body).toMatchObject({
      object: 'response.compaction',
      output: [
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] },
        { type: 'compaction', encrypted_content: expect.any(String) },
      ],
      usage: { input_tokens: 10, output_tokens: 20 },
    })
    expect((await app.rows()).at(-1)).toMatchObject({ outcome: 'ok', inputTokens: 10, outputTokens: 20 })
    await respond({ input: [...body.output, { role: 'user', content: 'more' }] })
    expect(JSON.stringify(sent().messages)).toContain(
      'Summary of the conversation so far:\\n\\nThey greeted.',
    )
  })

  test('an item that asks for a compaction is answered by one alone, streamed as whole', async () => {
    upstream.answer(
      answerOf(
        [
          { type: 'thinking', thinking: 'hm', signature: 's' },
          { type: 'text', text: 'All.' },
        ],
        'end_turn',
      ),
    )
    const input = [...HI, { role: 'assistant', content: 'hello' }, { type: 'compaction_trigger' }]
    const whole = await respond({ input })
    const { text } = await respond({ input, stream: true })
    const done = eventsOf(text).filter(({ type }) => type === 'response.output_item.done')
    for (const output of [
      whole.body.output,
      done.map(({ item }) => item),
      eventsOf(text).at(-1).response.output,
    ]) {
      expect(output).toEqual([
        { id: expect.any(String), type: 'compaction', encrypted_content: expect.any(String) },
      ])
    }
    expect(sent().messages).toHaveLength(3)
    await respond({ input: [...whole.body.output, { role: 'user', content: 'more' }] })
    expect(JSON.stringify(sent().messages)).toContain('Summary of the conversation so far:\\n\\nAll.')
  })

  test('tokens are counted by Claude, free of charge', async () => {
    const before = (await app.rows()).length
    const answer = await send('POST', '/v1/responses/input_tokens', {
      model: OPUS,
      input: 'hi',
      truncation: 'auto',
    })
    expect(answer.body).toEqual({ object: 'response.input_tokens', input_tokens: 7 })
    expect(upstream.requests.at(-1)?.url).toBe('/v1/messages/count_tokens')
    expect(sent()).toEqual({
      model: OPUS,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
    })
    expect(await app.rows()).toHaveLength(before)
    upstream.counts({ headers: JSON_TYPE, chunks: ['{"input_', 50], end: 'reset' })
    const cut = await send('POST', '/v1/responses/input_tokens', { model: OPUS, input: 'hi' })
    expect([cut.status, cut.body.error.message]).toEqual([502, 'The upstream broke off its answer.'])
  })

  test.each([
    ['GET', '/v1/responses/resp_1'],
    ['DELETE', '/v1/responses/resp_1'],
    ['GET', '/v1/responses/resp_1/input_items'],
    ['POST', '/v1/responses/resp_1/cancel'],
  ])('%s %s finds nothing, in OpenAI’s envelope', async (method, path) => {
    const answer = await send(method, path)
    expect(answer.status).toBe(404)
    expect(answer.body).toEqual({
      error: {
        message: 'The response resp_1 is not here: nothing is stored, so send the whole conversation.',
        type: 'invalid_request_error',
        param: null,
        code: null,
      },
    })
  })
})
