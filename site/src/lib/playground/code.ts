/** A call as a program makes it, with the key in the environment as GATEWAY_KEY. */
import type { Asked } from '../ask/asked.ts'

export const LANGUAGES = ['curl', 'python', 'typescript'] as const
export type Language = (typeof LANGUAGES)[number]

/** `origin`: of this gateway, without a slash at its end. */
export function codeOf(language: Language, asked: Asked, origin: string): string {
  return CODE[language](asked, origin)
}

const CODE: Record<Language, (asked: Asked, origin: string) => string> = {
  curl: (asked, origin) => `curl ${origin}/v1/messages \\
  -H "x-api-key: $GATEWAY_KEY" \\
  -H "content-type: application/json" \\
  -d ${quoted(JSON.stringify({ ...asked, stream: true }, null, 2))}`,
  // JSON of texts, numbers and lists of them is Python as well.
  python: (asked, origin) => `import os
import anthropic

client = anthropic.Anthropic(base_url="${origin}", api_key=os.environ["GATEWAY_KEY"])
with client.messages.stream(
${Object.entries(asked)
  .map(([name, value]) => `    ${name}=${JSON.stringify(value, null, 4).replaceAll('\n', '\n    ')},`)
  .join('\n')}
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)`,
  typescript: (asked, origin) => `import Anthropic from '@anthropic-ai/sdk'

const client = new Anthropic({ baseURL: '${origin}', apiKey: process.env.GATEWAY_KEY })
const stream = client.messages.stream(${JSON.stringify(asked, null, 2)})
stream.on('text', (text) => process.stdout.write(text))
await stream.finalMessage()`,
}

/** One word for a POSIX shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
