/**
 * Limits in the memory of the primary process, for its workers: the counters of one process, which several ask. They live as
 * long as the primary, so a worker's end and a restart of all workers forget nothing.
 *
 * What a dead worker's calls hold is settled from its journal, which another worker takes over. What is still held then is of
 * calls that never got a line there, so nobody sent them.
 */
import * as z from 'zod'
import { createLimitCounters, type LimitCounters } from '../../../core/limits/counters.ts'
import { HOLD_EXPIRY_MS } from '../../../core/limits/decide.ts'
import { PERIODS } from '../../../core/limits/period.ts'
import type { Clock } from '../../../core/ports.ts'
import { NOTHING_USED } from '../ledger/records.ts'
import type { Handlers } from './channel.ts'

const count = z.number()
const Estimate = z.object({ tokens: count, costMicros: count })
/** Of day, week and month. */
const Moments = z.tuple([count, count, count])
const Period = z.enum(PERIODS)
const Limits = z.object({
  amounts: z.array(z.object({ period: Period, tokens: count.optional(), micros: count.optional() })),
  requestsPerMinute: count,
  tokensPerMinute: count,
  concurrentRequests: count,
})
const Reserve = z.object({
  begun: z.object({ id: z.string(), periodStarts: Moments }),
  periodEnds: Moments,
  usual: Estimate,
  worst: Estimate,
  counters: z.array(
    z.object({ scope: z.enum(['user', 'key', 'group', 'organisation']), id: count, limits: Limits }),
  ),
})
const Settle = z.object({
  id: z.string(),
  userId: count,
  keyId: count,
  billingGroupIds: z.tuple([count], count),
  periodStarts: Moments,
  inputTokens: count,
  outputTokens: count,
  cacheReadTokens: count,
  cacheWrite5mTokens: count,
  cacheWrite1hTokens: count,
  costMicros: count,
})
const Left = z.object({ journal: z.string(), record: Settle })
const Seed = z.array(
  z.object({ owner: z.string(), period: Period, start: count, micros: count, tokens: count }),
)

interface Worker {
  journal: string
  /** Ids of the calls that it was admitted and has not settled. */
  running: Set<string>
  /** Its socket is closed: nothing comes from it any more. */
  gone: boolean
  /** Its journal was taken over. */
  taken: boolean
}

export interface HostedLimits {
  /** Handlers for one worker, and what is to be done when its socket closes. */
  connect(): { handlers: Handlers; closed(): void }
}

export function hostLimits(clock: Clock): HostedLimits {
  const counters = createLimitCounters(clock)
  const workers = createWorkers(clock, counters)
  let seeded = false
  return {
    connect() {
      const worker: Worker = { journal: '', running: new Set(), gone: false, taken: false }
      const handlers: Handlers = {
        'limits.open'(journal) {
          worker.journal = z.string().parse(journal)
          workers.add(worker)
          return seeded
        },
        'limits.seed'(spent) {
          if (!seeded) counters.seed(Seed.parse(spent))
          seeded = true
        },
        'limits.reserve'(body) {
          const call = Reserve.parse(body)
          const admitted = counters.reserve(call)
          if (admitted.ok) worker.running.add(call.begun.id)
          return admitted
        },
        'limits.settle'(body) {
          const record = Settle.parse(body)
          if (worker.running.delete(record.id)) counters.settle(record)
        },
        'limits.left'(body) {
          const { journal, record } = Left.parse(body)
          // What comes before is among what the database has.
          if (seeded) workers.settleLeft(journal, record)
        },
        'limits.respent'(body) {
          if (seeded) counters.addUse(Settle.parse(body))
        },
        'limits.taken': (journal) => workers.taken(z.string().parse(journal)),
      }
      return { handlers, closed: () => workers.closed(worker) }
    },
  }
}

/** The workers that the primary heard of, also dead ones that may have left calls. */
function createWorkers(clock: Clock, counters: LimitCounters) {
  const byJournal = new Map<string, Worker>()
  /** Calls of an earlier primary's workers that were counted when their journals were taken over. */
  const counted = new Set<string>()

  function free({ running }: Worker) {
    for (const id of running) counters.settle({ ...NOTHING_USED, id, periodStarts: [0, 0, 0] })
  }
  /** Ends what is known of a worker when nothing more can come, neither from itself nor from its journal. */
  function forgetIfOver(worker: Worker) {
    if (!worker.gone || !worker.taken) return
    free(worker)
    byJournal.delete(worker.journal)
  }

  return {
    add: (worker: Worker) => void byJournal.set(worker.journal, worker),
    closed(worker: Worker) {
      worker.gone = true
      forgetIfOver(worker)
      // While the database is away nobody takes its journal.
      if (worker.running.size > 0) clock.after(HOLD_EXPIRY_MS, () => free(worker))
    },
    taken(journal: string) {
      const worker = byJournal.get(journal)
      if (!worker) return
      worker.taken = true
      forgetIfOver(worker)
    },
    /** Counts a call in a dead process's journal that has no row yet, unless it was counted before. */
    settleLeft(journal: string, record: z.infer<typeof Settle>) {
      const worker = byJournal.get(journal)
      const isCounted = worker ? !worker.running.delete(record.id) : counted.has(record.id)
      if (isCounted) return
      if (!worker) counted.add(record.id)
      // After HOLD_EXPIRY_MS it holds nothing any more.
      if (!counters.settle(record)) counters.addUse(record)
    },
  }
}
