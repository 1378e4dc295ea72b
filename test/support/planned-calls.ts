/** Calls that are planned: what upstreams do with each of them, and what has to be recorded of it then. */
import fc from 'fast-check'
import { failing, JSON_TYPE } from '../cases/faults.ts'
import {
  type AskedRequest,
  type FakeUpstream,
  messageJson,
  messageStream,
  type Script,
  sse,
} from './upstream.ts'

/** US dollars per million tokens, as `pricing` of a configuration has them. */
export const PRICES = [
  {
    model: 'claude-opus-5-5',
    input: 4,
    output: 20,
    cache_read: 0.25,
    cache_write_5m: 5,
    cache_write_1h: 8,
  },
  {
    model: 'claude-haiku-5-5',
    input: 0.7,
    output: 3,
    cache_read: 0.07,
    cache_write_5m: 0.9,
    cache_write_1h: 1.3,
  },
]
export const MULTIPLIERS: Readonly<Record<string, number>> = { a: 1, b: 0.85 }

/** After each of these another backend is asked. */
const FAULTS = ['529', '500', '401', 'refuse'] as const
/** What becomes of the call at the first backend that does not fail. Those that leave are of clients. */
const ENDINGS = [
  'ok',
  'cut',
  'cut after usage',
  'short',
  'error',
  '400',
  'leaves',
  'leaves after usage',
] as const
const PATHS = {
  messages: '/v1/messages',
  chat: '/v1/chat/completions',
  responses: '/v1/responses',
  count: '/v1/messages/count_tokens',
}
type Kind = keyof typeof PATHS

export interface Plan {
  who: number
  kind: Kind
  stream: boolean
  model: string
  faults: (typeof FAULTS)[number][]
  ending: (typeof ENDINGS)[number]
  pieces: number
  usage: Usage
}
interface Usage {
  input: number
  output: number
  cacheRead: number
  cacheWrite5m: number
  cacheWrite1h: number
}

export const anyPlan: fc.Arbitrary<Plan> = fc
  .record({
    who: fc.nat(3),
    kind: fc.constantFrom<Kind>('messages', 'messages', 'chat', 'responses', 'count'),
    stream: fc.boolean(),
    model: fc.constantFrom(...PRICES.map(({ model }) => model)),
    faults: fc.array(fc.constantFrom(...FAULTS), { maxLength: 2 }),
    ending: fc.oneof(fc.constant('ok' as const), fc.constantFrom(...ENDINGS)),
    pieces: fc.integer({ min: 1, max: 4 }),
    usage: fc.record({
      input: fc.nat(200_000),
      output: fc.integer({ min: 30, max: 5_000 }),
      cacheRead: fc.nat(90_000),
      cacheWrite5m: fc.nat(9_000),
      cacheWrite1h: fc.nat(9_000),
    }),
  })
  .map((plan) => (plan.kind === 'messages' && plan.stream ? plan : { ...plan, ending: simpler(plan) }))

/** Only streams of Claude's own interface show a client where their upstream stands. */
function simpler({ ending, kind, stream }: Plan): Plan['ending'] {
  if (ending === '400') return ending
  return kind !== 'count' && stream && !ending.startsWith('leaves') ? ending : 'ok'
}

export function requestOf({ kind, stream, model }: Plan, name: string): { path: string; body: object } {
  const streamed = stream && kind !== 'count' ? { stream } : {}
  const asked = { model, ...streamed }
  const messages = [{ role: 'user', content: name }]
  const body =
    kind === 'responses'
      ? { ...asked, input: name, store: false, max_output_tokens: 50 }
      : { ...asked, messages, max_tokens: 50 }
  return { path: PATHS[kind], body }
}

const pieceOf = (at: number) => `piece ${at} "é\\"`
const reported = (usage: Usage) => ({
  input_tokens: usage.input,
  cache_read_input_tokens: usage.cacheRead,
  cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
  cache_creation: {
    ephemeral_5m_input_tokens: usage.cacheWrite5m,
    ephemeral_1h_input_tokens: usage.cacheWrite1h,
  },
})

/** Has the upstreams do what is planned, and answers who was asked for the call of that name, in turn. */
export function playPlans(upstreams: ReadonlyMap<string, FakeUpstream>, plans: ReadonlyMap<string, Plan>) {
  const asked = new Map<string, string[]>()
  for (const [backend, upstream] of upstreams) {
    const answer = (request: AskedRequest): Script => {
      const name = /plan-\d+/.exec(request.body.toString())?.[0] ?? ''
      const plan = plans.get(name)
      // A call of the gateway's own.
      if (!plan) return { headers: JSON_TYPE, chunks: [messageJson()] }
      const before = asked.get(name) ?? []
      asked.set(name, [...before, backend])
      return scriptOf(plan, [...new Set([...before, backend])].indexOf(backend), request)
    }
    upstream.answer(answer)
    upstream.counts(answer)
  }
  return (name: string): readonly string[] => asked.get(name) ?? []
}

/** What an upstream does that is asked as the `nth` (from 0) for this call. */
function scriptOf(plan: Plan, nth: number, { body }: AskedRequest): Script {
  const fault = plan.faults[nth]
  if (fault === 'refuse') return { before: 'refuse' }
  if (fault === '401') return failing(401, 'authentication_error')
  if (fault === '500') return failing(500, 'api_error')
  if (fault) return failing(529, 'overloaded_error')
  if (plan.ending === '400') return failing(400, 'invalid_request_error')
  if (plan.kind === 'count') return { headers: JSON_TYPE, chunks: ['{"input_tokens":7}'] }
  const { model, usage, pieces } = plan
  const text = Array.from({ length: pieces }, (_, at) => pieceOf(at))
  if (!body.includes('"stream":true')) {
    const whole = { ...reported(usage), output_tokens: usage.output }
    return { headers: JSON_TYPE, chunks: [messageJson({ model, text, usage: whole })] }
  }
  const finalUsage = { output_tokens: usage.output }
  const frames = messageStream({ model, text, usage: reported(usage), finalUsage })
  const written = frames.slice(0, -3)
  const withUsage = frames.slice(0, -1)
  const ends: Record<Exclude<Plan['ending'], '400'>, Script> = {
    ok: { chunks: frames },
    cut: { chunks: written, end: 'reset' },
    'cut after usage': { chunks: withUsage, end: 'reset' },
    short: { chunks: written },
    error: { chunks: [...written, sse({ type: 'error', error: { type: 'api_error', message: 'm' } })] },
    leaves: { chunks: written, end: 'hang' },
    'leaves after usage': { chunks: withUsage, end: 'hang' },
  }
  return ends[plan.ending]
}

/** What the client of this call waits for before it leaves; undefined: it stays. */
export function leavesAt({ ending, pieces }: Plan): string | undefined {
  if (ending === 'leaves') return `piece ${pieces - 1}`
  return ending === 'leaves after usage' ? 'event: message_delta' : undefined
}

const NOTHING: Usage = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }
const FAILED = { outcome: 'error', estimated: false, ...NOTHING }

/** What the row must say. `asked`: the backends that were asked, in turn. */
export function recordOf(plan: Plan, asked: readonly string[]) {
  const tried = [...new Set(asked)]
  const backend = tried.at(-1) ?? ''
  const record = tried.length > plan.faults.length ? recordOfAnswer(plan) : FAILED
  return { ...record, backend, attempts: tried.length, cost: costOf(record, plan.model, backend) }
}

const OUTCOMES: Record<Plan['ending'], string> = {
  ok: 'ok',
  '400': 'error',
  error: 'error',
  cut: 'upstream_cut',
  short: 'upstream_cut',
  'cut after usage': 'upstream_cut',
  leaves: 'client_aborted',
  'leaves after usage': 'client_aborted',
}

function recordOfAnswer({ ending, usage, pieces }: Plan) {
  if (ending === '400') return FAILED
  const outcome = OUTCOMES[ending]
  if (ending === 'ok' || ending.endsWith('after usage')) return { outcome, estimated: false, ...usage }
  const characters = Array.from({ length: pieces }, (_, at) => pieceOf(at)).join('').length
  return { outcome, estimated: true, ...usage, output: Math.ceil(characters / 4) }
}

/** In whole micro-dollars. Rates and multipliers have two decimals, so that hundredths of hundredths are exact. */
function costOf(usage: Usage, model: string, backend: string): number {
  const rates = PRICES.find((one) => one.model === model)
  if (!rates) throw new Error(`there is no price of ${model}`)
  const hundredths = (number: number) => Math.round(number * 100)
  const micros =
    usage.input * hundredths(rates.input) +
    usage.output * hundredths(rates.output) +
    usage.cacheRead * hundredths(rates.cache_read) +
    usage.cacheWrite5m * hundredths(rates.cache_write_5m) +
    usage.cacheWrite1h * hundredths(rates.cache_write_1h)
  return Math.floor((micros * hundredths(MULTIPLIERS[backend] ?? 1) + 5_000) / 10_000)
}
