/** Colleagues at work: each calls the gateway now and then, so that the dashboard's figures of this moment move. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** Between two calls of a person, on average. */
const PAUSE_MS = 60_000
/** Few, so that a night of calls costs little. */
const MAX_TOKENS = 400
/** What a program says with each call, long enough that Claude keeps it in its prompt cache. */
const SYSTEM = 'You help at a company that makes maps. Answer briefly, and say where you looked. '.repeat(120)
const QUESTIONS = [
  'Why does this test fail only on the first of a month?',
  'Write the release notes for these twelve commits.',
  'Which of these three queries reads the fewest rows, and why?',
  'Translate this page into French, and keep the headings.',
  'Find what this stack trace has to do with yesterday\u2019s change.',
]

export interface Colleague {
  secret: string
  agent: string
  models: readonly string[]
}

/** Returns what ends their work. `url`: the gateway's. */
export function startWork(url: string, colleagues: readonly Colleague[]): () => void {
  const ending = new AbortController()
  for (const colleague of colleagues) void work(url, colleague, ending.signal)
  return () => ending.abort()
}

async function work(url: string, colleague: Colleague, signal: AbortSignal) {
  const session = randomUUID()
  // Until it is aborted, which rejects.
  for (;;) {
    try {
      await sleep(-Math.log(1 - Math.random()) * PAUSE_MS, undefined, { signal })
      await call(url, colleague, session, signal)
    } catch {
      if (signal.aborted) return
    }
  }
}

async function call(url: string, { secret, agent, models }: Colleague, session: string, signal: AbortSignal) {
  const question = QUESTIONS[Math.floor(Math.random() * QUESTIONS.length)] ?? ''
  const answer = await fetch(`${url}/v1/messages`, {
    method: 'POST',
    signal,
    headers: {
      'content-type': 'application/json',
      'x-api-key': secret,
      'user-agent': agent,
      'x-claude-code-session-id': session,
    },
    body: JSON.stringify({
      model: models[Math.floor(Math.random() ** 2 * models.length)],
      max_tokens: MAX_TOKENS,
      stream: true,
      system: [{ type: 'text', text: SYSTEM, cache_control: { type: 'ephemeral' } }],
      messages: [{ role: 'user', content: question }],
    }),
  })
  await answer.text()
}
