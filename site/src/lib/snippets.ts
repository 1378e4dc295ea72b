/** Lines to paste, with this gateway's own address and a key. */
export const CLIENTS = ['claude', 'curl', 'python', 'typescript', 'openai'] as const
export type Client = (typeof CLIENTS)[number]
export const CLIENT_NAMES: Record<Client, string> = {
  claude: 'Claude Code',
  curl: 'curl',
  python: 'Python',
  typescript: 'TypeScript',
  openai: 'OpenAI SDK',
}

export function snippet(
  client: Client,
  { origin, key, model }: { origin: string; key: string; model: string },
): string {
  switch (client) {
    case 'claude':
      return `export ANTHROPIC_BASE_URL=${origin}\nexport ANTHROPIC_AUTH_TOKEN=${key}\nclaude`
    case 'curl':
      return [
        `curl ${origin}/v1/messages \\`,
        `  -H "x-api-key: ${key}" \\`,
        '  -H "content-type: application/json" \\',
        `  -d '{"model":"${model}","max_tokens":200,"messages":[{"role":"user","content":"Hello!"}]}'`,
      ].join('\n')
    case 'python':
      return [
        'import anthropic',
        '',
        `client = anthropic.Anthropic(base_url="${origin}", api_key="${key}")`,
        'message = client.messages.create(',
        `    model="${model}", max_tokens=200,`,
        '    messages=[{"role": "user", "content": "Hello!"}],',
        ')',
        'print(message.content[0].text)',
      ].join('\n')
    case 'typescript':
      return [
        "import Anthropic from '@anthropic-ai/sdk'",
        '',
        `const client = new Anthropic({ baseURL: '${origin}', apiKey: '${key}' })`,
        'const message = await client.messages.create({',
        `  model: '${model}', max_tokens: 200,`,
        "  messages: [{ role: 'user', content: 'Hello!' }],",
        '})',
        'console.log(message.content)',
      ].join('\n')
    case 'openai':
      return [
        "import OpenAI from 'openai'",
        '',
        `const client = new OpenAI({ baseURL: '${origin}/v1', apiKey: '${key}' })`,
        'const answer = await client.chat.completions.create({',
        `  model: '${model}',`,
        "  messages: [{ role: 'user', content: 'Hello!' }],",
        '})',
        'console.log(answer.choices[0].message.content)',
      ].join('\n')
  }
}
