/** Durable Object with the limits of one user. It handles one request at a time. */
import { DurableObject } from 'cloudflare:workers'
import { systemClock } from '../../../core/clock.ts'
import { createLimitCounters, type LimitCounters } from '../../../core/limits/counters.ts'
import { HOLD_EXPIRY_MS } from '../../../core/limits/decide.ts'
import type { Admission, Admitted, CallRecord, Estimate } from '../../../core/ports.ts'
import { usedWithCalls } from '../../../core/reports/totals.ts'
import type { Period } from '../../../core/settings.ts'
import { d1Storage } from '../storage/d1.ts'

/** A stored call. Earlier releases stored one estimate instead of `worst` and `usual`. */
type Stored = Admission | (Omit<Admission, 'worst' | 'usual'> & Estimate)

export class LedgerObject extends DurableObject<{ DB: D1Database }> {
  #counters: Promise<LimitCounters> | undefined
  /** Calls under way. They are also in storage, because Cloudflare may evict the object meanwhile. */
  #running = new Map<string, Admission>()

  async reserve(call: Admission, period: Period): Promise<Admitted> {
    const counters = await this.#ready(call.begun.userId, period)
    this.#expire(counters)
    const admitted = counters.reserve(call)
    if (admitted.ok) {
      this.#running.set(call.begun.id, call)
      await this.ctx.storage.put(call.begun.id, call)
    }
    return admitted
  }

  async settle(record: CallRecord): Promise<void> {
    if (!this.#counters) return this.#forget(record.id)
    const counters = await this.#counters
    counters.settle(record)
    await this.#forget(record.id)
  }

  async #forget(id: string): Promise<void> {
    this.#running.delete(id)
    await this.ctx.storage.delete(id)
  }

  /** Counters with the use in the database and the calls that were under way when the object was evicted. */
  #ready(userId: number, period: Period): Promise<LimitCounters> {
    this.#counters ??= this.#load(userId, period).catch((cause) => {
      this.#counters = undefined
      throw cause
    })
    return this.#counters
  }

  async #load(userId: number, period: Period): Promise<LimitCounters> {
    const counters = createLimitCounters(systemClock, period)
    const running = await this.ctx.storage.list<Stored>()
    const db = d1Storage(this.env.DB)
    const { used, recorded } = await usedWithCalls(db, userId, counters.span().start, [...running.keys()])
    counters.seed(used.map((ofKey) => ({ userId, ...ofKey })))
    for (const [id, stored] of running) {
      // Its row is counted already, so its hold is not restored.
      if (recorded.has(id)) await this.#forget(id)
      else {
        const call = 'worst' in stored ? stored : { ...stored, worst: stored, usual: stored }
        counters.restore(call)
        this.#running.set(id, call)
      }
    }
    return counters
  }

  #expire(counters: LimitCounters) {
    const limit = systemClock.now() - HOLD_EXPIRY_MS
    for (const [id, { begun }] of this.#running) {
      if (begun.createdAt > limit) continue
      counters.settle({ ...begun, costMicros: 0, inputTokens: 0 })
      this.ctx.waitUntil(this.#forget(id))
    }
  }
}
