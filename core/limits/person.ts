/** What one person may do on the dashboard, so that nobody fills the audit or keeps the process busy for everybody else. */
import { Refusal } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { createThrottle } from './throttle.ts'

/** More than anybody does by hand; a script that changes more in a day has the command line. */
const CHANGES = { burst: 2_400, everyMs: 18_000 }
/** Changes of one and the same thing. */
const SAME = { burst: 120, everyMs: 5_000 }
const READS = { burst: 1_200, everyMs: 50 }
const AT_ONCE = 64
const FILES_AT_ONCE = 3
const STREAMS_AT_ONCE = 8
const BUSY_RETRY_MS = 1_000

/** `file` is an export, which takes long and is audited; `stream` goes on until its reader leaves. */
export type Doing = 'read' | 'change' | 'file' | 'stream'

const PLACES = { file: FILES_AT_ONCE, stream: STREAMS_AT_ONCE }

export interface PersonLimits {
  /**
   * Begins an action; the returned function ends it and may be called more than once. `thing` names what is changed,
   * if it existed before. Throws a Refusal rate_limited.
   */
  begin(userId: number, doing: Doing, thing?: string): () => void
}

/** The first sync of a directory looks for thousands of people and groups, and changes them, in minutes. */
const OF_PROGRAMS = { changes: { burst: 6_000, everyMs: 10 }, reads: { burst: 6_000, everyMs: 10 } }

/** The same for programs with admin keys, by the key's id. */
export function createProgramLimits(clock: Clock): PersonLimits {
  return createPersonLimits(clock, OF_PROGRAMS)
}

export function createPersonLimits(clock: Clock, rates = { changes: CHANGES, reads: READS }): PersonLimits {
  const changes = createThrottle(clock, rates.changes)
  const same = createThrottle(clock, SAME)
  const reads = createThrottle(clock, rates.reads)
  const underWay = new Map<string, number>()

  function enter(place: string, most: number): () => void {
    const count = underWay.get(place) ?? 0
    if (count >= most) throw tooMuch('Too many requests of yours are under way.', BUSY_RETRY_MS)
    underWay.set(place, count + 1)
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      const left = (underWay.get(place) ?? 1) - 1
      if (left > 0) underWay.set(place, left)
      else underWay.delete(place)
    }
  }

  return {
    begin(userId, doing, thing) {
      const isLong = doing === 'file' || doing === 'stream'
      const leave = isLong ? enter(`${doing} ${userId}`, PLACES[doing]) : enter(`${userId}`, AT_ONCE)
      const waitMs =
        (thing === undefined ? 0 : same.take(`${userId} ${thing}`)) ||
        (doing === 'read' || doing === 'stream' ? reads : changes).take(`${userId}`)
      if (waitMs === 0) return leave
      leave()
      throw tooMuch('You are too fast.', waitMs)
    },
  }
}

function tooMuch(what: string, retryAfterMs: number): Refusal {
  return new Refusal('rate_limited', `${what} Please try again in a moment.`, { retryAfterMs })
}
