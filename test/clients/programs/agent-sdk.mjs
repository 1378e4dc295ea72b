// What a program does with the Claude Agent SDK: a streamed answer, a tool of its own, and a key that nobody knows.
import { createSdkMcpServer, query, tool } from '@anthropic-ai/claude-agent-sdk'
import * as z from 'zod'

const { API_KEY, CLAUDE, ...env } = process.env
const asked = []
const weather = tool('get_weather', 'The weather of a city', { city: z.string() }, async (input) => {
  asked.push(input)
  return { content: [{ type: 'text', text: 'sunny, 21 degrees' }] }
})
const mcpServers = { house: createSdkMcpServer({ name: 'house', tools: [weather] }) }

async function run(prompt, key = API_KEY) {
  const options = {
    pathToClaudeCodeExecutable: CLAUDE,
    env: { ...env, ANTHROPIC_AUTH_TOKEN: key },
    includePartialMessages: true,
    mcpServers,
    allowedTools: ['mcp__house__get_weather'],
  }
  let streamed = ''
  let result
  try {
    for await (const message of query({ prompt, options })) {
      if (message.type === 'stream_event') streamed += message.event.delta?.text ?? ''
      if (message.type === 'result') result = message
    }
  } catch (thrown) {
    // It also throws what its last message said.
    if (!result) throw thrown
  }
  return { streamed, result }
}

const hello = await run('Hello there')
const { result: after } = await run('What is the weather in Paris?')
const { result: refused } = await run('Hello there', 'sk-wrong')
const used = [hello.result, after].flatMap(({ modelUsage }) => Object.values(modelUsage))
console.log(
  JSON.stringify({
    plain: hello.result.result,
    streamed: hello.streamed,
    asked,
    after: after.result,
    tokens: used.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
    error: { kind: refused.subtype, status: refused.api_error_status, message: refused.result },
  }),
)
