/** Live figures for administrators, once a second. What a reader is too slow for is dropped, never kept. */
import { isWorse } from '../backends/view.ts'
import { Refusal } from '../errors.ts'
import type { Clock, Logger } from '../ports.ts'
import { usdOf } from '../units.ts'
import type { LiveState, Processes } from './processes.ts'
import { added } from './recent.ts'

const EVERY_MS = 1_000
/** Who was signed out hears nothing more after this long. */
const CHECK_EVERY_MS = 2_000
/** A reader that took nothing for this long is gone or stuck. */
const LONGEST_SILENCE_MS = 30_000
const MOST_READERS = 50
const RETRY_MS = 5_000

/** One look at all processes. */
export interface LiveFigures {
  at: number
  processes: number
  callsInFlight: number
  callsPerMinute: number
  failedPerMinute: number
  tokensPerSecond: number
  outputTokensPerSecond: number
  costUsdPerMinute: number
  /** The share of input tokens that came from the prompt cache in the last minute; undefined without any. */
  cacheHitShare: number | undefined
  backends: readonly LiveBackend[]
}
type LiveBackend = LiveState['backends'][number]

export interface Reader {
  /** Whether it can take another look now. */
  ready(): boolean
  take(figures: LiveFigures): void
  /** Whether it may still read. */
  allowed(): Promise<boolean>
  /** Nothing more comes. */
  end(): void
}

export interface Live {
  /** Adds a reader; the returned function removes it. Throws a Refusal `overloaded` when there are too many. */
  read(reader: Reader): () => void
  readers(): number
}

interface OpenReader {
  reader: Reader
  tookAt: number
  checkedAt: number
}

/** `leaving`: whether this process ends, and its streams with it. */
export function createLive(parts: {
  clock: Clock
  logger: Pick<Logger, 'warn'>
  processes: Processes
  leaving(): boolean
}): Live {
  const { clock, logger, processes, leaving } = parts
  const readers = new Set<OpenReader>()
  let ticking = false

  function end(open: OpenReader) {
    if (readers.delete(open)) open.reader.end()
  }
  function check(open: OpenReader) {
    if (clock.elapsed() - open.checkedAt < CHECK_EVERY_MS) return
    open.checkedAt = clock.elapsed()
    const allowed = open.reader.allowed().catch(() => false)
    void allowed.then((may) => may || end(open))
  }
  function show(open: OpenReader, figures: LiveFigures) {
    const now = clock.elapsed()
    if (open.reader.ready()) {
      open.tookAt = now
      open.reader.take(figures)
    } else if (now - open.tookAt >= LONGEST_SILENCE_MS) end(open)
  }
  async function tick() {
    for (const open of readers) leaving() ? end(open) : check(open)
    if (readers.size === 0) {
      ticking = false
      return
    }
    clock.after(EVERY_MS, () => void tick())
    try {
      const figures = figuresOf(await processes.live(), clock.now())
      for (const open of readers) show(open, figures)
    } catch (cause) {
      logger.warn('live.failed', { cause: String(cause) })
    }
  }

  return {
    readers: () => readers.size,
    read(reader) {
      if (readers.size >= MOST_READERS) {
        throw new Refusal('overloaded', 'Too many live streams are open.', { retryAfterMs: RETRY_MS })
      }
      const now = clock.elapsed()
      const open = { reader, tookAt: now, checkedAt: now }
      readers.add(open)
      if (!ticking) {
        ticking = true
        void tick()
      }
      return () => void readers.delete(open)
    },
  }
}

/** What several processes do together. */
export function figuresOf(states: readonly LiveState[], at: number): LiveFigures {
  const { minute, tenSeconds } = added(states.map(({ recent }) => recent))
  const { input, output, cacheRead, cacheWrite } = tenSeconds
  const minuteInput = minute.input + minute.cacheRead + minute.cacheWrite
  return {
    at,
    processes: states.length,
    callsInFlight: states.reduce((sum, { callsInFlight }) => sum + callsInFlight, 0),
    callsPerMinute: minute.calls,
    failedPerMinute: minute.failed,
    tokensPerSecond: (input + output + cacheRead + cacheWrite) / 10,
    outputTokensPerSecond: output / 10,
    costUsdPerMinute: usdOf(minute.costMicros),
    cacheHitShare: minuteInput > 0 ? minute.cacheRead / minuteInput : undefined,
    backends: backendsOf(states),
  }
}

/** Each backend once: its attempts under way together, its state as the process sees it that thinks worst of it. */
function backendsOf(states: readonly LiveState[]): LiveBackend[] {
  const byName = Map.groupBy(
    states.flatMap(({ backends }) => backends),
    ({ name }) => name,
  )
  return [...byName.values()].map((views) => {
    const worst = views.reduce((worst, view) => (isWorse(view.state, worst.state) ? view : worst))
    return { ...worst, inFlight: views.reduce((sum, { inFlight }) => sum + inFlight, 0) }
  })
}
