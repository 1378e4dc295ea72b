/**
 * Health records as one process sees them: what it learns counts at once, and is written behind to the store that other
 * processes read. Without a store the records are this process's own.
 */
import type { Clock, HealthStore, Logger } from '../ports.ts'
import { MINUTE_MS } from '../units.ts'
import type { Health } from './health.ts'
import { type HealthEvent, type HealthSettings, nextHealth } from './health-change.ts'

export interface HealthBook {
  size(): number
  get(key: string): Health | undefined
  entries(): IterableIterator<[string, Health]>
  /** Takes note of what happened. Answers the record before and after, if it changed. */
  record(key: string, event: HealthEvent): { before: Health | undefined; after: Health } | undefined
  /** Records an event that only one process may make. Answers whether this one did. */
  claim(key: string, event: HealthEvent): Promise<boolean>
  /** Takes over what other processes know. */
  refresh(): Promise<void>
}

const MOST_ROUNDS = 5
/** What the store did not take waits for so long until it is back, and so many events of a key. Older ones tell nothing of now. */
const WAITING_MS = MINUTE_MS
const MOST_WAITING = 100

export function createHealthBook(parts: {
  store: HealthStore | undefined
  settings(): HealthSettings
  clock: Pick<Clock, 'now'>
  logger: Logger
  /** Keeps the runtime alive until the work is done. */
  waitUntil(work: Promise<unknown>): void
}): HealthBook {
  const { store, settings, clock, logger, waitUntil } = parts
  /** `stored`: records as the store last had them. `current`: the same with the events that are not written yet. */
  let stored = new Map<string, Health>()
  const current = new Map<string, Health>()
  const unwritten = new Map<string, HealthEvent[]>()
  const writing = new Map<string, Promise<void>>()

  const folded = (key: string, events: readonly HealthEvent[]) => {
    let record = stored.get(key)
    for (const event of events) record = nextHealth(record, event, settings()) ?? record
    return record
  }
  async function read(from: HealthStore) {
    const before = new Map(stored)
    stored = takenOver(new Map(await from.read()), { before, stored, writing })
    forgetOld(unwritten, writing, clock.now() - WAITING_MS)
    current.clear()
    for (const [key, record] of stored) current.set(key, record)
    for (const [key, events] of unwritten) {
      const record = folded(key, events)
      if (record) current.set(key, record)
      schedule(key, from)
    }
  }
  async function write(key: string, to: HealthStore) {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const events = [...(unwritten.get(key) ?? [])]
      const seen = stored.get(key)
      const next = folded(key, events)
      const won = !next || next === seen || (await to.swap(key, seen, next))
      if (!won) {
        await reread(key, to)
        continue
      }
      if (next) stored.set(key, next)
      const rest = (unwritten.get(key) ?? []).slice(events.length)
      if (rest.length === 0) return void unwritten.delete(key)
      unwritten.set(key, rest)
      round = -1
    }
    unwritten.delete(key)
  }
  async function reread(key: string, from: HealthStore) {
    const found = (await from.read()).get(key)
    if (found) stored.set(key, found)
    else stored.delete(key)
  }
  function schedule(key: string, to: HealthStore) {
    if (writing.has(key)) return
    const work = write(key, to)
      .then(
        () => true,
        (cause) => void logger.warn('health.store_failed', { cause: String(cause) }),
      )
      .then((isUp) => {
        writing.delete(key)
        // Without the store this process goes on with what it knows itself. Once the store is read again it gets that, too.
        if (!isUp) forgetOld(unwritten, writing, clock.now() - WAITING_MS, [key])
        else if (unwritten.has(key)) schedule(key, to)
      })
    writing.set(key, work)
    waitUntil(work)
  }

  return {
    size: () => current.size,
    get: (key) => current.get(key),
    entries: () => current.entries(),
    record(key, event) {
      const before = current.get(key)
      const after = nextHealth(before, event, settings())
      if (!after) return undefined
      current.set(key, after)
      if (store) {
        unwritten.set(key, [...(unwritten.get(key) ?? []), event])
        schedule(key, store)
      }
      return { before, after }
    },
    async claim(key, event) {
      if (!store) return this.record(key, event) !== undefined
      try {
        await writing.get(key)
        const seen = stored.get(key)
        const next = nextHealth(seen, event, settings())
        if (!next || !(await store.swap(key, seen, next))) {
          await read(store)
          return false
        }
        stored.set(key, next)
        current.set(key, folded(key, unwritten.get(key) ?? []) ?? next)
        return true
      } catch (cause) {
        logger.warn('health.store_failed', { cause: String(cause) })
        return false
      }
    },
    refresh: async () => void (store && (await read(store))),
  }
}

/** What waits for the store from before `since`, and too much of it. Of what is being written nothing is forgotten. */
function forgetOld(
  unwritten: Map<string, HealthEvent[]>,
  writing: ReadonlyMap<string, unknown>,
  since: number,
  keys: Iterable<string> = unwritten.keys(),
): void {
  for (const key of keys) {
    if (writing.has(key)) continue
    const waiting = (unwritten.get(key) ?? []).filter(({ at }) => at >= since).slice(-MOST_WAITING)
    if (waiting.length > 0) unwritten.set(key, waiting)
    else unwritten.delete(key)
  }
}

/** What was read, except where own writes ended or go on since: they are newer, and their events must not count twice. */
function takenOver(
  found: Map<string, Health>,
  own: { before: Map<string, Health>; stored: Map<string, Health>; writing: Map<string, unknown> },
): Map<string, Health> {
  for (const key of own.writing.keys()) if (!own.stored.has(key)) found.delete(key)
  for (const [key, known] of own.stored) {
    const read = found.get(key)
    const isNewer = read ? read.revision < known.revision : own.before.get(key) !== known
    if (own.writing.has(key) || isNewer) found.set(key, known)
  }
  return found
}
