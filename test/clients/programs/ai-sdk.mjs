// A conversation with a tool in the AI SDK, by OpenAI's interface or by Claude's own.
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText, stepCountIs, streamText, tool } from 'ai'
import * as z from 'zod'

const { BASE_URL, API_KEY, MODEL } = process.env
const openai = createOpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY })
const anthropic = createAnthropic({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY })
const models = {
  chat: () => openai.chat(MODEL),
  responses: () => openai.responses(MODEL),
  anthropic: () => anthropic(MODEL),
}
const [, , kind, way] = process.argv
const asked = []
const request = {
  model: models[kind](),
  prompt: 'What is the weather in Paris?',
  // The gateway keeps nothing between requests, so the SDK has to send everything again.
  providerOptions: { openai: { store: false } },
  stopWhen: stepCountIs(3),
  tools: {
    get_weather: tool({
      description: 'The weather of a city',
      inputSchema: z.object({ city: z.string() }),
      execute: async (input) => {
        asked.push(input)
        return 'sunny, 21 degrees'
      },
    }),
  },
}
if (way === 'stream') {
  const result = streamText(request)
  let text = ''
  for await (const delta of result.textStream) text += delta
  const usage = await result.totalUsage
  console.log(JSON.stringify({ asked, text, tokens: usage.totalTokens }))
} else {
  const { text, totalUsage, steps } = await generateText(request)
  console.log(JSON.stringify({ asked, text, tokens: totalUsage.totalTokens, steps: steps.length }))
}
