/**
 * Ledger of a worker: limits are in the memory of its primary process, exact over all workers, and know of a worker's death by
 * themselves. Each worker writes its own records.
 */
import * as z from 'zod'
import { PERIODS } from '../../../core/limits/period.ts'
import { allSpent } from '../../../core/limits/seed.ts'
import type { CallRecord, Ledger } from '../../../core/ports.ts'
import type { PrimaryChannel } from '../primary/channel.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

const Period = z.enum(PERIODS)
const Refused = {
  ok: z.literal(false),
  scope: z.enum(['user', 'key', 'group', 'organisation']),
  id: z.number(),
  resetAt: z.number(),
}
const Admitted = z.union([
  z.object({
    ok: z.literal(true),
    used: z.object({ share: z.number(), period: Period, resetAt: z.number() }).optional(),
  }),
  z.object({ ...Refused, limit: z.enum(['quota', 'budget']), period: Period, held: z.boolean() }),
  z.object({ ...Refused, limit: z.enum(['requests_per_minute', 'tokens_per_minute', 'concurrency']) }),
])
/** Whether it is known what was used. */
const Opened = z.boolean()

/** Rejects if the primary process is gone, or with what the database throws. */
export async function primaryLedger(parts: SharedParts & { channel: PrimaryChannel }): Promise<Ledger> {
  const { db, records, channel } = parts
  const isSeeded = Opened.parse(await channel.ask('limits.open', records.name))
  const ledger = await sharedLedger(parts, {
    async reserve({ begun: { id, periodStarts }, periodEnds, usual, worst, counters }) {
      const body = { begun: { id, periodStarts }, periodEnds, usual, worst, counters }
      const answer = Admitted.parse(await channel.ask('limits.reserve', body))
      return answer.ok ? { ok: true, used: answer.used } : answer
    },
    settle: (record) => channel.tell('limits.settle', usedBy(record)),
    respent: (change) => channel.tell('limits.respent', change),
    left: {
      settle: (record, journal) => channel.tell('limits.left', { journal, record: usedBy(record) }),
      taken: (journal) => channel.tell('limits.taken', journal),
    },
    // The journal has the calls of workers that died.
    lost: async () => [],
  })
  if (!isSeeded) await channel.ask('limits.seed', await allSpent(db, parts.clock.now()))
  return ledger
}

/** What counters need of a call that is over. */
function usedBy(record: CallRecord) {
  const { id, userId, keyId, billingGroupIds, periodStarts, costMicros } = record
  const { inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = record
  const tokens = { inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens }
  return { id, userId, keyId, billingGroupIds, periodStarts, costMicros, ...tokens }
}
