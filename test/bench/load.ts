/** The bench's load: calls like Claude Code's over kept-alive connections, each answer read to its end. */
import { once } from 'node:events'
import { Agent, request as ask, type ClientRequest } from 'node:http'

/** Headers as Claude Code sends them (core/calls/PROTOCOL.md, Request headers), so that header work is what it is in life. */
const HEADERS = {
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
const BODY = Buffer.from(
  JSON.stringify({
    model: 'claude-opus-5-5',
    max_tokens: 1024,
    metadata: { user_id: '{"device_id":"d","session_id":"s"}' },
    system: [{ type: 'text', text: 'You are a careful assistant. '.repeat(20) }],
    messages: [{ role: 'user', content: 'What is a gateway? '.repeat(30) }],
    stream: true,
  }),
)

/** The same question in OpenAI's interface. */
const OPENAI_BODY = Buffer.from(
  JSON.stringify({
    model: 'claude-opus-5-5',
    max_tokens: 1024,
    messages: [
      { role: 'system', content: 'You are a careful assistant. '.repeat(20) },
      { role: 'user', content: 'What is a gateway? '.repeat(30) },
    ],
    stream: true,
  }),
)

export interface Target {
  port: number
  key: string
  /** Asks in OpenAI's interface. */
  openai?: boolean
}

function send({ port, key, openai }: Target, agent: Agent, events: number, session: string): ClientRequest {
  const body = openai ? OPENAI_BODY : BODY
  const call = ask({
    agent,
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: openai ? '/v1/chat/completions' : '/v1/messages?beta=true',
    headers: {
      ...HEADERS,
      authorization: `Bearer ${key}`,
      'content-length': body.length,
      'x-claude-code-session-id': session,
      // Passed on by both routes.
      tracestate: `events=${events}`,
    },
  })
  call.end(body)
  return call
}

/** One call, read to its end; answers its duration in ms. Throws unless it is a 200. */
async function one(target: Target, agent: Agent, events: number, session: string): Promise<number> {
  const startedAt = performance.now()
  const [answer] = await once(send(target, agent, events, session), 'response')
  answer.resume()
  await once(answer, 'end')
  if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`)
  return performance.now() - startedAt
}

/** `total` calls of `events` events each, `parallel` at a time; answers their durations in ms. */
export async function run(
  target: Target,
  total: number,
  parallel: number,
  events: number,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: parallel })
  const durations: number[] = []
  let left = total
  const worker = async (_: unknown, i: number) => {
    while (left-- > 0) durations.push(await one(target, agent, events, `session-${i}`))
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  agent.destroy()
  return durations
}

/** Opens `count` streams that stay open after their first event; answers how to close them. */
export async function openStreams(target: Target, count: number): Promise<() => void> {
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  for (let i = 0; i < count; i += 50) {
    const calls = Array.from({ length: Math.min(50, count - i) }, (_, k) =>
      send(target, agent, -1, `open-${i + k}`),
    )
    await Promise.all(
      calls.map(async (call) => {
        call.on('error', () => {})
        const [answer] = await once(call, 'response')
        answer.on('error', () => {})
        await once(answer, 'data')
      }),
    )
  }
  return () => agent.destroy()
}
