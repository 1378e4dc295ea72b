/**
 * `npm run bench`: the gateway with everything on (keys, limits, metering, journal, log) against a bare node:http pipe
 * and against no proxy, in one run, by turns. Absolute numbers belong to the machine; the ratios are the result.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { startGateway } from '../support/gateway.ts'
import { sendLargeBodies } from '../support/large-bodies.ts'
import { openStreams, run, type Target } from './load.ts'
import { cpuMicros, median, residentBytes } from './measure.ts'

const QUICK = process.argv.includes('--quick')
/** Many short ones by turns: what else the machine does then meets all subjects alike. */
const ROUNDS = QUICK ? 3 : 15
/** Rounds before anything counts: the compiler's own work is over by then, in both processes. */
const WARM_UP = QUICK ? 1 : 15
const SMALL = { total: 1_500, parallel: 16 }
const STREAMED = { total: 50, parallel: 50, events: QUICK ? 100 : 200 }
const OPEN_STREAMS = QUICK ? 200 : 1_000

interface Subject extends Target {
  name: string
  pid: number | undefined
}

const child = async (file: string, ...args: string[]) => {
  const started = fork(join(import.meta.dirname, file), args)
  const [port] = await once(started, 'message')
  return { port: Number(port), pid: started.pid ?? 0, stop: () => started.kill('SIGKILL') }
}
/** By the subject's name. */
type Costs = Record<string, number[]>
const settle = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const upstream = await child('upstream.ts')
let pipe = await child('pipe.ts', String(upstream.port))
const url = `http://127.0.0.1:${upstream.port}`
const gateway = await startGateway({
  backends: [
    { name: 'a', url },
    { name: 'b', url },
  ],
  limits: { default_budget_usd: 0, requests_per_minute: 100_000, concurrent_requests: 100_000 },
})
const { secret: key } = await gateway.newKey({ budgetMicros: 1e15, quotaTokens: 1e15 })
await settle(1_500)
const gatewaySubject: Subject = {
  name: 'gateway',
  port: Number(new URL(gateway.url).port),
  pid: gateway.process.pid,
  key,
}
const pipeSubject: Subject = { name: 'pipe', port: pipe.port, pid: pipe.pid, key }
const subjects: Subject[] = [
  { name: 'direct', port: upstream.port, pid: undefined, key },
  pipeSubject,
  gatewaySubject,
]
const proxies = subjects.filter(({ pid }) => pid !== undefined)

/** µs of each subject's CPU for one unit of the work, round by round, by turns. */
async function cpuPer(
  units: number,
  work: (subject: Subject) => Promise<unknown>,
  measured: readonly Subject[] = proxies,
): Promise<Costs> {
  const costs: Costs = {}
  for (let round = 1 - WARM_UP; round <= ROUNDS; round++) {
    for (const subject of measured) {
      const before = cpuMicros(subject.pid ?? 0)
      await work(subject)
      // What is written behind the answers belongs to them.
      await settle(400)
      const cost = (cpuMicros(subject.pid ?? 0) - before) / units
      if (round > 0) costs[subject.name] = [...(costs[subject.name] ?? []), cost]
    }
  }
  return costs
}

/** Medians of both, and of the ratios round by round: a round in which the machine was busy counts as one, in both. */
function compared(costs: Costs, yardstick: string, subject: string) {
  const [theirs, ours] = [costs[yardstick] ?? [], costs[subject] ?? []]
  return {
    [yardstick]: median(theirs),
    [subject]: median(ours),
    ratio: median(ours.map((cost, round) => cost / (theirs[round] ?? Number.NaN))),
  }
}

async function latency() {
  const durations: Record<string, number[]> = {}
  for (let round = 0; round <= ROUNDS; round++) {
    for (const subject of subjects) {
      const taken = await run(subject, 200, 1, 0)
      if (round > 0) durations[subject.name] = [...(durations[subject.name] ?? []), ...taken]
    }
  }
  const p50 = (name: string) => median(durations[name] ?? [])
  return {
    direct: p50('direct'),
    pipe: p50('pipe'),
    gateway: p50('gateway'),
    added_ms: p50('gateway') - p50('direct'),
  }
}

async function memory() {
  const perStream: Costs = {}
  for (const subject of proxies) {
    const before = residentBytes(subject.pid ?? 0)
    const close = await openStreams(subject, OPEN_STREAMS)
    await settle(1_000)
    perStream[subject.name] = [(residentBytes(subject.pid ?? 0) - before) / OPEN_STREAMS / 1024]
    close()
    await settle(500)
  }
  return compared(perStream, 'pipe', 'gateway')
}

/** Both anew: what was asked of them before tells in neither's memory. */
async function restart() {
  pipe.stop()
  pipe = await child('pipe.ts', String(upstream.port))
  await gateway.restart()
  Object.assign(pipeSubject, { port: pipe.port, pid: pipe.pid })
  Object.assign(gatewaySubject, { port: Number(new URL(gateway.url).port), pid: gateway.process.pid })
  await settle(1_500)
}

const smallRequests = async () =>
  compared(
    await cpuPer(SMALL.total, (subject) => run(subject, SMALL.total, SMALL.parallel, 0)),
    'pipe',
    'gateway',
  )
const small = await smallRequests()
await restart()
const memoryOfStreams = await memory()
const smallAfterStreams = await smallRequests()
const translating: Subject = { ...gatewaySubject, name: 'translated', openai: true }
const streamed = await cpuPer(
  STREAMED.total * STREAMED.events,
  (subject) => run(subject, STREAMED.total, STREAMED.parallel, STREAMED.events),
  [...proxies, translating],
)
const results = {
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
  cpu_us_per_small_request: small,
  cpu_us_per_small_request_after_many_open_streams: smallAfterStreams,
  cpu_us_per_streamed_event: compared(streamed, 'pipe', 'gateway'),
  cpu_us_per_event_translated_to_openai: compared(streamed, 'gateway', 'translated'),
  latency_ms_p50_one_connection: await latency(),
  memory_kib_per_open_stream: { streams: OPEN_STREAMS, ...memoryOfStreams },
  memory_mb_of_40_calls_of_31_mb: await sendLargeBodies(),
}
await gateway.stop()
pipe.stop()
upstream.stop()

const rounded = JSON.stringify(
  results,
  (_, value) => (typeof value === 'number' ? Math.round(value * 1000) / 1000 : value),
  2,
)
if (!QUICK) writeFileSync(join(import.meta.dirname, 'results.json'), `${rounded}\n`)
console.log(rounded)
process.exit(0)
