/**
 * Sends what Claude Code tells of itself on to collectors (OTLP over HTTP), as it came. Nobody waits for it: each collector has a
 * bounded queue, and what it does not take is dropped and counted.
 */
import type { Metrics } from '../observability/metrics.ts'
import { createOutage } from '../outage.ts'
import type { Clock, Logger, SendTelemetry } from '../ports.ts'
import type { Signal, TelemetryDestination } from '../settings.ts'
import { createFairQueue, type FairQueue, type Queued } from './fair-queue.ts'

export interface Telling {
  signal: Signal
  userId: number
  keyId: number
  /** Otherwise it is JSON. */
  isProtobuf: boolean
  body: Uint8Array
}

export interface Relay {
  /** Whether any collector wants this signal. */
  wants(signal: Signal): boolean
  take(telling: Telling): void
  /** Goes on after a failure, when it is time; resolves when nothing more can be sent now. */
  run(): Promise<void>
  /** Takes out what waits for each collector. */
  left(): readonly { endpoint: string; waiting: readonly Waiting[] }[]
  /** Goes on with what a relay before this one left. What waited for a collector that is none any more is dropped. */
  takeOver(left: ReturnType<Relay['left']>): void
}

export interface RelayParts {
  settings: { claudeCode: { telemetry: readonly TelemetryDestination[] } }
  sendTelemetry: SendTelemetry
  clock: Clock
  logger: Logger
  metrics: Metrics | undefined
  waitUntil(work: Promise<unknown>): void
}

/** Of each collector. What people tell in a minute is a few KB each. */
const MOST_BYTES = 8 * 1024 * 1024
/** What one telling takes beside its body. */
const OVERHEAD_BYTES = 512
/** Tellings that are on their way at once. */
const LANES = 8
const MOST_TRIES = 5
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000
const PROTOBUF = 'application/x-protobuf'
/** https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const AGAIN = new Set([429, 502, 503, 504])

export function createRelay(parts: RelayParts): Relay {
  const collectors = parts.settings.claudeCode.telemetry.map((destination) => ({
    signals: destination.signals,
    endpoint: destination.endpoint,
    ...createCollector(destination, parts),
  }))
  return {
    wants: (signal) => collectors.some(({ signals }) => signals.includes(signal)),
    take(telling) {
      for (const { signals, take } of collectors) if (signals.includes(telling.signal)) take(telling)
    },
    async run() {
      await Promise.all(collectors.map(({ run }) => run()))
    },
    left: () => collectors.map(({ endpoint, left }) => ({ endpoint, waiting: left() })),
    takeOver(left) {
      // Two collectors may have one endpoint and differ in their headers, so that each goes on with one part.
      const parts = [...left]
      for (const { endpoint, signals, add } of collectors) {
        const at = parts.findIndex((part) => part.endpoint === endpoint)
        const [part] = at < 0 ? [] : parts.splice(at, 1)
        for (const one of part?.waiting ?? []) if (signals.includes(one.signal)) add(one)
      }
    },
  }
}

interface Waiting extends Telling {
  tries: number
}

function createCollector(destination: TelemetryDestination, parts: RelayParts) {
  const { sendTelemetry, clock, logger, metrics, waitUntil } = parts
  const { host } = new URL(destination.endpoint)
  const queue = createFairQueue<Waiting>(MOST_BYTES)
  const outage = createOutage(logger, { failed: 'telemetry.failed', worksAgain: 'telemetry.works_again' })
  let lanes = 0
  const pause = createPause(clock)

  function add(telling: Waiting) {
    const { userId, body } = telling
    const fallen = queue.add({ userId, one: telling, bytes: body.byteLength + OVERHEAD_BYTES })
    for (const { one } of fallen) metrics?.telemetryDropped(one.signal, 'queue_full')
  }
  async function sendOne({ one }: Queued<Waiting>) {
    const answered = await sendTelemetry({
      url: `${destination.endpoint}/v1/${one.signal}`,
      headers: { ...destination.headers, 'content-type': one.isProtobuf ? PROTOBUF : 'application/json' },
      body: one.body,
    }).catch((cause: unknown) => (cause instanceof Error ? cause : new Error(String(cause))))
    const isAway = typeof answered !== 'number' || AGAIN.has(answered)
    if (!isAway) {
      outage.worked({ collector: host })
      pause.end()
      if (answered < 200 || answered > 299) metrics?.telemetryDropped(one.signal, 'collector_refused')
      return
    }
    outage.failed(typeof answered === 'number' ? `it answered ${answered}` : answered, { collector: host })
    pause.begin()
    const tries = one.tries + 1
    if (tries < MOST_TRIES) add({ ...one, tries })
    else metrics?.telemetryDropped(one.signal, 'collector_away')
  }
  async function lane() {
    while (!pause.lasts()) {
      const next = queue.next()
      if (!next) return
      await sendOne(next)
    }
  }
  /** While the collector is away, one lane asks whether it is back. */
  function begin(): Promise<void> | undefined {
    if (pause.lasts() || lanes >= (outage.works() ? LANES : 1)) return undefined
    lanes += 1
    return lane().finally(() => {
      lanes -= 1
    })
  }
  return {
    take(telling: Telling) {
      add({ ...telling, tries: 0 })
      const sending = begin()
      if (sending) waitUntil(sending)
    },
    add,
    left: () => emptied(queue),
    run: async () => begin(),
  }
}

function emptied(queue: FairQueue<Waiting>): Waiting[] {
  const waiting: Waiting[] = []
  for (let next = queue.next(); next; next = queue.next()) waiting.push(next.one)
  return waiting
}

/** Longer each time, until something works again. */
function createPause(clock: Clock) {
  let ms = 0
  let until = Number.NEGATIVE_INFINITY
  const lasts = () => clock.elapsed() < until
  return {
    lasts,
    begin() {
      // Of several that were on their way, the first one says so.
      if (lasts()) return
      ms = Math.min(Math.max(ms * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS)
      until = clock.elapsed() + ms
    },
    end() {
      ms = 0
    },
  }
}
