/** Durable Object with the limits of one user. It handles one request at a time. */
import { DurableObject } from 'cloudflare:workers'
import { systemClock } from '../../../core/clock.ts'
import { createLimitCounters, type LimitCounters } from '../../../core/limits/counters.ts'
import { HOLD_EXPIRY_MS } from '../../../core/limits/decide.ts'
import type { Admission, Admitted, CallRecord, Db, Estimate, Limits } from '../../../core/ports.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { usedWithCalls } from '../../../core/reports/totals.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import type { Period } from '../../../core/settings.ts'
import { HOUR_MS } from '../../../core/units.ts'
import { NOTHING_USED } from '../ledger/records.ts'
import { d1Storage } from '../storage/d1.ts'

/** A call as earlier releases stored it: limits of user and key by name, and at first one estimate. */
type Earlier = { begun: CallRecord; user: Limits; key: Limits } & (
  | Pick<Admission, 'worst' | 'usual'>
  | Estimate
)
/** `expiresAt`: when its isolate is taken for dead unless it renews the call, ms since 1970. */
type Stored = (Admission | Earlier) & { expiresAt?: number }

interface LedgerSettings {
  period: Period
  /** After this time (ms) what was used is taken from the database again. */
  seedMs: number
}

export class LedgerObject extends DurableObject<{ DB: D1Database }> {
  #counters: Promise<LimitCounters> | undefined
  #seededAt = Number.NEGATIVE_INFINITY
  /** Calls under way. They are also in storage, because Cloudflare may evict the object meanwhile. */
  #running = new Map<string, Admission>()
  /** Calls whose use the counters have from the database. */
  #counted = new Set<string>()
  /** Calls that were settled while the database was read; undefined at other times. */
  #settled: CallRecord[] | undefined

  async reserve(call: Admission, settings: LedgerSettings): Promise<Admitted> {
    const { userId } = call.begun
    const counters = await this.#ready(userId, settings)
    if (systemClock.elapsed() - this.#seededAt > settings.seedMs)
      this.ctx.waitUntil(this.#seed(userId, counters))
    const admitted = counters.reserve(call)
    if (admitted.ok) await this.#remember(call)
    return admitted
  }

  /** Its isolate lives. */
  async renew(call: Admission): Promise<void> {
    if ((await this.ctx.storage.get(call.begun.id)) !== undefined) await this.#store(call)
  }

  async settle(record: CallRecord): Promise<void> {
    const counters = await this.#counters
    this.#settled?.push(record)
    counters?.settle(this.#counted.delete(record.id) ? { ...record, ...NOTHING_USED } : record)
    await this.#forget(record.id)
  }

  /** Writes the rows of calls whose isolates died, and frees what they held. */
  override async alarm(): Promise<void> {
    const now = systemClock.now()
    const stored = await this.ctx.storage.list<Stored>()
    const lost: CallRecord[] = []
    let next = Number.POSITIVE_INFINITY
    for (const { begun, expiresAt = begun.createdAt + HOUR_MS } of stored.values()) {
      if (expiresAt <= now) lost.push(begun)
      else next = Math.min(next, expiresAt)
    }
    await writeRecords(this.#db(), lost.map(recordText))
    for (const record of lost) await this.settle(record)
    if (next < Number.POSITIVE_INFINITY) await this.ctx.storage.setAlarm(next)
  }

  async #remember(call: Admission): Promise<void> {
    this.#running.set(call.begun.id, call)
    await this.#store(call)
    if ((await this.ctx.storage.getAlarm()) === null) {
      await this.ctx.storage.setAlarm(systemClock.now() + HOLD_EXPIRY_MS)
    }
  }

  async #store(call: Admission): Promise<void> {
    await this.ctx.storage.put(call.begun.id, { ...call, expiresAt: systemClock.now() + HOLD_EXPIRY_MS })
  }

  async #forget(id: string): Promise<void> {
    this.#running.delete(id)
    await this.ctx.storage.delete(id)
  }

  #db(): Db {
    return d1Storage(this.env.DB)
  }

  /** Counters with the use in the database and the calls that were under way when the object was evicted. */
  #ready(userId: number, settings: LedgerSettings): Promise<LimitCounters> {
    this.#counters ??= this.#load(userId, settings).catch((cause) => {
      this.#counters = undefined
      throw cause
    })
    return this.#counters
  }

  async #load(userId: number, { period }: LedgerSettings): Promise<LimitCounters> {
    const counters = createLimitCounters(systemClock, period)
    const stored = await this.ctx.storage.list<Stored>()
    const { used, recorded } = await usedWithCalls(this.#db(), userId, counters.span().start, [
      ...stored.keys(),
    ])
    counters.seed(used.map((ofKey) => ({ userId, ...ofKey })))
    this.#seededAt = systemClock.elapsed()
    for (const [id, one] of stored) {
      // Its row is counted already, so its hold is not restored.
      if (recorded.has(id)) await this.#forget(id)
      else {
        const call = readable(one)
        counters.restore(call)
        this.#running.set(id, call)
      }
    }
    return counters
  }

  /** Takes what was used from the database again, so that no mistake stays. */
  async #seed(userId: number, counters: LimitCounters): Promise<void> {
    if (this.#settled) return
    this.#seededAt = systemClock.elapsed()
    this.#settled = []
    try {
      const asked = [...this.#running.keys()]
      const { used, recorded } = await usedWithCalls(this.#db(), userId, counters.span().start, asked)
      const unknown = this.#settled.filter(({ id }) => !asked.includes(id))
      // Whether the database had these is not known. The next attempt tells.
      if (unknown.length > 0) return
      counters.reseed(used.map((ofKey) => ({ userId, ...ofKey })))
      for (const record of this.#settled) if (!recorded.has(record.id)) counters.addUse(record)
      this.#counted = new Set([...recorded].filter((id) => this.#running.has(id)))
    } finally {
      this.#settled = undefined
    }
  }
}

function readable(stored: Stored): Admission {
  if ('counters' in stored) return stored
  const { begun, user, key } = stored
  const { worst, usual } = 'worst' in stored ? stored : { worst: stored, usual: stored }
  return {
    begun,
    counters: [
      { scope: 'user', id: begun.userId, limits: user },
      { scope: 'key', id: begun.keyId, limits: key },
    ],
    worst,
    usual,
  }
}
