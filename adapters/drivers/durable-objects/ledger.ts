/**
 * Durable Object with the limits of one user and their keys (`user 7`), or with one pool (`group 3`, `organisation 0`). It
 * handles one request at a time. That of the user also writes the rows of calls whose isolates died.
 */
import { DurableObject } from 'cloudflare:workers'
import { systemClock } from '../../../core/clock.ts'
import { createLimitCounters, type LimitCounters } from '../../../core/limits/counters.ts'
import { includedCalls, spentOf, spentOfUser } from '../../../core/limits/seed.ts'
import type { Admission, Admitted, CallRecord, Db } from '../../../core/ports.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import { NOTHING_USED } from '../ledger/records.ts'
import { d1Storage } from '../storage/d1.ts'
import { createHeldCalls, type HeldCalls, isOfUser } from './held-calls.ts'

export interface LedgerSettings {
  /** After this time (ms) what was used is taken from the database again. */
  seedMs: number
  /** Whether another object is asked after this one: what is held ends soon unless the call is confirmed. */
  unconfirmed: boolean
}

export class LedgerObject extends DurableObject<{ DB: D1Database }> {
  #ready: Promise<LimitCounters> | undefined
  #seededAt = Number.NEGATIVE_INFINITY
  #seeding: Promise<void> | undefined
  #calls: HeldCalls = createHeldCalls(this.ctx.storage, systemClock)
  /** Calls under way whose use the counters have from the database. */
  #counted: ReadonlySet<string> = new Set()
  /** Calls that were settled while the database was read; undefined at other times. */
  #settled: CallRecord[] | undefined

  async reserve(call: Admission, { seedMs, unconfirmed }: LedgerSettings): Promise<Admitted> {
    const counters = await this.#counters(call)
    const age = systemClock.elapsed() - this.#seededAt
    const seeding = age > seedMs ? this.#seed(call, counters) : undefined
    // A pool that was not limited in between knows nothing of the calls since.
    if (age > 2 * seedMs) await seeding
    else if (seeding) this.ctx.waitUntil(seeding.catch(() => {}))
    for (const id of await this.#calls.dropExpired()) counters.settle({ ...NOTHING_USED, id, ...NO_PERIODS })
    const admitted = counters.reserve(call)
    if (admitted.ok) await this.#calls.add(call, unconfirmed)
    return admitted
  }

  /** Every object that was asked has admitted the call, or its isolate lives. */
  async renew(call: Admission): Promise<void> {
    await this.#calls.renew(call)
  }

  /** Another object refused the call. */
  async cancel(id: string): Promise<void> {
    const counters = await this.#ready
    counters?.settle({ ...NOTHING_USED, id, ...NO_PERIODS })
    await this.#calls.remove(id)
  }

  async settle(record: CallRecord): Promise<void> {
    const counters = await this.#ready
    this.#settled?.push(record)
    counters?.settle(this.#counted.has(record.id) ? { ...record, ...NOTHING_USED } : record)
    await this.#calls.remove(record.id)
  }

  /** Writes the rows of calls whose isolates died, and frees what they held. */
  override async alarm(): Promise<void> {
    try {
      await this.#endExpired()
    } catch (cause) {
      // Cloudflare tries an alarm that fails six times within two minutes, and then never again:
      // https://developers.cloudflare.com/durable-objects/api/alarms/
      console.error(`The rows of interrupted calls are not written: ${cause}`)
      await this.#calls.lookAgain()
    }
  }

  async #endExpired(): Promise<void> {
    const { lost, unconfirmed } = await this.#calls.expired()
    await writeRecords(this.#db(), lost.map(recordText))
    for (const record of lost) await this.settle(record)
    for (const id of unconfirmed) await this.cancel(id)
    await this.#calls.setAlarm()
  }

  #db(): Db {
    return d1Storage(this.env.DB)
  }

  /** Counters with the use in the database and the calls that were under way when the object was evicted. */
  #counters(call: Admission): Promise<LimitCounters> {
    this.#ready ??= this.#load(call).catch((cause) => {
      this.#ready = undefined
      throw cause
    })
    return this.#ready
  }

  async #load(call: Admission): Promise<LimitCounters> {
    const counters = createLimitCounters(systemClock)
    const calls = await this.#calls.load()
    const { spent, logId } = await this.#spent(call)
    const included = await includedCalls(
      this.#db(),
      calls.map(({ begun }) => begun.id),
      logId,
    )
    counters.seed(spent)
    this.#seededAt = systemClock.elapsed()
    for (const one of calls) {
      // Its row is counted already, so its hold is not restored.
      if (included.has(one.begun.id)) await this.#calls.remove(one.begun.id)
      else counters.restore(one)
    }
    return counters
  }

  #spent({ begun, counters }: Admission) {
    const now = systemClock.now()
    return isOfUser(counters)
      ? spentOfUser(this.#db(), begun.userId, now)
      : spentOf(this.#db(), counters, now)
  }

  /** Takes what was used from the database again, so that no mistake stays. One at a time. */
  #seed(call: Admission, counters: LimitCounters): Promise<void> {
    this.#seeding ??= this.#readAgain(call, counters).finally(() => {
      this.#seeding = undefined
      this.#settled = undefined
    })
    return this.#seeding
  }

  async #readAgain(call: Admission, counters: LimitCounters): Promise<void> {
    const startedAt = systemClock.elapsed()
    const settled: CallRecord[] = []
    this.#settled = settled
    const { spent, logId } = await this.#spent(call)
    // Rows come before settlements. A call that is admitted from here on has none among those that were read.
    const asked = [...this.#calls.ids(), ...settled.map(({ id }) => id)]
    const included = await includedCalls(this.#db(), asked, logId)
    counters.reseed(spent)
    for (const record of settled) if (!included.has(record.id)) counters.addUse(record)
    this.#counted = new Set(this.#calls.ids().filter((id) => included.has(id)))
    this.#seededAt = startedAt
  }
}

const NO_PERIODS = { periodStarts: [0, 0, 0] } as const
