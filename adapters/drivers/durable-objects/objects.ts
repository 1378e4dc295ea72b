/**
 * Durable Objects: what all isolates share. Each object is one place in the world and does one thing at a time. Health
 * has one object per backend, limits one per user.
 */
import { DurableObject } from 'cloudflare:workers'
import { systemClock } from '../../../core/clock.ts'
import { createLimitCounters, type LimitCounters } from '../../../core/limits/counters.ts'
import { HOLD_EXPIRY_MS } from '../../../core/limits/decide.ts'
import {
  type Admission,
  type Admitted,
  type CallRecord,
  type Estimate,
  MOVE_LIFE_MS,
  type Move,
} from '../../../core/ports.ts'
import { usedWithCalls } from '../../../core/reports/totals.ts'
import type { Period } from '../../../core/settings.ts'
import { d1Storage } from '../storage/d1.ts'

interface StoredRecord {
  revision: number
  record: string
}
interface StoredMove {
  move: Move
  writtenAt: number
}

export class HealthObject extends DurableObject {
  /** Records by key, as JSON. */
  async all(): Promise<Record<string, string>> {
    const stored = await this.ctx.storage.list<StoredRecord>()
    return Object.fromEntries([...stored].map(([key, { record }]) => [key, record]))
  }

  /** Nothing else runs in this object between reading and writing. */
  async swap(key: string, seen: number | undefined, revision: number, record: string): Promise<boolean> {
    const found = await this.ctx.storage.get<StoredRecord>(key)
    if (found?.revision !== seen) return false
    await this.ctx.storage.put(key, { revision, record })
    return true
  }

  async move(moves: Move[], now: number): Promise<void> {
    const known = await this.#known()
    for (const move of moves) {
      const key = `${move.person} ${move.conversation}`
      known.set(key, { move, writtenAt: now })
      await this.ctx.storage.put(key, { move, writtenAt: now })
    }
    for (const [key, { writtenAt }] of known) {
      if (writtenAt >= now - MOVE_LIFE_MS) continue
      known.delete(key)
      await this.ctx.storage.delete(key)
    }
  }

  async movedSince(since: number): Promise<Move[]> {
    return [...(await this.#known()).values()].flatMap(({ move, writtenAt }) =>
      writtenAt >= since ? move : [],
    )
  }

  #moves: Promise<Map<string, StoredMove>> | undefined
  #known() {
    this.#moves ??= this.ctx.storage.list<StoredMove>()
    return this.#moves
  }
}

/** As it is kept: releases before this one knew one estimate only. */
type Stored = Admission | (Omit<Admission, 'worst' | 'usual'> & Estimate)

export class LedgerObject extends DurableObject<{ DB: D1Database }> {
  #counters: Promise<LimitCounters> | undefined
  /** Calls under way, also in storage: an object may be put away while they last. */
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

  /** What the database has counted, and what was under way when this object was last put away. */
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
      // Its row is counted already; to settle it once more does nothing.
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
