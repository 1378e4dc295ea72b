/** What happens with what Claude Code tells of itself: it goes on to collectors, and some of its metrics are counted. */
import { createSeenSettings } from '../devices/seen-settings.ts'
import { headerOf } from '../http/headers.ts'
import { createThrottle } from '../limits/throttle.ts'
import type { HeaderPairs } from '../ports.ts'
import type { Signal } from '../settings.ts'
import { createDailySums, type DailySumsParts } from './daily-sums.ts'
import { createRelay, type Relay, type RelayParts, type Telling } from './relay.ts'

export interface Telemetry extends Pick<Relay, 'run' | 'left' | 'takeOver'> {
  /** Whether a telling of this person is to be read; it counts as one. What is not read is dropped. */
  begin(signal: Signal, userId: number): boolean
  /** Throws where metrics cannot be read. */
  take(telling: Telling): void
  /** A call came whose headers may name a session of Claude Code, and the managed settings that it runs with. */
  called(person: { userId: number; keyId: number }, headers: HeaderPairs): void
}

/** Of a person, whose terminals tell something once a minute each. */
const AT_ONCE = 120
const EVERY_MS = 500
/** Metrics of one process of Claude Code have some KB. To read more keeps calls waiting. */
const MOST_COUNTED_BYTES = 128 * 1024

export function createTelemetry(parts: RelayParts & DailySumsParts): Telemetry {
  const { clock, metrics } = parts
  const relay = createRelay(parts)
  const sums = createDailySums(parts)
  const seen = createSeenSettings(parts)
  const throttle = createThrottle(clock, { burst: AT_ONCE, everyMs: EVERY_MS })
  return {
    run: relay.run,
    left: relay.left,
    takeOver: relay.takeOver,
    begin(signal, userId) {
      if (signal !== 'metrics' && !relay.wants(signal)) return false
      if (throttle.take(String(userId)) === 0) return true
      metrics?.telemetryDropped(signal, 'too_many')
      return false
    },
    take(telling) {
      relay.take(telling)
      const { signal, body } = telling
      if (signal !== 'metrics') return
      const isCounted =
        body.byteLength <= MOST_COUNTED_BYTES && sums.metrics(telling, body, telling.isProtobuf)
      if (!isCounted) metrics?.telemetryDropped(signal, 'not_counted')
    },
    called(person, headers) {
      const session = headerOf(headers, 'x-claude-code-session-id')
      if (session) sums.session(person, session)
      const checksum = headerOf(headers, 'x-claude-code-managed-settings-checksum')
      if (checksum) seen(person.keyId, checksum)
    },
  }
}
