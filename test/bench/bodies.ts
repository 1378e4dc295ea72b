/** What the bench asks: bodies and headers of Claude Code's and of an OpenAI client's calls. */

const KB = 1_000
const QUESTION = 'What is a gateway? '.repeat(30)
const CAREFUL = 'You are a careful assistant. '.repeat(20)
/** As a tool's output has it: paths, quotes, line breaks. */
const CODE = 'const path = "C:\\\\temp\\\\new";\n\tif (!path) throw new Error("no \\"path\\"");\r\n'

/** Headers as Claude Code sends them (core/calls/PROTOCOL.md, Request headers), so that header work is what it is in life. */
export const CLAUDE_CODE = {
  accept: 'application/json',
  'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27',
  'anthropic-dangerous-direct-browser-access': 'true',
  'anthropic-version': '2023-06-01',
  'content-type': 'application/json',
  'user-agent': 'claude-cli/2.1.330 (external, cli)',
  'x-app': 'cli',
  'x-stainless-arch': 'x64',
  'x-stainless-lang': 'js',
  'x-stainless-os': 'Linux',
  'x-stainless-package-version': '0.128.0',
  'x-stainless-retry-count': '0',
  'x-stainless-runtime': 'node',
  'x-stainless-timeout': '600',
}

/** A conversation of about this many bytes, of turns that are `text` again and again. */
function conversation(bytes: number, text: string, stream = false) {
  const turn = text.repeat(Math.ceil((10 * KB) / JSON.stringify(text).length))
  const turns = Math.max(1, Math.round(bytes / JSON.stringify(turn).length))
  const messages = Array.from({ length: turns }, (_, i) => ({
    role: i % 2 === 0 ? 'user' : 'assistant',
    content: bytes < 10 * KB ? text : turn,
  }))
  if (turns % 2 === 0) messages.push({ role: 'user', content: 'Go on.' })
  return Buffer.from(
    JSON.stringify({
      model: 'claude-opus-5-5',
      max_tokens: 1024,
      stream,
      metadata: { user_id: '{"device_id":"d","session_id":"s"}' },
      system: [{ type: 'text', text: CAREFUL }],
      messages,
    }),
  )
}

/** A model that does not think by itself, so that Claude is asked for a whole answer where one is asked for. */
const PLAIN = 'claude-sonnet-4-5'

function chat(stream: boolean, model = 'claude-opus-5-5') {
  const messages = [
    { role: 'system', content: CAREFUL },
    { role: 'user', content: QUESTION },
  ]
  return Buffer.from(JSON.stringify({ model, max_tokens: 1024, messages, stream }))
}

const MESSAGES = '/v1/messages?beta=true'
const CHAT = '/v1/chat/completions'

/** What can be asked, by name. */
export const QUESTIONS = {
  small: { path: MESSAGES, body: conversation(0, QUESTION) },
  stream: { path: MESSAGES, body: conversation(0, QUESTION, true) },
  '200 KB': { path: MESSAGES, body: conversation(200 * KB, QUESTION) },
  '1 MB': { path: MESSAGES, body: conversation(1_000 * KB, QUESTION) },
  '1 MB of escapes': { path: MESSAGES, body: conversation(1_000 * KB, CODE) },
  chat: { path: CHAT, body: chat(false, PLAIN) },
  'thinking chat': { path: CHAT, body: chat(false) },
  'chat stream': { path: CHAT, body: chat(true) },
} as const
export type Question = keyof typeof QUESTIONS
