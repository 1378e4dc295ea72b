/** The ways to work with Claude through this gateway, and the lines for each: to paste, with its own address and a key. */
export const KEY_WAYS = ['claude', 'sdk', 'openai', 'codex', 'curl'] as const
export type KeyWay = (typeof KEY_WAYS)[number]
export const WAYS = ['sign_in', ...KEY_WAYS] as const
export type Way = (typeof WAYS)[number]

export interface Lines {
  /** A shell, a language, or `file` for one of settings. */
  form: 'sh' | 'powershell' | 'python' | 'typescript' | 'file'
  text: string
  /** Where the text goes, if it is no shell's. */
  place?: string
}

interface Given {
  /** Of this gateway, without a slash at its end. */
  origin: string
  key: string
  model: string
}

export const CLAUDE_SETTINGS = '~/.claude/settings.json'

export function linesOf(way: KeyWay, given: Given): Lines[] {
  return LINES[way](given)
}

const LINES: Record<KeyWay, (given: Given) => Lines[]> = {
  claude: ({ origin, key }) => {
    const env = { ANTHROPIC_BASE_URL: origin, ANTHROPIC_AUTH_TOKEN: key }
    return [...shells(env, 'claude'), { form: 'file', place: CLAUDE_SETTINGS, text: pretty({ env }) }]
  },
  sdk: ({ origin, key, model }) => [
    {
      form: 'python',
      text: `# pip install anthropic
import anthropic

client = anthropic.Anthropic(base_url="${origin}", api_key="${key}")
message = client.messages.create(
    model="${model}", max_tokens=200,
    messages=[{"role": "user", "content": "Hello!"}],
)
print(message.content[0].text)`,
    },
    {
      form: 'typescript',
      text: `// npm install @anthropic-ai/sdk
import Anthropic from '@anthropic-ai/sdk'

const client = new Anthropic({ baseURL: '${origin}', apiKey: '${key}' })
const message = await client.messages.create({
  model: '${model}', max_tokens: 200,
  messages: [{ role: 'user', content: 'Hello!' }],
})
console.log(message.content)`,
    },
    ...shells({ ANTHROPIC_BASE_URL: origin, ANTHROPIC_API_KEY: key }),
  ],
  openai: ({ origin, key, model }) => [
    ...shells({ OPENAI_BASE_URL: `${origin}/v1`, OPENAI_API_KEY: key }),
    {
      form: 'python',
      text: `# pip install openai
from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key="${key}")
answer = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "Hello!"}],
)
print(answer.choices[0].message.content)`,
    },
    {
      form: 'typescript',
      text: `// npm install openai
import OpenAI from 'openai'

const client = new OpenAI({ baseURL: '${origin}/v1', apiKey: '${key}' })
const answer = await client.chat.completions.create({
  model: '${model}',
  messages: [{ role: 'user', content: 'Hello!' }],
})
console.log(answer.choices[0].message.content)`,
    },
  ],
  codex: ({ origin, key, model }) => [
    {
      form: 'file',
      place: '~/.codex/config.toml',
      text: `model = "${model}"
model_provider = "gateway"

[model_providers.gateway]
name = "Gateway"
base_url = "${origin}/v1"
env_key = "GATEWAY_KEY"
wire_api = "responses"`,
    },
    ...shells({ GATEWAY_KEY: key }, 'codex'),
  ],
  curl: ({ origin, key, model }) => [
    {
      form: 'sh',
      text: `curl ${origin}/v1/messages \\
  -H "x-api-key: ${key}" \\
  -H "content-type: application/json" \\
  -d '{"model":"${model}","max_tokens":200,
       "messages":[{"role":"user","content":"Hello!"}]}'`,
    },
    {
      form: 'powershell',
      text: `$body = @{
  model = '${model}'; max_tokens = 200
  messages = @(@{ role = 'user'; content = 'Hello!' })
} | ConvertTo-Json -Depth 5
Invoke-RestMethod '${origin}/v1/messages' -Method Post -Body $body \`
  -ContentType 'application/json' -Headers @{ 'x-api-key' = '${key}' }`,
    },
  ],
}

/** Variables of an environment, and what is started in it. */
function shells(env: Readonly<Record<string, string>>, program?: string): Lines[] {
  const lines = (line: (name: string, value: string) => string) =>
    [...Object.entries(env).map(([name, value]) => line(name, value)), ...(program ? [program] : [])].join(
      '\n',
    )
  return [
    { form: 'sh', text: lines((name, value) => `export ${name}=${value}`) },
    { form: 'powershell', text: lines((name, value) => `$env:${name} = '${value}'`) },
  ]
}

function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2)
}
