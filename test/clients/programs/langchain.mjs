// A conversation with a tool in LangChain, by OpenAI's interface or by Claude's own.
import { ChatAnthropic } from '@langchain/anthropic'
import { HumanMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatOpenAI } from '@langchain/openai'
import * as z from 'zod'

const { BASE_URL, API_KEY, MODEL } = process.env
const [, , kind, way] = process.argv
const model =
  kind === 'anthropic'
    ? new ChatAnthropic({
        model: MODEL,
        apiKey: API_KEY,
        anthropicApiUrl: BASE_URL,
        maxTokens: 500,
        maxRetries: 0,
      })
    : new ChatOpenAI({
        model: MODEL,
        apiKey: API_KEY,
        configuration: { baseURL: `${BASE_URL}/v1` },
        maxRetries: 0,
      })
const weather = tool(async ({ city }) => `sunny in ${city}`, {
  name: 'get_weather',
  description: 'The weather of a city',
  schema: z.object({ city: z.string() }),
})
const bound = model.bindTools([weather])
const ask = async (messages) => {
  if (way !== 'stream') return bound.invoke(messages)
  let whole
  for await (const chunk of await bound.stream(messages)) whole = whole ? whole.concat(chunk) : chunk
  return whole
}
const messages = [new HumanMessage('What is the weather in Paris?')]
const first = await ask(messages)
messages.push(first)
const asked = []
for (const call of first.tool_calls) {
  asked.push(call.args)
  messages.push(new ToolMessage({ content: await weather.invoke(call.args), tool_call_id: call.id }))
}
const last = await ask(messages)
console.log(JSON.stringify({ asked, text: last.text, tokens: last.usage_metadata?.total_tokens }))
