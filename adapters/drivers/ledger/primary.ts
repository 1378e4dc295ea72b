/**
 * Ledger of a worker: limits are in the memory of its primary process, exact over all workers, and know of a worker's death by
 * themselves. Each worker writes its own records.
 */
import * as z from 'zod'
import type { CallRecord, Ledger } from '../../../core/ports.ts'
import { usedSince } from '../../../core/reports/write.ts'
import type { PrimaryChannel } from '../primary/channel.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

const Admitted = z.union([
  z.object({ ok: z.literal(true), used: z.number().optional(), resetAt: z.number() }),
  z.object({
    ok: z.literal(false),
    limit: z.enum(['quota', 'budget', 'requests_per_minute', 'concurrency']),
    scope: z.enum(['user', 'key']),
    held: z.boolean(),
    resetAt: z.number(),
  }),
])
/** Where to begin counting what was used (ms since 1970), or null if that is known. */
const Opened = z.number().nullable()

/** Rejects if the primary process is gone, or with what the database throws. */
export async function primaryLedger(parts: SharedParts & { channel: PrimaryChannel }): Promise<Ledger> {
  const { db, records, channel } = parts
  const countedFrom = Opened.parse(await channel.ask('limits.open', records.name))
  const ledger = await sharedLedger(parts, {
    async reserve({ begun, usual, worst, counters }) {
      const body = { begun: { id: begun.id }, usual, worst, counters }
      const answer = Admitted.parse(await channel.ask('limits.reserve', body))
      return answer.ok ? { ok: true, used: answer.used, resetAt: answer.resetAt } : answer
    },
    settle: (record) => channel.tell('limits.settle', usedBy(record)),
    left: {
      settle: (record, journal) => channel.tell('limits.left', { journal, record: usedBy(record) }),
      taken: (journal) => channel.tell('limits.taken', journal),
    },
    // The journal has the calls of workers that died.
    lost: async () => [],
  })
  if (countedFrom !== null) await channel.ask('limits.seed', await usedSince(db, countedFrom))
  return ledger
}

/** What counters need of a call that is over. */
function usedBy(record: CallRecord) {
  const { id, userId, keyId, createdAt, costMicros } = record
  const { inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = record
  const tokens = { inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens }
  return { id, userId, keyId, createdAt, costMicros, ...tokens }
}
