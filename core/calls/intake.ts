/**
 * What is asked before the body of a call is read: whether its caller may have another call, and whether there is room for
 * its bytes. The ledger asks again, exactly, once the call is known.
 */
import { Refusal } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { createBodyMemory } from '../limits/body-memory.ts'
import { limitRefusal } from '../limits/refusals.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Clock, Ledger, Owner } from '../ports.ts'
import type { Settings } from '../settings.ts'

export interface Intake {
  /**
   * Begins a call whose body is `announced` bytes long (0 when unknown); `limited` where requests are counted. Throws a
   * Refusal: rate_limited, overloaded.
   */
  begin(caller: Caller, announced: number, limited: boolean): Visit
  /** Bytes of bodies that are held now. */
  heldBytes(): number
}

export interface Visit {
  /** `bytes` more of the body have come. Throws a Refusal `overloaded`. */
  add(bytes: number): void
  /** The body is there: from here on the ledger counts the call. */
  read(): void
  /** The call is over, or never began. Repeatable. */
  end(): void
}

/** When to come again: most calls end within seconds. */
const RETRY_MS = 2_000

export function createIntake(parts: {
  settings: Settings
  ledger: Ledger
  clock: Clock
  hasRoomForCall?(): boolean
  metrics?: Metrics | undefined
}): Intake {
  const { settings, ledger, clock, hasRoomForCall = () => true, metrics } = parts
  const memory = createBodyMemory(settings.limits.bodyMemoryBytes)
  /** Calls whose bodies are being read. */
  const counts = { user: createCounts(), key: createCounts() }
  /** Pools have no rates. */
  const countsOf = ({ scope }: Owner) => (scope === 'user' || scope === 'key' ? counts[scope] : undefined)
  const reading = (owner: Owner) => countsOf(owner)?.of(owner.id) ?? 0

  function assertAllowed({ counters }: Caller) {
    const denied = ledger.peek(counters, reading)
    if (!denied) return
    metrics?.limitReached(denied)
    throw limitRefusal(settings, denied, counters, clock.now())
  }

  return {
    heldBytes: memory.held,
    begin(caller, announced, limited) {
      if (!hasRoomForCall()) throw crowded()
      if (limited) assertAllowed(caller)
      const held = memory.hold(caller.userId, announced)
      if (!limited) return { add: held.add, read() {}, end: held.free }
      let arriving = true
      for (const counter of caller.counters) countsOf(counter)?.add(counter.id, 1)
      const read = () => {
        if (!arriving) return
        arriving = false
        for (const counter of caller.counters) countsOf(counter)?.add(counter.id, -1)
      }
      return {
        add: held.add,
        read,
        end() {
          read()
          held.free()
        },
      }
    },
  }
}

/** Closes the connection, because connections are what is short. */
function crowded(): Refusal {
  const message = 'The gateway has as many connections open as it can. Please try again.'
  return new Refusal('overloaded', message, { retryAfterMs: RETRY_MS, headers: [['connection', 'close']] })
}

/** Counts by id; an id whose count is 0 takes no room. */
function createCounts() {
  const all = new Map<number, number>()
  const of = (id: number) => all.get(id) ?? 0
  return {
    of,
    add(id: number, change: 1 | -1) {
      const count = of(id) + change
      if (count > 0) all.set(id, count)
      else all.delete(id)
    },
  }
}
