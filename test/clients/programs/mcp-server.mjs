// A tool server for Codex, over stdio: one tool, which greets.
import { createInterface } from 'node:readline'

const TOOL = {
  name: 'greet_person',
  description: 'Greets a person.',
  inputSchema: { type: 'object', properties: { who: { type: 'string' } }, required: ['who'] },
}
const ANSWERS = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'greeter', version: '1' },
  }),
  'tools/list': () => ({ tools: [TOOL] }),
  'tools/call': () => ({ content: [{ type: 'text', text: 'Greetings from the tool server.' }] }),
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) continue
  const result = ANSWERS[method]?.(params) ?? {}
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`)
}
