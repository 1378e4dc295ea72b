/** Calls under way that a Durable Object holds something for. They are also in its storage, because it may be evicted. */
import { HOLD_EXPIRY_MS } from '../../../core/limits/decide.ts'
import { createPeriods } from '../../../core/limits/period.ts'
import type { Admission, CallRecord, Clock, Counter, Estimate } from '../../../core/ports.ts'
import { NOT_BOOKED } from '../../../core/record.ts'
import { HOUR_MS } from '../../../core/units.ts'

/** What is held while other objects are asked ends after this time. */
const CONFIRM_MS = 60_000
const LOOK_AGAIN_MS = 30_000

/**
 * The answer does not wait for the disk: if the machine dies in these milliseconds, a pool holds too little until its calls end,
 * or a call that is over holds something until it expires.
 */
const UNCONFIRMED = { allowUnconfirmed: true }

/** A call as earlier releases stored it, at first with one estimate. */
type Earlier = { begun: Omit<CallRecord, keyof typeof NOT_BOOKED | 'periodStarts'> } & (
  | Pick<Admission, 'worst' | 'usual'>
  | Estimate
)
/** `expiresAt`: when its isolate is taken for dead unless it renews the call, ms since 1970. */
type Stored = (Admission | Earlier) & { expiresAt?: number; unconfirmed?: boolean }
type Held = Admission & { expiresAt: number; unconfirmed: boolean }

export interface HeldCalls {
  /** Reads the storage and answers the calls in it. Called first. */
  load(): Promise<Held[]>
  ids(): string[]
  add(call: Admission, unconfirmed: boolean): Promise<void>
  /** Does nothing for a call that is not held. */
  renew(call: Admission): Promise<void>
  remove(id: string): Promise<void>
  /** Removes calls that are over without a trace: all of a pool, of a user those that were never confirmed. Answers their ids. */
  dropExpired(): Promise<string[]>
  /** What has expired: records of a user's calls without a row, and ids of calls that need none. */
  expired(): Promise<{ lost: CallRecord[]; unconfirmed: string[] }>
  /** Sets the alarm for what expires next, if anything of a user is held. */
  setAlarm(): Promise<void>
  /** Sets it to half a minute from now. */
  lookAgain(): Promise<void>
}

/** Whether they are those of a user and a key. */
export function isOfUser([first]: readonly Counter[]): boolean {
  return first?.scope === 'user'
}

export function createHeldCalls(storage: DurableObjectStorage, clock: Clock): HeldCalls {
  const calls = new Map<string, Held>()
  const all = () => [...calls.values()]
  /** No call expires before (ms since 1970). */
  let nothingBefore = Number.POSITIVE_INFINITY
  const alarm = createAlarm(storage)

  async function put(call: Admission, unconfirmed: boolean) {
    const expiresAt = clock.now() + (unconfirmed ? CONFIRM_MS : HOLD_EXPIRY_MS)
    const held = { ...call, expiresAt, unconfirmed }
    calls.set(call.begun.id, held)
    nothingBefore = Math.min(nothingBefore, expiresAt)
    await storage.put(call.begun.id, held, needsRow(held) ? {} : UNCONFIRMED)
    return expiresAt
  }
  async function remove(id: string) {
    // An object that was evicted has it in the storage alone.
    calls.delete(id)
    await storage.delete(id, UNCONFIRMED)
  }
  async function load() {
    for (const stored of (await storage.list<Stored>()).values()) {
      const held = readable(stored)
      calls.set(held.begun.id, held)
    }
    nothingBefore = earliest(all())
    return all()
  }

  return {
    load,
    ids: () => [...calls.keys()],
    async add(call, unconfirmed) {
      const expiresAt = await put(call, unconfirmed)
      if (isOfUser(call.counters)) await alarm.atLatest(expiresAt)
    },
    async renew(call) {
      const { id } = call.begun
      if (calls.has(id) || (await storage.get(id)) !== undefined) await put(call, false)
    },
    remove,
    async dropExpired() {
      const now = clock.now()
      if (now < nothingBefore) return []
      const over = all().filter((held) => held.expiresAt <= now && !needsRow(held))
      for (const { begun } of over) await remove(begun.id)
      nothingBefore = earliest(all())
      return over.map(({ begun }) => begun.id)
    },
    async expired() {
      // An object that was evicted is woken by its alarm.
      if (calls.size === 0) await load()
      return sorted(all().filter(({ expiresAt }) => expiresAt <= clock.now()))
    },
    setAlarm: () => alarm.set(earliest(all().filter(({ counters }) => isOfUser(counters)))),
    lookAgain: () => alarm.set(clock.now() + LOOK_AGAIN_MS),
  }
}

function sorted(over: readonly Held[]) {
  return {
    lost: over.filter(needsRow).map(({ begun }) => begun),
    unconfirmed: over.filter((held) => !needsRow(held)).map(({ begun }) => begun.id),
  }
}

/** What a call of a user leaves that was admitted by all. */
function needsRow({ counters, unconfirmed }: Held): boolean {
  return isOfUser(counters) && !unconfirmed
}

function earliest(calls: readonly Held[]): number {
  return calls.reduce((first, { expiresAt }) => Math.min(first, expiresAt), Number.POSITIVE_INFINITY)
}

function createAlarm(storage: DurableObjectStorage) {
  let setTo: number | null | undefined
  async function set(at: number) {
    setTo = at < Number.POSITIVE_INFINITY ? at : null
    if (setTo !== null) await storage.setAlarm(setTo)
  }
  return {
    set,
    /** Sets it unless it is set: what is renewed meanwhile is looked at again when it rings. */
    async atLatest(at: number) {
      setTo = setTo === undefined ? await storage.getAlarm() : setTo
      if (setTo === null) await set(at)
    },
  }
}

const UTC = createPeriods('UTC')

function readable(stored: Stored): Held {
  const { expiresAt = stored.begun.createdAt + HOUR_MS, unconfirmed = false } = stored
  if ('periodEnds' in stored) return { ...stored, expiresAt, unconfirmed }
  const { createdAt, userId, keyId } = stored.begun
  const begun = { ...NOT_BOOKED, periodStarts: UTC.startsAt(createdAt), ...stored.begun }
  const limits = { amounts: [], requestsPerMinute: 0, tokensPerMinute: 0, concurrentRequests: 0 }
  const counters: Counter[] = [
    { scope: 'user', id: userId, limits },
    { scope: 'key', id: keyId, limits },
  ]
  const { worst, usual } = 'worst' in stored ? stored : { worst: stored, usual: stored }
  return { begun, periodEnds: UTC.endsAt(createdAt), counters, worst, usual, expiresAt, unconfirmed }
}
