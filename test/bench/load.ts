/** The bench's load, a process of its own: does one job after the other, over kept-alive connections. */
import { once } from 'node:events'
import { Agent, request as ask, type ClientRequest, type IncomingMessage } from 'node:http'
import { CLAUDE_CODE, QUESTIONS, type Question } from './bodies.ts'

export interface Target {
  port: number
  key: string
}
interface Streams {
  count: number
  /** How many each streams, and how many ms lie between two; -1: the stream stays open after the first. */
  events: number
  gapMs: number
}
export type Job = { target: Target } & (
  | { kind: 'calls'; question: Question; total: number; parallel: number }
  | { kind: 'streams'; question: Question; streams: Streams }
  /** Calls and streams for so long. */
  | { kind: 'traffic'; ms: number; parallel: number; streams: Streams }
  /** Opens streams that stay open until `release`. */
  | { kind: 'hold'; count: number }
  | { kind: 'release' }
)
export interface Done {
  /** How long the job took, and each call. */
  ms: number
  callMs: number[]
  /** From the call to the first byte of its answer. */
  firstByteMs: number[]
  /** Between two events of a stream. */
  gapMs: number[]
}

function send(
  agent: Agent,
  { port, key }: Target,
  question: Question,
  given: { pace?: string; session: string },
) {
  const { path, body } = QUESTIONS[question]
  const headers = {
    ...CLAUDE_CODE,
    authorization: `Bearer ${key}`,
    'content-length': body.length,
    'x-claude-code-session-id': given.session,
    ...(given.pace ? { tracestate: given.pace } : {}),
  }
  const call = ask({ agent, host: '127.0.0.1', port, method: 'POST', path, headers })
  call.end(body)
  return call
}

async function answerOf(call: ClientRequest): Promise<IncomingMessage> {
  const [answer] = await once(call, 'response')
  if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`)
  return answer
}

/** `parallel` callers, each one call after the other, while `goesOn`. */
async function calls(job: Job & { kind: 'calls' | 'traffic' }, done: Done, goesOn: () => boolean) {
  const agent = new Agent({ keepAlive: true, maxSockets: job.parallel })
  const question = job.kind === 'calls' ? job.question : 'small'
  const caller = async (_: unknown, i: number) => {
    while (goesOn()) {
      const startedAt = performance.now()
      const answer = await answerOf(send(agent, job.target, question, { session: `session-${i}` }))
      answer.resume()
      await once(answer, 'end')
      done.callMs.push(performance.now() - startedAt)
    }
  }
  await Promise.all(Array.from({ length: job.parallel }, caller))
  agent.destroy()
}

/** Streams that all begin at once, each read to its end. */
async function streams(target: Target, question: Question, { count, events, gapMs }: Streams, done: Done) {
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  const reader = async (_: unknown, i: number) => {
    const startedAt = performance.now()
    const pace = `events=${events} gap=${gapMs}`
    const answer = await answerOf(send(agent, target, question, { session: `stream-${i}`, pace }))
    let lastAt: number | undefined
    answer.on('data', () => {
      const at = performance.now()
      if (lastAt === undefined) done.firstByteMs.push(at - startedAt)
      else done.gapMs.push(at - lastAt)
      lastAt = at
    })
    await once(answer, 'end')
  }
  await Promise.all(Array.from({ length: count }, reader))
  agent.destroy()
}

let held: Agent | undefined
async function hold({ target, count }: Job & { kind: 'hold' }) {
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  held = agent
  const open = async (i: number) => {
    const call = send(agent, target, 'stream', { session: `open-${i}`, pace: 'events=-1 gap=1' })
    call.on('error', () => {})
    const answer = await answerOf(call)
    answer.on('error', () => {})
    await once(answer, 'data')
  }
  for (let i = 0; i < count; i += 50)
    await Promise.all(Array.from({ length: Math.min(50, count - i) }, (_, k) => open(i + k)))
}

async function work(job: Job): Promise<Done> {
  const done: Done = { ms: 0, callMs: [], firstByteMs: [], gapMs: [] }
  const startedAt = performance.now()
  if (job.kind === 'calls') {
    let left = job.total
    await calls(job, done, () => left-- > 0)
  } else if (job.kind === 'streams') await streams(job.target, job.question, job.streams, done)
  else if (job.kind === 'traffic') {
    const goesOn = () => performance.now() - startedAt < job.ms
    await Promise.all([calls(job, done, goesOn), streams(job.target, 'stream', job.streams, done)])
  } else if (job.kind === 'hold') await hold(job)
  else held?.destroy()
  done.ms = performance.now() - startedAt
  return done
}

process.on('message', (job: Job) => {
  work(job).then(
    (done) => process.send?.({ done }),
    (cause) => process.send?.({ failed: String(cause) }),
  )
})
process.send?.(0)
process.on('disconnect', () => process.exit(0))
