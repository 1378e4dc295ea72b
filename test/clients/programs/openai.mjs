// What a program written for OpenAI does, with OpenAI's own SDK, pointed at the gateway.
import OpenAI from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import * as z from 'zod'

const { BASE_URL, API_KEY, MODEL } = process.env
const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY, maxRetries: 0 })
const hi = [{ role: 'user', content: 'Hello there' }]
const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const Person = z.object({ name: z.string(), age: z.number().int(), tags: z.array(z.string()) })
const WEATHER = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}

const programs = {
  async chat() {
    const { data, request_id } = await client.chat.completions
      .create({ model: MODEL, messages: hi })
      .withResponse()
    return { id: request_id, choice: data.choices[0], usage: data.usage }
  },
  async chatStream() {
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages: hi,
      stream: true,
      stream_options: { include_usage: true },
    })
    let text = ''
    let usage
    let chunks = 0
    for await (const chunk of stream) {
      chunks += 1
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    return { text, usage, chunks }
  },
  async chatParse() {
    const completion = await client.chat.completions.parse({
      model: MODEL,
      messages: hi,
      response_format: zodResponseFormat(Person, 'person'),
    })
    return { parsed: completion.choices[0].message.parsed }
  },
  async tools() {
    const asked = []
    const runner = client.chat.completions.runTools({
      model: MODEL,
      messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
      tools: [
        {
          type: 'function',
          function: {
            name: 'get_weather',
            description: 'The weather of a city',
            parameters: WEATHER,
            parse: JSON.parse,
            function(args) {
              asked.push(args)
              return 'sunny, 21 degrees'
            },
          },
        },
      ],
    })
    const text = await runner.finalContent()
    return { asked, text, roles: runner.messages.map(({ role }) => role) }
  },
  async toolsStream() {
    const stream = client.chat.completions.stream({
      model: MODEL,
      messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
      tools: [{ type: 'function', function: { name: 'get_weather', parameters: WEATHER, strict: true } }],
    })
    const { choices } = await stream.finalChatCompletion()
    const [call] = choices[0].message.tool_calls
    return {
      name: call.function.name,
      args: JSON.parse(call.function.arguments),
      finish: choices[0].finish_reason,
    }
  },
  async vision() {
    const content = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: PIXEL } },
    ]
    const { choices } = await client.chat.completions.create({
      model: MODEL,
      messages: [{ role: 'user', content }],
    })
    return { text: choices[0].message.content }
  },
  async errors() {
    const kindOf = async (call) => {
      try {
        await call
        return 'none'
      } catch (error) {
        const { name, status, code, param, type, requestID } = error
        return { kind: error.constructor.name, name, status, code, param, type, hasId: Boolean(requestID) }
      }
    }
    const stranger = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: 'sk-wrong', maxRetries: 0 })
    return {
      key: await kindOf(stranger.chat.completions.create({ model: MODEL, messages: hi })),
      model: await kindOf(client.chat.completions.create({ model: 'claude-none', messages: hi })),
      value: await kindOf(client.chat.completions.create({ model: MODEL, messages: hi, n: 3 })),
    }
  },
  async abort() {
    const stream = await client.chat.completions.create({ model: MODEL, messages: hi, stream: true })
    let chunks = 0
    for await (const _ of stream) if (++chunks === 3) stream.controller.abort()
    return { chunks }
  },
  async responses() {
    const response = await client.responses.create({
      model: MODEL,
      input: 'Hello there',
      instructions: 'Be kind.',
    })
    return { text: response.output_text, status: response.status, usage: response.usage }
  },
  async responsesStream() {
    const stream = client.responses.stream({ model: MODEL, input: 'Hello there' })
    let text = ''
    stream.on('response.output_text.delta', ({ delta }) => {
      text += delta
    })
    const final = await stream.finalResponse()
    return { text, final: final.output_text, status: final.status }
  },
  async responsesParse() {
    const response = await client.responses.parse({
      model: MODEL,
      input: 'Hello there',
      text: { format: zodTextFormat(Person, 'person') },
    })
    return { parsed: response.output_parsed }
  },
  async responsesTools() {
    const tools = [{ type: 'function', name: 'get_weather', parameters: WEATHER, strict: true }]
    const input = [{ role: 'user', content: 'What is the weather in Paris?' }]
    const first = await client.responses.create({ model: MODEL, input, tools })
    const call = first.output.find(({ type }) => type === 'function_call')
    input.push(...first.output, { type: 'function_call_output', call_id: call.call_id, output: 'sunny' })
    const second = await client.responses.create({ model: MODEL, input, tools })
    return { name: call.name, args: JSON.parse(call.arguments), text: second.output_text }
  },
  async models() {
    const ids = []
    for await (const { id } of client.models.list()) ids.push(id)
    return { ids }
  },
}

console.log(JSON.stringify(await programs[process.argv[2]]()))
